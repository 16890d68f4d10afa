# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of benchmarks that nobody would notice: a command that goes on behind one, and a wrong ratio."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from benchmarks.rows_before import INVENTORY, build_row
from support.controller import REPOSITORY

PATIENCE = 60
"""Seconds after which the command counts as left running."""

BENCHMARK = """
import sys
from pathlib import Path
from benchmarks.measure import Running

pipe = sys.argv[1]
running = Running(["sh", "-c", f"exec 3>{pipe}; echo begun >&3; sleep 600 & wait"], Path.cwd(), {"PATH": sys.argv[2]})
running.finish()
"""


def test_a_killed_benchmark_leaves_no_command_running(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    benchmark = subprocess.Popen(
        [sys.executable, "-c", BENCHMARK, str(pipe), os.environ["PATH"]],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")},
        cwd=tmp_path,
    )
    with pipe.open(encoding="utf-8") as said:
        assert said.readline() == "begun\n"
        benchmark.kill()
        benchmark.wait()
        # The pipe ends when all that has it open has ended: the shell and its child.
        assert select.select([said], [], [], PATIENCE)[0]
        assert said.read() == ""


def test_a_row_compares_each_round_with_its_own_time_before() -> None:
    row = build_row(INVENTORY, "cpu", [1.0, 4.0, 9.0], [1.0, 2.0, 10.0])
    assert (row.values[:2], row.ratio, row.met) == (["4.000 s", "2.000 s"], "1.00x", True)
    assert build_row(INVENTORY, "cpu", [1.03], [1.0]).met is False
