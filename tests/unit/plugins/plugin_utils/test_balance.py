# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the balance guard stops, whatever the service tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils.errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils.balance import plan_of

FLEET = [
    {"id": number, "name": f"bot-{number}", "status": "running", "billing_mode": "daily"} for number in range(1, 5)
]
ORDER = ["bot-3", "bot-1", "bot-2"]


def billing(balance=1000, cost=250, days=4, costs=(100, 40, 60, 50), addons=()):
    instances = [{"id": number, "daily_claws": claws} for number, claws in enumerate(costs, 1)]
    summary = {"claws_balance": balance, "daily_claw_cost": cost, "days_remaining": days}
    return {"summary": summary, "usage": {"daily_total": cost, "instances": instances, "addons": list(addons)}}


def stopped(plan):
    return [one["id"] for one in plan["stops"]]


@pytest.mark.parametrize(
    ("days", "expected"), [(4, []), (5, ["3"]), (6, ["3", "1"]), (11, ["3", "1"]), (12, ["3", "1", "2"])]
)
def test_as_far_as_needed_in_order(days, expected):
    plan = plan_of(billing(), FLEET, ORDER, days)
    assert stopped(plan) == expected
    assert plan["holds_after"]


def test_addons_of_an_instance_go_with_it():
    addons = [{"instance_name": "bot-3", "daily_claws": 30}, {"instance_name": None}, "odd"]
    assert plan_of(billing(addons=addons), FLEET, ["bot-3"], 5)["stops"][0]["saves"] == 90


def test_what_is_not_told_is_left_alone():
    plan = plan_of(billing(costs=(100, 40, None, 50)), FLEET, ["bot-3"], 7)
    assert stopped(plan) == []
    assert "does not tell what it costs" in plan["lines"][1]
    assert not plan["holds_after"]


def test_nothing_costs_anything():
    assert plan_of(billing(cost=0, days=None), FLEET, ORDER, 7)["holds"]


@pytest.mark.parametrize("order", [["nobody"], ["bot-1", "bot-1"]])
def test_an_order_that_is_not_clear(order):
    with pytest.raises(RefusedError):
        plan_of(billing(), FLEET, order, 0)


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=2)
)


@given(ANYTHING, ANYTHING, ANYTHING, st.lists(ANYTHING, min_size=4, max_size=4), st.integers(0, 100))
def test_no_value_crashes_it_and_nothing_unnamed_is_stopped(balance, cost, days, costs, min_days):
    plan = plan_of(billing(balance, cost, days, costs), FLEET, ORDER, min_days)
    assert set(stopped(plan)) <= {"1", "2", "3"}
    assert plan["lines"]


@given(ANYTHING, ANYTHING)
def test_billing_of_any_shape(summary, usage):
    assert plan_of({"summary": summary, "usage": usage}, FLEET, ORDER, 7)["stops"] == []
