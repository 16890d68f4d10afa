# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which instances a task is about: by id, by name, by what they are like (interface 3)."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_instance, claw_instance_info
from simulator.handle import Simulator
from support.worker import Worker

BOTS = [
    {"id": 1, "name": "web-bot", "status": "running", "tier": "pro", "health_status": "healthy"},
    {"id": 2, "name": "twin", "status": "running", "tier": "budget", "health_status": "unhealthy"},
    {"id": 3, "name": "twin", "status": "stopped", "tier": "pro", "health_status": "unknown"},
    {"id": 4, "name": "mail-bot", "status": "stopped", "tier": "budget", "health_status": "unknown"},
]


@pytest.fixture
def worker(simulator: Simulator) -> Worker:
    simulator.reset(state={"instances": BOTS})
    return Worker(simulator)


@pytest.mark.parametrize("given", [{"id": 1}, {"name": "web-bot"}, {"instance_id": 1}, {"instance_name": "web-bot"}])
def test_each_module_takes_both_names_of_a_selector(worker: Worker, given: dict[str, t.Any]) -> None:
    assert worker.run(claw_instance, **given)["instance"]["id"] == 1
    assert [found["id"] for found in worker.run(claw_instance_info, **given)["instances"]] == [1]
    assert "web-bot (id 1) has no usable backup" in worker.run(claw_backup_restore, incident="INC-1", **given)["msg"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("state", ["started", "stopped", "restarted"])
def test_an_id_without_an_instance_fails_with_the_error_of_the_service(worker: Worker, state: str, check: bool) -> None:
    result = worker.run(claw_instance, check=check, id=9, state=state)
    assert result["failed"] is True
    assert "created in the dashboard" in result["msg"]
    assert (result["error"]["status"], result["error"]["code"]) == (404, "not_found")
    restore = worker.run(claw_backup_restore, check=check, incident="INC-1", instance_id=9)
    advice = "Give the right id with instance_id, or the exact name."
    assert restore["msg"] == f"There is no instance with id 9. Nothing was sent. {advice}"
    assert restore["error"] == {**result["error"], "request_id": restore["error"]["request_id"]}
    by_name = worker.run(claw_instance, check=check, name="nobody", state=state)
    assert "error" not in by_name, "the service answered with a list"


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, [1, 2, 3, 4]),
        ({"id": 2}, [2]),
        ({"id": 9}, []),
        ({"name": "twin"}, [2, 3]),
        ({"name": "nobody"}, []),
        ({"id": 2, "name": "twin"}, [2]),
        ({"id": 2, "name": "web-bot"}, []),
        ({"statuses": ["Stopped"]}, [3, 4]),
        ({"statuses": ["stopped"], "tiers": ["pro"]}, [3]),
        ({"name": "twin", "statuses": ["running"]}, [2]),
        ({"id": 2, "statuses": ["stopped"]}, []),
        ({"health_statuses": ["healthy", "unhealthy"]}, [1, 2]),
        ({"statuses": []}, []),
    ],
)
@pytest.mark.parametrize("details", [False, True])
def test_instances_are_those_that_fit_all_that_is_asked(
    simulator: Simulator, worker: Worker, options: dict[str, t.Any], ids: list[int], details: bool
) -> None:
    found = worker.run(claw_instance_info, **options, details=details)["instances"]
    assert [instance["id"] for instance in found] == ids
    # Only the detail has flags; one by id comes with it anyway.
    has_details = details or "id" in options
    assert all(("can_start" in instance) is has_details for instance in found)
    pages = [] if "id" in options else ["GET /instances"]
    reads = [f"GET /instances/{options['id']}"] if "id" in options else [f"GET /instances/{number}" for number in ids]
    assert sorted(simulator.calls()) == pages + (reads if has_details else [])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"statuses": ["runing", "Stopped"]}, "statuses: no instance that was read has runing, and"),
        ({"tiers": ["budgt"]}, "Known are balanced, budget, pro."),
        ({"tiers": ["pro", "x\x1b[2J"], "details": True}, "tiers: no instance that was read has x [2J, and"),
        ({"health_statuses": ["sick"]}, "health_statuses: no instance that was read has sick, and"),
        ({"id": 9, "statuses": ["runing"]}, "statuses: no instance that was read has runing, and"),
    ],
)
def test_a_word_that_nobody_knows_is_an_error(worker: Worker, options: dict[str, t.Any], words: str) -> None:
    result = worker.run(claw_instance_info, **options)
    assert result["failed"] is True
    assert words in result["msg"]


def test_what_is_documented_may_be_looked_for(worker: Worker) -> None:
    options = {"statuses": ["deploy_failed", "Pending Configuration"], "tiers": ["BALANCED"]}
    assert worker.run(claw_instance_info, **options)["instances"] == []


def test_a_status_that_the_service_added_can_be_looked_for(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(4, status="hibernating")
    found = worker.run(claw_instance_info, statuses=["hibernating"])["instances"]
    assert [instance["id"] for instance in found] == [4]
    assert worker.warnings == []


def test_one_that_was_deleted_meanwhile_is_left_out(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("not_found", path="/instances/3")
    found = worker.run(claw_instance_info, name="twin", details=True)["instances"]
    assert [instance["id"] for instance in found] == [2]
    simulator.fault("not_found", path="/instances/1")
    assert worker.run(claw_instance, name="web-bot", state="absent")["changed"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "twin"}, "2 instances are named twin (ids 2, 3): choose one with id."),
        ({"id": 4, "name": "twin"}, "The instance with id 4 is named mail-bot, not twin; nothing was done."),
        ({"name": ""}, "name is empty"),
        ({"name": "nobody"}, "nobody"),
        ({"id": 9, "name": "twin"}, "with id 9"),
    ],
)
def test_what_fits_no_one_instance_is_refused_before_anything_is_done(
    simulator: Simulator, worker: Worker, options: dict[str, t.Any], message: str
) -> None:
    result = worker.run(claw_instance, **options)
    assert result["failed"] is True
    assert message in result["msg"]
    assert simulator.effects() == {}


def test_an_id_that_no_option_takes_is_not_advised(simulator: Simulator, worker: Worker) -> None:
    listed = [{"id": f"i-{number}", "name": "twin"} for number in (2, 3)]
    simulator.fault("wrong_type", path="/instances", body={"data": listed})
    assert worker.run(claw_instance, name="twin")["msg"] == (
        "2 instances are named twin (ids i-2, i-3): give it another name in the dashboard; ids are positive whole "
        "numbers, or their text, so these can't be given."
    )


@pytest.mark.parametrize("options", [{"name": "nobody"}, {"id": 9}, {"id": 9, "name": "twin"}])
def test_what_is_not_there_is_absent(simulator: Simulator, worker: Worker, options: dict[str, t.Any]) -> None:
    assert worker.run(claw_instance, **options, state="absent")["changed"] is False
    assert simulator.effects() == {}
