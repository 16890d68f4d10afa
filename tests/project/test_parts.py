# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of `make test`: two at a time, in order, each shown as a whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.controller import REPOSITORY

PARTS = [sys.executable, str(REPOSITORY / "tests/parts.py")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a Makefile, in which `left` and `right` end only if they run at the same time."""
    rules = [
        "left:\n\t@echo left begins; timeout --foreground 100 sh -c 'echo met > fifo'; echo left ends",
        "right:\n\t@echo right begins; exec timeout --foreground 100 cat fifo",
        "wrong:\n\t@exit 3",
        # Ends only after `marks`.
        "mesh:\n\t@timeout --foreground 100 sh -c 'until [ -e marked ]; do sleep 0.05; done; echo mesh'",
        "marks:\n\t@touch marked; echo marks",
        "last:\n\t@echo last",
        "endless:\n\t@echo endless begins >&2; exec sleep 100",
    ]
    (tmp_path / "Makefile").write_text("\n".join(rules) + "\n", encoding="utf-8")
    subprocess.run(["mkfifo", "fifo"], cwd=tmp_path, check=True)
    return tmp_path


def run(folder: Path, *targets: str) -> tuple[int, str]:
    done = subprocess.run([*PARTS, *targets], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_two_run_at_a_time_and_each_is_shown_whole(folder: Path) -> None:
    code, shown = run(folder, "left", "right", "last")
    assert code == 0
    assert shown.startswith("left begins\nleft ends\nright begins\nmet\nlast\n")
    assert re.findall(r"^(\w+) +passed +[0-9.]+ s$", shown, re.MULTILINE) == ["left", "right", "last"]


def test_a_part_that_mostly_waits_runs_beside_two_others(folder: Path) -> None:
    code, shown = run(folder, "mesh", "left", "right", "marks")
    assert code == 0
    assert shown.startswith("mesh\nleft begins\nleft ends\n")


def test_a_part_that_fails_is_a_failure_and_stops_no_other(folder: Path) -> None:
    code, shown = run(folder, "last", "wrong", "left", "right")
    assert code == 1
    assert re.findall(r"^(\w+) +(passed|FAILED) ", shown, re.MULTILINE) == [
        ("last", "passed"),
        ("wrong", "FAILED"),
        ("left", "passed"),
        ("right", "passed"),
    ]


def test_an_interruption_ends_what_runs_and_begins_no_more(folder: Path) -> None:
    with subprocess.Popen(
        [*PARTS, "endless", "right", "last"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stderr
        assert running.stderr.readline() == "endless begins\n"
        fifo = (folder / "fifo").open("w", encoding="utf-8")  # waits for a reader
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        shown, _errors = running.communicate(timeout=90)
        fifo.close()
    assert running.returncode == 130
    assert "last" not in shown
