# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_billing_info over HTTP: its parts, and how far the history is read."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_billing_info
from simulator.handle import Simulator
from support.worker import result_of

TRANSACTIONS = [{"amount": -number, "created_at": f"2026-02-01T00:{number:02}:00Z"} for number in range(1, 56)]
PAGE = "GET /billing/transactions"


@pytest.fixture(autouse=True)
def history(simulator: Simulator) -> None:
    """An account with 55 transactions: three pages."""
    simulator.set_state(transactions=TRANSACTIONS)


def test_the_summary_alone_is_one_request(simulator: Simulator) -> None:
    result = result_of(claw_billing_info, simulator)
    assert list(result["billing"]) == ["summary"]
    assert result["billing"]["summary"]["claws_balance"] == simulator.state()["balance"]
    assert simulator.calls() == ["GET /billing/summary"]


def test_each_part_is_one_request(simulator: Simulator) -> None:
    parts = ["packages", "usage", "transactions", "summary", "usage"]
    result = result_of(claw_billing_info, simulator, include=parts, check=True)
    assert list(result["billing"]) == parts[:4]
    assert simulator.calls() == [f"GET /billing/{part}" for part in parts[:4]]
    assert [len(result["billing"][part]) for part in ("packages", "transactions")] == [3, 25]
    assert result["billing"]["usage"]["daily_total"] > 0
    assert result_of(claw_billing_info, simulator, include=[])["billing"] == {}


@pytest.mark.parametrize(
    ("max_pages", "count", "requests"), [(1, 25, 1), (2, 50, 2), (3, 55, 3), (9, 55, 3), (0, 55, 3)]
)
@pytest.mark.parametrize("has_ids", [True, False])
def test_the_history_goes_as_far_as_it_is_asked_for(
    simulator: Simulator, max_pages: int, count: int, requests: int, has_ids: bool
) -> None:
    simulator.switch(drop_fields=[] if has_ids else ["transaction.id"])
    result = result_of(claw_billing_info, simulator, include=["transactions"], max_pages=max_pages)
    amounts = [entry["amount"] for entry in result["billing"]["transactions"]]
    assert amounts == [-number for number in range(55, 55 - count, -1)]
    assert simulator.calls() == [PAGE] * requests


@pytest.mark.parametrize("switches", [{"pagination": "none"}, {"transactions_order": "oldest_first"}])
def test_the_whole_history_in_every_shape(simulator: Simulator, switches: dict[str, t.Any]) -> None:
    simulator.switch(**switches)
    result = result_of(claw_billing_info, simulator, include=["transactions"], max_pages=0)
    assert len(result["billing"]["transactions"]) == 55


@pytest.mark.parametrize("has_ids", [True, False])
def test_a_history_of_which_pages_do_not_move_is_no_short_history(simulator: Simulator, has_ids: bool) -> None:
    simulator.switch(pagination="ignored", drop_fields=[] if has_ids else ["transaction.id"])
    result = result_of(claw_billing_info, simulator, include=["transactions"], max_pages=0)
    assert "could not be read completely" in result["msg"]
    assert result_of(claw_billing_info, simulator, include=["transactions"])["failed"] is False


@pytest.mark.parametrize("part", ["summary", "usage", "packages"])
@pytest.mark.parametrize("data", [[{"daily": 5}], [1, "small"], {"list": []}, "none", None])
def test_a_part_of_any_shape_comes_as_it_is(simulator: Simulator, part: str, data: object) -> None:
    simulator.fault("wrong_type", body={"data": data})
    assert result_of(claw_billing_info, simulator, include=[part])["billing"] == {part: data}


def test_an_impossible_number_of_pages_is_refused_before_anything_is_sent(simulator: Simulator) -> None:
    assert "max_pages is -1" in result_of(claw_billing_info, simulator, max_pages=-1)["msg"]
    assert simulator.calls() == []
