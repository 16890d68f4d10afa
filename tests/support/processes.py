# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes of which a test is not the parent, and others that it starts."""

from __future__ import annotations

import contextlib
import multiprocessing
import typing as t
from pathlib import Path

PROCESSES = multiprocessing.get_context("forkserver")
"""A test has threads, so it must not fork: a process without threads forks for it."""


def is_running(process: int | str) -> bool:
    """Returns False for one that has ended, even if its parent has not asked for its exit code yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def find_children(process: int) -> list[int]:
    """Returns the children of a process; none if it has ended."""
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


def run_apart(work: t.Callable[..., None], *args: object) -> None:
    """Runs a function of a module in a process of its own, whose main thread is its only one."""
    process = PROCESSES.Process(target=work, args=args)
    process.start()
    process.join()
    assert process.exitcode == 0, "see the output"
