# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a target of the Makefile on pairs of ansible-core and Python: ``core_matrix.py row 2.18:python3.11 …``.

A pair whose Python is not installed is left out, and named. At the end each pair has a line with its outcome and its
seconds. The exit code is 0 if at least one pair ran and none failed.

A row is whole if no earlier whole row has its ansible-core, or none has its Python. The other rows are short (the
variable SHORT of the Makefile): what is left out of them has run with the same Python, and with the same ansible-core.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Row:
    """One pair. ``python`` is a command such as ``python3.12``, or a path."""

    core: str
    python: str
    path: str | None = None
    """The interpreter, None if it is not installed."""
    version: str = ""
    is_short: bool = False
    outcome: str = "not installed"
    seconds: float = 0.0

    def line(self) -> str:
        """Returns the line of the table."""
        extent = "short" if self.is_short else "whole"
        ran = f"{extent:<6} {self.seconds:6.0f} s" if self.path else ""
        return f"{self.core:<8} {self.version or self.python:<11} {self.outcome:<14} {ran}".rstrip()


def find_python(name: str, folders: t.Iterable[Path]) -> tuple[str, str] | None:
    """Returns the first interpreter of this name that can make environments, and its version.

    Looks on the PATH, then in the ``folders``. A command on the PATH may exist and fail: pyenv has one for every
    installed version, and runs only those that are activated.
    """
    script = "import ensurepip, platform, venv; print(platform.python_version())"
    for path in [shutil.which(name), *(shutil.which(name, path=str(folder)) for folder in folders)]:
        if path is None:
            continue
        done = subprocess.run([path, "-c", script], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return path, done.stdout.strip()
    return None


def pyenv_folders() -> list[Path]:
    """Returns the folders of pyenv's interpreters, those of the newest version first."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(root.glob("versions/3.*/bin"), key=lambda path: _numbers(path.parent.name), reverse=True)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def plan(pairs: t.Iterable[str], find: t.Callable[[str], tuple[str, str] | None]) -> list[Row]:
    """Returns the rows of pairs such as ``2.18:python3.11``."""
    rows = []
    cores: set[str] = set()
    pythons: set[tuple[int, ...]] = set()
    for pair in pairs:
        core, _colon, python = pair.partition(":")
        row = Row(core, python)
        rows.append(row)
        if found := find(python):
            row.path, row.version = found
            minor = tuple(_numbers(row.version)[:2])
            row.is_short = core in cores and minor in pythons
            cores.add(core)
            pythons.add(minor)
    return rows


def run(target: str, row: Row) -> None:
    """Runs the target, and sets the outcome of the row."""
    print(f"\n==> ansible-core {row.core}, Python {row.version}: make {target}", flush=True)
    begun = time.monotonic()
    command = ["make", target, f"CORE={row.core}", f"PYTHON={row.path}", f"SHORT={'yes' if row.is_short else ''}"]
    row.outcome = "FAILED" if subprocess.run(command, check=False).returncode else "passed"
    row.seconds = time.monotonic() - begun


def main(target: str, pairs: list[str]) -> int:
    """Returns the exit code."""
    folders = pyenv_folders()
    rows = plan(pairs, lambda name: find_python(name, folders))
    try:
        for row in rows:
            if row.path:
                run(target, row)
    except KeyboardInterrupt:
        return 130
    print("\ncore     Python      outcome        rows    time")
    for row in rows:
        print(row.line())
    print(f"{'all':<35} {'':<6} {sum(row.seconds for row in rows):6.0f} s")
    outcomes = {row.outcome for row in rows}
    return int("FAILED" in outcomes or "passed" not in outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
