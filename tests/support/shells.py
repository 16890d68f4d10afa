# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pastes lines into real shells, with stand-ins for the programs that they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .debian import require_package

SHELLS = {
    "bash": ["bash", "--norc", "-c", 'for line in "$@"; do next-line; eval "$line"; done', "bash"],
    "zsh": ["zsh", "--no-rcs", "-c", 'for line in "$@"; do next-line; eval "$line"; done', "zsh"],
    "fish": ["fish", "--no-config", "-c", "for line in $argv; next-line; eval $line; end"],
}
"""How each shell runs lines one after another. A line that it can't run does not stop the others."""
_RECORD = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" END >> "$RECORDED"
"""

Call = list[str]
"""A program with its arguments."""


def require_shell(name: str) -> None:
    """Installs the shell if it is missing."""
    require_package(name, lambda: shutil.which(name), f"what {name} makes of printed commands")


@dataclass
class Shells:
    """Shells in ``folder``. ``programs`` do nothing there, but record with what they are called."""

    folder: Path
    programs: t.Sequence[str] = ("ansible-playbook",)

    def paste(self, shell: str, lines: t.Sequence[str]) -> list[list[Call]]:
        """Returns what each line calls, if it is pasted and followed by Enter."""
        require_shell(shell)
        stand_ins = self.folder / ".stand-ins"
        stand_ins.mkdir(exist_ok=True)
        for program in (*self.programs, "next-line"):
            path = stand_ins / program
            path.write_text(_RECORD, encoding="utf-8")
            path.chmod(0o700)
        recorded = stand_ins / "recorded"
        recorded.write_bytes(b"")
        environment = {
            "PATH": f"{stand_ins}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(stand_ins),
            "LC_ALL": "C.UTF-8",
            "RECORDED": str(recorded),
        }
        subprocess.run(
            [*SHELLS[shell], *lines],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=300,
        )
        calls: list[list[Call]] = []
        call: Call = []
        for word in recorded.read_text(encoding="utf-8").split("\0")[:-1]:
            if word != "END":
                call.append(word)
            elif call == ["next-line"]:
                calls.append([])
                call = []
            else:
                calls[-1].append(call)
                call = []
        assert len(calls) == len(lines)
        return calls
