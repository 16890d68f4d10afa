# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore whose outcome is unknown stays unknown when its instance is busy later, for whatever reason."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from simulator.handle import Simulator
from support.runbook import Runbook
from support.stores import StorePlace
from support.worker import Worker

RECENT = (14, -4)
"""Minutes since a request that may be what keeps the instance busy. The clock may have been set back since."""
OLD = (16, 24 * 60, -6)


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}],
            "backups": [{"id": 11, "instance_id": 1, "created_at": "50h ago"}],
        },
        switches={"transition_reads": 2},
    )
    return Worker(simulator, {**place.options, "retry_timeout": 0})


def record_sent(simulator: Simulator, place: StorePlace, minutes: int) -> None:
    """Records that a restore was sent so long ago, without an outcome. The service has not executed it."""
    key = OperationKey("restore", simulator.url, "INC-1", "1")
    now = place.journal().now()
    journal = Journal(place.open(), lambda: now - timedelta(minutes=minutes))
    append_event(journal, key, OperationEvent.INTENDED, backup_id=11, instance_name="web-bot")
    append_event(journal, key, OperationEvent.UNCLEAR, reason="the connection broke")


def offers_force(message: str) -> bool:
    return "force: true" in message or "restore_force" in message


def restart(simulator: Simulator) -> None:
    """A colleague restarts the instance, so that it is busy for some reads."""
    simulator.set_instance(1, status="deploying", settles_to="running", settles_after_reads=4)


def run_module(worker: Worker, _folder: Path) -> tuple[str, str]:
    result = worker.run(claw_backup_restore, incident="INC-1", instance_name="web-bot")
    return result["restore"]["outcome"], str(result.get("msg"))


def run_fleet(worker: Worker, _folder: Path) -> tuple[str, str]:
    result = worker.run(claw_fleet_restore, incident="INC-1", instances=[{"name": "web-bot"}])
    return result["instances"][0]["outcome"], str(result.get("msg"))


def run_role(worker: Worker, folder: Path) -> tuple[str, str]:
    runbook = Runbook(worker, folder)
    result = runbook.run(restore_instances="web-bot", restore_confirm="web-bot")
    return runbook.outcome["instances"][0]["outcome"], "\n".join(result.get("failures", []))


@pytest.fixture(params=[run_module, run_fleet, run_role], ids=["module", "fleet", "role"])
def restore(request: pytest.FixtureRequest, worker: Worker, tmp_path: Path) -> t.Callable[[], tuple[str, str]]:
    """Runs the incident in one of the ways, and returns the outcome and the message of the failure."""
    return lambda: request.param(worker, tmp_path / "report")


@pytest.mark.parametrize("minutes", OLD)
def test_a_busy_instance_is_no_sign_of_a_restore_sent_long_ago(
    simulator: Simulator, place: StorePlace, restore: t.Callable[[], tuple[str, str]], minutes: int
) -> None:
    record_sent(simulator, place, minutes)
    restart(simulator)
    outcome, message = restore()
    assert outcome == "unknown"
    assert "It is unknown whether the restore" in message
    assert "Something works on it: look at it in the dashboard first, then run the same " in message
    assert not offers_force(message)
    # It has settled: whoever has looked may send it again.
    simulator.set_instance(1, status="running")
    outcome, message = restore()
    assert outcome == "unknown"
    assert offers_force(message)
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize("minutes", RECENT)
def test_a_busy_instance_is_waited_for_after_a_recent_request(
    simulator: Simulator, place: StorePlace, restore: t.Callable[[], tuple[str, str]], minutes: int
) -> None:
    record_sent(simulator, place, minutes)
    restart(simulator)
    assert restore()[0] == "completed"
    assert simulator.calls("POST *") == []
