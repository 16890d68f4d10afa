# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of the role balance_guard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.action.internal_balance_guard import build_plan
from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError

FLEET = [
    {"id": number, "name": f"bot-{number}", "status": "running", "billing_mode": "daily"} for number in range(1, 5)
]
ORDER = ["bot-3", "bot-1", "bot-2"]


def billing(balance=1000, cost=250, days=4, costs=(100, 40, 60, 50), addons=()):
    instances = [{"id": number, "daily_claws": claws} for number, claws in enumerate(costs, 1)]
    summary = {"claws_balance": balance, "daily_claw_cost": cost, "days_remaining": days}
    return {"summary": summary, "usage": {"daily_total": cost, "instances": instances, "addons": list(addons)}}


def stopped(plan):
    assert all(one["name"] for one in plan["stops"]), "an id may be another instance's by then"
    return [str(one["id"]) for one in plan["stops"]]


def is_enough(plan):
    return not any(line.startswith("Not enough") for line in plan["lines"])


@pytest.mark.parametrize(
    ("days", "expected"), [(4, []), (5, ["3"]), (6, ["3", "1"]), (11, ["3", "1"]), (12, ["3", "1", "2"])]
)
def test_stops_in_order_and_only_as_many_as_needed(days, expected):
    plan = build_plan(billing(), FLEET, ORDER, days)
    assert stopped(plan) == expected
    assert is_enough(plan)


def test_savings_include_addons():
    addons = [{"instance_name": "bot-3", "daily_claws": 30}, {"instance_name": None}, "odd"]
    assert "saves 90 Claws a day" in build_plan(billing(addons=addons), FLEET, ["bot-3"], 5)["lines"][2]


def test_numbers_as_text_are_counted_exactly():
    plan = build_plan(billing("12.50", "2.55", "4.9", costs=("0.05", "1")), FLEET, ["bot-1", "bot-2"], 5)
    assert plan["lines"][0] == "12.50 Claws at 2.55 a day last 4.9 days."
    assert plan["lines"][2] == "Stop bot-1 (id 1): saves 0.05 Claws a day; the balance lasts 5 days."
    assert (stopped(plan), plan["balance_below"]) == (["1"], 14)


def test_an_instance_without_a_reported_cost_is_not_stopped():
    plan = build_plan(billing(costs=(100, 40, None, 50)), FLEET, ["bot-3"], 7)
    assert stopped(plan) == []
    assert "does not report its cost" in plan["lines"][2]
    assert plan["lines"][-1] == "Stop those of unknown cost, or buy Claws."
    assert not is_enough(plan)


def test_without_a_status_the_flags_decide_or_nothing_is_stopped():
    bots = [{name: bot[name] for name in ("id", "name", "billing_mode")} for bot in FLEET]
    plan = build_plan(billing(), [*bots[:2], {**bots[2], "can_stop": True}], ["bot-1", "bot-3"], 5)
    assert stopped(plan) == ["3"]
    assert "Skip bot-1 (id 1): its status is not shown." in plan["lines"]


def test_repeated_names_are_rejected():
    with pytest.raises(RefusedError):
        build_plan(billing(), FLEET, ["bot-1", "bot-1"], 0)


def test_names_that_fit_no_instance_are_told_with_the_nearest():
    fleet = [*FLEET[1:], {**FLEET[0], "name": "web-bot"}]
    plan = build_plan(billing(), fleet, ["bot-2", "web-bto", "nobody"], 12)
    assert stopped(plan) == ["2"]
    assert plan["name_problems"] == [
        "There is no instance web-bto; did you mean web-bot?",
        "There is no instance nobody.",
    ]


@pytest.mark.parametrize(("balance", "days"), [(0, 0), (0, None), (-5, 0)])
def test_a_balance_that_is_used_up_does_not_last(balance, days):
    """Nothing costs Claws any more, since everything is paused."""
    paused = [{**bot, "status": "paused"} for bot in FLEET]
    plan = build_plan(billing(balance, 0, days, (0, 0, 0, 0)), paused, ORDER, 7)
    assert (plan["is_sufficient"], stopped(plan)) == (False, [])
    assert plan["lines"][0] == f"{balance} Claws, and no costs."
    assert plan["lines"][2] == f"The balance is used up, and {len(FLEET)} instances paused."
    assert build_plan(billing(1, 0, days, (0, 0, 0, 0)), paused, ORDER, 7)["is_sufficient"]
    for other in ({"status": "stopped"}, {"status": "paused", "billing_mode": "monthly"}):
        fleet = [{**bot, **other} for bot in FLEET]
        assert build_plan(billing(balance, 0, days, (0, 0, 0, 0)), fleet, ORDER, 7)["is_sufficient"]
    # What still costs Claws is stopped.
    fleet = [*paused[:2], *FLEET[2:]]
    assert stopped(build_plan(billing(balance, 110, days, (0, 0, 60, 50)), fleet, ORDER, 7)) == ["3"]


@pytest.mark.parametrize("order", [[" bot-1"], ["bot-1 ", " bot-1"], " bot-1 , ,bot-3"])
def test_white_space_is_ignored_only_in_comma_separated_text(order):
    fleet = [*FLEET, {"id": 5, "name": " bot-1", "status": "running"}]
    billed = billing(costs=(100, 40, 60, 50, 100))
    assert stopped(build_plan(billed, fleet, order, 5)) == ["5" if isinstance(order, list) else "1"]


def plan_after(*, cost, running=()):
    """Returns the plan after a round that stopped bot-3 and not bot-1; those in ``running`` still run."""
    fleet = [bot if bot["id"] not in (1, 3) or bot["id"] in running else {**bot, "status": "stopped"} for bot in FLEET]
    last = {"cost": 250, "tried": [3, 1], "stopped": [3]}
    return build_plan(billing(cost=cost), fleet, ORDER, 5, [last])


def test_a_round_that_saved_too_little_is_followed_by_another():
    assert stopped(plan_after(cost=240)) == ["2"]


@pytest.mark.parametrize(
    ("cost", "running"), [(250, ()), (260, ()), pytest.param(200, (3,), id="one of them is still running")]
)
def test_no_round_follows_stops_that_are_not_counted_yet(cost, running):
    plan = plan_after(cost=cost, running=running)
    assert (plan["is_sufficient"], stopped(plan)) == (False, [])
    assert "does not count the stops yet" in plan["lines"][-2]


def test_no_instance_is_tried_twice():
    plan = build_plan(billing(), FLEET, ["bot-3"], 5, [{"cost": 250, "tried": [3], "stopped": []}])
    assert stopped(plan) == []
    assert not is_enough(plan)


@pytest.mark.parametrize(
    ("balance", "cost", "days", "lasts"),
    [
        (1000, 250, 4, "4 days"),
        (11, 250, 0, "1 hour"),
        (5, 250, 0, "less than an hour"),
        (-5, 250, 0, "0 days"),
        (1000, 250, 0, "0 days"),  # the service contradicts itself
    ],
)
def test_less_than_a_day_is_told_in_hours(balance, cost, days, lasts):
    assert build_plan(billing(balance, cost, days), FLEET, [], 0)["lines"][0].startswith(
        f"{balance} Claws at {cost} a day last {lasts}."
    )


def test_what_is_missing_is_told():
    plan = build_plan(billing(), FLEET, ["bot-3"], 10)
    missing = ["Not enough: save 90 Claws a day, or add 900 Claws."]
    assert plan["lines"][-2:] == [*missing, "Add instances to balance_guard_stop_order, or buy Claws."]


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=2)
)


@given(ANYTHING, ANYTHING, ANYTHING, st.lists(ANYTHING, min_size=4, max_size=4), st.integers(0, 100))
def test_any_value_is_handled_and_only_named_instances_are_stopped(balance, cost, days, costs, min_days):
    plan = build_plan(billing(balance, cost, days, costs), FLEET, ORDER, min_days)
    assert set(stopped(plan)) <= {"1", "2", "3"}
    assert plan["lines"]
