# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal tells which backups were proven: their instance was restored, and healthy at the end."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.proofs import find_proofs
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from simulator.handle import Simulator
from support.stores import StorePlace
from support.worker import Worker

OTHER = "https://other.example/api/v1"


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    state = {
        "instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "ill-bot", "health_after": "unhealthy"}],
        "backups": [
            {"id": 11, "instance_id": 1, "created_at": "2h ago"},
            {"id": 21, "instance_id": 2, "created_at": "2h ago"},
        ],
    }
    simulator.reset(state=state, switches={"transition_reads": 2, "health_lag_reads": 3})
    return Worker(simulator, {**place.options, "incident": "INC-1"})


def test_only_a_restore_that_ended_healthy_proves_its_backup(
    simulator: Simulator, worker: Worker, place: StorePlace
) -> None:
    entries: list[dict[str, t.Any]] = [{"id": 1}, {"id": 2}]
    result = worker.run(claw_fleet_restore, instances=entries, wait_timeout=60)
    assert "not healthy within 60 s" in result["msg"]
    states = place.journal().read_states()
    ((instance_id, proven_at),) = list(find_proofs(states, f"{simulator.url}/", datetime.now(UTC)).items())
    (state,) = [state for key, state in states.items() if key.instance_id == "1"]
    assert instance_id == 1
    assert proven_at == datetime.fromisoformat(str(state.completed_at))
    assert find_proofs(states, OTHER, datetime.now(UTC)) == {}


def test_health_is_recorded_once_and_does_not_move_the_time_of_the_restore(worker: Worker, place: StorePlace) -> None:
    first = worker.run(claw_backup_restore, instance_id=1)
    assert find_proofs(place.journal().read_states(), worker.simulator.url, datetime.now(UTC)) == {}
    again = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)
    assert again["instance"]["health_status"] == "healthy"
    assert again["restore"] == first["restore"]
    assert len(find_proofs(place.journal().read_states(), worker.simulator.url, datetime.now(UTC))) == 1
    text = place.journal().read_text()
    worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)
    assert place.journal().read_text() == text


def test_a_repair_long_after_the_restore_proves_nothing(worker: Worker, place: StorePlace) -> None:
    journal, key = place.journal(), OperationKey("restore", worker.simulator.url, "INC-1", "1")
    journal._now = lambda: datetime.now(UTC) - timedelta(days=2)
    journal.append(key, OperationEvent.INTENDED, backup_id=11)
    journal.append(key, OperationEvent.COMPLETED, status="running")
    assert worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)["failed"] is False
    assert find_proofs(place.journal().read_states(), worker.simulator.url, datetime.now(UTC)) == {}
