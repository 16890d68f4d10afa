# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module and the inventory x every endpoint they call x every fault x when it strikes: what is asked for is done,
or less with a failure that says so, and nothing twice that must not be. See tests/support/matrix.py.

`make test` judges a share of the cells, another share of each row and column; `make fault-matrix` all of them.
"""

from __future__ import annotations

import math
import typing as t
from pathlib import Path

import pytest

from simulator.faults import KINDS
from simulator.handle import Simulator
from support.cases import CASES, Case
from support.controller import REPOSITORY
from support.matrix import FAULTS, Bench

SHARE = 101
"""One cell of so many is judged."""
PARTS = 16
"""Tests that judge all cells of a case."""
TOO_MANY = 20
"""Failed cells that one test shows."""


def test_no_module_and_no_fault_is_left_out() -> None:
    modules = {path.stem for path in (REPOSITORY / "plugins/modules").glob("claw_*.py")}
    # Two send nothing to the service.
    modules -= {"claw_journal_info", "claw_state_database"}
    assert {case.module for case in CASES} == modules | {"inventory"}
    assert {fault.kind for fault in FAULTS} == set(KINDS)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert math.gcd(len(FAULTS), SHARE) == 1, "a share would leave the same faults out in every row"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Splits the cells of each case, so that no worker is left with a long one at the end."""
    if "part" in metafunc.fixturenames:
        metafunc.parametrize("part", range(PARTS) if metafunc.config.getoption("all_cells") else [0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_cell_holds(
    shared_simulator: Simulator,
    tmp_path: Path,
    case: Case,
    part: int,
    pytestconfig: pytest.Config,
    record_property: t.Callable[[str, object], None],
) -> None:
    bench = Bench(shared_simulator, tmp_path)
    cells = bench.cells(case)
    if pytestconfig.getoption("all_cells"):
        cells = chosen = cells[part::PARTS]
    else:
        chosen = cells[CASES.index(case) % SHARE :: SHARE]
    judged = failed = 0
    found: list[str] = []
    for cell in chosen:
        faults = bench.judge(cell)
        if faults is None:
            continue
        judged += 1
        failed += bool(faults)
        found += faults
    record_property("cells", [len(cells), judged, judged - failed])
    assert judged
    assert not found, "\n".join([f"{failed} of {judged} cells do not hold:", *found[:TOO_MANY]])
