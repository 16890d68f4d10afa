# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clocks and time zones: backups are judged by the clock of the service, and times of users are read in one way."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.action import internal_fleet_report as fleet_report
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_info,
    claw_backup_restore,
    claw_journal_info,
)
from simulator.handle import Simulator
from support.controller import Controller
from support.runbook import Runbook
from support.worker import Worker

HOUR = 3600
NEWEST, OLDER = 12, 11


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


def test_the_report_judges_backups_by_the_service_clock(simulator: Simulator, worker: Worker, tmp_path: Path) -> None:
    set_clock(simulator, -50 * HOUR)
    path = tmp_path / "fleet.json"
    paths = {"path": str(tmp_path / "fleet.html"), "data_path": str(path)}
    worker.run(fleet_report, **paths, backup_max_age="36h", title="Fleet")
    (backup,) = [one["backup"] for one in json.loads(path.read_text(encoding="utf-8"))["instances"] if one["id"] == 1]
    assert backup["state"] == "fresh"


# Times of users

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
WINTER = (
    "2026-01-29T03:31 has no UTC offset. In this controller's time zone it is 2026-01-29T03:31:00+01:00; in UTC "
    "it is 2026-01-29T03:31:00Z."
)


def limit(hours: float) -> str:
    """Returns the time in so many hours, by this machine's clock."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


Use = t.Callable[[Worker, str, Path], str]
"""Runs a task that reads a time, and returns what it says."""


def read_module(worker: Worker, before: str, _folder: Path) -> str:
    return str(worker.run(claw_backup_info, before=before).get("msg", ""))


def limit_module(worker: Worker, before: str, _folder: Path) -> str:
    return str(worker.run(claw_backup_restore, instance_id=1, incident="INC-1", before=before).get("msg", ""))


def limit_role(worker: Worker, before: str, folder: Path) -> str:
    runbook = Runbook(worker, folder)
    result = runbook.run(restore_instance_ids="1", restore_confirm="1", restore_before=before)
    return str(result.get("failures", "")) + str(result.get("msg", ""))


@pytest.mark.parametrize("use", [read_module, limit_module, limit_role])
@pytest.mark.parametrize(
    ("skew", "hours", "is_refused"), [(3 * HOUR, 2.9, False), (3 * HOUR, 3.1, True), (-3 * HOUR, -1, True)]
)
def test_a_limit_ahead_of_the_service_clock_is_refused(
    simulator: Simulator, worker: Worker, tmp_path: Path, skew: float, hours: float, is_refused: bool, use: Use
) -> None:
    set_clock(simulator, skew)
    said = use(worker, limit(hours), tmp_path)
    assert ("and a limit in the future excludes nothing." in said) is is_refused, said
    assert ("othing was sent." in said) is (is_refused and use is not read_module)
    assert len(simulator.calls("POST *")) == (0 if is_refused or use is read_module else 1)


@pytest.mark.parametrize(("hours", "is_refused"), [(-1, False), (1, True)])
def test_the_journal_lists_nothing_since_a_time_that_lies_ahead(worker: Worker, hours: float, is_refused: bool) -> None:
    said = worker.run(claw_journal_info, since=limit(hours)).get("msg", "")
    assert ("since is " in said and "a limit in the future excludes nothing." in said) is is_refused


def test_the_time_zone_is_that_of_the_environment_of_the_task(controller: Controller) -> None:
    given = WINTER.partition(" has ")[0]
    task = {"clawhosters.cloud.claw_backup_info": {"before": given}, "ignore_errors": True}
    zoned = {**task, "environment": {"TZ": BERLIN}}
    run = controller.playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": [zoned, task]}], TZ="GMT0BST,M3.5.0/1,M10.5.0"
    )
    assert [result.get("msg", "read as UTC") for result in run.all] == [f"before: {WINTER}", "read as UTC"]


# Times for people

NIGHT = ("2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z")
"""02:30 by the clocks of Berlin, twice: summer time ends at 01:00 UTC."""
SUMMER_READING = "2025-10-26 02:30 CEST (00:30 UTC)"


@pytest.mark.parametrize("zone", [BERLIN], indirect=True)
@pytest.mark.usefixtures("zone")
def test_plan_and_page_show_local_time_beside_utc(worker: Worker, simulator: Simulator, tmp_path: Path) -> None:
    state = {
        "instances": [{"id": 1, "name": "web-bot"}],
        "backups": [{"id": 11 + hour, "instance_id": 1, "created_at": at} for hour, at in enumerate(NIGHT)],
    }
    simulator.reset(state=state, switches={"transition_reads": 1})
    runbook = Runbook(worker, tmp_path, {"restore_instances": "web-bot", "restore_before": "2025-10-26 02:31 +02:00"})
    result = runbook.run(answers=["web-bot"])
    assert simulator.calls("POST *") == ["POST /backups/11/restore"], result
    plan = " ".join(" ".join(runbook.plan).split())
    assert f"DATA LOSS: all changes since {SUMMER_READING}." in plan
    assert "Only backups from before 2025-10-26 02:31 CEST (00:31 UTC) (restore_before)." in plan
    assert "restore_before passes over 1 newer backup: id 12 of 2025-10-26 02:30 CET (01:30 UTC)." in plan
    assert all(len(line) <= 80 for line in runbook.plan)
    assert "taken 2025-10-26 02:30:00 CEST (00:30:00 UTC)" in re.sub("<[^>]+>", "", runbook.page())
