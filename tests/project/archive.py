# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the archive for Galaxy from the files that git tracks, and checks it with galaxy-importer.

Usage: python -m project.archive DIST. Ansible's own command packs the same files of a clean clone; `galaxy.yml` says
what else it may pack. The archive differs from the repository in two points, since Galaxy shows a page alone. Text
between `<!-- pictures -->` and `<!-- /pictures -->` is left out, and links of the README are absolute.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from support.controller import BIN, REPOSITORY

GALAXY = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))
LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)\s]+)(?=\))")
PICTURES = re.compile(r"<!-- pictures -->\n.*?<!-- /pictures -->\n+", re.DOTALL)


def copy_sources(repository: Path, source: Path) -> None:
    """Copies the files that git tracks; Markdown as the archive has it."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path, copy = repository / name, source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            shutil.copy(path, copy, follow_symlinks=False)
        if path.is_file() and path.suffix == ".md":
            text = PICTURES.sub("", path.read_text(encoding="utf-8"))
            if name == GALAXY["readme"]:
                text = LINK.sub(rf"{GALAXY['repository']}/blob/{GALAXY['version']}/\1", text)
            copy.write_text(text, encoding="utf-8")


def build(folder: Path, repository: Path = REPOSITORY) -> Path:
    with tempfile.TemporaryDirectory() as source:
        copy_sources(repository, Path(source))
        galaxy = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(folder), source]
        subprocess.run(galaxy, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def run_importer(archive: Path) -> int:
    """Returns 0 if galaxy-importer accepts the archive with its strictest settings and without a warning."""
    checks = ("CHECK_REQUIRED_TAGS", "CHECK_CHANGELOG", "REQUIRE_V1_OR_GREATER")
    checks += ("RUN_FLAKE8", "RUN_ANSIBLE_DOC", "RUN_ANSIBLE_LINT")
    strict = {f"GALAXY_IMPORTER_{check}": "True" for check in checks}
    environment = {**os.environ, **strict, "PATH": f"{BIN}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "galaxy_importer.main", str(archive.resolve())]
    with tempfile.TemporaryDirectory() as folder:
        importer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    printed = importer.stdout + importer.stderr
    bad = importer.returncode or re.search(r"^(WARNING|ERROR)\b", printed, re.MULTILINE)
    if bad:
        print(printed)
    return int(bool(bad))


if __name__ == "__main__":
    built = build(Path(sys.argv[1]))
    print(f"{built}: {built.stat().st_size // 1000} kB")
    sys.exit(run_importer(built))
