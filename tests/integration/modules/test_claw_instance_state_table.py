# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row of the state table, in check mode, for real and again, over HTTP."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_instance
from simulator.handle import Simulator
from support.worker import Worker

pytestmark = pytest.mark.xdist_group("state_table")

STATES = ("started", "stopped", "restarted", "absent")
ROWS = {
    # found status: what each state comes to; a status is the one that is reached
    "running": ("ok", "stopped", "restart", "gone"),
    "stopped": ("running", "ok", "running", "gone"),
    "provisioning": ("settles", "settles then stopped", "settles then restart", "busy"),
    "deploying": ("settles", "settles then stopped", "settles then restart", "busy"),
    "hibernating": ("settles", "settles then stopped", "settles then restart", "gone"),
    "paused": ("fail top", "ok", "fail", "gone"),
    "pending_configuration": ("fail dashboard", "fail", "fail", "gone"),
    "error": ("fail dashboard", "fail", "fail", "gone"),
    "deploy_failed": ("fail dashboard", "fail", "fail", "gone"),
    "deleting": ("fail deleted", "fail", "fail", "already"),
}
CELLS = [(status, state, cell) for status, cells in ROWS.items() for state, cell in zip(STATES, cells, strict=True)]


def world() -> dict[str, t.Any]:
    """One instance for each cell; ids in the order of CELLS, from 1 on. The busy come to run after two looks."""
    instances = []
    for number, (status, state, cell) in enumerate(CELLS, start=1):
        instance = {"id": number, "name": f"{status}-{state}", "status": status, "billing_mode": "daily"}
        if cell.startswith("settles") or cell == "busy":
            instance |= {"settles_to": "running", "settles_after_reads": 2}
        if cell == "already":
            instance |= {"settles_to": "gone", "settles_after_reads": 3}
        instances.append(instance)
    return {"instances": instances}


@pytest.fixture(scope="module")
def three_runs(shared_simulator: Simulator) -> dict[str, t.Any]:
    """All cells in check mode, for real and again, with what the service saw each time."""
    shared_simulator.reset(state=world())
    worker = Worker(shared_simulator, {"wait_timeout": 30})
    runs = {}
    for name in ("check", "real", "again"):
        shared_simulator.clear_log()
        results = {
            number: worker.run(claw_instance, check=name == "check", id=number, state=state)
            for number, (_status, state, _cell) in enumerate(CELLS, start=1)
        }
        runs[name] = (results, shared_simulator.log())
    return runs


def test_check_mode_sends_nothing_but_get(three_runs: dict[str, t.Any]) -> None:
    assert {entry["method"] for entry in three_runs["check"][1]} == {"GET"}


@pytest.mark.parametrize(
    ("number", "status", "state", "cell"), [(number, *cell) for number, cell in enumerate(CELLS, start=1)]
)
def test_a_cell(three_runs: dict[str, t.Any], number: int, status: str, state: str, cell: str) -> None:
    check, real, again = (three_runs[name][0][number] for name in ("check", "real", "again"))
    posts = [
        entry["route"].rpartition("/")[2]
        for entry in three_runs["real"][1]
        if entry["method"] == "POST" and f"/{number}/" in entry["path"]
    ]
    if cell.startswith("fail"):
        for result in (check, real, again):
            assert result["failed"] is True
            assert result["msg"].isprintable()
            assert cell.removeprefix("fail").strip() in result["msg"].lower()
        assert posts == []
        return
    for result in (check, real, again):
        assert not result.get("failed"), result["msg"]
    expected = cell not in ("ok", "settles", "already")
    assert check["changed"] is real["changed"] is expected
    assert again["changed"] is (state == "restarted")
    assert check["diff"] == real["diff"]
    if "restart" in cell:
        assert posts == ["restart"]
        assert real["instance"]["status"] == "running"
    elif state != "absent":
        wanted = {"ok": status, "settles": "running"}.get(cell, cell.rpartition(" ")[2])
        assert real["instance"]["status"] == wanted
        assert real["diff"]["after"]["status"] == wanted
        assert len(posts) == expected
    else:
        assert real["diff"]["after"] == ({} if expected else real["diff"]["before"])
        assert again["instance"] is None
