# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that was cut off comes back while another one waits for its restore, and both write the outcome."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from simulator.handle import Simulator
from support.stores import StorePlace
from support.worker import Worker

STATE = {
    "instances": [{"id": 1, "name": "web-bot"}],
    "backups": [{"id": 12, "instance_id": 1, "created_at": "2h ago"}],
}
MODULES = {
    claw_backup_restore: {"instance_id": 1},
    claw_fleet_restore: {"instances": [{"id": 1}]},
}


class TakeOver:
    """A task that waits for the restore of an earlier run, which comes back in the meantime."""

    def __init__(self, simulator: Simulator, place: StorePlace) -> None:
        simulator.reset(state=STATE)
        simulator.set_instance(1, status="deploying", settles_to="running", settles_after_reads=6)
        self.simulator = simulator
        self.key = OperationKey("restore", simulator.url, "INC-1", "1")
        self.place = place
        self.first = place.journal()
        self.first.append(self.key, OperationEvent.INTENDED, backup_id=12)
        self.worker = Worker(simulator, {**place.options, "incident": "INC-1"})

    def run(self, module: t.Any, *events: OperationEvent) -> dict[str, t.Any]:
        """Runs the task, and writes the events of the earlier run after the task has read the journal."""
        pending = list(events)

        def write() -> None:
            while pending:
                self.first.append(self.key, pending.pop(0), backup_id=12)

        self.worker.sleeper.before_sleep = write
        result = self.worker.run(module, **MODULES[module])
        assert not pending
        assert self.simulator.calls("POST *") == []
        return result

    def state(self) -> OperationState | None:
        """Returns what the journal holds at the end."""
        return self.place.journal().read_state(self.key)


@pytest.fixture
def take_over(simulator: Simulator, place: StorePlace) -> TakeOver:
    return TakeOver(simulator, place)


def outcome(result: dict[str, t.Any]) -> str:
    restore = result["restore"] if "restore" in result else result["instances"][0]
    return restore["outcome"]


@pytest.mark.parametrize("event", [OperationEvent.ACCEPTED, OperationEvent.UNCLEAR, OperationEvent.COMPLETED])
@pytest.mark.parametrize("module", MODULES)
def test_the_end_is_recorded_behind_the_line_of_another_run(
    take_over: TakeOver, module: t.Any, event: OperationEvent
) -> None:
    result = take_over.run(module, event)
    assert (result["failed"], outcome(result)) == (False, "completed"), result
    assert not [warning for warning in take_over.worker.warnings if "journal" in warning]
    state = take_over.state()
    assert state is not None
    assert state.event is OperationEvent.COMPLETED


@pytest.mark.parametrize(
    ("events", "known"),
    [
        ([OperationEvent.REFUSED], None),
        ([OperationEvent.REFUSED, OperationEvent.INTENDED], OperationEvent.INTENDED),
        ([OperationEvent.INTENDED, OperationEvent.ACCEPTED], OperationEvent.ACCEPTED),
    ],
    ids=["not executed", "not executed and sent again", "sent again by force"],
)
@pytest.mark.parametrize("module", MODULES)
def test_an_end_that_can_not_be_recorded_is_a_failure(
    take_over: TakeOver, module: t.Any, events: list[OperationEvent], known: OperationEvent | None
) -> None:
    result = take_over.run(module, *events)
    state = take_over.state()
    assert result["failed"] is True
    assert "Another run has written to the journal since this run read it." in result["msg"]
    assert outcome(result) == (state.outcome if state else "unknown")
    assert (state and state.event) is known
