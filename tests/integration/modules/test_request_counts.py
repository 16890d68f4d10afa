# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests of a task, from the service's own log: exactly what the documentation promises."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_instance, claw_instance_info
from simulator.handle import Simulator
from support.worker import Worker

RUNNING, STOPPED = 1, 2
LIST_OF_60 = ["GET /instances"] * 3


@pytest.fixture(autouse=True)
def two_known_instances(simulator: Simulator) -> None:
    """One that runs, one that is stopped, with names of their own."""
    simulator.set_instance(RUNNING, name="runs", status="running")
    simulator.set_instance(STOPPED, name="rests", status="stopped")


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({"id": RUNNING}, ["GET /instances/1"]),
        ({"id": STOPPED, "wait": False}, ["GET /instances/2", "POST /instances/2/start"]),
        ({"name": "runs"}, [*LIST_OF_60, "GET /instances/1"]),
        ({"name": "nobody", "state": "absent"}, LIST_OF_60),
    ],
)
def test_a_task_of_one_instance_sends_no_more_than_it_needs(
    simulator: Simulator, worker: Worker, options: dict[str, t.Any], calls: list[str]
) -> None:
    result = worker.run(claw_instance, **options)
    assert (simulator.calls(), result["api"]["requests"]) == (calls, len(calls))
    assert result["changed"] is ("POST /instances/2/start" in calls)
    assert (result["instance"] is None) is (calls == LIST_OF_60)
    assert result["instance"] is None or result["instance"]["can_stop"] is True


def test_waiting_adds_only_its_polls(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(transition_reads=1)
    result = worker.run(claw_instance, id=STOPPED, state="started")
    assert result["instance"]["status"] == "running"
    first, start, *polls = simulator.calls()
    assert [first, start] == ["GET /instances/2", "POST /instances/2/start"]
    assert set(polls) == {"GET /instances/2"}


@pytest.mark.parametrize(("options", "pages"), [({}, 3), ({"page_size": 50}, 2)])
def test_all_instances_are_the_pages_of_their_list(
    simulator: Simulator, worker: Worker, options: dict[str, t.Any], pages: int
) -> None:
    result = worker.run(claw_instance_info, **options)
    assert [instance["id"] for instance in result["instances"]] == list(range(1, 61))
    assert simulator.calls() == ["GET /instances"] * pages


def test_a_restore_looks_at_the_instance_once_more(simulator: Simulator, worker: Worker) -> None:
    options = {"incident": "INC-1", "instance_id": RUNNING, "wait": False}
    result = worker.run(claw_backup_restore, **options)
    assert result["restore"]["outcome"] == "in_flight"
    *plan, look, restore = simulator.calls()
    assert (look, restore) == ("GET /instances/1", f"POST /backups/{result['backup']['id']}/restore")
    assert sorted(set(plan)) == ["GET /backups", "GET /instances/1"]
    assert plan.count("GET /instances/1") == 1
    simulator.clear_log()
    simulator.set_instance(RUNNING, status="running")
    options = {"incident": "INC-2", "backup_id": result["backup"]["id"], "wait": False}
    worker.run(claw_backup_restore, **options)
    assert simulator.calls() == [restore.replace("POST", "GET").removesuffix("/restore"), look, look, restore]


@pytest.mark.slice
def test_instances_and_backups_are_listed_side_by_side(simulator: Simulator) -> None:
    worker = Worker(simulator, {"instance_name": "runs", "wait": False})
    simulator.fault("slow", path="/instances", seconds=1)
    assert worker.run(claw_backup_restore, incident="INC-1")["changed"] is True
    # The other pages of instances come after the slow one.
    assert simulator.calls("GET *")[-3:] == ["GET /instances", "GET /instances", "GET /instances/1"]
    # A list that is not read to its end is not waited for.
    simulator.fault("status", status=403, path="/instances")
    simulator.fault("rate_limited", path="/backups", times=None, seconds=60)
    assert worker.run(claw_backup_restore, incident="INC-2")["error"]["status"] == 403
