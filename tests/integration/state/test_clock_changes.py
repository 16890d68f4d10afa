# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that is set while restores are planned, sent and proven."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.action import internal_fleet_report as fleet_report
from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_drill as drill
from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_unhealthy as unhealthy
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from simulator.handle import Simulator
from support.stores import StorePlace
from support.worker import Worker

YEAR = timedelta(days=365)


class Clock:
    """The clock of all journals: of this machine, or of the database."""

    wrong_by = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wrong_by


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(Journal, "now", lambda _journal: clock.now())
    return clock


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace, clock: Clock) -> Worker:
    backup = {"id": 11, "instance_id": 1, "created_at": "2h ago"}
    state = {"instances": [{"id": 1, "name": "web-bot"}], "backups": [backup]}
    simulator.reset(state=state, switches={"transition_reads": 1})
    return Worker(simulator, place.options)


def test_a_restore_that_is_dated_ahead_neither_proves_nor_pauses_anything(
    simulator: Simulator, worker: Worker, place: StorePlace, clock: Clock, tmp_path: t.Any
) -> None:
    clock.wrong_by = YEAR
    key = OperationKey("restore", simulator.url, "INC-2", "1")
    for event in (OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.COMPLETED):
        append_event(place.journal(), key, event, backup_id=11, healthy=True)
    clock.wrong_by = timedelta(0)
    choice = worker.run(drill, instances=["web-bot"], every="7d")
    assert choice["instance_id"] == 1
    assert "web-bot (id 1): never proven, due." in choice["lines"]
    simulator.set_instance(1, health_status="unhealthy")
    assert worker.run(unhealthy, id=1, incident="INC-1", names="all")["reason"] == ""
    page, metrics = tmp_path / "fleet.html", tmp_path / "fleet.prom"
    worker.run(fleet_report, title="Fleet", path=str(page), metrics_path=str(metrics), backup_max_age="36h")
    assert "restore_proven_timestamp_seconds{" not in metrics.read_text(encoding="utf-8")
    result = worker.run(claw_backup_restore, incident="INC-1", instance_id=1, min_interval="24h")
    assert result["restore"]["outcome"] == "completed", result
    # From now on there is a time that counts.
    again = worker.run(claw_backup_restore, incident="INC-3", instance_id=1, min_interval="24h")
    assert "is within min_interval (1 d 0 h) of another restore: incident INC-1 sent" in again["msg"]
