# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance that is renamed during a task: a change goes only to one that bears the name that was given."""

from __future__ import annotations

import typing as t
from types import ModuleType

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_addon, claw_fleet, claw_instance
from simulator.handle import Simulator
from support.worker import Worker

BOTH = pytest.mark.parametrize("module", [claw_instance, claw_fleet], ids=["alone", "in a fleet"])
STATES = pytest.mark.parametrize(
    ("state", "found"),
    [("started", "stopped"), ("stopped", "running"), ("restarted", "running"), ("absent", "running")],
)
OTHER_NAME = "The instance with id 5 is named prod, not temp"


@pytest.fixture(autouse=True)
def one_instance(simulator: Simulator) -> None:
    simulator.reset(state={"instances": [{"id": 5, "name": "prod", "billing_mode": "daily"}]})


def show_once(simulator: Simulator, path: str, data: t.Any) -> None:
    """Answers one GET as before the renaming."""
    simulator.fault("wrong_type", method="GET", path=path, body={"data": data})


def was(status: str, name: str = "temp") -> dict[str, t.Any]:
    return {"id": 5, "name": name, "status": status, "billing_mode": "daily"}


def run(
    worker: Worker, module: ModuleType, state: str, target: dict[str, t.Any] | None = None, **options: t.Any
) -> dict[str, t.Any]:
    target = target or {"name": "temp"}
    given = {**target, "state": state} if module is claw_instance else {"instances": [{**target, "state": state}]}
    return worker.run(module, **given, **options)


@BOTH
@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("target", [{"name": "temp"}, {"id": 5, "name": "temp"}], ids=["name", "id and name"])
@STATES
def test_nothing_is_sent_to_one_whose_detail_bears_another_name(
    simulator: Simulator, module: ModuleType, state: str, found: str, target: dict[str, t.Any], check: bool
) -> None:
    simulator.set_instance(5, status=found)
    show_once(simulator, "/instances", [was(found)])
    result = run(Worker(simulator), module, state, target, check=check)
    assert (result["failed"], result["changed"], simulator.changes()) == (True, False, [])
    assert OTHER_NAME in result["msg"]


@pytest.mark.parametrize("serial", [None, [1]], ids=["at once", "batches"])
def test_a_fleet_reads_details_of_changes_by_name_alone(simulator: Simulator, serial: list[int] | None) -> None:
    """One request for each; none for an id alone, nor for one that is as wanted."""
    statuses = ["running", "running", "stopped", "running"]
    bots = [{"id": number, "name": f"bot-{number}", "status": status} for number, status in enumerate(statuses, 1)]
    simulator.reset(state={"instances": bots})
    entries = [{"name": "bot-1"}, {"id": 2}, {"name": "bot-3"}, {"id": 4, "name": "bot-4"}]
    for check in (True, False):
        result = Worker(simulator).run(claw_fleet, instances=entries, state="stopped", serial=serial, check=check)
        assert result["summary"]["changed"] == 3, result
        assert sorted(simulator.calls("GET /instances/*")) == ["GET /instances/1", "GET /instances/4"]
        simulator.clear_log()


def test_an_entry_whose_detail_bears_another_name_fails_alone(simulator: Simulator) -> None:
    simulator.reset(state={"instances": [{"id": 5, "name": "prod"}, {"id": 6, "name": "web-bot"}]})
    show_once(simulator, "/instances", [was("running"), {**was("running", "web-bot"), "id": 6}])
    result = Worker(simulator).run(claw_fleet, names=["temp", "web-bot"], state="stopped")
    assert [one["failed"] for one in result["instances"]] == [True, False]
    assert simulator.changes() == ["POST /instances/6/stop"]


@pytest.mark.parametrize(("state", "failed"), [("stopped", True), ("absent", False)])
def test_one_gone_when_its_detail_is_read_is_not_changed(simulator: Simulator, state: str, failed: bool) -> None:
    show_once(simulator, "/instances", [was("running")])
    simulator.remove_instance(5)
    result = run(Worker(simulator), claw_fleet, state)
    assert (result["failed"], result["changed"], simulator.changes()) == (failed, False, [])


@BOTH
@STATES
def test_nothing_is_sent_to_one_that_is_renamed_while_it_settles(
    simulator: Simulator, module: ModuleType, state: str, found: str
) -> None:
    simulator.set_instance(5, name="temp", status="deploying")
    worker = Worker(simulator)
    if state == "absent":
        simulator.fault("status", status=422, method="DELETE")
    worker.sleeper.before_sleep = lambda: simulator.set_instance(5, name="prod", status=found)
    result = run(worker, module, state)
    sent = ["DELETE /instances/5"] if state == "absent" else []
    assert (result["failed"], result["changed"], simulator.changes()) == (True, False, sent)
    assert f"{OTHER_NAME}. Nothing {'more ' if sent else ''}was sent." in result["msg"]


@BOTH
def test_a_deletion_is_not_repeated_after_a_422_and_a_new_name(simulator: Simulator, module: ModuleType) -> None:
    show_once(simulator, "/instances", [was("deploying")])
    show_once(simulator, "/instances/5", was("deploying"))
    simulator.fault("status", status=422, method="DELETE", message="It is busy")
    result = run(Worker(simulator), module, "absent")
    assert (result["failed"], result["changed"]) == (True, False)
    assert simulator.changes() == ["DELETE /instances/5"]
    assert f"{OTHER_NAME}. Nothing more was sent. An earlier request was rejected: " in result["msg"]
    assert "It is busy" in result["msg"]


@BOTH
def test_a_stop_is_not_repeated_after_a_lost_response_and_a_new_name(simulator: Simulator, module: ModuleType) -> None:
    show_once(simulator, "/instances", [was("running")])
    show_once(simulator, "/instances/5", was("running"))
    simulator.fault("reset_before", method="POST")
    result = run(Worker(simulator), module, "stopped")
    assert (result["failed"], simulator.effects()) == (True, {})
    assert f"{OTHER_NAME}. Nothing more was sent." in result["msg"]


@BOTH
def test_one_that_takes_a_protected_name_is_not_deleted(simulator: Simulator, module: ModuleType) -> None:
    simulator.set_instance(5, name="temp", status="deploying")
    simulator.fault("status", status=422, method="DELETE")
    worker = Worker(simulator)
    worker.sleeper.before_sleep = lambda: simulator.set_instance(5, name="prod", status="running")
    result = run(worker, module, "absent", {"id": 5}, protected=["prod"])
    assert (result["failed"], result["changed"], simulator.changes()) == (True, False, ["DELETE /instances/5"])
    assert "prod (id 5) is listed in protected and must not be deleted. Nothing more was sent." in result["msg"]


def test_the_detail_that_allows_a_change_must_bear_the_name_too(simulator: Simulator) -> None:
    simulator.set_instance(5, status="error", can_stop=True)
    show_once(simulator, "/instances", [was("error")])
    result = run(Worker(simulator), claw_fleet, "stopped")
    assert (result["failed"], simulator.changes()) == (True, [])
    assert OTHER_NAME in result["msg"]


# Add-ons


ADDON = {"id": 1, "addon_type": "llm", "instance_id": 5, "instance_name": "temp", "tier": "standard"}


@pytest.fixture
def addon(simulator: Simulator) -> Simulator:
    simulator.reset(
        state={
            "instances": [{"id": 5, "name": "prod"}, {"id": 6, "name": "temp"}],
            "addons": [{"id": 1, "instance_id": 5, "addon_type": "llm", "tier": "standard"}],
        }
    )
    return simulator


MOVED = pytest.mark.parametrize(
    ("target", "listed"),
    [
        ({"instance_name": "temp"}, ADDON),
        ({"instance_name": "temp"}, {"id": 1, "addon_type": "llm", "instance_id": 6}),
        ({"instance_id": 6}, {**ADDON, "instance_id": 6}),
    ],
    ids=["renamed", "known by id", "of another instance"],
)


@MOVED
def test_an_addon_is_not_changed_once_it_shows_another_instance(
    addon: Simulator, target: dict[str, t.Any], listed: dict[str, t.Any]
) -> None:
    show_once(addon, "/addons", [listed])
    result = Worker(addon).run(claw_addon, addon_type="llm", **target, config={"tier": "eco"})
    assert (result["failed"], addon.changes()) == (True, [])
    assert "The llm add-on 1 of prod (id 5) is not the llm add-on of the instance" in result["msg"]
    assert result["msg"].endswith(" any more; nothing was done.")


def test_an_addon_found_by_the_id_of_its_instance_may_show_a_new_name(addon: Simulator) -> None:
    show_once(addon, "/addons", [ADDON])
    result = Worker(addon).run(claw_addon, addon_type="llm", instance_id=5, config={"tier": "eco"})
    assert (result["failed"], result["changed"]) == (False, True), result
