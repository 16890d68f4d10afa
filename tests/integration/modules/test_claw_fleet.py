# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many instances in one task: what it costs, what becomes of each entry, and that none is lost (interface 3)."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_fleet_restore, claw_instance
from simulator.handle import Simulator
from support import TIME_IN_MESSAGE
from support.controller import Controller
from support.worker import Worker


def fleet(*statuses: str, **fields: t.Any) -> dict[str, t.Any]:
    """A world of instances in these statuses, named bot-1, bot-2, ..."""
    return {
        "instances": [
            {"id": number, "name": f"bot-{number}", "status": status, "billing_mode": "daily", **fields}
            for number, status in enumerate(statuses, start=1)
        ]
    }


@pytest.mark.parametrize(("count", "pages"), [(25, 1), (26, 2)])
def test_nothing_to_change_costs_one_listing(simulator: Simulator, worker: Worker, count: int, pages: int) -> None:
    simulator.reset(state=fleet(*["running"] * count))
    result = worker.run(claw_fleet, instances=[{"id": number} for number in range(1, count + 1)])
    assert result["changed"] is False
    assert result["summary"] == {"ok": count, "changed": 0, "failed": 0}
    assert simulator.calls() == ["GET /instances"] * pages


def test_a_hundred_changes_cost_the_list_the_changes_and_then_only_lists(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet(*["running"] * 900, *["stopped"] * 100), switches={"transition_reads": 2})
    result = worker.run(claw_fleet, instances=[{"id": number} for number in range(1, 1001)])
    assert result["summary"] == {"ok": 900, "changed": 100, "failed": 0}
    assert {entry["after"] for entry in result["instances"]} == {"running"}
    calls = simulator.calls()
    assert calls[:40] == ["GET /instances"] * 40
    assert sorted(calls[40:140]) == sorted(f"POST /instances/{number}/start" for number in range(901, 1001))
    assert set(calls[140:]) == {"GET /instances"}
    assert len(calls[140:]) % 40 == 0
    assert simulator.effects() == {"starts": 100}


def test_each_state_in_check_mode_for_real_and_again(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("stopped", "running", "running", "running", "running", "stopped"))
    declared = [
        {"name": "bot-1", "state": "started"},
        {"name": "bot-2", "state": "stopped"},
        {"id": 3, "state": "restarted"},
        {"id": 4, "name": "bot-4", "state": "absent"},
        {"id": 5},
        {"id": 6, "state": "restarted"},
        {"name": "bot-7", "state": "absent"},
    ]
    alone = worker.run(claw_instance, check=True, id=6, state="restarted")
    assert alone["diff"]["after"] == {"id": 6, "name": "bot-6", "status": "running"}
    check = worker.run(claw_fleet, check=True, instances=declared)
    assert simulator.changes() == []
    real = worker.run(claw_fleet, instances=declared)
    assert check["diff"] == real["diff"]
    assert check["changed"] is real["changed"] is True
    assert check["summary"] == real["summary"] == {"ok": 2, "changed": 5, "failed": 0}
    assert real["diff"]["after"]["bot-3 (id 3)"] == "running (restarted)"
    assert real["diff"]["after"]["bot-6 (id 6)"] == "running"
    assert real["instances"] == check["instances"]
    assert [(entry["before"], entry["after"]) for entry in real["instances"]] == [
        ("stopped", "running"),
        ("running", "stopped"),
        ("running", "running"),
        ("running", None),
        ("running", "running"),
        ("stopped", "running"),
        (None, None),
    ]
    again = worker.run(claw_fleet, instances=[entry for entry in declared if entry.get("state") != "restarted"])
    assert again["changed"] is False
    assert again["diff"]["before"] == again["diff"]["after"]


def test_one_bad_entry_leaves_the_others_done_and_is_reported_with_them(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("stopped", "paused", "running", "running", "running"))
    simulator.set_instance(4, name="twin")
    simulator.set_instance(5, name="twin")
    instances = [
        {"name": "bot-1"},
        {"name": "bot-2"},
        {"name": "nobody"},
        {"name": "twin", "state": "absent"},
        {"id": 3, "name": "bot-4", "state": "absent"},
        {"name": "bot-3", "state": "stopped"},
    ]
    checked = worker.run(claw_fleet, check=True, instances=instances)
    assert checked["msg"].endswith(" And 1 more. Would change: bot-1 (id 1), bot-3 (id 3).")
    assert simulator.changes() == []
    result = worker.run(claw_fleet, instances=instances)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 4}
    assert simulator.changes() == ["POST /instances/1/start", "POST /instances/3/stop"]
    messages = [entry["msg"] for entry in result["instances"]]
    assert messages[0] == messages[5] == ""
    assert "Buy Claws and resume it" in messages[1]
    assert messages[2] == "no such instance: instances are created in the dashboard."
    assert "ids 4, 5" in messages[3]
    assert "is named bot-3, not bot-4" in messages[4]
    assert result["msg"].startswith("4 of 6 entries failed: entry 2, bot-2 (id 2): It has the status paused")
    assert result["msg"].endswith(" And 1 more. Changed: bot-1 (id 1), bot-3 (id 3).")
    assert result["msg"].isprintable()


def test_more_changes_than_allowed_fail_before_the_first(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("running", "running", "paused"))
    declared = [{"id": 1}, {"id": 2}, {"id": 3}]
    result = worker.run(claw_fleet, instances=declared, state="stopped", max_changes=1, serial=2)
    assert result["failed"] is True
    paused = "bot-3 (id 3) is paused, not stopped: the account's balance ran out. Nothing was changed."
    assert worker.warnings == [paused]
    assert "2 instances would change, more than max_changes (1) allows: 2 to stop. Nothing was sent." in result["msg"]
    assert result["changed"] is False
    assert result["diff"]["before"] == result["diff"]["after"]
    assert result["summary"] == {"ok": 1, "changed": 0, "failed": 2, "not_begun": 0}
    not_begun = (False, "Not begun: the plan exceeds the limits of the task.")
    assert [(entry["begun"], entry["msg"]) for entry in result["instances"]] == [not_begun, not_begun, (True, "")]
    assert simulator.changes() == []
    plan = worker.run(claw_fleet, check=True, instances=declared, state="stopped", max_changes=1)
    assert (plan["failed"], plan["changed"], plan["msg"]) == (True, True, result["msg"])
    assert plan["diff"]["after"] == {"bot-1 (id 1)": "stopped", "bot-2 (id 2)": "stopped", "bot-3 (id 3)": "paused"}
    assert worker.warnings == [paused] * 2
    assert worker.run(claw_fleet, instances=declared, state="stopped", max_changes=2)["summary"]["changed"] == 2


def test_plain_lists_take_the_state_of_the_task_after_the_entries(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet(*["running"] * 5))
    lists = {"instances": [{"id": 5, "state": "restarted"}], "ids": [4, "1"], "names": ["bot-2"], "state": "stopped"}
    check = worker.run(claw_fleet, check=True, **lists)
    result = worker.run(claw_fleet, **lists)
    shown = [(entry["id"], entry["name"], entry["state"]) for entry in result["instances"]]
    assert shown == [(5, "bot-5", "restarted"), *((number, f"bot-{number}", "stopped") for number in (4, 1, 2))]
    assert check["instances"] == result["instances"]
    stops = [f"POST /instances/{number}/stop" for number in (1, 2, 4)]
    assert simulator.changes() == [*stops, "POST /instances/5/restart"]
    listed = ["GET /instances", "GET /instances/2"]
    assert simulator.calls("GET *")[:5] == [*listed, "GET /account", *listed]


def test_an_instance_that_is_listed_twice_changes_nothing(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("stopped", "stopped"))
    result = worker.run(claw_fleet, instances=[{"id": 1}], names=["bot-2", "bot-1"])
    assert (result["failed"], "plan" in result) == (True, False)
    told = "bot-1 (id 1) is listed already, in entry 1"
    assert f"entry 3, bot-1: {told}" in result["msg"]
    assert result["summary"] == {"ok": 0, "changed": 0, "failed": 3}
    assert {(entry["after"], entry["begun"]) for entry in result["instances"]} == {("stopped", False)}
    not_begun = "Not begun: the list of instances has faults."
    shown = [(entry["id"], entry["msg"]) for entry in result["instances"]]
    assert shown == [(1, not_begun), (2, not_begun), (1, told)]
    assert simulator.changes() == []


FAILURES: list[tuple[dict[str, t.Any], str]] = [
    ({"instances": [{"id": 1}, {}]}, "it has neither id nor name"),
    ({"instances": [{"id": 1}, {"name": " "}]}, "name is empty"),
    ({"instances": [{"id": 1}, {"id": "seven"}]}, "cannot be converted to an int"),
    ({"instances": [{"id": 1}, {"id": 2, "size": 3}]}, "unsupported: size. Supported parameters include: "),
    ({"instances": {"id": 1}, "names": ["bot-2"]}, ""),
    ({"ids": "1,2", "serial": [0]}, ""),
    ({"ids": [1, 2], "account": "9"}, ""),
    ({"names": ["bot-1", "bot-2"], "api_url": "http://127.0.0.1:9/api/v1"}, ""),
    ({"names": ["bot-1", "bot-2"], "no_such_option": 1}, ""),
]
"""Options of tasks with two entries that fail before they read the instances, and the fault of the second entry."""


def test_tasks_that_fail_before_they_read_return_every_entry(simulator: Simulator, controller: Controller) -> None:
    backups = [{"instance_id": number, "created_at": "5h ago"} for number in (1, 2)]
    simulator.reset(state={**fleet("stopped", "stopped"), "backups": backups})
    modules: list[tuple[str, dict[str, t.Any]]] = [("claw_fleet", {}), ("claw_fleet_restore", {"incident": "INC-1"})]
    tasks = [
        {f"clawhosters.cloud.{module}": {**own, **options}, "ignore_errors": True}
        for options, _fault in FAILURES
        for module, own in modules
    ]
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    run = controller.playbook(play, CLAWHOSTERS_RETRY_TIMEOUT="0")
    for (_options, fault), changes, restores in zip(FAILURES, run.all[::2], run.all[1::2], strict=True):
        assert (changes["failed"], changes["changed"], "plan" in changes) == (True, False, False)
        assert set(changes["diff"]) == {"before", "after"}
        assert sum(changes["summary"].values()) == changes["summary"]["failed"] == 2
        for entry in changes["instances"]:
            assert {*entry} == {"id", "name", "state", "before", "after", "changed", "failed", "msg", "begun"}
            assert (entry["begun"], entry["changed"], entry["failed"]) == (False, False, True)
        outcomes = [entry["outcome"] for entry in restores["instances"]]
        assert outcomes == ["not_begun", "refused" if fault else "not_begun"]
        assert restores["summary"] == {"ok": 0, "changed": 0, "failed": bool(fault), "not_begun": 2 - bool(fault)}
        for result in (changes, restores):
            first, second = result["instances"]
            assert first["id"] == 1 or first["name"] == "bot-1"
            assert fault in second["msg"]
    assert simulator.changes() == []


def restart_in_batches(simulator: Simulator, worker: Worker, **options: t.Any) -> dict[str, t.Any]:
    """Restarts six instances in batches of one, two, and the rest."""
    given = {"ids": [1, 2, 3, 4, 5, 6], "state": "restarted", "serial": [1, 2, "100%"], **options}
    check = worker.run(claw_fleet, check=True, **given)
    assert simulator.changes() == []
    result = worker.run(claw_fleet, **given)
    assert [entry["batch"] for entry in check["instances"]] == [entry["batch"] for entry in result["instances"]]
    return result


def test_a_batch_begins_when_the_one_before_has_its_state(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet(*["running"] * 6), switches={"transition_reads": 2})
    result = restart_in_batches(simulator, worker)
    assert [entry["batch"] for entry in result["instances"]] == [1, 2, 2, 3, 3, 3]
    assert result["summary"] == {"ok": 0, "changed": 6, "failed": 0, "not_begun": 0}
    calls = simulator.calls()
    restarts = [call for call in calls if call.startswith("POST")]
    assert [sorted(restarts[start:end]) for start, end in ((0, 1), (1, 3), (3, 6))] == [
        [f"POST /instances/{number}/restart" for number in numbers] for numbers in ((1,), (2, 3), (4, 5, 6))
    ]
    assert set(calls) - set(restarts) == {"GET /instances", "GET /account"}
    second, third = calls.index(restarts[1]), calls.index(restarts[3])
    assert calls[second - 1] == calls[third - 1] == "GET /instances"
    assert "Batch 2 of 3: bot-2, bot-3" in " ".join(worker.lines)


def test_batches_cost_one_listing_in_all_and_their_polls(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet(*["running"] * 60), switches={"transition_reads": 1})
    result = worker.run(claw_fleet, ids=list(range(1, 61)), state="restarted", serial=5)
    assert result["summary"] == {"ok": 0, "changed": 60, "failed": 0, "not_begun": 0}
    listings = simulator.calls().count("GET /instances")
    assert len(simulator.calls()) == 60 + listings
    # 3 pages; a poll may see that none has begun to restart yet.
    assert 13 * 3 <= listings <= 25 * 3


@pytest.mark.parametrize(("max_failures", "begun"), [(None, 3), (0, 3), (1, 6)])
def test_no_further_batch_begins_after_too_many_failures(
    simulator: Simulator, worker: Worker, max_failures: int | None, begun: int
) -> None:
    simulator.reset(state=fleet("running", "running", "paused", "running", "running", "running"))
    options = {"ids": [1, 2, 3, 4, 5, 6], "state": "restarted", "serial": [1, 2, "100%"], "max_failures": max_failures}
    check = worker.run(claw_fleet, check=True, **options)
    result = worker.run(claw_fleet, **options)
    assert len(simulator.changes()) == begun - 1
    expected = {"ok": 0, "changed": begun - 1, "failed": 1, "not_begun": 6 - begun}
    assert check["summary"] == result["summary"] == expected
    assert check["instances"] == result["instances"]
    assert check["diff"] == result["diff"]
    assert result["failed"] is True
    stopped = begun < 6
    assert ("Not begun: 3, since more than max_failures (0) failed." in result["msg"]) is stopped
    assert [one["msg"].startswith("Not begun: ") for one in result["instances"]] == [False] * 3 + [stopped] * 3
    assert (result["report"][-1] == "2 restarted; 1 failed; 3 not begun.") is stopped


def test_a_batch_looks_at_its_instances_anew(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("running", "running", "stopped", "running"), switches={"transition_reads": 1})

    def change() -> None:
        simulator.set_instance(2, status="stopped")
        simulator.set_instance(3, status="running")
        simulator.remove_instance(4)
        worker.sleeper.before_sleep = lambda: None

    worker.sleeper.before_sleep = change
    result = worker.run(claw_fleet, ids=[1, 2, 3, 4], state="stopped", serial=[1, "100%"])
    assert simulator.changes() == ["POST /instances/1/stop", "POST /instances/3/stop"]
    assert result["summary"] == {"ok": 1, "changed": 2, "failed": 1, "not_begun": 0}
    assert "It was deleted during this task" in result["instances"][3]["msg"]


LAPSES: dict[str, tuple[t.Callable[[Simulator], t.Any], str]] = {
    "unhealthy": (lambda simulator: simulator.set_instance(1, health_status="unhealthy"), "was running, unhealthy at"),
    "stopped": (lambda simulator: simulator.set_instance(1, status="stopped"), "was stopped, health unknown at"),
    "deleted": (lambda simulator: simulator.remove_instance(1), "no longer existed at"),
}


@pytest.mark.parametrize("lapse", LAPSES)
@pytest.mark.parametrize("max_failures", [0, 1])
def test_an_instance_that_lapses_after_its_batch_counts_as_failed(
    simulator: Simulator, worker: Worker, lapse: str, max_failures: int
) -> None:
    simulator.reset(state=fleet(*["running"] * 4), switches={"transition_reads": 2})
    happen, told = LAPSES[lapse]

    def wait_for_second_batch() -> None:
        if simulator.effects()["restarts"] == 2:
            happen(simulator)
            worker.sleeper.before_sleep = lambda: None

    worker.sleeper.before_sleep = wait_for_second_batch
    options = {"ids": [1, 2, 3, 4], "state": "restarted", "serial": [1, 1, 2], "max_failures": max_failures}
    result = worker.run(claw_fleet, **options, wait_healthy=True)
    begun = 4 if max_failures else 2
    assert len(simulator.changes()) == begun
    assert result["summary"] == {"ok": 0, "changed": begun - 1, "failed": 1, "not_begun": 4 - begun}
    seen = f"It was healthy at {TIME_IN_MESSAGE}, but"
    assert re.fullmatch(rf"The restart was accepted\. {seen} {told} {TIME_IN_MESSAGE}\.", result["instances"][0]["msg"])
    other = rf"bot-2 \(id 2\): restarted \(was running\), healthy at {TIME_IN_MESSAGE}"
    assert re.fullmatch(other, result["report"][0])


def test_a_list_that_can_not_be_read_keeps_the_next_batch_back(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet(*["running"] * 3), switches={"transition_reads": 2})
    simulator.fault("json_503", path="/instances", method="GET", skip=1, times=None)
    result = worker.run(claw_fleet, ids=[1, 2, 3], state="restarted", serial=1, max_failures=3, retry_timeout=5)
    assert simulator.changes() == ["POST /instances/1/restart"]
    assert result["summary"] == {"ok": 0, "changed": 0, "failed": 3, "not_begun": 0}
    assert [one["msg"].endswith("This task sent nothing for it.") for one in result["instances"]] == [False, True, True]


@pytest.mark.parametrize("planned", [False, True])
def test_an_unfinished_batch_says_how_the_rest_goes_on(simulator: Simulator, worker: Worker, planned: bool) -> None:
    simulator.reset(state=fleet("running", "running"), switches={"transition_reads": 1000, "transition_shows": "busy"})
    options: dict[str, t.Any] = {"ids": [1, 2], "state": "restarted", "serial": 1, "wait_timeout": 30}
    advice = "Run this again, with state: started for what was restarted, to continue."
    if planned:
        options["plan"] = worker.run(claw_fleet, check=True, **options)["plan"]
        advice = "Run the same task again: the plan continues."
    assert f" deploying. {advice} Not begun: 1" in worker.run(claw_fleet, **options)["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"serial": 1, "wait": False}, "serial needs wait"),
        ({"max_failures": 1}, "max_failures needs serial"),
        ({"serial": ["0%"]}, "serial has the batch size '0%'"),
    ],
)
def test_wrong_batches_send_nothing(
    simulator: Simulator, worker: Worker, options: dict[str, t.Any], words: str
) -> None:
    message = worker.run(claw_fleet, ids=[1], **options)["msg"]
    assert words in message
    assert message.endswith(" Nothing was sent.")
    assert simulator.calls() == []


def test_busy_instances_settle_first_and_then_change(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("deploying", "provisioning", "deploying"))
    for number, settles_to, reads in ((1, "running", 2), (2, "running", 3), (3, "error", 2)):
        simulator.set_instance(number, settles_to=settles_to, settles_after_reads=reads)
    result = worker.run(claw_fleet, instances=[{"id": 1}, {"id": 2, "state": "stopped"}, {"id": 3}])
    assert result["summary"] == {"ok": 1, "changed": 1, "failed": 1}
    assert simulator.changes() == ["POST /instances/2/stop"]
    assert "It has the status error" in result["instances"][2]["msg"]


def test_without_waiting_the_changes_are_sent_and_nothing_else(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("stopped", "deploying"), switches={"transition_reads": 5})
    result = worker.run(claw_fleet, instances=[{"id": 1}, {"id": 2}], wait=False)
    assert result["summary"] == {"ok": 0, "changed": 1, "failed": 1}
    assert result["instances"][0]["after"] == "running"
    assert result["report"][0] == "bot-1 (id 1): start accepted (was stopped)"
    advice = "What comes next depends on how that ends. Run this again later, or set wait: true."
    assert result["instances"][1]["msg"] == f"It is deploying. {advice}"
    assert simulator.calls() == ["GET /instances", "POST /instances/1/start"]


def test_one_deadline_for_all(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("stopped", "stopped"), switches={"transition_reads": 1000})
    result = worker.run(claw_fleet, instances=[{"id": 1}, {"id": 2}], wait_timeout=60)
    assert result["summary"] == {"ok": 0, "changed": 0, "failed": 2}
    assert result["changed"] is True
    assert "It was not started within 60 s (wait_timeout), and now it is stopped." in result["instances"][0]["msg"]
    assert worker.sleeper.total == pytest.approx(60)


@pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
def test_an_unclear_answer_is_read_back_for_its_entry_alone(simulator: Simulator, worker: Worker, fault: str) -> None:
    simulator.reset(state=fleet(*["stopped"] * 5))
    simulator.fault(fault, path="/instances/3/start")
    result = worker.run(claw_fleet, instances=[{"id": number} for number in range(1, 6)])
    assert result["summary"] == {"ok": 0, "changed": 5, "failed": 0}
    assert simulator.effects() == {"starts": 5}
    assert simulator.calls().count("GET /instances/3") == 1


def test_a_flag_of_the_detail_is_read_where_the_table_refuses(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("error", "running"))
    simulator.set_instance(1, can_stop=True)
    result = worker.run(claw_fleet, check=True, instances=[{"id": 1}, {"id": 2}], state="stopped")
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 0}
    assert simulator.calls() == ["GET /instances", "GET /instances/1", "GET /account"]


def test_health_is_not_waited_for_unless_asked(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("running", "stopped", health_status="unhealthy"))
    simulator.set_instance(2, status="stopped")
    assert worker.run(claw_fleet, instances=[{"id": 1}])["summary"]["ok"] == 1
    result = worker.run(claw_fleet, instances=[{"id": 2, "state": "stopped"}], wait_healthy=True)
    assert result["summary"]["ok"] == 1
    assert simulator.calls() == ["GET /instances"] * 2
    assert worker.sleeper.total == 0


@pytest.mark.parametrize("then", ["running", "error"])
def test_a_refusal_that_finds_one_busy_is_decided_once_more(simulator: Simulator, worker: Worker, then: str) -> None:
    simulator.reset(state=fleet("running", "running"))
    busy = {"id": 1, "name": "bot-1", "status": "deploying"}
    simulator.fault("status", status=422, message="Not while busy", path="/instances/1/stop")
    simulator.fault("wrong_type", path="/instances/1", method="GET", body={"data": busy})
    if then == "error":
        simulator.set_instance(1, status="running", settles_to="error", settles_after_reads=1)
    result = worker.run(claw_fleet, ids=[1, 2], state="stopped")
    if then == "running":
        assert result["summary"] == {"ok": 0, "changed": 2, "failed": 0}
        assert simulator.effects() == {"stops": 2}
        assert simulator.changes() == ["POST /instances/1/stop", "POST /instances/1/stop", "POST /instances/2/stop"]
    else:
        assert result["summary"] == {"ok": 0, "changed": 1, "failed": 1}
        assert "It has the status error" in result["instances"][0]["msg"]
        assert "An earlier request was rejected:" in result["instances"][0]["msg"]
        assert simulator.changes() == ["POST /instances/1/stop", "POST /instances/2/stop"]


def test_a_deletion_needs_its_limit_and_is_waited_for(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("running", "deleting"), switches={"transition_reads": 2})
    simulator.set_instance(2, settles_to="gone", settles_after_reads=3)
    refused = worker.run(claw_fleet, ids=[1, 2], state="absent", max_deletions=0)["msg"]
    assert "1 instance would be deleted, more than max_deletions (0) allows: bot-1 (id 1). Its backups" in refused
    assert simulator.changes() == []
    result = worker.run(claw_fleet, ids=[1, 2], state="absent", max_deletions=1)
    assert result["summary"] == {"ok": 1, "changed": 1, "failed": 0}


def test_a_deletion_of_nobody_warns_of_who_has_nearly_this_name(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("running"))
    simulator.set_instance(1, name="support-bot")
    declared = [{"name": "Suport-bot", "state": "absent"}, {"name": "old-bot", "state": "absent"}]
    assert worker.run(claw_fleet, instances=declared)["summary"] == {"ok": 2, "changed": 0, "failed": 0}
    nobody = "named support-bto in the account of this key (did you mean support-bot?)"
    worker.run(claw_instance, name="support-bto", state="absent")
    worker.run(claw_instance, name="old-bot", state="absent")
    assert worker.warnings == [
        "entry 1, Suport-bot: no such instance; did you mean support-bot? Nothing is deleted for this entry.",
        f"There is no instance {nobody}, so nothing is deleted.",
    ]
    missing = worker.run(claw_instance, name="support-bto", state="stopped")
    assert f"There is no instance {nobody}, so it can't be stopped: " in missing["msg"]
    assert simulator.changes() == []


def test_a_failed_task_shows_and_names_what_was_done(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state=fleet("stopped", "running"))
    options = {"instances": [{"name": "bot-1"}, {"name": "nobody"}, {"name": "bot-2"}]}
    run = controller.task(options, "--diff", module="claw_fleet")
    assert run.rc == 2
    assert run.result["changed"] is True
    assert '-    "bot-1 (id 1)": "stopped"' in run.stderr
    assert '+    "bot-1 (id 1)": "running"' in run.stderr
    assert "1 of 3 entries failed: entry 2, nobody: no such instance" in run.stdout
    assert "Changed: bot-1 (id 1)." in run.stdout
    simulator.set_instance(1, status="stopped")
    hidden = controller.task(options, "--diff", module="claw_fleet", keywords={"no_log": True})
    assert hidden.rc == 2
    assert '"bot-1 (id 1)"' not in hidden.screen


def test_one_that_settles_into_what_was_wanted_must_be_healthy_too(simulator: Simulator, worker: Worker) -> None:
    settling = {"settles_to": "running", "settles_after_reads": 2, "health_after": "unhealthy"}
    simulator.reset(state=fleet("deploying", **settling))
    result = worker.run(claw_fleet, ids=[1], wait_healthy=True, wait_timeout=60)
    assert result["summary"] == {"ok": 0, "changed": 0, "failed": 1}
    assert "within 60 s (wait_timeout)" in result["msg"]


def test_one_that_can_not_be_read_stops_no_other(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("error", "stopped"))
    simulator.fault("forbidden", path="/instances/1", method="GET", times=None)
    result = worker.run(claw_fleet, instances=[{"id": 1}, {"id": 2}])
    assert result["summary"] == {"ok": 0, "changed": 1, "failed": 1}
    assert "It has the status error" in result["instances"][0]["msg"]
    assert "can't be read: GET /instances/1 was answered with 403" in result["instances"][0]["msg"]
    assert result["error"]["status"] == 403
    assert simulator.changes() == ["POST /instances/2/start"]


def test_one_that_is_deleted_after_its_change_is_told_with_both(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("stopped", "running"), switches={"transition_reads": 1000})
    worker.sleeper.before_sleep = lambda: [simulator.remove_instance(number) for number in (1, 2)]
    result = worker.run(claw_fleet, instances=[{"id": 1}, {"id": 2, "state": "stopped"}])
    deleted = "It was deleted during this task and does not exist any more."
    for entry, action in zip(result["instances"], ("start", "stop"), strict=True):
        assert f"The {action} was accepted. {deleted}" in entry["msg"]
        assert entry["changed"] is True


@pytest.mark.parametrize(("state", "is_allowed"), [("started", True), ("stopped", False), ("restarted", False)])
def test_a_busy_one_counts_as_if_it_ran(simulator: Simulator, worker: Worker, state: str, is_allowed: bool) -> None:
    simulator.reset(state=fleet("deploying", settles_to="running", settles_after_reads=2))
    result = worker.run(claw_fleet, instances=[{"id": 1}], state=state, max_changes=0)
    assert result["failed"] is not is_allowed
    assert simulator.changes() == []


def test_a_busy_instance_can_not_exceed_the_limit_by_how_it_settles(simulator: Simulator, worker: Worker) -> None:
    for check in (True, False):
        simulator.reset(state=fleet("stopped", "deploying"))
        simulator.set_instance(2, settles_to="stopped", settles_after_reads=2)
        result = worker.run(claw_fleet, check=check, instances=[{"id": 1}, {"id": 2}], max_changes=1)
        assert result["summary"] == {"ok": 0, "changed": 1, "failed": 1}
        told = "Not begun: its status is stopped now, and the other changes take all of max_changes (1)."
        assert result["instances"][1]["msg"] == told
        assert [entry.get("begun") for entry in result["instances"]] == [None, False]
        assert simulator.changes() == ([] if check else ["POST /instances/1/start"])


@pytest.mark.parametrize("can_stop", [True, False])
def test_the_flags_of_one_that_settles_during_the_task_decide(
    simulator: Simulator, worker: Worker, can_stop: bool
) -> None:
    simulator.reset(state=fleet("deploying", can_stop=can_stop, settles_to="error", settles_after_reads=2))
    result = worker.run(claw_fleet, ids=[1], state="stopped")
    assert (result["changed"], result["failed"]) == (can_stop, not can_stop)
    assert simulator.changes() == ["POST /instances/1/stop"] * can_stop


def test_flags_that_can_not_be_read_do_not_outlast_the_deadline(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet(*["deploying"] * 5))
    for number in range(1, 6):
        simulator.set_instance(number, settles_to="error", settles_after_reads=2)
        simulator.fault("html_503", method="GET", path=f"/instances/{number}", times=None)
    result = worker.run(claw_fleet, instances=[{"id": number} for number in range(1, 6)], wait_timeout=30)
    assert result["summary"] == {"ok": 0, "changed": 0, "failed": 5}
    assert "Its flags, which may allow it, can't be read" in result["instances"][0]["msg"]
    assert worker.sleeper.total <= 60


def test_in_check_mode_nobody_is_waited_for_who_would_not_change(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("running", "deleting", health_status="unhealthy"))
    declared = [{"id": 1}, {"id": 2, "state": "absent"}]
    result = worker.run(claw_fleet, check=True, instances=declared, wait_healthy=True)
    assert result["summary"] == {"ok": 2, "changed": 0, "failed": 0}
    assert worker.sleeper.total == 0
    assert worker.warnings == []


def test_an_entry_given_by_its_id_is_named_by_what_was_read(simulator: Simulator) -> None:
    simulator.reset(state={"instances": [{"id": 1, "name": "web-bot", "status": "paused"}]})
    options = {"ids": [1, 99]}
    for module, more in ((claw_fleet, {"state": "started"}), (claw_fleet_restore, {"incident": "INC-1"})):
        message = Worker(simulator).run(module, **options, **more)["msg"]
        assert "entry 1, web-bot (id 1): " in message
        assert "entry 2, id 99: " in message


@pytest.mark.parametrize("dropped", ["name", "status", "health_status"])
@pytest.mark.parametrize("state", ["started", "stopped", "restarted", "absent"])
def test_no_message_says_none(simulator: Simulator, worker: Worker, state: str, dropped: str) -> None:
    """The service may leave out documented fields (contract 11, U23)."""
    simulator.reset(state=fleet("running", "paused"), switches={"drop_fields": [f"instance.{dropped}"]})
    for fault in ({"kind": "status", "status": 422}, {"kind": "json_503"}):
        simulator.fault(**fault, method="[PD]*", times=None)
        result = worker.run(claw_fleet, ids=[1, 2], state=state, wait_timeout=30)
        simulator.clear_faults()
        texts = [result.get("msg", ""), *result["report"], *worker.warnings, *worker.lines]
        assert not [text for text in texts if re.search(r"\bNone\b", text)], texts
