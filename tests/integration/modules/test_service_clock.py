# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On a machine whose clock is wrong, restores and reports judge backups by the clock of the service."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports import fleet_report
from simulator.handle import Simulator
from support.runbook import Runbook
from support.worker import Worker

HOUR = 3600
NEWEST, OLDER = 12, 11
CLOCKS = ((3 * HOUR, "3 h 0 min behind"), (-50 * HOUR, "2 d 2 h ahead"), (0, ""), (-50, ""))
"""Seconds by which the service is ahead of this machine, and what is said of it."""


@pytest.fixture
def worker(simulator: Simulator) -> Worker:
    return Worker(simulator)


def set_clock(simulator: Simulator, skew: float) -> None:
    """The service is ahead by ``skew`` seconds. By its clock the newest backup is 10 minutes old, the other a day."""
    taken = {
        backup: (datetime.now(UTC) + timedelta(seconds=skew, minutes=-minutes)).isoformat()
        for backup, minutes in ((NEWEST, 10.5), (OLDER, 24 * 60))
    }
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}],
            "backups": [{"id": one, "instance_id": 1, "created_at": at} for one, at in taken.items()],
        }
    )
    simulator.set_clock(skew)


def restore_by_module(worker: Worker, _folder: Path) -> tuple[object, list[str]]:
    result = worker.run(claw_backup_restore, instance_id=1, incident="INC-1", max_age="1h")
    return result.get("backup", result.get("msg")), worker.warnings


def restore_by_fleet(worker: Worker, _folder: Path) -> tuple[object, list[str]]:
    result = worker.run(claw_fleet_restore, instances=[{"id": 1}], incident="INC-1", max_age="1h")
    return result.get("results", result.get("msg")), worker.warnings


def restore_by_role(worker: Worker, folder: Path) -> tuple[object, list[str]]:
    runbook = Runbook(worker, folder)
    result = runbook.run(restore_instance_ids="1", restore_confirm="1", restore_max_age="1h")
    return result.get("failures"), runbook.plan["lines"]


@pytest.mark.parametrize("restore", [restore_by_module, restore_by_fleet, restore_by_role])
@pytest.mark.parametrize(("skew", "said"), CLOCKS)
def test_age_and_future_of_a_backup_are_those_of_the_service_clock(
    simulator: Simulator,
    worker: Worker,
    tmp_path: Path,
    skew: float,
    said: str,
    restore: t.Callable[[Worker, Path], tuple[object, list[str]]],
) -> None:
    set_clock(simulator, skew)
    result, lines = restore(worker, tmp_path)
    assert simulator.calls("POST *") == ["POST /backups/12/restore"], result
    shown = [line for line in lines if "clock" in line]
    assert shown == ([f"Ages are by the service's clock: this machine's is {said}."] if said else [])


def test_the_plan_begins_with_the_difference_of_the_clocks(
    simulator: Simulator, worker: Worker, tmp_path: Path
) -> None:
    set_clock(simulator, 3 * HOUR)
    runbook = Runbook(worker, tmp_path)
    runbook.run(check=True, restore_instance_ids="1")
    scope, clock, plan, *_more = runbook.plan["lines"]
    assert scope.startswith("Service ")
    assert clock == "Ages are by the service's clock: this machine's is 3 h 0 min behind."
    assert plan.endswith("restore backup 12, 10 min old.")
    assert all(len(line) <= 80 for line in runbook.plan["lines"])


@pytest.mark.parametrize("skew", [skew for skew, _said in CLOCKS])
def test_the_report_judges_backups_by_the_service_clock(
    simulator: Simulator, worker: Worker, tmp_path: Path, skew: float
) -> None:
    set_clock(simulator, skew)
    path = tmp_path / "fleet.json"
    worker.run(
        fleet_report, path=str(tmp_path / "fleet.html"), data_path=str(path), backup_max_age="36h", title="Fleet"
    )
    (backup,) = [one["backup"] for one in json.loads(path.read_text(encoding="utf-8"))["instances"] if one["id"] == 1]
    assert backup["state"] == "fresh"
