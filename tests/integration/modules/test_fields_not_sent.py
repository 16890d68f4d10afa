# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A field that is not sent is not known: looked for in the detail, or named, and never taken for anything."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_instance, claw_instance_info
from simulator.handle import Simulator
from support.worker import Worker


@pytest.fixture
def worker(simulator: Simulator) -> Worker:
    statuses = ("running", "stopped", "running", "stopped")
    bots = [{"id": number, "name": f"bot-{number}", "status": status} for number, status in enumerate(statuses, 1)]
    simulator.reset(state={"instances": bots}, switches={"transition_reads": 2})
    return Worker(simulator, {"retry_timeout": 0})


def list_without(simulator: Simulator, *fields: str) -> None:
    """Lets the list show no such fields of the instances 1 to 4, now and later."""
    shown = [simulator.instance(number) for number in range(1, 5)]
    kept = {"id", "name", "status", "tier", "health_status"}.difference(fields)
    body = {"data": [{name: one[name] for name in sorted(kept)} for one in shown]}
    simulator.fault("wrong_type", path="/instances", times=None, body=body)


def run(worker: Worker, module: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """Runs a task about instance 1."""
    given = {"id": 1} if module is claw_instance else {"ids": [1]}
    return worker.run(module, **given, **options)


BOTH = pytest.mark.parametrize("module", [claw_instance, claw_fleet])


@pytest.mark.parametrize(("hidden", "reads"), [({"status", "tier"}, 1), ({"tier", "health_status"}, 0)])
def test_details_of_entries_alone_are_read(simulator: Simulator, worker: Worker, hidden: set[str], reads: int) -> None:
    list_without(simulator, *hidden)
    result = worker.run(claw_fleet, ids=[1], names=["bot-2"], wait=False)
    assert (result["failed"], [one["before"] for one in result["instances"]]) == (False, ["running", "stopped"])
    # Before a change, one that was given by name is read in any case.
    calls = [simulator.calls().count(f"GET /instances/{number}") for number in (1, 2, 3, 4)]
    assert (calls, len(worker.warnings)) == ([reads, reads + 1, 0, 0], reads)


def test_a_fleet_follows_changes_by_the_details_of_what_is_open(simulator: Simulator, worker: Worker) -> None:
    list_without(simulator, "status", "health_status")
    options = {"ids": [2, 4, 3], "serial": [1, 2], "wait_healthy": True}
    result = worker.run(claw_fleet, **options)
    assert result["summary"] == {"ok": 1, "changed": 2, "failed": 0, "not_begun": 0}, result
    assert simulator.effects() == {"starts": 2}
    assert worker.warnings == [
        "The list does not show status or health_status: details are read instead, at one request each."
    ]
    assert worker.run(claw_fleet, **options)["changed"] is False


@BOTH
@pytest.mark.parametrize("hides_status", [True, False])
@pytest.mark.parametrize(("state", "power"), [("stopped", "stop"), ("restarted", "restart")])
def test_flags_decide_where_the_status_does_not(
    simulator: Simulator, worker: Worker, module: t.Any, hides_status: bool, state: str, power: str
) -> None:
    if hides_status:
        simulator.switch(drop_fields=["instance.status"])
    else:
        simulator.set_instance(1, status="active", can_start=False, can_stop=True, can_restart=True)
        end = {"status": "off", "can_start": True, "can_stop": False} if state == "stopped" else {}
        worker.sleeper.before_sleep = lambda: simulator.set_instance(1, **end)
    assert (result := run(worker, module, state="started"))["changed"] is result["failed"] is False, result
    assert "can_start and can_stop decided: bot-1 (id 1)." in worker.warnings[-1]
    result = run(worker, module, state=state, wait_timeout=60)
    assert (result["failed"], simulator.changes()) == (False, [f"POST /instances/1/{power}"]), result
    assert worker.sleeper.total < 30


@BOTH
@pytest.mark.parametrize(
    ("options", "seconds"), [({"check": True}, 0), ({"wait_timeout": 25}, 25), ({"wait": False}, 0)]
)
def test_an_undocumented_status_without_flags_is_told(
    simulator: Simulator, worker: Worker, module: t.Any, options: dict[str, t.Any], seconds: int
) -> None:
    simulator.set_instance(1, status="active")
    simulator.switch(can_flags="absent")
    result = run(worker, module, state="stopped", **options)
    assert "active. See the dashboard: the service documents no such status, and no flag" in result["msg"], result
    assert "Nothing was sent." in result["msg"]
    assert (worker.sleeper.total, simulator.changes()) == (seconds, [])


@BOTH
@pytest.mark.parametrize(("state", "fails"), [("absent", False), ("started", True), ("stopped", True)])
def test_deleted_means_gone(simulator: Simulator, worker: Worker, module: t.Any, state: str, fails: bool) -> None:
    simulator.set_instance(1, status="deleted")
    result = run(worker, module, state=state)
    assert (result["failed"], result["changed"], worker.sleeper.total, simulator.changes()) == (fails, False, 0, [])
    assert not fails or "instances are created in the dashboard" in result["msg"]
    simulator.set_instance(2, name="bot-1")
    assert [one["id"] for one in worker.run(claw_instance_info, name="bot-1")["instances"]] == [2]


@BOTH
@pytest.mark.parametrize("found", ["running", "stopped"])
def test_hidden_health_ends_the_wait_for_it(simulator: Simulator, worker: Worker, module: t.Any, found: str) -> None:
    simulator.set_instance(1, status=found)
    simulator.switch(drop_fields=["instance.health_status"])
    result = run(worker, module, wait_healthy=True)
    assert (result["failed"], result["changed"]) == (False, found == "stopped"), result
    assert worker.warnings[-1].endswith(", so running is as far as can be seen: bot-1 (id 1).")
    if module is claw_fleet and found == "stopped":
        assert (result["instances"][0]["msg"], result["report"][0][-16:]) == ("Health not shown.", "health not shown")
    assert worker.sleeper.total < 10


def test_null_health_is_waited_for(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, health_status=None)
    result = run(worker, claw_instance, wait_healthy=True, wait_timeout=20)
    assert "It was not healthy within 20 s (wait_timeout), and now it is running, health unknown." in result["msg"]


def test_a_filter_counts_the_statuses_that_nobody_knows(simulator: Simulator, worker: Worker) -> None:
    for number, status in ((1, "active"), (3, "active"), (4, "off")):
        simulator.set_instance(number, status=status)
    counted = "statuses: left out are instances with a status that the service does not document: active (2), off (1)."
    assert worker.run(claw_instance_info, statuses=["running"])["msg"].startswith(counted)
    assert len(worker.run(claw_instance_info, statuses=["stopped"])["instances"]) == 1
    assert worker.warnings == [f"{counted} Add to statuses what is wanted."]
