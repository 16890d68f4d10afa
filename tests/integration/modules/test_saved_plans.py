# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that a task returns in check mode: applied later, they allow what they hold, and nothing else."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.plan_scope import digest
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_journal_info
from simulator.handle import Simulator
from support.stores import StorePlace
from support.worker import Worker

Plan = dict[str, t.Any]
Change = t.Callable[[Simulator], object]


def fleet(*statuses: str) -> dict[str, t.Any]:
    return {
        "account": {"id": 41, "email": "ops@example.com"},
        "instances": [
            {"id": number, "name": f"bot-{number}", "status": status, "billing_mode": "daily"}
            for number, status in enumerate(statuses, 1)
        ],
    }


DECLARED: dict[str, t.Any] = {"ids": [1, 2, 3], "names": ["bot-4"], "state": "stopped"}


@pytest.fixture
def worker(simulator: Simulator) -> Worker:
    simulator.reset(state=fleet("running", "stopped", "running", "running"))
    return Worker(simulator)


def made(worker: Worker, **options: t.Any) -> Plan:
    """The plan of a task in check mode."""
    plan: Plan = worker.run(claw_fleet, check=True, **options)["plan"]
    return plan


def test_a_plan_holds_what_would_change_where_and_when(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **DECLARED)
    assert plan["entries"] == [
        {"id": number, "name": f"bot-{number}", "action": "stop", "found": "running"} for number in (1, 3, 4)
    ]
    assert (plan["service"], plan["account"]) == (simulator.url, "41")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(plan["made_at"])) < timedelta(minutes=1)
    assert plan["digest"] == digest({name: value for name, value in plan.items() if name != "digest"})
    # The one that is given by its name is read itself.
    assert simulator.calls() == ["GET /instances", "GET /instances/4", "GET /account"]
    simulator.clear_log()
    assert "plan" not in worker.run(claw_fleet, **DECLARED)
    assert "GET /account" not in simulator.calls()


def test_a_check_that_fails_returns_each_entry_and_no_plan(worker: Worker) -> None:
    for options in ({"max_changes": 1}, {"names": ["bot-4", "bot-5"]}):
        result = worker.run(claw_fleet, check=True, **{**DECLARED, **options})
        assert (result["failed"], len(result["instances"])) == (True, 3 + len(options.get("names", ["bot-4"])))
        assert "plan" not in result


def test_only_what_the_plan_holds_is_sent(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **DECLARED)
    check = worker.run(claw_fleet, check=True, plan=plan, **DECLARED)
    assert simulator.changes() == []
    result = worker.run(claw_fleet, plan=plan, **DECLARED)
    assert check["instances"] == result["instances"]
    label = f"Plan {plan['digest'][:12]}, made at "
    assert all(one["report"][0].startswith(label) for one in (check, result))
    assert result["summary"] == {"ok": 1, "changed": 3, "failed": 0}
    assert simulator.changes() == [f"POST /instances/{number}/stop" for number in (1, 3, 4)]
    assert simulator.calls().count("GET /account") == 3


def test_an_empty_plan_holds_while_nothing_would_change(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, ids=[2], state="stopped")
    assert plan["entries"] == []
    assert simulator.calls() == ["GET /instances"]
    assert worker.run(claw_fleet, ids=[2], state="stopped", plan=plan)["changed"] is False
    simulator.set_instance(2, status="running")
    result = worker.run(claw_fleet, ids=[2], state="stopped", plan=plan)
    assert result["report"] == [NOT_PLANNED]
    assert simulator.changes() == []


NOT_PLANNED = "bot-2 (id 2): its status is running now, so it would change, and the plan has no change of it."
RESTARTED = "The plan says stop, but the list of this task says restart."


def show(number: int, **fields: str) -> Change:
    return lambda simulator: simulator.set_instance(number, **fields)


CHANGES: list[tuple[Change, dict[str, t.Any], list[str]]] = [
    (
        show(1, status="error"),
        {},
        ["bot-1 (id 1): Its status is error now, and was running: it was changed since the plan."],
    ),
    (show(2, status="running"), {}, [NOT_PLANNED]),
    (show(3, name="other"), {}, ["bot-3 (id 3): The instance with id 3 is named other, not bot-3."]),
    (show(4, name="other"), {}, ["bot-4 (id 4): The instance with id 4 is named other, not bot-4."]),
    (lambda simulator: simulator.remove_instance(4), {}, ["bot-4 (id 4): it is gone."]),
    (
        lambda simulator: (simulator.remove_instance(4), simulator.add_instance(id=9, name="bot-4")),
        {},
        ["bot-4 (id 4): it is gone, and bot-4 (id 9) was created with its name."],
    ),
    (
        lambda simulator: None,
        {"state": "restarted", "ids": [1, 3]},
        [f"bot-{number} (id {number}): {RESTARTED}" for number in (1, 3, 4)],
    ),
    (lambda simulator: None, {"ids": [1, 2]}, ["bot-3 (id 3): the list of this task does not have it."]),
    (
        lambda simulator: simulator.set_state(account={"id": 42}),
        {},
        ["The plan is of the account 41, and this key is of 42."],
    ),
]


@pytest.mark.parametrize(("change", "options", "differences"), CHANGES)
def test_each_difference_is_named_and_nothing_is_sent(
    simulator: Simulator, worker: Worker, change: Change, options: dict[str, t.Any], differences: list[str]
) -> None:
    plan = made(worker, **DECLARED)
    change(simulator)
    for check in (True, False):
        result = worker.run(claw_fleet, check=check, plan=plan, **{**DECLARED, **options})
        assert (result["failed"], result["changed"]) == (True, False)
        assert result["report"] == differences
        assert result["differences"] == len(differences)
        assert {entry["changed"] for entry in result["instances"]} == {False}
        assert result["msg"].startswith("The plan does not hold any more, and nothing was sent: ")
        assert all(line in result["msg"] for line in differences)
    assert simulator.changes() == []


def sealed(plan: Plan, **changes: t.Any) -> Plan:
    """Returns the plan with changes, and the digest of that."""
    changed = {name: value for name, value in {**plan, **changes}.items() if name != "digest"}
    return {**changed, "digest": digest(changed)}


@pytest.mark.parametrize(
    ("hours", "max_age", "words"),
    [
        (-25, None, "more than plan_max_age"),
        (-3, "2h", "more than plan_max_age"),
        (1, None, "ahead"),
        (-23, None, None),
        (0.05, None, None),
        (-100, "7d", None),
    ],
)
def test_a_plan_that_is_old_or_dated_ahead_is_refused(
    simulator: Simulator, worker: Worker, hours: float, max_age: str | None, words: str | None
) -> None:
    plan = made(worker, **DECLARED)
    made_at = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    result = worker.run(claw_fleet, plan=sealed(plan, made_at=made_at), plan_max_age=max_age, **DECLARED)
    assert result["failed"] is (words is not None)
    assert (words or "") in result.get("msg", "")
    assert bool(simulator.changes()) is not result["failed"]


EDITED: list[tuple[t.Callable[[Plan], Plan], str]] = [
    (lambda plan: {**plan, "made_at": datetime.now(UTC).isoformat()}, "it was edited: its digest does not match."),
    (lambda plan: {**plan, "entries": plan["entries"][:-1]}, "it was edited: its digest does not match."),
    (lambda plan: {**plan, "entries": [*plan["entries"], {**plan["entries"][0], "id": 2}]}, "it was edited: its"),
    (lambda plan: {**plan, "digest": digest(plan)}, "it was edited: its digest does not match."),
    (lambda plan: {}, "a part is missing, or of another type."),
    (lambda plan: {**plan, "version": 2}, "a part is missing, or of another type."),
    (lambda plan: sealed(plan, service=None), "a part is missing, or of another type."),
    (lambda plan: sealed(plan, entries=["x"]), "a part is missing, or of another type."),
    (lambda plan: sealed(plan, entries=[{**plan["entries"][0], "id": True}]), "a part is missing, or of another type."),
    (lambda plan: sealed(plan, entries=plan["entries"] * 2), "its time or service is invalid, or an id appears twice."),
    (lambda plan: sealed(plan, made_at="soon"), "its time or service is invalid, or an id appears twice."),
    (lambda plan: sealed(plan, service="http://["), "its time or service is invalid, or an id appears twice."),
    (lambda plan: sealed(plan, entries=[{**plan["entries"][0], "action": "pause"}]), "it has an unknown action."),
]


@pytest.mark.parametrize(("edit", "fault"), EDITED)
def test_an_edited_plan_is_refused_in_one_line(
    simulator: Simulator, worker: Worker, edit: t.Callable[[Plan], Plan], fault: str
) -> None:
    plan = made(worker, **DECLARED)
    simulator.clear_log()
    result = worker.run(claw_fleet, plan=edit(plan), **DECLARED)
    assert result["msg"].startswith(f"plan is not what a run in check mode has made: {fault}")
    assert result["msg"].endswith(" Nothing was sent.")
    assert simulator.calls() == []


def test_a_plan_of_another_service_or_account_does_not_hold(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **DECLARED)
    foreign, unknown = sealed(plan, service="https://elsewhere.example/api/v1"), sealed(plan, account=None)
    for given, words in ((foreign, "of the service https"), (unknown, "of an account that was not shown")):
        result = worker.run(claw_fleet, plan=given, **DECLARED)
        assert words in result["msg"]
    assert simulator.changes() == []


# What has reached its planned end, and what was restarted


def test_what_is_as_planned_already_is_done_and_the_rest_goes_on(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet("running", "stopped", "running", "running"))
    entries = [
        {"id": 1, "state": "stopped"},
        {"name": "bot-2", "state": "restarted"},
        {"name": "bot-3", "state": "absent"},
        {"id": 4, "state": "absent"},
    ]
    plan = made(worker, instances=entries)
    simulator.set_instance(1, status="stopped")
    simulator.set_instance(2, status="running")
    simulator.remove_instance(3)
    result = worker.run(claw_fleet, plan=plan, instances=entries, max_deletions=1)
    assert simulator.changes() == ["DELETE /instances/4"]
    assert (result["failed"], result["summary"]) == (False, {"ok": 3, "changed": 1, "failed": 0})
    assert result["report"][1:] == [
        "bot-1 (id 1): stopped already",
        "bot-2 (id 2): started already",
        "entry 3, bot-3: deleted already",
        "bot-4 (id 4): deleted (was running), perhaps with its backups",
        "3 reached before; 1 deleted.",
    ]
    assert [one["msg"] for one in result["instances"]][:3] == ["stopped already", "started already", "deleted already"]


RESTARTS: dict[str, t.Any] = {"ids": [1, 3], "state": "restarted"}


def test_each_restart_of_a_plan_is_sent_once(simulator: Simulator, worker: Worker, place: StorePlace) -> None:
    worker.defaults |= place.options
    plan = made(worker, **RESTARTS)
    for changed in (True, False):
        check = worker.run(claw_fleet, check=True, plan=plan, **RESTARTS)
        result = worker.run(claw_fleet, plan=plan, **RESTARTS)
        assert (result["failed"], result["changed"], check["changed"]) == (False, changed, changed)
    assert simulator.changes() == ["POST /instances/1/restart", "POST /instances/3/restart"]
    # A kept connection may be closed already, and its outcome would be unknown.
    posts, reads = ({one["client"] for one in simulator.log() if one["method"] == name} for name in ("POST", "GET"))
    assert posts.isdisjoint(reads)
    assert result["report"][1].startswith("bot-1 (id 1): restarted already at ")
    # A new plan is another approval.
    later = sealed(plan, made_at=(datetime.now(UTC) + timedelta(seconds=9)).isoformat())
    assert worker.run(claw_fleet, plan=later, **RESTARTS)["changed"] is True
    assert worker.run(claw_journal_info)["operations"] == []


@pytest.mark.parametrize("fault", [{"kind": "close_after"}, {"kind": "status", "status": 502}])
def test_an_unclear_restart_is_not_repeated(simulator: Simulator, worker: Worker, fault: dict[str, t.Any]) -> None:
    options = {**RESTARTS, "serial": 1}
    plan = made(worker, **options)
    simulator.fault(**fault, method="POST", path="/instances/1/restart", times=1)
    assert worker.run(claw_fleet, plan=plan, **options)["summary"]["not_begun"] == 1
    result = worker.run(claw_fleet, plan=plan, **options)
    # The run that sent it may still go on.
    assert "It may have been restarted at" in result["instances"][0]["msg"]
    assert "is not restarted again. Look in the dashboard whether it was; if not" in result["instances"][0]["msg"]
    # It is the failure of an earlier run, and the rest goes on.
    assert result["summary"] == {"ok": 0, "changed": 1, "failed": 1, "not_begun": 0}
    assert simulator.changes() == ["POST /instances/1/restart", "POST /instances/3/restart"]


def test_a_restart_that_was_refused_is_sent_again(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **RESTARTS)
    simulator.fault("forbidden", method="POST", path="/instances/1/restart", times=1)
    assert worker.run(claw_fleet, plan=plan, **RESTARTS)["summary"] == {"ok": 0, "changed": 1, "failed": 1}
    assert worker.run(claw_fleet, plan=plan, **RESTARTS)["summary"] == {"ok": 1, "changed": 1, "failed": 0}
    assert simulator.effects()["restarts"] == 2


def test_no_restart_of_a_plan_is_sent_without_the_journal(simulator: Simulator, worker: Worker, tmp_path: Path) -> None:
    plan = made(worker, **RESTARTS)
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = worker.run(claw_fleet, plan=plan, state_dir=str(tmp_path / "file"), **RESTARTS)
    assert result["failed"] is True
    assert "so the journal is not used" in result["msg"]
    assert simulator.changes() == []


def test_an_instance_that_was_paused_is_not_said_to_be_stopped(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, ids=[1], state="stopped")
    simulator.set_instance(1, status="paused")
    result = worker.run(claw_fleet, ids=[1], state="stopped", plan=plan)
    assert "bot-1 (id 1): paused already" in result["report"]


def test_what_is_busy_when_a_plan_is_applied_is_waited_for(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **DECLARED)
    simulator.switch(transition_reads=3, transition_shows="busy")
    worker.run(claw_fleet, ids=[1], state="stopped", wait=False)
    assert simulator.instance(1)["status"] == "deploying"
    result = worker.run(claw_fleet, plan=plan, **DECLARED)
    assert result["summary"] == {"ok": 2, "changed": 2, "failed": 0}
    assert simulator.changes() == [f"POST /instances/{number}/stop" for number in (1, 3, 4)]
    assert "bot-1 (id 1): stopped already" in result["report"]


def test_a_batch_changes_nothing_that_moved_since_the_plan(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(transition_reads=1)
    options = {**DECLARED, "serial": [1, "100%"], "max_failures": 9}
    plan = made(worker, **options)

    def change() -> None:
        simulator.set_instance(2, status="running")
        simulator.set_instance(3, name="other")
        worker.sleeper.before_sleep = lambda: None

    worker.sleeper.before_sleep = change
    result = worker.run(claw_fleet, plan=plan, **options)
    assert simulator.changes() == ["POST /instances/1/stop", "POST /instances/4/stop"]
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 2, "not_begun": 0}
    assert "The plan does not change it, but this task would stop it" in result["instances"][1]["msg"]
    assert "is named other" in result["instances"][2]["msg"]


@pytest.mark.parametrize(("settles_to", "sent"), [("running", ["POST /instances/9/restart"]), ("stopped", [])])
def test_a_busy_instance_that_settles_otherwise_is_left(
    simulator: Simulator, worker: Worker, settles_to: str, sent: list[str]
) -> None:
    busy = {"id": 9, "name": "busy", "status": "deploying", "settles_to": settles_to, "settles_after_reads": 2}
    simulator.reset(state={"account": {"id": 41}, "instances": [busy]})
    settled = made(worker, ids=[9], state="restarted")
    (settled_entry,) = settled["entries"]
    assert (settled_entry["action"], settled_entry["found"]) == ("restart" if sent else "start", settles_to)
    simulator.reset(state={"account": {"id": 41}, "instances": [busy]})
    entry = {"id": 9, "name": "busy", "action": "restart", "found": "deploying"}
    result = worker.run(claw_fleet, plan=sealed(settled, entries=[entry]), ids=[9], state="restarted")
    assert simulator.changes() == sent
    assert result["failed"] is (not sent)
