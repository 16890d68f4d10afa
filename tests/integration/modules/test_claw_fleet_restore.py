# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many restores of one incident in one task: batches, refusals, requests, and at most one POST each (interface 3)."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    lock_operation,
)
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from simulator.handle import Simulator
from support.stores import StorePlace
from support.worker import Worker

BACKUPS = ((1, "50h ago", "completed"), (2, "5h ago", "completed"), (3, "1h ago", "failed"))


def world(count: int = 8) -> dict[str, t.Any]:
    """Instances bot-1, bot-2, ...; each has the backups N01, 50 h old, N02, 5 h old, and N03, which failed."""
    numbers = range(1, count + 1)
    return {
        "instances": [{"id": number, "name": f"bot-{number}"} for number in numbers],
        "backups": [
            {"id": 100 * number + one, "instance_id": number, "created_at": created_at, "status": status}
            for one, created_at, status in BACKUPS
            for number in numbers
        ],
    }


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    simulator.reset(state=world(), switches={"transition_reads": 2})
    return Worker(simulator, {**place.options, "incident": "INC-1"})


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
    backups = [102, 202, 302, 402, 501]
    check = worker.run(claw_fleet_restore, check=True, **options)
    assert check["changed"] is True
    assert check["summary"] == {"ok": 0, "changed": 5, "failed": 0, "not_begun": 0}
    assert set(outcomes(check)) == {"not_begun"}
    assert (posts(simulator), place.read_journal()) == ([], "")
    real = worker.run(claw_fleet_restore, **options)
    assert real["failed"] is False, real
    assert (real["summary"], real["diff"]) == (check["summary"], check["diff"])
    assert [entry["backup_id"] for entry in real["instances"]] == backups
    assert [{**entry, "outcome": "not_begun"} for entry in real["instances"]] == check["instances"]
    assert set(outcomes(real)) == {"completed"}
    assert (posts(simulator)[0], sorted(posts(simulator))) == (102, backups)
    simulator.clear_log()
    again = worker.run(claw_fleet_restore, **options)
    assert again["changed"] is False
    assert again["summary"] == {"ok": 5, "changed": 0, "failed": 0, "not_begun": 0}
    assert again["diff"]["before"] == again["diff"]["after"]
    assert [entry["backup_id"] for entry in again["instances"]] == backups
    assert sorted(simulator.calls()) == ["GET /backups", "GET /instances"]
    assert simulator.effects() == {"restores": 5}


@pytest.mark.parametrize("ends", ["running", "stopped"])
def test_a_stop_by_others_during_the_wait_is_not_overruled(simulator: Simulator, worker: Worker, ends: str) -> None:
    simulator.switch(restore_ends=ends)
    simulator.set_instance(1, health_after="unhealthy")
    seen = 0

    def stop_it() -> None:
        nonlocal seen
        if posts(simulator) and simulator.instance(1)["status"] == "running":
            seen += 1
            if seen == 3:
                simulator.set_instance(1, status="stopped")

    worker.sleeper.before_sleep = stop_it
    result = worker.run(claw_fleet_restore, instances=bots(1), wait_timeout=60)
    starts = simulator.calls("POST /instances/*")
    assert starts == ["POST /instances/1/start"] * (ends == "stopped")
    assert "It was not started within 60 s (wait_timeout), and now it is stopped, health unknown." in result["msg"]
    # As asked for in so many words.
    worker.sleeper.before_sleep = lambda: None
    simulator.set_instance(1, health_after="healthy")
    assert worker.run(claw_fleet_restore, instances=bots(1))["failed"] is False
    assert simulator.calls("POST /instances/*") == [*starts, "POST /instances/1/start"]


def test_finished_instances_that_can_not_be_read_keep_the_next_batch_back(simulator: Simulator, worker: Worker) -> None:
    options = {"instances": bots(1, 2, 3), "serial": 1, "max_failures": 3, "retry_timeout": 5}
    worker.run(claw_fleet_restore, **options)
    calls = simulator.calls()
    # The last reading of the first one before the second batch looks back at it.
    readings = calls[: calls.index("POST /backups/202/restore")].count("GET /instances/1")
    simulator.reset(state=world(), switches={"transition_reads": 2})
    simulator.fault("json_503", path="/instances/1", method="GET", skip=readings - 1, times=None)
    result = worker.run(claw_fleet_restore, **{**options, "incident": "INC-2"})
    assert posts(simulator) == [102]
    assert outcomes(result) == ["completed", "refused", "refused"]
    told = ["rejected or not sent; nothing was changed." in one["msg"] for one in result["instances"]]
    assert told == [False, True, True]


# What it costs


def test_restoring_forty_of_sixty_costs_three_listings_and_the_polls(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=world(60), switches={"transition_reads": 2})
    result = worker.run(claw_fleet_restore, instances=bots(*range(1, 41)), serial=["100%"])
    assert result["summary"] == {"ok": 0, "changed": 40, "failed": 0, "not_begun": 0}
    calls = simulator.calls()
    first = next(number for number, call in enumerate(calls) if call.startswith("POST"))
    assert sorted(calls[:first]) == ["GET /backups"] * 8 + ["GET /instances"] * 6
    assert len(set(calls[first : first + 40])) == 40
    polls = calls[first + 40 :]
    assert set(polls) == {"GET /instances"}
    assert len(polls) % 3 == 0


@pytest.mark.parametrize(
    ("entries", "reads"),
    [
        ([{"id": 1, "backup_id": 102}], ["/backups/102", "/instances/1", "/instances/1"]),
        ([{"id": 60}], ["/backups"] * 8 + ["/instances/60", "/instances/60"]),
        # The first page of each list shows that the rest is not worth reading.
        (
            [{"id": 1, "backup_id": 102}, {"id": 60, "backup_id": 6002}],
            ["/backups", "/backups/6002", "/instances", "/instances/60", "/instances/1", "/instances/60"],
        ),
        # All of them are on the first page.
        (
            [{"id": 1, "backup_id": 101}, {"id": 2, "backup_id": 201}],
            ["/backups", "/instances", "/instances/1", "/instances/2"],
        ),
        (
            [{"id": number, "backup_id": 100 * number + 2} for number in range(1, 61)],
            ["/backups"] * 8 + ["/instances"] * 6,
        ),
    ],
)
def test_what_is_given_by_id_is_read_by_id_where_that_takes_fewer_requests(
    simulator: Simulator, worker: Worker, entries: list[dict[str, int]], reads: list[str]
) -> None:
    simulator.reset(state=world(60))
    result = worker.run(claw_fleet_restore, instances=entries, serial=["100%"])
    assert result["summary"]["changed"] == len(entries)
    calls = simulator.calls()
    first = next(number for number, call in enumerate(calls) if call.startswith("POST"))
    assert sorted(calls[:first]) == sorted(f"GET {path}" for path in reads)


def test_the_polls_of_a_small_batch_read_it_alone(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=world(60), switches={"transition_reads": 2})
    worker.run(claw_fleet_restore, instances=bots(1, *range(11, 20)), serial=[1, "100%"])
    calls = simulator.calls()
    first = calls.index("POST /backups/102/restore")
    assert set(calls[first + 1 : first + 4]) == {"GET /instances/1"}
    assert set(calls[-3:]) == {"GET /instances"}


def test_one_that_can_not_be_read_hides_no_other_of_its_batch(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=world(40), switches={"transition_reads": 2})
    simulator.fault("json_503", path="/instances/1", method="GET", skip=2, times=None)
    result = worker.run(claw_fleet_restore, ids=[1, 2], serial=["100%"], retry_timeout=0, wait_timeout=60)
    assert outcomes(result) == ["in_flight", "completed"]


def test_polls_use_a_quarter_of_the_rate_limit(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=world(20), switches={"transition_reads": 10_000, "per_page_default": 2})
    worker.run(claw_fleet_restore, instances=bots(*range(1, 21)), serial=["100%"], wait_timeout=240)
    calls = simulator.calls()
    polls = calls[max(number for number, call in enumerate(calls) if call.startswith("POST")) + 1 :]
    assert set(polls) == {"GET /instances"}
    # The first one is sent at once.
    assert 50 < len(polls) <= 10 + 240 / 60 * 25


# What is refused


# All obstacles: test_ways_to_restore.py
@pytest.mark.parametrize(
    ("entry", "words"),
    [({"name": "bto-3"}, "did you mean bot-3?"), ({"id": 3, "backup_id": 301}, "and max_age is 1 d 0 h")],
)
def test_a_wrong_entry_is_found_before_anything_is_sent(
    simulator: Simulator, worker: Worker, entry: dict[str, t.Any], words: str
) -> None:
    options = {"instances": [*bots(1), entry, *bots(2)], "serial": [1], "max_age": "24h"}
    for check in (True, False):
        result = worker.run(claw_fleet_restore, check=check, **options)
        assert (result["failed"], result["changed"]) == (True, False)
        assert words in result["instances"][1]["msg"]
        assert words in result["msg"]
        assert result["msg"].startswith("1 of 3 entries can't be restored, so nothing was sent: entry 2")
        assert outcomes(result) == ["not_begun", "refused", "not_begun"]
        assert [entry["failed"] for entry in result["instances"]] == [False, True, False]
        assert result["summary"] == {"ok": 0, "changed": 0, "failed": 1, "not_begun": 2}
        assert result["diff"]["before"] == result["diff"]["after"]
    assert simulator.calls("POST *") == []


def test_plain_lists_restore_the_newest_backups_after_the_entries(simulator: Simulator, worker: Worker) -> None:
    lists = {"instances": [{"id": 3, "backup_id": 301}], "ids": [2], "names": ["bot-1"]}
    result = worker.run(claw_fleet_restore, **lists, serial=["100%"])
    assert [entry["id"] for entry in result["instances"]] == [3, 2, 1]
    assert (result["summary"]["changed"], result["instances"][0]["backup_id"]) == (3, 301)
    assert len(simulator.calls("POST *")) == 3
    twice = worker.run(claw_fleet_restore, incident="INC-2", ids=[2], names=["bot-2"])
    listed = "bot-2 (id 2) or its backup is listed already, in entry 1. Nothing was sent. List each"
    assert twice["instances"][1]["msg"] == f"{listed} of them once."
    assert len(simulator.calls("POST *")) == 3


def test_health_that_is_not_shown_is_told_once(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(drop_fields=["instance.health_status"])
    assert worker.run(claw_fleet_restore, instances=bots(1, 2))["summary"]["changed"] == 2
    told = [text for text in worker.warnings if "Health not shown (health_status)" in text]
    assert [text.rsplit(": ", 1)[1] for text in told] == ["bot-1 (id 1), bot-2 (id 2)."]


def test_a_list_of_none_is_done(simulator: Simulator, worker: Worker) -> None:
    result = worker.run(claw_fleet_restore, instances=[])
    assert (result["failed"], result["changed"]) == (False, False)
    assert simulator.calls("POST *") == []


# What fails on the way


def test_the_error_is_that_of_the_first_entry_that_has_a_response(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("reset_before", path="/backups/102/restore")
    simulator.fault("status", path="/backups/202/restore", status=422, code="no", message="No")
    result = worker.run(claw_fleet_restore, instances=bots(1, 2), serial=["100%"])
    assert outcomes(result) == ["unknown", "refused"]
    assert result["error"]["status"] == 422


def test_an_unknown_outcome_is_not_resent_and_stops_none_of_its_batch(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("reset_before", path="/backups/202/restore")
    result = worker.run(claw_fleet_restore, instances=bots(1, 2, 3, 4), serial=[3, 1])
    assert outcomes(result) == ["completed", "unknown", "completed", "not_begun"]
    assert "unknown whether" in result["instances"][1]["msg"]
    again = worker.run(claw_fleet_restore, instances=bots(4, 2, 1), serial=[2, 1])
    assert outcomes(again) == ["completed", "unknown", "completed"]
    assert again["summary"] == {"ok": 1, "changed": 1, "failed": 1, "not_begun": 0}
    assert "un the same task again" not in again["msg"]
    assert sorted(posts(simulator)) == [102, 202, 302, 402]
    check = worker.run(claw_fleet_restore, check=True, instances=bots(2, 5), serial=["100%"])
    assert check["summary"] == {"ok": 0, "changed": 1, "failed": 1, "not_begun": 0}
    forced = worker.run(claw_fleet_restore, instances=bots(2), force=True)
    assert outcomes(forced) == ["completed"]
    assert simulator.effects() == {"restores": 4}


def test_a_forced_restore_that_is_refused_is_not_told_as_the_one_before(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("reset_before", method="POST")
    assert outcomes(worker.run(claw_fleet_restore, instances=bots(1))) == ["unknown"]
    simulator.fault("status", path="/backups/102/restore", status=422, code="no", message="No")
    assert outcomes(worker.run(claw_fleet_restore, instances=bots(1), force=True)) == ["refused"]
    assert outcomes(worker.run(claw_fleet_restore, instances=bots(1))) == ["unknown"]


def test_what_comes_back_stopped_is_started(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(restore_ends="stopped")
    result = worker.run(claw_fleet_restore, instances=bots(1, 2, 3), serial=[1, 2])
    assert [(entry["after"], entry["outcome"]) for entry in result["instances"]] == [("running", "completed")] * 3
    assert simulator.effects() == {"restores": 3, "starts": 3}
    simulator.set_instance(2, status="stopped")
    check = worker.run(claw_fleet_restore, check=True, instances=bots(1, 2, 3))
    again = worker.run(claw_fleet_restore, instances=bots(1, 2, 3))
    assert check["summary"] == again["summary"] == {"ok": 2, "changed": 1, "failed": 0, "not_begun": 0}
    assert check["diff"] == again["diff"]
    assert again["diff"]["before"]["bot-2 (id 2)"] == {"restored_from": None, "status": "stopped"}
    assert again["diff"]["after"]["bot-2 (id 2)"] == {"restored_from": None, "status": "running (started)"}
    assert simulator.effects() == {"restores": 3, "starts": 4}


def test_what_comes_back_without_its_configuration_has_failed(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(restore_ends="pending_configuration")
    result = worker.run(claw_fleet_restore, instances=bots(1, 2))
    assert outcomes(result) == ["completed", "not_begun"]
    assert "not seen running and healthy. Its status is pending_configuration. Give it" in result["instances"][0]["msg"]


def test_health_is_waited_for_and_the_next_run_goes_on(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, health_after="unhealthy")
    result = worker.run(claw_fleet_restore, instances=bots(1, 2), wait_timeout=60)
    assert outcomes(result) == ["completed", "not_begun"]
    told = "It was not healthy within 60 s (wait_timeout), and now it is running, unhealthy."
    assert told in result["instances"][0]["msg"]
    simulator.set_instance(1, health_status="healthy")
    again = worker.run(claw_fleet_restore, instances=bots(1, 2))
    assert again["summary"] == {"ok": 1, "changed": 1, "failed": 0, "not_begun": 0}
    simulator.set_instance(3, health_after="unhealthy")
    assert worker.run(claw_fleet_restore, instances=bots(3), wait_healthy=False)["failed"] is False


def test_what_is_gone_since_the_plan_stops_nothing_of_its_own_batch(simulator: Simulator, worker: Worker) -> None:
    def meanwhile() -> None:
        if posts(simulator):
            worker.sleeper.before_sleep = lambda: None
            simulator.remove_instance(3)

    worker.sleeper.before_sleep = meanwhile
    result = worker.run(claw_fleet_restore, instances=bots(1, 2, 3), serial=[1, 2])
    assert outcomes(result) == ["completed", "completed", "refused"]
    assert sorted(posts(simulator)) == [102, 202]
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 1, "not_begun": 0}


def test_a_batch_whose_status_can_not_be_read_is_not_sent(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("forbidden", path="/instances*", skip=1, times=None)
    result = worker.run(claw_fleet_restore, instances=bots(1, 2), serial=["100%"])
    assert outcomes(result) == ["refused", "refused"]
    assert "rejected or not sent; nothing was changed." in result["msg"]
    assert result["error"]["status"] == 403
    assert posts(simulator) == []


# Other runs


def test_both_modules_share_the_journal(simulator: Simulator, worker: Worker) -> None:
    worker.run(claw_backup_restore, instance_name="bot-2")
    other = worker.run(claw_fleet_restore, instances=[*bots(1), {"id": 2, "backup_id": 201}, *bots(3)])
    assert other["summary"] == {"ok": 0, "changed": 0, "failed": 1, "not_begun": 2}
    result = worker.run(claw_fleet_restore, instances=bots(1, 2, 3))
    assert result["summary"] == {"ok": 1, "changed": 2, "failed": 0, "not_begun": 0}
    assert result["instances"][1]["backup_id"] == 202
    assert worker.run(claw_backup_restore, instance_id=3)["changed"] is False
    assert sorted(posts(simulator)) == [102, 202, 302]


@pytest.mark.parametrize("ends", ["nothing", "restored", "stopped"])
def test_an_instance_of_another_run_is_waited_for_while_others_go_on(
    simulator: Simulator, worker: Worker, place: StorePlace, ends: str
) -> None:
    key = OperationKey("restore", simulator.url, "INC-1", "2")
    journal = place.journal()
    with contextlib.ExitStack() as other:
        assert other.enter_context(lock_operation(journal, key))

        def meanwhile() -> None:
            if len(posts(simulator)) == 2:
                worker.sleeper.before_sleep = lambda: None
                if ends != "nothing":
                    append_event(journal, key, OperationEvent.INTENDED, backup_id=201)
                    append_event(journal, key, OperationEvent.ACCEPTED)
                if ends == "stopped":
                    append_event(journal, key, OperationEvent.COMPLETED)
                    simulator.set_instance(2, status="stopped")
                other.close()

        worker.sleeper.before_sleep = meanwhile
        result = worker.run(claw_fleet_restore, instances=bots(1, 2, 3), serial=["100%"])
    assert set(outcomes(result)) == {"completed"}
    is_sent = ends == "nothing"
    assert [entry["changed"] for entry in result["instances"]] == [True, ends != "restored", True]
    assert sorted(posts(simulator)) == ([102, 202, 302] if is_sent else [102, 302])
    assert simulator.instance(2)["status"] == "running"


@pytest.mark.parametrize("has_sent", [False, True])
def test_an_instance_that_another_run_keeps_is_left_to_it(
    simulator: Simulator, worker: Worker, place: StorePlace, has_sent: bool
) -> None:
    journal, key = place.journal(), OperationKey("restore", simulator.url, "INC-1", "1")
    with lock_operation(journal, key) as is_free:
        assert is_free
        if has_sent:
            append_event(journal, key, OperationEvent.INTENDED, backup_id=102)
            append_event(journal, key, OperationEvent.ACCEPTED)
        result = worker.run(claw_fleet_restore, instances=bots(1, 2), serial=[2], wait_timeout=30)
    assert (result["failed"], outcomes(result)) == (True, ["in_flight", "completed"])
    message = result["instances"][0]["msg"]
    assert "It was not free within 30 s (wait_timeout)" in message, message
    assert ("Nothing was sent." in message) != has_sent, message
    assert posts(simulator) == [202]


def test_one_kept_by_another_incident_is_not_under_way(simulator: Simulator, worker: Worker, place: StorePlace) -> None:
    with lock_operation(place.journal(), OperationKey("restore", simulator.url, "INC-2", "1")):
        result = worker.run(claw_fleet_restore, instances=bots(1), wait_timeout=30)
    (instance,) = result["instances"]
    assert (instance["outcome"], instance["failed"]) == ("refused", True)
    held = "It was not free within 30 s (wait_timeout), and now it is held by"
    assert held in instance["msg"]
    assert ", for incident INC-2." in instance["msg"]
    assert posts(simulator) == []


def test_the_done_are_unlocked_while_their_batch_waits(simulator: Simulator, worker: Worker, place: StorePlace) -> None:
    first, second = (OperationKey("restore", simulator.url, "INC-1", number) for number in "12")
    journal = place.journal()
    with contextlib.ExitStack() as other:
        assert other.enter_context(lock_operation(journal, first))

        def meanwhile() -> None:
            # The other run works on the first one until it gets the second.
            with lock_operation(journal, second) as is_free:
                if is_free and posts(simulator):
                    other.close()

        worker.sleeper.before_sleep = meanwhile
        result = worker.run(claw_fleet_restore, instances=bots(1, 2), serial=[2], wait_timeout=120)
    assert outcomes(result) == ["completed", "completed"], result
    assert posts(simulator) == [202, 102]


@pytest.mark.parametrize("others", [[], [{"id": 4, "backup_id": 402}]])
def test_an_instance_with_the_name_of_a_restored_one_gets_its_own_backup(
    simulator: Simulator, worker: Worker, others: list[dict[str, int]]
) -> None:
    worker.run(claw_fleet_restore, instances=bots(1))
    simulator.set_instance(1, name="old")
    simulator.set_instance(3, name="bot-1")
    result = worker.run(claw_fleet_restore, instances=[*bots(1), *others])
    assert result["failed"] is False, result
    assert (result["instances"][0]["id"], result["instances"][0]["backup_id"]) == (3, 302)
