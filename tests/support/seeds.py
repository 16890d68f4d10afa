# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repeats random tests: each failure prints the command that runs the same case again."""

from __future__ import annotations

import os
import random
import typing as t

import pytest

REPEAT = "repeat"
"""The property of a test that holds its command."""


def choose_seed(given: int | None = None) -> int:
    """Returns the seed that was given, or that of the environment, or a new one."""
    new = os.environ.get("RANDOM_SEED") or random.SystemRandom().randrange(10**9)
    return int(new) if given is None else given


def repeat_by(node: str, *options: str) -> tuple[str, str]:
    """Returns the property of a test: the command that runs it alone with these options of pytest."""
    path, _colons, test = node.partition("::")
    # make looks for a word that begins with the folder.
    words = " ".join([f'{path}::"{test}"', *options])
    return REPEAT, f"make unit ARGS='{words}'"


def repeat_lines(reports: t.Iterable[pytest.TestReport]) -> list[str]:
    """Returns the commands of these reports, each once."""
    properties = [entry for report in reports for entry in getattr(report, "user_properties", ())]
    return list(dict.fromkeys(str(value) for name, value in properties if name == REPEAT))
