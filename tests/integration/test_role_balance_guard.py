# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balance guard as it is typed: it stops what the order names, as far as needed, and nothing else."""

from __future__ import annotations

import json
import typing as t

import pytest

from simulator.handle import Simulator
from support.controller import Controller, Run


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """1000 Claws at 250 a day: four days."""
    simulator.reset(
        state={
            "balance": 1000,
            "instances": [
                {"id": 1, "name": "web-bot", "daily_claw_cost": 100},
                {"id": 2, "name": "demo-bot", "daily_claw_cost": 40},
                {"id": 3, "name": "test-bot", "daily_claw_cost": 60},
                {"id": 4, "name": "spare-bot", "daily_claw_cost": 50},
                {"id": 5, "name": "off-bot", "status": "stopped"},
                {"id": 6, "name": "plan-bot", "billing_mode": "monthly"},
                {"id": 7, "name": "twin", "status": "stopped"},
                {"id": 8, "name": "twin", "status": "stopped"},
            ],
        }
    )


def guard(controller: Controller, order: str = "", *flags: str, **variables: t.Any) -> Run:
    given = {"balance_guard_stop_order": order, **variables}
    options = [part for name, value in given.items() for part in ("-e", json.dumps({name: value}))]
    run = controller.run("ansible-playbook", "clawhosters.cloud.balance_guard", *options, *flags)
    assert "Traceback" not in run.screen
    return run


def test_only_as_far_as_needed_in_the_order_given_with_a_plan_before(
    simulator: Simulator, controller: Controller
) -> None:
    order = "off-bot,plan-bot,demo-bot,test-bot,spare-bot"
    plan = guard(controller, order, "--check", balance_guard_min_days=6)
    assert plan.rc == 0
    assert simulator.calls("POST *") == []
    run = guard(controller, order, balance_guard_min_days=6)
    assert run.rc == 0, run.screen
    for screen in (plan.stdout, run.stdout):
        assert "1000 Claws at 250 a day last 4 days. It must last for at least 6 days." in screen
        assert "off-bot (id 5) is left alone: it is stopped." in screen
        assert "plan-bot (id 6) is left alone: it is billed monthly" in screen
        assert "Stop demo-bot (id 2): saves 40 Claws a day, so that they last 4 days." in screen
        assert "Stop test-bot (id 3): saves 60 Claws a day, so that they last 6 days." in screen
        assert "spare-bot" not in screen
    assert "Would be stopped: demo-bot (id 2), test-bot (id 3)." in plan.stdout
    assert "Stopped: demo-bot (id 2), test-bot (id 3)." in run.stdout
    assert "The service says now: 1000 Claws at 150 a day last 6 days." in run.stdout
    # They are stopped side by side.
    assert sorted(simulator.calls("POST *")) == ["POST /instances/2/stop", "POST /instances/3/stop"]
    again = guard(controller, order, balance_guard_min_days=6)
    assert "The balance lasts; nothing is to be done." in again.stdout
    assert len(simulator.calls("POST *")) == 2


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("demo-bot,nobody", "names what there is not: nobody"),
        ("demo-bot,twin", "2 instances are called twin (ids 7, 8)"),
    ],
)
def test_an_order_that_is_not_clear_stops_nothing(
    simulator: Simulator, controller: Controller, order: str, words: str
) -> None:
    run = guard(controller, order)
    assert run.rc != 0
    assert words in run.screen
    assert simulator.calls("POST *") == []


def test_what_is_not_enough_fails_and_says_so(simulator: Simulator, controller: Controller) -> None:
    run = guard(controller, "demo-bot")
    assert run.rc != 0
    assert "That is not enough: name more instances" in run.screen
    assert simulator.effects() == {"stops": 1}


def test_bad_variables_and_a_purchase_without_an_order_are_refused_before_anything_is_sent(
    simulator: Simulator, controller: Controller
) -> None:
    assert guard(controller, balance_guard_min_days="soon").rc != 0
    assert "needs balance_guard_order" in guard(controller, balance_guard_package_id="2").screen
    assert simulator.calls() == []


def test_a_package_is_bought_first_and_what_it_credits_stops_nothing(
    simulator: Simulator, controller: Controller
) -> None:
    buy = {"balance_guard_package_id": "2", "balance_guard_order": "topup-1"}
    plan = guard(controller, "demo-bot,test-bot,spare-bot", "--check", **buy)
    assert "Buy package 2 first." in plan.stdout
    assert simulator.calls("POST *") == []
    simulator.switch(purchase_answer="credit")
    run = guard(controller, "demo-bot,test-bot,spare-bot", **buy)
    assert run.rc == 0, run.screen
    assert "Package 2 was ordered as topup-1." in run.stdout
    assert simulator.calls("POST *") == ["POST /billing/buy_claws"]


def test_a_purchase_that_is_refused_does_not_keep_it_from_stopping(
    simulator: Simulator, controller: Controller
) -> None:
    run = guard(
        controller,
        "demo-bot,test-bot",
        balance_guard_min_days=6,
        balance_guard_package_id="99",
        balance_guard_order="topup-1",
    )
    assert run.rc != 0
    assert "Buying failed." in run.screen
    assert simulator.effects() == {"stops": 2}


def test_numbers_that_the_service_does_not_tell_stop_nothing(simulator: Simulator, controller: Controller) -> None:
    nothing = {"data": {"daily_total": None, "instances": None, "addons": "none"}}
    simulator.fault("wrong_type", path="/billing/usage", body=nothing, times=None)
    simulator.switch(drop_fields=["summary.daily_claw_cost"])
    run = guard(controller, "demo-bot")
    assert run.rc != 0
    assert "does not tell what a day costs" in run.screen
    assert simulator.calls("POST *") == []
