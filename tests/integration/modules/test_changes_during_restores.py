# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance whose restore is in flight in the journal is not stopped, restarted or deleted, and a start waits.

The service shows it as running all the while.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    describe_sender,
    lock_operation,
)
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_instance
from simulator.handle import Simulator
from support import TIME_IN_MESSAGE
from support.stores import StorePlace
from support.worker import Worker

INTENDED, ACCEPTED, UNCLEAR = OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.UNCLEAR
COMPLETED, FAILED, REFUSED = OperationEvent.COMPLETED, OperationEvent.FAILED, OperationEvent.REFUSED
DONE = {"stopped": "stopped", "restarted": "restarted", "absent": "deleted"}
WHO = "{user}@{host}".format(**describe_sender())
FOLLOWED = (
    rf"{WHO} restores it now for incident INC-9, since {TIME_IN_MESSAGE}\. Nothing was sent\. "
    r"Run this again when that restore has ended\."
)
AHEAD = (
    rf"{WHO} has sent a restore of it for incident INC-9 at {TIME_IN_MESSAGE}, whose end was not seen\. "
    r"Nothing was sent\. Run that restore again, which reads its end\."
)
UNSEEN = rf"{AHEAD} It counts as ended 15 minutes after it was sent\."


class Standing(t.NamedTuple):
    """How a restore stands in the journal, and what a change is told; empty if it is sent."""

    name: str
    events: tuple[OperationEvent, ...]
    told: str = ""
    is_held: bool = False
    ago: float = 0.0
    """Minutes since it was sent."""
    status: str = "running"
    states: t.Collection[str] = ("absent",)
    instance_id: int = 1
    later: tuple[OperationEvent, ...] = ()
    """Of a restore of the same instance for another incident, sent after it."""


STANDINGS = [
    Standing("about to be sent", (), FOLLOWED, is_held=True),
    Standing("being sent", (INTENDED,), FOLLOWED, is_held=True),
    Standing("accepted", (INTENDED, ACCEPTED), FOLLOWED, is_held=True, states=DONE),
    Standing("followed for an hour", (INTENDED, ACCEPTED), FOLLOWED, is_held=True, ago=60),
    Standing("restored, not yet healthy", (INTENDED, ACCEPTED, COMPLETED), FOLLOWED, is_held=True),
    Standing("accepted, and it is busy", (INTENDED, ACCEPTED), FOLLOWED, is_held=True, status="deploying", states=DONE),
    Standing("accepted, not followed", (INTENDED, ACCEPTED), UNSEEN, states=DONE),
    Standing("accepted, then one killed", (INTENDED, ACCEPTED), UNSEEN, ago=3, states=DONE, later=(INTENDED,)),
    Standing("accepted, then one unknown", (INTENDED, ACCEPTED), UNSEEN, ago=3, later=(INTENDED, UNCLEAR)),
    Standing("accepted by a clock that was ahead", (INTENDED, ACCEPTED), AHEAD, ago=-60),
    Standing("unknown, and it is busy", (INTENDED, UNCLEAR), UNSEEN, status="deploying"),
    Standing("given up", (INTENDED, ACCEPTED), ago=16),
    Standing("unknown", (INTENDED, UNCLEAR)),
    Standing("killed before it was sent", (INTENDED,)),
    Standing("restored", (INTENDED, ACCEPTED, COMPLETED)),
    Standing("failed", (INTENDED, ACCEPTED, FAILED)),
    Standing("refused", (INTENDED, REFUSED)),
    Standing("of another instance", (INTENDED, ACCEPTED), is_held=True, instance_id=2),
]
CASES = [(standing, state) for standing in STANDINGS for state in standing.states]


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    instances = [{"id": number, "name": name, "billing_mode": "daily"} for number, name in ((1, "web"), (2, "shop"))]
    simulator.reset(state={"instances": instances}, switches={"transition_seconds": 0})
    return Worker(simulator, dict(place.options))


def key_of(simulator: Simulator, number: int = 1) -> OperationKey:
    return OperationKey("restore", simulator.url, "INC-9", str(number))


@contextlib.contextmanager
def restore_in_flight(simulator: Simulator, place: StorePlace, standing: Standing) -> t.Iterator[t.Callable[[], None]]:
    """Writes to the journal what another run has, which follows its restore or does not. Yields what ends it."""
    simulator.set_instance(1, status=standing.status)
    journal, key = place.journal(), key_of(simulator, standing.instance_id)
    journal._now = lambda: datetime.now(UTC) - timedelta(minutes=standing.ago)
    with contextlib.ExitStack() as lock:
        if standing.is_held:
            lock.enter_context(lock_operation(journal, key))
        for event in standing.events:
            append_event(journal, key, event, by=describe_sender(), backup_id=11)
        for event in standing.later:
            append_event(journal, replace(key, name="INC-10"), event, by=describe_sender(), backup_id=12)

        def end() -> None:
            append_event(journal, key, COMPLETED)
            lock.close()

        yield end


@pytest.mark.parametrize(("standing", "state"), CASES, ids=lambda one: one.name if isinstance(one, Standing) else one)
def test_a_change_is_refused_while_a_restore_is_in_flight(
    simulator: Simulator, place: StorePlace, worker: Worker, standing: Standing, state: str
) -> None:
    with restore_in_flight(simulator, place, standing):
        # In check mode first: it predicts the same.
        for check in (True, False):
            entries = [{"id": 2, "state": "restarted"}, {"id": 1, "state": state}]
            if standing.instance_id != 1:
                entries = entries[1:]
            one = worker.run(claw_instance, id=1, state=state, check=True)
            result = worker.run(claw_fleet, instances=entries, check=check)
            item = result["instances"][-1]
            assert (item["failed"], item["changed"]) == (bool(standing.told), not standing.told)
            assert one["failed"] == bool(standing.told)
            if standing.told:
                told = rf"It is not {DONE[state]}: {standing.told}"
                assert re.fullmatch(told, item["msg"])
                assert re.fullmatch(rf"web \(id 1\): {told}", one["msg"])
                assert result["summary"] == {"ok": 0, "changed": 1, "failed": 1}
    counts = {"stopped": "stops", "restarted": "restarts", "absent": "deletes"}
    others = {"restarts": 1} if len(entries) > 1 else {}
    own = {} if standing.told else {counts[state]: 1 + others.get(counts[state], 0)}
    assert simulator.effects() == others | own


@pytest.mark.parametrize("waits", ["for its turn", "after a 429"])
@pytest.mark.parametrize("state", DONE)
@pytest.mark.parametrize("module", [claw_instance, claw_fleet], ids=["one", "fleet"])
def test_a_restore_that_begins_while_a_change_waits_prevents_it(
    simulator: Simulator, place: StorePlace, worker: Worker, module: t.Any, state: str, waits: str
) -> None:
    if waits == "after a 429":
        simulator.fault("rate_limited", path="/instances/1*", method="DELETE" if state == "absent" else "POST")
    else:
        simulator.switch(rate_limit=1, rate_window_seconds=60)
    with contextlib.ExitStack() as restores:

        def begin() -> None:
            worker.sleeper.before_sleep = lambda: None
            restores.enter_context(restore_in_flight(simulator, place, STANDINGS[2]))

        worker.sleeper.before_sleep = begin
        target = {"id": 1} if module is claw_instance else {"ids": [1]}
        result = worker.run(module, state=state, wait=False, **target)
    assert (result["failed"], result["changed"]) == (True, False)
    told = FOLLOWED.replace("Nothing was", "Nothing more was") if waits == "after a 429" else FOLLOWED
    assert re.search(rf"It is not {DONE[state]}: {told}$", result["msg"]), result["msg"]
    assert simulator.effects() == {}


STOPPED = Standing("of a stopped one", (INTENDED, ACCEPTED), is_held=True, status="stopped")


@pytest.mark.parametrize("is_started", [True, False], ids=["by the restore", "by this task"])
@pytest.mark.parametrize("module", [claw_instance, claw_fleet], ids=["one", "fleet"])
def test_a_start_waits_until_the_restore_has_ended(
    simulator: Simulator, place: StorePlace, worker: Worker, module: t.Any, is_started: bool
) -> None:
    target = {"id": 1} if module is claw_instance else {"ids": [1, 2]}
    with restore_in_flight(simulator, place, STOPPED) as end:

        def end_later() -> None:
            if len(worker.sleeper.slept) == 20:
                assert simulator.effects() == {}
                simulator.set_instance(1, status="running" if is_started else "stopped")
                end()

        worker.sleeper.before_sleep = end_later
        result = worker.run(module, state="started", **target)
    assert (result["failed"], result["changed"]) == (False, not is_started)
    assert simulator.effects() == ({} if is_started else {"starts": 1})
    assert simulator.instance(1)["status"] == "running"
    waits = f"web: stopped, being restored by {WHO}, 10 s of at most 300 s"
    assert any(waits in line for line in worker.lines), worker.lines


def test_a_start_waits_for_a_restore_begun_meanwhile(simulator: Simulator, place: StorePlace, worker: Worker) -> None:
    simulator.set_instance(1, status="stopped")
    simulator.fault("rate_limited", method="POST")
    with contextlib.ExitStack() as restores:

        def begin() -> None:
            end = restores.enter_context(restore_in_flight(simulator, place, STOPPED))
            worker.sleeper.before_sleep = lambda: end() if len(worker.sleeper.slept) == 20 else None

        worker.sleeper.before_sleep = begin
        result = worker.run(claw_instance, id=1, state="started")
    assert (result["failed"], result["changed"]) == (False, True)
    assert len(worker.sleeper.slept) > 20
    assert simulator.effects() == {"starts": 1}


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("wait", [True, False], ids=["wait", "no wait"])
def test_a_start_that_can_not_wait_says_who_restores(
    simulator: Simulator, place: StorePlace, worker: Worker, check: bool, wait: bool
) -> None:
    with restore_in_flight(simulator, place, STOPPED):
        result = worker.run(claw_instance, id=1, state="started", wait=wait, wait_timeout=60, check=check)
    restore = rf"{WHO} restores it now for incident INC-9, since {TIME_IN_MESSAGE}"
    told = rf"{restore}\. What comes next depends on how that ends\. Run this again later, or set wait: true\."
    if wait:
        told = (
            rf"It was not started within 60 s \(wait_timeout\), and now it is stopped, being restored by {WHO}\. "
            r"Run this again to continue waiting\."
        )
    assert re.fullmatch(rf"web \(id 1\): {told}", result["msg"])
    assert simulator.effects() == {}


def test_the_journal_is_read_only_before_a_change(simulator: Simulator, place: StorePlace, worker: Worker) -> None:
    place.damage(key_of(simulator).subject)
    for unchanged in ({"state": "started"}, {"state": "stopped", "protected": ["web"], "id": 2, "check": True}):
        assert worker.run(claw_instance, **{"id": 1, **unchanged})["failed"] is False
    assert worker.warnings == []
    # Whatever is wrong with the journal stops no change.
    assert worker.run(claw_fleet, ids=[1, 2], state="restarted")["summary"] == {"ok": 0, "changed": 2, "failed": 0}
    (warning,) = worker.warnings
    assert warning.endswith(" So it is unknown whether web (id 1) is being restored.")


def test_a_store_that_can_not_be_used_is_told_once(simulator: Simulator, place: StorePlace, worker: Worker) -> None:
    place.spoil()
    assert worker.run(claw_fleet, ids=[1, 2], state="restarted")["summary"] == {"ok": 0, "changed": 2, "failed": 0}
    (warning,) = worker.warnings
    assert "so the rate limit is not shared with other processes" in warning


def test_a_restore_in_flight_is_no_part_of_a_plan(simulator: Simulator, place: StorePlace, worker: Worker) -> None:
    simulator.set_state(account={"id": 41})
    plan = worker.run(claw_fleet, ids=[1, 2], state="stopped", check=True)["plan"]
    with restore_in_flight(simulator, place, STANDINGS[2]):
        result = worker.run(claw_fleet, ids=[1, 2], state="stopped", plan=plan)
    (difference,) = result["report"]
    assert re.fullmatch(rf"web \(id 1\): {WHO} .* for incident .*", difference)
    assert simulator.effects() == {}
