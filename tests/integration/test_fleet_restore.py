# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many restores of one incident in one task: batches, refusals, requests, and at most one POST each (interface 3)."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet_restore
from simulator.handle import Simulator
from support.stores import StorePlace
from support.worker import Worker

COUNT = 8


def world(count: int = COUNT, **fields: t.Any) -> dict[str, t.Any]:
    """Instances bot-1, bot-2, ...; each has the backups N01, 50 h old, N02, 5 h old, and N03, which failed."""
    return {
        "instances": [{"id": number, "name": f"bot-{number}", **fields} for number in range(1, count + 1)],
        "backups": [
            {"id": 100 * number + 1, "instance_id": number, "created_at": "50h ago"} for number in range(1, count + 1)
        ]
        + [{"id": 100 * number + 2, "instance_id": number, "created_at": "5h ago"} for number in range(1, count + 1)]
        + [
            {"id": 100 * number + 3, "instance_id": number, "created_at": "1h ago", "status": "failed"}
            for number in range(1, count + 1)
        ],
    }


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    simulator.reset(state=world(), switches={"transition_reads": 2})
    return Worker(simulator, {**place.options, "incident": "INC-1"})


@pytest.fixture
def local_worker(simulator: Simulator) -> Worker:
    """A worker for tests in which the store does not matter."""
    simulator.reset(state=world(), switches={"transition_reads": 2})
    return Worker(simulator, {"incident": "INC-1"})


def bots(*numbers: int, **fields: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": f"bot-{number}", **fields} for number in numbers]


def posts(simulator: Simulator) -> list[int]:
    """The ids of the backups that were asked to be restored, in order."""
    return [int(call.split("/")[2]) for call in simulator.calls("POST /backups/*/restore")]


def outcomes(result: dict[str, t.Any]) -> list[str]:
    return [entry["outcome"] for entry in result["instances"]]


def test_in_check_mode_for_real_and_again(simulator: Simulator, worker: Worker, place: StorePlace) -> None:
    declared = [*bots(1, 2, 3, 4), {"id": 5, "backup_id": 501}]
    options = {"instances": declared, "serial": [1, "100%"]}
    check = worker.run(claw_fleet_restore, check=True, **options)
    assert check["changed"] is True
    assert check["summary"] == {"ok": 0, "changed": 5, "failed": 0, "not_begun": 0}
    assert set(outcomes(check)) == {"not_begun"}
    assert posts(simulator) == []
    assert place.journal().read_text() == ""
    real = worker.run(claw_fleet_restore, **options)
    assert real["failed"] is False, real
    assert real["summary"] == check["summary"]
    assert real["diff"] == check["diff"]
    assert [entry["backup_id"] for entry in real["instances"]] == [102, 202, 302, 402, 501]
    assert [{**entry, "outcome": "not_begun"} for entry in real["instances"]] == check["instances"]
    assert set(outcomes(real)) == {"completed"}
    assert sorted(posts(simulator)) == [102, 202, 302, 402, 501]
    assert posts(simulator)[0] == 102
    calls = len(simulator.calls())
    again = worker.run(claw_fleet_restore, **options)
    assert again["changed"] is False
    assert again["summary"] == {"ok": 5, "changed": 0, "failed": 0, "not_begun": 0}
    assert again["diff"]["before"] == again["diff"]["after"]
    assert [entry["backup_id"] for entry in again["instances"]] == [102, 202, 302, 402, 501]
    assert simulator.calls()[calls:] == ["GET /instances"]
    assert simulator.effects() == {"restores": 5}


def test_each_batch_begins_when_the_one_before_runs(simulator: Simulator, local_worker: Worker) -> None:
    running: list[int] = []

    def look() -> None:
        sent = len(posts(simulator))
        statuses = [instance["status"] for instance in simulator.state()["instances"]]
        if sent and statuses[:sent].count("running") < sent:
            running.append(sent)

    local_worker.sleeper.before_sleep = look
    result = local_worker.run(claw_fleet_restore, instances=bots(*range(1, 9)), serial=[1, 2, "100%"])
    assert result["summary"]["changed"] == 8
    assert set(running) == {1, 3, 8}
    assert posts(simulator)[0] == 102
    assert set(posts(simulator)[1:3]) == {202, 302}
    assert [line for line in local_worker.lines if line.startswith("Batch")] == [
        "Batch 1 of 3: bot-1",
        "Batch 2 of 3: bot-2, bot-3",
        "Batch 3 of 3: bot-4, bot-5, bot-6 and 2 more",
    ]
