# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The refusals of `make release`, in a repository of its own. `make build` has its tests in test_archive.py."""

from __future__ import annotations

import re
import shutil
import subprocess
import typing as t
from datetime import date
from pathlib import Path

import pytest
import yaml

from project import changelog, release, repository

VERSION = release.read_version()
RELEASED = "2026-02-10"
URL = "https://code.example.org/team/claws"
GIT = ["git", "-c", "user.name=Maintainer", "-c", "user.email=maintainer@example.org", "-c", "commit.gpgsign=false"]


def git(root: Path, *arguments: str) -> str:
    command = [*GIT, "-c", "tag.gpgsign=false", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def commit(root: Path) -> None:
    """Commits everything, and marks it as tested."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "Change")
    (root / "build").mkdir(exist_ok=True)
    (root / "build/tested").write_text(git(root, "rev-parse", "HEAD^{tree}") + "\n", encoding="utf-8")


def replace(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """Returns a repository from which the version could be released."""
    for path in repository.texts():
        name = path.relative_to(release.ROOT)
        # Not the fragments of the next release: here they are collected already.
        if name.parts[0] not in ("plugins", "tests") and name.parent.name != "fragments":
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / name)
    (tmp_path / "plugins/module_utils").mkdir(parents=True)
    shutil.copy(release.ROOT / "plugins/module_utils/_version.py", tmp_path / "plugins/module_utils")
    text = f"ancestor: null\nreleases:\n  {VERSION}:\n    release_date: '{RELEASED}'\n"
    (tmp_path / "changelogs/changelog.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "CHANGELOG.rst").write_text(f"v{VERSION}\n======\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    repository.set_address(URL, tmp_path)
    commit(tmp_path)
    return tmp_path


def find_missing(root: Path) -> list[str]:
    return release.find_missing(root, date.fromisoformat(RELEASED))


def test_the_repository_names_one_version_everywhere() -> None:
    assert release.find_other_versions() == []
    collected = yaml.safe_load((release.ROOT / "changelogs/changelog.yaml").read_text(encoding="utf-8"))
    page = (release.ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert re.findall(r"^v(\d+\.\d+\.\d+\S*)$", page, re.MULTILINE) == sorted(
        collected["releases"], key=lambda version: [*map(int, version.split("."))], reverse=True
    )
    # The version in galaxy.yml is the newest release, or the next one, whose fragments are not yet collected.
    is_next = any((release.ROOT / "changelogs/fragments").glob("*.y*ml"))
    assert is_next or VERSION in collected["releases"], "run make changelog"


def test_every_way_to_name_the_version_is_found(ready: Path) -> None:
    for name in ("galaxy.yml", "CHANGELOG.rst"):
        replace(ready, name, VERSION, "7.8.9")
    places = release.find_other_versions(ready)
    named = {place.partition(":")[0] for place in places}
    assert named >= {"plugins/module_utils/_version.py", "README.md", "docs/upgrading.md"}
    # In requirements.yml on one line, for ansible-galaxy, and in the name of the archive.
    assert len(places) >= 5, places
    assert f"plugins/module_utils/_version.py:7 names {VERSION}" in places
    (ready / "docs/more.md").write_text("- name: clawhosters.cloud\n  version: 1.2.3\n", encoding="utf-8")
    assert "docs/more.md:1 names 1.2.3" in release.find_other_versions(ready)


def test_nothing_is_missing_where_all_is_done(ready: Path) -> None:
    assert find_missing(ready) == []


def edited(*changes: tuple[str, str, str]) -> t.Callable[[Path], None]:
    """Returns what replaces these texts of files, and commits."""

    def prevent(root: Path) -> None:
        for name, old, new in changes:
            replace(root, name, old, new)
        commit(root)

    return prevent


def stand_in(root: Path) -> None:
    repository.set_address(f"{release.repository.STAND_IN}clawhosters/clawhosters.cloud", root)
    commit(root)


def fragment(root: Path) -> None:
    (root / "changelogs/fragments").mkdir(exist_ok=True)
    (root / "changelogs/fragments/more.yml").write_text("minor_changes:\n  - more.\n", encoding="utf-8")
    commit(root)


def change(root: Path) -> None:
    replace(root, "README.md", "#", "##")
    (root / "new.txt").touch()


def later_commit(root: Path) -> None:
    tested = (root / "build/tested").read_text(encoding="utf-8")
    edited(("README.md", "#", "##"))(root)
    (root / "build/tested").write_text(tested, encoding="utf-8")


CODE, LOG = "plugins/module_utils/_version.py", "changelogs/changelog.yaml"
NAMED = ("galaxy.yml", CODE, LOG, "CHANGELOG.rst", "README.md", "docs/getting-started.md", "docs/upgrading.md")
MISSING: list[tuple[t.Callable[[Path], object], str]] = [
    (stand_in, "stands in for the public repository"),
    (edited((CODE, VERSION, "0.0.1")), f"{CODE}:7 names 0.0.1, and galaxy.yml"),
    (edited(*((name, VERSION, f"{VERSION}-rc") for name in NAMED)), "not of the form 1.2.3"),
    (fragment, "The changelog lacks more.yml: run make changelog."),
    (edited((LOG, f"  {VERSION}:\n", "  0.0.1:\n")), f"{LOG} has no release {VERSION}: run make changelog."),
    (
        edited(("CHANGELOG.rst", f"v{VERSION}\n", "v0.0.1\n")),
        f"CHANGELOG.rst has no release {VERSION}: run make changelog.",
    ),
    (
        edited((LOG, f"'{RELEASED}'", "'2001-02-03'")),
        f"dates {VERSION} 2001-02-03, and today is {RELEASED}: run make changelog.",
    ),
    (
        edited((LOG, "releases:\n", "releases:\n  100.0.0: {release_date: '2001-02-03'}\n")),
        f"{LOG} has a newer release, 100.0.0.",
    ),
    (change, "Not committed: README.md and 1 more."),
    (lambda root: (root / "build/tested").unlink(), "make test has not passed on this commit: run make test."),
    (later_commit, "make test has not passed on this commit: run make test."),
    (lambda root: git(root, "tag", VERSION), f"The tag {VERSION} exists: set the next version in galaxy.yml."),
    (lambda root: git(root, "tag", "100.0.0"), f"The tag 100.0.0 is newer than {VERSION}."),
]


@pytest.mark.parametrize(("prevent", "line"), MISSING, ids=[line for _prevent, line in MISSING])
def test_one_thing_that_is_missing_is_one_line(ready: Path, prevent: t.Callable[[Path], object], line: str) -> None:
    prevent(ready)
    (found,) = find_missing(ready)
    assert line in found


def test_the_day_may_differ_by_the_time_zone(ready: Path) -> None:
    released = date.fromisoformat(RELEASED)
    days = {
        day: bool(release.find_missing(ready, date.fromordinal(released.toordinal() + day))) for day in range(-2, 3)
    }
    assert days == {-2: True, -1: False, 0: False, 1: False, 2: True}


CHANGELOG = """\
releases:
  1.2.3:
    modules:
    - description: Read one.
      name: claw_one
      namespace: ''
    - description: Stop instances until the balance lasts (internal to the roles of
        the collection).
      name: internal_guard
      namespace: ''
    - description: Write the page.
      name: internal_page
      namespace: ''
    - description: Read two, which
        is longer.
      name: claw_two
      namespace: ''
    release_date: '2026-02-10'
"""


def test_internal_modules_are_no_news() -> None:
    release_of = yaml.safe_load(changelog.drop_internal(CHANGELOG))["releases"]["1.2.3"]
    assert [module["name"] for module in release_of["modules"]] == ["claw_one", "claw_two"]
    assert release_of["release_date"] == "2026-02-10"
    released = yaml.safe_load((release.ROOT / "changelogs/changelog.yaml").read_text(encoding="utf-8"))["releases"]
    modules = [module["name"] for one in released.values() for module in one.get("modules", [])]
    assert [name for name in modules if name.startswith("internal_")] == []
