# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_account_info, claw_billing_info and claw_health_info over HTTP."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_account_info,
    claw_billing_info,
    claw_health_info,
)
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.worker import result_of

TRANSACTIONS = [{"amount": -number, "created_at": f"2026-02-01T00:{number:02}:00Z"} for number in range(1, 56)]
PAGE = "GET /billing/transactions"

# The account


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"id_as_string": True},
        {"drop_fields": ["account.id"]},
        {"rename_fields": {"account.email": "contact.email"}},
        {"add_fields": {"account.plan": None}},
        {"timestamps": "offset"},
    ],
)
def test_the_account_comes_as_it_is(simulator: Simulator, switches: dict[str, t.Any]) -> None:
    simulator.switch(**switches)
    for check in (True, False):
        result = result_of(claw_account_info, simulator, check=check)
        assert result["account"]["created_at"]
        assert result["changed"] is False
    assert simulator.calls() == ["GET /account"] * 2
    assert ("id" in result["account"]) is (switches.get("drop_fields") is None)


def test_a_wrong_key_fails_with_the_services_own_words(simulator: Simulator) -> None:
    simulator.set_state(keys={"oc_live_once_good": "revoked"})
    result = result_of(claw_account_info, simulator, api_key="oc_live_once_good")
    assert result["failed"] is True
    assert result["error"]["code"] == "unauthorized"
    assert result["error"]["message"] in result["msg"]


def test_an_account_that_is_no_object_is_told(simulator: Simulator) -> None:
    simulator.fault("wrong_type", body={"data": [1]})
    assert "expected an object in `data`, got a list" in result_of(claw_account_info, simulator)["msg"]


# Billing


@pytest.fixture
def history(simulator: Simulator) -> None:
    """An account with 55 transactions: three pages."""
    simulator.set_state(transactions=TRANSACTIONS)


def test_the_summary_alone_is_one_request(simulator: Simulator) -> None:
    result = result_of(claw_billing_info, simulator)
    assert list(result["billing"]) == ["summary"]
    assert result["billing"]["summary"]["claws_balance"] == simulator.state()["balance"]
    assert simulator.calls() == ["GET /billing/summary"]


@pytest.mark.usefixtures("history")
def test_each_part_is_one_request(simulator: Simulator) -> None:
    parts = ["packages", "usage", "transactions", "summary", "usage"]
    result = result_of(claw_billing_info, simulator, include=parts, check=True)
    assert list(result["billing"]) == parts[:4]
    assert simulator.calls() == [f"GET /billing/{part}" for part in parts[:4]]
    assert [len(result["billing"][part]) for part in ("packages", "transactions")] == [3, 25]
    assert result["billing"]["usage"]["daily_total"] > 0
    assert result_of(claw_billing_info, simulator, include=[])["billing"] == {}


@pytest.mark.usefixtures("history")
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


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    "switches",
    [
        {"id_as_string": True},
        {"pagination": "none"},
        {"pagination": "page_only"},
        {"transactions_order": "oldest_first"},
        {"transaction_sign": "unsigned"},
        {"rename_fields": {"transaction.amount": "claws"}},
        {"timestamps": "fraction"},
    ],
)
def test_the_whole_history_in_every_shape(simulator: Simulator, switches: dict[str, t.Any]) -> None:
    simulator.switch(**switches)
    result = result_of(claw_billing_info, simulator, include=["transactions"], max_pages=0)
    assert len(result["billing"]["transactions"]) == 55


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("has_ids", [True, False])
def test_a_history_of_which_pages_do_not_move_is_no_short_history(simulator: Simulator, has_ids: bool) -> None:
    simulator.switch(pagination="ignored", drop_fields=[] if has_ids else ["transaction.id"])
    result = result_of(claw_billing_info, simulator, include=["transactions"], max_pages=0)
    assert "could not be read completely" in result["msg"]
    assert result_of(claw_billing_info, simulator, include=["transactions"])["failed"] is False


@pytest.mark.parametrize(
    "switches",
    [
        {"usage_addon_daily_claws": False},
        {"drop_fields": ["summary.days_remaining", "package.id"]},
        {"days_remaining_at_no_cost": None},
        {"id_as_string": True},
        {"rename_fields": {"package.claws": "amount.claws"}},
    ],
)
def test_the_other_parts_come_as_they_are(simulator: Simulator, switches: dict[str, t.Any]) -> None:
    simulator.switch(**switches)
    result = result_of(claw_billing_info, simulator, include=["summary", "usage", "packages"])
    assert result["failed"] is False
    assert len(result["billing"]["packages"]) == 3


def test_a_number_of_pages_that_makes_no_sense_is_refused_before_anything_is_sent(simulator: Simulator) -> None:
    assert "max_pages is -1" in result_of(claw_billing_info, simulator, max_pages=-1)["msg"]
    assert simulator.calls() == []


# Health


@pytest.mark.parametrize(
    ("answer", "available", "health"),
    [
        ("wrapped", True, {"status": "ok"}),
        ("bare", True, {"status": "ok"}),
        ("text", True, "OK"),
        ("down", False, {"status": "down"}),
    ],
)
def test_health_in_each_of_its_shapes(simulator: Simulator, answer: str, available: bool, health: t.Any) -> None:
    simulator.switch(health_answer=answer)
    for check in (True, False):
        simulator.clear_log()
        result = result_of(claw_health_info, simulator, check=check, retry_timeout=60)
        assert (result["failed"], result["changed"]) == (False, False)
        assert (result["available"], result["health"]) == (available, health)
        assert 0 < result["latency"] < 5
        assert abs(result["clock_skew"]) < 3
        assert simulator.calls() == ["GET /health"]
        assert result["api"]["requests"] == 1
    assert (result["error"] is None) is available


@pytest.mark.parametrize(
    ("fault", "options", "words"),
    [
        ("json_500", {}, "500 internal_server_error"),
        ("html_502", {}, "502: Bad Gateway"),
        ("reset_before", {}, "broke"),
        ("hang", {"seconds": 3}, "sent no complete response within 1 s"),
        ("rate_limited", {}, "429"),
        ("redirect", {"location": "http://127.0.0.2:1/"}, "is not followed"),
    ],
)
def test_what_is_wrong_is_a_finding_and_asked_for_once(
    simulator: Simulator, fault: str, options: dict[str, t.Any], words: str
) -> None:
    simulator.fault(fault, times=None, **options)
    result = result_of(claw_health_info, simulator, timeout=1, retry_timeout=60)
    assert (result["failed"], result["available"]) == (False, False)
    assert words in result["error"]
    assert len(simulator.calls()) == 1
    assert result["api"]["retries"] == 0


@pytest.mark.parametrize("fault", ["empty", "html_200", "truncated_json"])
def test_any_success_is_up(simulator: Simulator, fault: str) -> None:
    simulator.fault(fault)
    result = result_of(claw_health_info, simulator)
    assert (result["available"], result["error"]) == (True, None)
    assert (result["health"] is None) is (fault == "empty")


def test_the_clocks_are_compared(simulator: Simulator) -> None:
    simulator.set_clock(-90)
    assert result_of(claw_health_info, simulator)["clock_skew"] == pytest.approx(-90, abs=3)


def test_a_service_that_is_not_there_is_a_finding_at_no_request(simulator: Simulator) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/api/v1"
        result = result_of(claw_health_info, simulator, api_url=url)
    assert (result["failed"], result["available"], result["latency"]) == (False, False, None)
    assert "Connection refused" in result["error"]
    assert result["api"]["requests"] == 0


@pytest.mark.parametrize("key", [KEY, "no key at all\n", ""])
def test_no_key_is_sent_or_even_looked_at(simulator: Simulator, key: str) -> None:
    result = result_of(claw_health_info, simulator, api_key=key, api_key_file="/does/not/exist")
    assert result["available"] is True
    assert result["warnings"] == []
    (entry,) = simulator.log()
    assert "authorization" not in {name.lower() for name in entry["headers"]}


# As users run them


@pytest.mark.slice
def test_the_commands(simulator: Simulator, controller: Controller) -> None:
    def run(module: str, **options: t.Any) -> dict[str, t.Any]:
        return controller.task(options, module=module).result

    assert run("claw_account_info")["account"]["email"]
    assert run("claw_billing_info", include="summary,packages")["billing"]["packages"]
    controller.environment.pop("CLAWHOSTERS_API_KEY")
    assert run("claw_health_info")["available"] is True
    assert run("claw_account_info")["failed"] is True
    simulator.switch(health_answer="down")
    down = run("claw_health_info")
    assert (down["failed"], down["available"]) == (False, False)
    assert "503" in down["error"]
