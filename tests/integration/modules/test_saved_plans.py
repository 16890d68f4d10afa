# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that a task returns in check mode: applied later, they allow what they hold, and nothing else."""

from __future__ import annotations

import copy
import random
import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet
from simulator.handle import Simulator
from support.worker import Worker

STATUSES = ("running", "stopped", "paused", "error", "deploying", "pending_configuration")
STATES = ("started", "stopped", "restarted", "absent")
Plan = dict[str, t.Any]


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


def writes(simulator: Simulator) -> list[str]:
    return sorted(call for call in simulator.calls() if not call.startswith("GET"))


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
    # The one that is given by its name is read itself.
    assert simulator.calls() == ["GET /instances", "GET /account", "GET /instances/4"]
    simulator.clear_log()
    result = worker.run(claw_fleet, **DECLARED)
    assert result["plan"]["entries"] == plan["entries"]
    assert result["plan"]["account"] is None
    assert "GET /account" not in simulator.calls()


def test_only_what_the_plan_holds_is_sent(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **DECLARED)
    check = worker.run(claw_fleet, check=True, plan=plan, **DECLARED)
    assert writes(simulator) == []
    result = worker.run(claw_fleet, plan=plan, **DECLARED)
    assert check["instances"] == result["instances"]
    assert result["summary"] == {"ok": 1, "changed": 3, "failed": 0}
    assert writes(simulator) == [f"POST /instances/{number}/stop" for number in (1, 3, 4)]
    assert simulator.calls().count("GET /account") == 3


def test_an_empty_plan_asks_for_no_account(simulator: Simulator, worker: Worker) -> None:
    assert made(worker, ids=[2], state="stopped")["entries"] == []
    assert simulator.calls() == ["GET /instances"]


def test_an_empty_plan_holds_while_nothing_would_change(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, ids=[2], state="stopped")
    assert worker.run(claw_fleet, ids=[2], state="stopped", plan=plan)["changed"] is False
    simulator.set_instance(2, status="running")
    result = worker.run(claw_fleet, ids=[2], state="stopped", plan=plan)
    assert result["report"] == ["bot-2 (id 2) would change (stop, found running), and the plan does not have it"]
    assert writes(simulator) == []


CHANGES: list[tuple[t.Callable[[Simulator], object], dict[str, t.Any], list[str]]] = [
    (
        lambda simulator: simulator.set_instance(1, status="stopped"),
        {},
        ["bot-1 (id 1) would not change, and the plan has: stop, found running"],
    ),
    (
        lambda simulator: simulator.set_instance(2, status="running"),
        {},
        ["bot-2 (id 2) would change (stop, found running), and the plan does not have it"],
    ),
    (
        lambda simulator: simulator.set_instance(3, name="other"),
        {},
        ["bot-3 (id 3), is named other: the plan has: stop, found running; now: stop, found running"],
    ),
    (
        lambda simulator: simulator.remove_instance(4),
        {},
        ["bot-4 (id 4) would not change, and the plan has: stop, found running"],
    ),
    (
        lambda simulator: simulator.set_instance(1, status="deploying"),
        {},
        ["bot-1 (id 1): the plan has: stop, found running; now: stop, found deploying"],
    ),
    (
        lambda simulator: None,
        {"state": "restarted", "ids": [1, 3]},
        [
            f"bot-{number} (id {number}): the plan has: stop, found running; now: restart, found running"
            for number in (1, 3, 4)
        ],
    ),
    (
        lambda simulator: simulator.set_state(account={"id": 42}),
        {},
        ["the plan is for the account 41, and this key is for 42"],
    ),
]


@pytest.mark.parametrize(("change", "options", "differences"), CHANGES)
def test_each_difference_is_named_and_nothing_is_sent(
    simulator: Simulator,
    worker: Worker,
    change: t.Callable[[Simulator], object],
    options: dict[str, t.Any],
    differences: list[str],
) -> None:
    plan = made(worker, **DECLARED)
    change(simulator)
    for check in (True, False):
        result = worker.run(claw_fleet, check=check, plan=plan, **{**DECLARED, **options})
        assert (result["failed"], result["changed"]) == (True, False)
        assert result["report"] == differences
        assert result["differences"] == len(differences)
        assert result["msg"].startswith("The plan does not hold any more, and nothing was sent: ")
        assert all(line in result["msg"] for line in differences)
    assert writes(simulator) == []


def test_each_of_many_differences_is_named_in_the_message(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state=fleet(*["running"] * 5))
    options = {"ids": [1, 2, 3, 4, 5], "state": "stopped"}
    plan = made(worker, **options)
    simulator.reset(state=fleet(*["stopped"] * 5))
    result = worker.run(claw_fleet, plan=plan, **options)
    assert (result["failed"], len(result["report"]), writes(simulator)) == (True, 5, [])
    assert result["msg"].endswith(f"nothing was sent: {' '.join(f'{line}.' for line in result['report'])}")


def test_ids_of_a_plan_are_compared_as_text(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **DECLARED)
    for entry in plan["entries"]:
        entry["id"] = str(entry["id"])
    assert worker.run(claw_fleet, plan=plan, **DECLARED)["summary"] == {"ok": 1, "changed": 3, "failed": 0}


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
    plan["made_at"] = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    result = worker.run(claw_fleet, plan=plan, plan_max_age=max_age, **DECLARED)
    assert result["failed"] is (words is not None)
    assert (words or "") in result.get("msg", "")
    assert bool(writes(simulator)) is not result["failed"]


def without(plan: Plan, key: str) -> Plan:
    return {name: value for name, value in plan.items() if name != key}


EDITED: list[tuple[t.Callable[[Plan], Plan], str]] = [
    (lambda plan: without(plan, "entries"), "entries is missing"),
    (lambda plan: {**plan, "version": 2}, "unknown key version"),
    (lambda plan: {**plan, "made_at": "soon"}, "made_at is no time"),
    (lambda plan: {**plan, "service": None}, "service has a wrong type"),
    (lambda plan: {**plan, "entries": ["x"]}, "entry 1: it is no dictionary"),
    (lambda plan: {**plan, "entries": plan["entries"] * 2}, "entry 4: id 1 is in it twice"),
    (lambda plan: {**plan, "entries": [{**plan["entries"][0], "action": "pause"}]}, "entry 1: unknown action pause"),
    (lambda plan: {**plan, "entries": [{**plan["entries"][0], "id": True}]}, "entry 1: id has a wrong type"),
    (lambda plan: {**plan, "entries": [{**plan["entries"][0], "\x1b[2J\n": 1}]}, "entry 1: unknown key "),
    (lambda plan: {}, "service is missing"),
]


@pytest.mark.parametrize(("edit", "fault"), EDITED)
def test_a_plan_of_another_shape_is_refused_in_one_line(
    simulator: Simulator, worker: Worker, edit: t.Callable[[Plan], Plan], fault: str
) -> None:
    plan = made(worker, **DECLARED)
    simulator.clear_log()
    result = worker.run(claw_fleet, plan=edit(plan), **DECLARED)
    assert result["msg"].startswith(f"plan is not what this module has returned as plan: {fault}")
    assert result["msg"].endswith(" Nothing was sent.")
    assert simulator.calls() == []


def test_a_cut_plan_and_one_of_another_service_do_not_hold(simulator: Simulator, worker: Worker) -> None:
    plan = made(worker, **DECLARED)
    cut = {**plan, "entries": plan["entries"][:-1]}
    foreign = {**plan, "service": "https://elsewhere.example/api/v1"}
    unknown = {**plan, "account": None}
    for given, words in ((cut, "does not have it"), (foreign, "for the service https"), (unknown, "which account")):
        result = worker.run(claw_fleet, plan=given, **DECLARED)
        assert words in result["msg"]
    assert writes(simulator) == []


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
    assert writes(simulator) == ["POST /instances/1/stop", "POST /instances/4/stop"]
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 2, "not_begun": 0}
    assert "The plan has no change of it, and now it would stop" in result["instances"][1]["msg"]
    assert "is named other" in result["instances"][2]["msg"]


@pytest.mark.parametrize(("settles_to", "sent"), [("running", ["POST /instances/9/restart"]), ("stopped", [])])
def test_a_busy_instance_that_settles_otherwise_is_left(
    simulator: Simulator, worker: Worker, settles_to: str, sent: list[str]
) -> None:
    busy = {"id": 9, "name": "busy", "status": "deploying", "settles_to": settles_to, "settles_after_reads": 2}
    simulator.reset(state={"account": {"id": 41}, "instances": [busy]})
    settled = made(worker, ids=[9], state="restarted")
    assert [(entry["action"], entry["found"]) for entry in settled["entries"]] == [
        ("restart", "running") if sent else ("start", "stopped")
    ]
    simulator.reset(state={"account": {"id": 41}, "instances": [busy]})
    entry = {"id": 9, "name": "busy", "action": "restart", "found": "deploying"}
    result = worker.run(claw_fleet, plan={**settled, "entries": [entry]}, ids=[9], state="restarted")
    assert writes(simulator) == sent
    assert result["failed"] is (not sent)


# A plan that is applied after random changes


def declare(choose: random.Random, count: int) -> list[dict[str, t.Any]]:
    """Entries of some instances, by id or name."""
    chosen = choose.sample(range(1, count + 1), choose.randint(1, count))
    keys = [choose.choice([{"id": number}, {"name": f"bot-{number}"}]) for number in chosen]
    return [{**key, "state": choose.choice(STATES)} for key in keys]


def change_one(simulator: Simulator, choose: random.Random) -> None:
    """One change that somebody makes in the meantime."""
    instances = simulator.state()["instances"]
    if not instances or choose.random() < 0.1:
        simulator.add_instance(
            name=f"bot-{choose.randint(1, 12)}", status=choose.choice(STATUSES), billing_mode="daily"
        )
        return
    number = choose.choice(instances)["id"]
    if choose.random() < 0.1:
        simulator.remove_instance(number)
    elif choose.random() < 0.2:
        simulator.set_instance(number, name=f"bot-{choose.randint(1, 12)}")
    else:
        simulator.set_instance(number, status=choose.choice(STATUSES))


@pytest.mark.parametrize("seed", range(40))
def test_no_change_that_the_plan_lacks_and_none_on_another_state(
    simulator: Simulator, worker: Worker, seed: int
) -> None:
    choose = random.Random(seed)
    count = choose.randint(1, 12)
    simulator.reset(state=fleet(*choose.choices(STATUSES[:2] if seed % 2 else STATUSES, k=count)))
    options = {"instances": declare(choose, count), "max_failures": None}
    if choose.random() < 0.5:
        options |= {"serial": [1, "50%"], "max_failures": 99}
    check = worker.run(claw_fleet, check=True, **options)
    plan = check.get("plan")
    if plan is None:
        return
    given = copy.deepcopy(plan)
    for _change in range(choose.choice([0, 0, 1, 2, 200])):
        change_one(simulator, choose)
    before = {one["id"]: (one["name"], one["status"]) for one in simulator.state()["instances"]}
    result = worker.run(claw_fleet, plan=plan, wait_timeout=60, **options)
    assert plan == given
    planned = {entry["id"]: entry for entry in plan["entries"]}
    sent = writes(simulator)
    for call in sent:
        method, _root, _instances, number, *action = call.replace(" ", "/").split("/")
        entry = planned[int(number)]
        assert entry["action"] == ("delete" if method == "DELETE" else action[0])
        assert (entry["name"], entry["found"]) == before[int(number)]
    if "differences" in result:
        assert not sent
        assert len(result["report"]) == result["differences"]
