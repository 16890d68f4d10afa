# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds what is missing for the release of the version in galaxy.yml: the first step of ``make release``."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import yaml

from . import repository

ROOT = repository.ROOT
SEMVER = re.compile(r"\d+\.\d+\.\d+")
"""The tags that the workflow publishes have this form."""
PINNED = re.compile(r"clawhosters[.-]cloud[\W_]{1,8}(?:version\W{1,3})?(?:==|-)?(\d+\.\d+\.\d+(?:-\w+)?)")
"""The collection with a version, as the guides show it: in requirements.yml, or in the name of the archive."""
PAGES = ("README.md", "docs/**/*.md", "docs/**/*.rst", "examples/**/*", "roles/*/README.md")
TESTED = Path("build/tested")
"""Has the tree that `make test` passed on, as git names it."""
TIME_ZONES = timedelta(days=1)
"""The date of the changelog is that of its maker's clock; here it is compared in UTC."""


def read_version(root: Path = ROOT) -> str:
    """Returns the version in galaxy.yml."""
    return str(_read_yaml(root / "galaxy.yml")["version"])


def find_other_versions(root: Path = ROOT) -> list[str]:
    """Returns the places that name another version than galaxy.yml: ``FILE:LINE names 1.0.0``."""
    version = read_version(root)
    code = (root / "plugins/module_utils/_version.py").read_text(encoding="utf-8")
    found = [("plugins/module_utils/_version.py", code, match) for match in re.finditer(r'VERSION = "(.*)"', code)]
    for path in sorted({path for pattern in PAGES for path in root.glob(pattern) if path.is_file()}):
        if path.suffix in (".md", ".rst", ".yml", ".sh"):
            text = path.read_text(encoding="utf-8")
            found += [(str(path.relative_to(root)), text, match) for match in PINNED.finditer(text)]
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1} names {match[1]}"
        for name, text, match in found
        if match[1] != version
    ]


def find_missing(root: Path = ROOT, today: date | None = None) -> list[str]:
    """Returns what is missing for the release of the version in galaxy.yml, one line each."""
    version = read_version(root)
    missing = []
    if not SEMVER.fullmatch(version):
        missing.append(f"The version in galaxy.yml is {version}, which is not of the form 1.2.3.")
    missing += [f"{place}, and galaxy.yml {version}." for place in find_other_versions(root)]
    missing += _check_changelog(root, version, today or datetime.now(UTC).date())
    if places := repository.find_stand_ins(root):
        address = repository.read_address(root)
        missing.append(
            f"{address} stands in for the public repository, in {len(places)} places: "
            "run make repository URL=https://HOST/OWNER/NAME."
        )
    return [*missing, *_check_git(root, version)]


def _check_changelog(root: Path, version: str, today: date) -> t.Iterator[str]:
    fragments = sorted(path.name for path in (root / "changelogs/fragments").glob("*.y*ml"))
    if fragments:
        yield f"The changelog lacks {', '.join(fragments)}: run make changelog."
    releases = _read_yaml(root / "changelogs/changelog.yaml")["releases"]
    if version not in releases:
        yield f"changelogs/changelog.yaml has no release {version}: run make changelog."
        return
    dated = str(releases[version].get("release_date"))
    try:
        is_dated = abs(date.fromisoformat(dated) - today) <= TIME_ZONES
    except ValueError:
        is_dated = False
    if not is_dated:
        yield f"changelogs/changelog.yaml dates {version} {dated}, and today is {today}: run make changelog."
    lines = (root / "CHANGELOG.rst").read_text(encoding="utf-8").splitlines()
    if f"v{version}" not in lines:
        yield f"CHANGELOG.rst has no release {version}: run make changelog."
    if newer := [other for other in releases if _numbers(other) > _numbers(version)]:
        yield f"changelogs/changelog.yaml has a newer release, {max(newer, key=_numbers)}."


def _check_git(root: Path, version: str) -> t.Iterator[str]:
    if changes := _git(root, "status", "--porcelain").splitlines():
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        yield f"Not committed: {changes[0][3:]}{more}."
    tags = [tag for tag in _git(root, "tag", "--list").split() if SEMVER.fullmatch(tag)]
    if version in tags:
        yield f"The tag {version} exists: set the next version in galaxy.yml."
    elif newer := [tag for tag in tags if _numbers(tag) > _numbers(version)]:
        yield f"The tag {max(newer, key=_numbers)} is newer than {version}."
    tested = (root / TESTED).read_text(encoding="utf-8").strip() if (root / TESTED).exists() else ""
    if tested != _git(root, "rev-parse", "HEAD^{tree}"):
        yield "make test has not passed on this commit: run make test."


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout.rstrip(
        "\n"
    )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def _read_yaml(path: Path) -> dict[str, t.Any]:
    content: dict[str, t.Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def main() -> int:
    """Returns the exit code."""
    missing = find_missing()
    if missing:
        print(f"Release {read_version()} is refused:", *missing, sep="\n  ")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
