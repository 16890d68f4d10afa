# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the commands that messages print."""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path

import yaml

START = "ansible-playbook clawhosters.cloud.restore "


def find_commands(lines: t.Iterable[str]) -> list[str]:
    """Returns the lines that are commands of the role ``restore``."""
    return [line for line in lines if line.startswith(START)]


def parse_variables(command: str, folder: Path = Path()) -> dict[str, t.Any]:
    """Returns the extra variables of a command that was printed in ``folder``: those in its line, or in its file."""
    words = shlex.split(command)
    value = words[words.index("-e") + 1]
    if not value.startswith("@"):
        return dict(word.split("=", 1) for word in value.split(" "))
    path = folder / value[1:]
    assert path.stat().st_mode & 0o777 == 0o600
    return dict(yaml.safe_load(path.read_text(encoding="utf-8").replace("!unsafe ", "")))
