# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive for Galaxy, built of what git would commit, and judged by its importer: python -m support.archive DIST

The pictures stay in the repository: Galaxy shows no picture that a README names by a relative path, so what stands
between `<!-- pictures -->` and `<!-- /pictures -->` is cut out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from .controller import BIN, REPOSITORY

PICTURES = re.compile(r"<!-- pictures -->\n.*?<!-- /pictures -->\n+", re.DOTALL)


def lay_out(source: Path) -> None:
    """What git would commit, without the pictures in its texts."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".md":
            content = PICTURES.sub("", content.decode()).encode()
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)


def build(folder: Path) -> Path:
    """The archive, made in ``folder``."""
    with tempfile.TemporaryDirectory() as source:
        lay_out(Path(source))
        galaxy = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(folder), source]
        subprocess.run(galaxy, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def judge(archive: Path, *, with_lint: bool = True) -> tuple[bool, str]:
    """Whether Galaxy would take it, as strictly as a hub of one's own may be set, and what its importer said.

    A warning counts as a no: on a hub somebody has to look at it. ``with_lint=False`` leaves out ansible-lint, which is
    most of the time that it takes.
    """
    version = str(yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    checks = ["CHECK_REQUIRED_TAGS", "RUN_FLAKE8", "CHECK_CHANGELOG", "RUN_ANSIBLE_DOC"]
    if not version.startswith("0."):
        checks.append("REQUIRE_V1_OR_GREATER")
    strict = {f"GALAXY_IMPORTER_{check}": "True" for check in checks}
    strict["GALAXY_IMPORTER_RUN_ANSIBLE_LINT"] = str(with_lint)
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
    good = importer.returncode == 0 and not bad
    return good, importer.stdout


def main() -> int:
    """Returns the exit code."""
    archive = build(Path(sys.argv[1]))
    good, said = judge(archive)
    print(f"{archive}: {archive.stat().st_size // 1000} kB, {'good for Galaxy' if good else 'NOT good for Galaxy:'}")
    if not good:
        print(said)
    return not good


if __name__ == "__main__":
    sys.exit(main())
