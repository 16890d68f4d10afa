# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the archive for Galaxy from the files that git would commit, and checks it with galaxy-importer.

Usage: python -m project.archive DIST. The archive differs from the repository in two points, since Galaxy shows a page
alone. Text between `<!-- pictures -->` and `<!-- /pictures -->` is removed, and links of the README are absolute.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from support.controller import BIN, REPOSITORY

from . import repository

PICTURES = re.compile(r"<!-- pictures -->\n.*?<!-- /pictures -->\n+", re.DOTALL)


def copy_sources(source: Path) -> None:
    """Copies the files that git would commit; Markdown as the archive has it."""
    galaxy = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".md":
            text = PICTURES.sub("", content.decode())
            if name == galaxy["readme"]:
                text = repository.make_links_absolute(text, galaxy["repository"], galaxy["version"])
            content = text.encode()
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)


def build(folder: Path) -> Path:
    """Builds the archive in ``folder`` and returns its path."""
    with tempfile.TemporaryDirectory() as source:
        copy_sources(Path(source))
        galaxy = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(folder), source]
        subprocess.run(galaxy, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def check_archive(archive: Path, *, only_metadata: bool = False) -> tuple[bool, str]:
    """Returns True if galaxy-importer accepts the archive with its strictest settings, and its output.

    A warning counts as a failure. ``only_metadata`` leaves out the programs that it runs, which take most of its time.
    """
    version = str(yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    checks = dict.fromkeys(["CHECK_REQUIRED_TAGS", "CHECK_CHANGELOG"], True)
    checks |= dict.fromkeys(["RUN_FLAKE8", "RUN_ANSIBLE_DOC", "RUN_ANSIBLE_LINT"], not only_metadata)
    checks["REQUIRE_V1_OR_GREATER"] = not version.startswith("0.")
    strict = {f"GALAXY_IMPORTER_{check}": str(is_on) for check, is_on in checks.items()}
    with tempfile.TemporaryDirectory() as folder:
        importer = subprocess.run(
            [sys.executable, "-m", "galaxy_importer.main", str(archive.resolve())],
            cwd=folder,
            env={**os.environ, **strict, "PATH": f"{BIN}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    bad = re.search(r"^(WARNING|ERROR)\b", importer.stdout, re.MULTILINE)
    return importer.returncode == 0 and not bad, importer.stdout


def main() -> int:
    """Returns the exit code."""
    archive = build(Path(sys.argv[1]))
    is_accepted, output = check_archive(archive)
    print(f"{archive}: {archive.stat().st_size // 1000} kB, {'good' if is_accepted else 'NOT good'} for Galaxy")
    if not is_accepted:
        print(output)
    return not is_accepted


if __name__ == "__main__":
    sys.exit(main())
