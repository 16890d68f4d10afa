# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balance guard as it is typed: it stops what the order names, as far as needed, and nothing else."""

from __future__ import annotations

import re
import typing as t

import pytest

from simulator.handle import Simulator
from support import TIME_IN_MESSAGE
from support.controller import Controller, Run, extra_variables

BUY = {"balance_guard_package_id": "2", "balance_guard_order": "topup-1"}


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """1000 Claws at 250 a day: four days."""
    instances = [
        {"id": 1, "name": "web-bot", "daily_claw_cost": 100},
        {"id": 2, "name": "demo-bot", "daily_claw_cost": 40},
        {"id": 3, "name": "test-bot", "daily_claw_cost": 60},
        {"id": 4, "name": "spare-bot", "daily_claw_cost": 50},
        {"id": 5, "name": "off-bot", "status": "stopped"},
        {"id": 6, "name": "plan-bot", "billing_mode": "monthly"},
        {"id": 7, "name": "twin", "status": "stopped"},
        {"id": 8, "name": "twin", "status": "stopped"},
    ]
    simulator.reset(state={"balance": 1000, "instances": instances})


def guard(controller: Controller, order: str = "", *flags: str, **variables: t.Any) -> Run:
    options = extra_variables(balance_guard_stop_order=order, **variables)
    run = controller.run("ansible-playbook", "clawhosters.cloud.balance_guard", *options, *flags)
    assert "Traceback" not in run.screen
    return run


@pytest.mark.slice
def test_only_as_far_as_needed_in_the_given_order_after_a_plan(simulator: Simulator, controller: Controller) -> None:
    order = "off-bot,plan-bot,demo-bot,test-bot,spare-bot"
    plan = guard(controller, order, "--check", balance_guard_min_days=6)
    assert plan.rc == 0
    assert simulator.calls("POST *") == []
    run = guard(controller, order, balance_guard_min_days=6)
    assert run.rc == 0, run.screen
    for screen in (plan.stdout, run.stdout):
        assert "1000 Claws at 250 a day last 4 days." in screen
        assert "The balance must last for at least 6 days." in screen
        assert "Skip off-bot (id 5): its status is stopped." in screen
        assert "Skip plan-bot (id 6): it is billed monthly." in screen
        assert "Stop demo-bot (id 2): saves 40 Claws a day; the balance lasts 4 days." in screen
        assert "Stop test-bot (id 3): saves 60 Claws a day; the balance lasts 6 days." in screen
        assert "spare-bot" not in screen
    assert "Would be stopped: demo-bot, test-bot." in plan.stdout
    assert "Stopped: demo-bot, test-bot." in run.stdout
    assert "1000 Claws at 150 a day last 6 days." in run.stdout
    # They are stopped side by side.
    assert sorted(simulator.calls("POST *")) == ["POST /instances/2/stop", "POST /instances/3/stop"]
    again = guard(controller, order, balance_guard_min_days=6)
    assert "The balance lasts; there is nothing to do." in again.stdout
    assert len(simulator.calls("POST *")) == 2


def test_names_of_no_instance_are_told_and_the_others_stopped(simulator: Simulator, controller: Controller) -> None:
    order = "demo-bto,test-bot,twin,spare-bot"
    told = "There is no instance demo-bto; did you mean demo-bot? 2 instances are named twin (ids 7, 8); none of them"
    plan = guard(controller, order, "--check", balance_guard_min_days=5)
    run = guard(controller, order, balance_guard_min_days=5)
    again = guard(controller, order, balance_guard_min_days=5)
    for one in (plan, run, again):
        assert one.rc == 2, one.screen
        assert one.results[-1]["result"]["msg"].startswith(f"Correct balance_guard_stop_order. {told}")
        assert "There is no instance demo-bto; did you mean demo-bot?" in one.stdout
    assert "Stopped: test-bot." in run.stdout
    assert "The balance lasts; there is nothing to do." in again.stdout
    assert simulator.calls("POST *") == ["POST /instances/3/stop"]


def test_a_name_given_twice_and_a_missing_order_are_refused(simulator: Simulator, controller: Controller) -> None:
    run = guard(controller, "demo-bot,demo-bot", balance_guard_package_id="2")
    assert run.results[-1]["result"]["msg"] == (
        "balance_guard_stop_order names demo-bot more than once. Set balance_guard_order, too, so that the package is "
        "not bought twice. Nothing was sent."
    )
    assert simulator.calls() == []


def test_what_was_done_is_a_variable_in_a_rescue(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("forbidden", path="/billing/summary", skip=4, times=None)  # after the purchase and the stops

    def rescued(role: str, variable: str) -> dict[str, t.Any]:
        tasks = {"ansible.builtin.import_role": {"name": f"clawhosters.cloud.{role}"}}
        return {"block": [tasks], "rescue": [{"ansible.builtin.debug": {"var": variable}}]}

    blocks = [rescued("balance_guard", "clawhosters_balance_guard"), rescued("fleet_report", "clawhosters_fleet")]
    given = {**BUY, "balance_guard_min_days": 90, "fleet_report_fail_on": "no_backup"}
    options = extra_variables(balance_guard_stop_order="demo-bot,test-bot", **given)
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": blocks}], *options)
    assert run.rc == 0, run.screen
    handed: dict[str, t.Any] = {}
    for one in run.all:
        handed |= one.get("ansible_stats", {}).get("data", {})
    assert {name: one[name] for one in run.all for name in handed if name in one} == handed
    done = handed["clawhosters_balance_guard"]
    assert [one["id"] for one in done["stopped"]] == [2, 3]
    assert [one["package_id"] for one in done["bought"]] == ["2"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", done["stopped"][0]["stopped_at"])
    assert handed["clawhosters_fleet"]["counts"]["all"] == 8


def test_what_is_not_enough_fails_and_says_so(simulator: Simulator, controller: Controller) -> None:
    run = guard(controller, "demo-bot")
    assert run.rc != 0
    assert "Not enough: save 68 Claws a day, or add 470 Claws." in run.stdout
    assert "The balance does not last for at least 7 days." in run.screen
    assert run.changed_tasks == 1
    printed = [line for line in run.stdout.splitlines() if line.startswith('        "')]
    assert all(len(line) <= 80 for line in printed), printed
    assert simulator.effects() == {"stops": 1}


@pytest.mark.rest
def test_a_package_is_bought_first_and_its_credit_stops_nothing(simulator: Simulator, controller: Controller) -> None:
    plan = guard(controller, "demo-bot,test-bot,spare-bot", "--check", **BUY)
    assert "Buy package 2 first." in plan.stdout
    assert simulator.calls("POST *") == []
    simulator.switch(purchase_answer="credit")
    run = guard(controller, "demo-bot,test-bot,spare-bot", **BUY)
    assert run.rc == 0, run.screen
    assert "Package 2 was ordered as topup-1." in run.stdout
    assert "The balance lasts; there is nothing to do." in run.stdout
    assert simulator.calls("POST *") == ["POST /billing/buy_claws"]


@pytest.mark.rest
def test_an_order_that_was_sent_before_is_in_plan_and_results(simulator: Simulator, controller: Controller) -> None:
    """Its payment by the link has not arrived. Nothing is bought, and no line says that something will be."""
    buy = {**BUY, "balance_guard_min_days": 5}
    bought = guard(controller, "", **buy)
    assert "Payment by a link may be required" in bought.stdout
    plan = guard(controller, "test-bot", "--check", **buy)
    run = guard(controller, "test-bot", **buy)
    for one in (plan, run):
        assert one.rc == 0, one.screen
        assert re.search(rf"Order topup-1 was sent at {TIME_IN_MESSAGE} for package 2, and accepted.", one.stdout)
        assert "first" not in one.stdout
    assert "Nothing was bought: the order was sent before." in run.stdout
    assert run.stdout.count("The balance must last for at least") == run.stdout.count("Stop test-bot") == 1
    assert simulator.calls("POST *") == ["POST /billing/buy_claws", "POST /instances/3/stop"]


def test_a_refused_purchase_does_not_keep_it_from_stopping(simulator: Simulator, controller: Controller) -> None:
    buy = {**BUY, "balance_guard_package_id": "99"}
    run = guard(controller, "demo-bot,test-bot", balance_guard_min_days=6, **buy)
    assert run.rc != 0
    assert "Buying failed." in run.screen
    assert run.stdout.count("Buy package 99 first.") == 1
    assert simulator.effects() == {"stops": 2}


def tell_summaries(simulator: Simulator, *costs: int, balance: int) -> None:
    """The summary says these costs of a day, one reading after another, and the last of them from then on."""
    for position, cost in enumerate(costs, 1):
        told = {"claws_balance": balance, "daily_claw_cost": cost, "days_remaining": balance // cost}
        times = 1 if position < len(costs) else None
        simulator.fault("wrong_type", path="/billing/summary", body={"data": told}, times=times)


def test_what_was_to_be_enough_and_is_not_fails(simulator: Simulator, controller: Controller) -> None:
    """Contract 10: usage counts 150 for an add-on of a-bot, and the summary nothing. 2400 Claws at 675: three days."""
    instances = [{"id": number, "name": f"{letter}-bot"} for number, letter in enumerate("abc", 1)]
    addons = [{"instance": "a-bot", "daily_claws": 150}]
    simulator.reset(state={"instances": [one | {"daily_claw_cost": 225} for one in instances], "addons": addons})
    tell_summaries(simulator, 675, 450, 225, balance=2400)
    run = guard(controller, "a-bot")
    assert run.rc != 0
    assert "2400 Claws at 450 a day last 5 days." in run.stdout
    assert "Not enough: save 108 Claws a day, or add 750 Claws." in run.screen
    assert simulator.effects() == {"stops": 1}


UNCOUNTED = "The service does not count the stops yet, so nothing more is stopped."
Change = t.Callable[[Simulator], object]


def refuse_stop(path: str) -> Change:
    return lambda simulator: simulator.fault("status", path=path, status=422, code="validation_failed", times=None)


def forbid(path: str) -> Change:
    return lambda simulator: simulator.fault("forbidden", path=path, skip=1, times=None)


@pytest.mark.parametrize(
    ("change", "words", "asked"),
    [
        (
            refuse_stop("/instances/3/stop"),
            [
                "test-bot could not be stopped: POST /instances/3/stop was answered with 422",
                "Stopped: spare-bot.",
                "1000 Claws at 200 a day last 5 days.",
            ],
            [3, 4],
        ),
        pytest.param(
            refuse_stop("*/stop"),
            ["Stopped: none.", "test-bot could not be stopped:", "spare-bot could not be stopped:"],
            [3, 4],
            marks=pytest.mark.rest,
        ),
        pytest.param(
            lambda simulator: tell_summaries(simulator, 250, balance=1000),
            [UNCOUNTED, "Run the role again in a few minutes.", "Stopped: test-bot."],
            [3],
            marks=pytest.mark.rest,
        ),
        pytest.param(
            lambda simulator: simulator.switch(transition_reads=10_000),
            [UNCOUNTED, "Stopped: none.", "test-bot could not be stopped: The stop was accepted."],
            [3],
            marks=pytest.mark.rest,
        ),
        (forbid("/instances"), ["GET /instances was answered with 403"], []),
        pytest.param(
            forbid("/billing/summary"),
            ["Stopped: test-bot.", "GET /billing/summary was answered with 403"],
            [3],
            marks=pytest.mark.rest,
        ),
    ],
    ids=["one refused", "all refused", "not counted", "slow", "no list", "no summary afterwards"],
)
def test_what_fails_on_the_way_is_told_and_ends_it_where_it_must(
    simulator: Simulator, controller: Controller, change: Change, words: list[str], asked: list[int]
) -> None:
    change(simulator)
    run = guard(controller, "test-bot,spare-bot", balance_guard_min_days=5, balance_guard_wait_timeout=1)
    assert run.rc != 0
    assert [one for one in words if one not in run.stdout] == []
    assert simulator.calls("POST *") == [f"POST /instances/{number}/stop" for number in asked]


@pytest.mark.rest
def test_a_fault_after_a_purchase_stops_nothing(simulator: Simulator, controller: Controller) -> None:
    simulator.switch(purchase_answer="credit")
    simulator.fault("forbidden", path="/billing/summary", skip=2, times=None)
    run = guard(controller, "demo-bot", **BUY)
    assert run.rc != 0
    assert "Package 2 was ordered as topup-1." in run.stdout
    assert "GET /billing/summary was answered with 403" in run.screen
    assert simulator.calls("POST *") == ["POST /billing/buy_claws"]
