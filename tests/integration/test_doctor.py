# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_doctor_info and the playbook doctor: which habit of a service shows in which finding, and what never shows."""

from __future__ import annotations

import json
import re
import socket
import stat
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.modules import claw_doctor_info
from simulator.handle import Simulator
from simulator.switches import Switches
from support import KEY
from support.controller import Controller
from support.worker import result_of

Finding = dict[str, str]
UNSEEN = {"free_account"}
"""Checks that the default account can't show: it has costs."""


@pytest.fixture(autouse=True)
def rate_limit(simulator: Simulator) -> None:
    """The documented limit, which other tests do without."""
    simulator.switch(rate_limit=100)


def examine(simulator: Simulator, **options: t.Any) -> dict[str, t.Any]:
    """Runs the module, which sends GET requests only, and no more than it may."""
    result = result_of(claw_doctor_info, simulator, **options)
    assert result["failed"] is False, result
    assert result["api"]["requests"] - result["api"]["retries"] <= 16
    assert {entry["method"] for entry in simulator.log()} <= {"GET"}
    return result


def by_check(result: dict[str, t.Any]) -> dict[str, Finding]:
    return {finding["check"]: finding for finding in result["findings"]}


def with_status(result: dict[str, t.Any], *statuses: str) -> set[str]:
    return {finding["check"] for finding in result["findings"] if finding["status"] in statuses}


def test_the_default_service_is_as_expected(simulator: Simulator) -> None:
    for check in (True, False):
        result = examine(simulator, check=check)
        assert with_status(result, "unknown") == UNSEEN
        assert with_status(result, "different", "failed") == set()
        assert (result["healthy"], result["changed"], result["warnings"]) == (True, False, [])
    assert by_check(result)["page_size"]["consequence"].startswith("Set page_size: 100")
    assert len(simulator.calls()) == 32


HABITS: dict[str, tuple[dict[str, t.Any], set[str], bool]] = {
    "no pages": ({"pagination": "none"}, {"pagination", "paginated_lists"}, True),
    "pages that don't move": ({"pagination": "ignored"}, {"pagination", "page_size"}, False),
    "its own page size": ({"per_page_refused": 422, "per_page_default": 10}, {"page_size"}, True),
    "texts": ({"id_as_string": True, "timestamps": "offset"}, {"ids", "times"}, True),
    "capitals": ({"uppercase_statuses": True, "can_flags": "absent"}, {"statuses", "flags"}, True),
    "no rate limit": ({"rate_limit": 0, "request_id": False}, {"rate_headers", "request_ids"}, True),
    "backups without time and owner": (
        {"drop_fields": ["backup.created_at", "backup.instance_id", "backup.instance_name"]},
        {"backup_time", "backup_owner"},
        False,
    ),
    "another order": (
        {"list_order": "reshuffled", "transactions_order": "oldest_first", "transaction_sign": "unsigned"},
        {"list_order", "pagination", "transactions", "amounts"},
        False,
    ),
    "a key with few permissions": ({"forbidden": ["/backups*", "/account"]}, {"key", "endpoints"}, False),
    "other names": (
        {
            "rename_fields": {"backup.created_at": "taken_at", "addon.instance_id": "instance.id"},
            "drop_fields": ["summary.claws_balance", "instance.tier", "addon.instance_name"],
        },
        {"billing_summary", "list_fields", "detail_fields"},
        False,
    ),
    "down": ({"health_answer": "down", "redirect": "same_host"}, {"api", "redirects"}, False),
}
"""Services: their switches, the checks that are then different or failed, and whether the collection can work."""


@pytest.mark.parametrize("habit", HABITS)
def test_a_service_with_other_habits(simulator: Simulator, habit: str) -> None:
    switches, checks, healthy = HABITS[habit]
    simulator.switch(**switches)
    result = examine(simulator)
    assert with_status(result, "different", "failed") == checks
    assert result["healthy"] is healthy
    statuses = [finding["status"] for finding in result["findings"]]
    assert statuses == sorted(statuses, key=("failed", "different", "unknown", "ok").index)
    for finding in result["findings"]:
        assert finding["expected"]
        assert finding["found"]
        assert finding["consequence"] or finding["status"] == "ok"


CHANGES = "changes alone show it, and the doctor sends none"
HANDLED = "nothing follows from it: each form is read"
A_429 = "only a 429 shows it, and the doctor provokes none"
SWITCHES: dict[str, tuple[t.Any, str]] = {
    "transition_seconds": (9.0, CHANGES),
    "transition_reads": (3, CHANGES),
    "transition_shows": ("busy", CHANGES),
    "action_answer": ("old", CHANGES),
    "health_lag_seconds": (9.0, CHANGES),
    "health_lag_reads": (3, CHANGES),
    "uppercase_statuses": (True, "statuses"),
    "can_flags": ("all_true", "flags"),
    "start_paused": ("resumes", CHANGES),
    "start_without_balance": (402, CHANGES),
    "delete_refused": ([], CHANGES),
    "monthly_delete_blocked": (False, CHANGES),
    "delete_answer": (204, CHANGES),
    "delete_lingers": ("everywhere", CHANGES),
    "deleting_in_list": (False, "a list does not show what it leaves out"),
    "pagination": ("page_only", "page_size"),
    "paginated": (["instances"], "paginated_lists"),
    "per_page_default": (10, "pagination"),
    "per_page_max": (50, "page_size"),
    "per_page_refused": (400, "page_size"),
    "list_order": ("reversed", "list_order"),
    "rate_limit": (50, "rate_limit"),
    "rate_window_seconds": (30.0, "the headers don't show the length of the window"),
    "rate_window": ("sliding", "16 requests in a second look the same in each window"),
    "rate_limit_code": ("too_many", A_429),
    "rate_headers": ("none", "rate_headers"),
    "rate_reset": ("delta", "rate_headers"),
    "retry_after": ("seconds", A_429),
    "rate_counts_health": (False, "the health is read without a key, and the limit is one per key"),
    "rate_counts_unauthorized": (False, "the doctor sends no wrong key"),
    "accept_any_key": (False, "key"),
    "key_format": ("ck_.{8,}", "key"),
    "forbidden": (["/backups"], "endpoints"),
    "details_shape": ("text", "only a 422 shows it, and a valid GET gets none"),
    "redirect": ("same_host", "redirects"),
    "redirect_status": (307, HANDLED),
    "content_type_required": (415, CHANGES),
    "trailing_slash": ("accepted", "the collection sends no such path"),
    "head_allowed": (True, "the collection sends no HEAD"),
    "compression": ("gzip", HANDLED),
    "request_id": (False, "request_ids"),
    "create_instance": (405, CHANGES),
    "drop_fields": (["instance.tier"], "list_fields"),
    "add_fields": ({"instance.region": "moon"}, "list_fields"),
    "rename_fields": ({"backup.created_at": "taken_at"}, "backup_time"),
    "id_as_string": (True, "ids"),
    "timestamps": ("fraction", "times"),
    "health_answer": ("text", "api"),
    "low_balance_days": (1000, "the threshold shows only as true or false, which may both be right"),
    "days_remaining_at_no_cost": (0, "free_account"),
    "usage_addon_daily_claws": (False, "addon_costs"),
    "transactions_order": ("oldest_first", "transactions"),
    "transaction_sign": ("unsigned", "amounts"),
    "purchase_answer": ("credit", CHANGES),
    "purchase_status": (200, CHANGES),
    "addon_writable": ([], CHANGES),
    "addon_unknown_keys": ("ignored", CHANGES),
    "addon_body": ("wrapped", CHANGES),
    "addon_answer": (204, CHANGES),
    "restore_allowed": ([], CHANGES),
    "restore_status": (202, CHANGES),
    "restore_answer": ("empty", CHANGES),
    "restore_shows": (None, CHANGES),
    "restore_ends": ("stopped", CHANGES),
    "restore_safety_copy": (True, CHANGES),
    "backups_after_delete": ("kept", CHANGES),
}
"""Each switch of the simulator with another value, and the check that shows it, or the reason why none does."""


def test_the_table_has_every_switch() -> None:
    assert set(SWITCHES) == set(Switches.model_fields)


@pytest.fixture(scope="module")
def usual(simulator_process: Simulator) -> t.Callable[[bool], dict[str, Finding]]:
    """The findings without any switch, of the account with costs and of one without."""
    found = {}
    for is_free in (False, True):
        prepare(simulator_process, is_free=is_free)
        found[is_free] = by_check(result_of(claw_doctor_info, simulator_process))
    return lambda is_free: found[is_free]


def prepare(simulator: Simulator, *, is_free: bool) -> None:
    simulator.reset(instances=60, switches={"rate_limit": 100})
    if is_free:
        simulator.put_state({"instances": [{"name": "web-bot", "status": "stopped"}], "balance": 100})


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_shows_in_its_finding_and_nowhere_without_one(
    simulator: Simulator, usual: t.Callable[[bool], dict[str, Finding]], name: str
) -> None:
    value, where = SWITCHES[name]
    is_free = where == "free_account"
    prepare(simulator, is_free=is_free)
    expected = {check: finding for check, finding in usual(is_free).items() if check != "clock"}
    simulator.switch(**{name: value})
    found = by_check(examine(simulator))
    different = {check for check, finding in expected.items() if found[check] != finding}
    if where in expected:
        assert where in different
    else:
        assert different == set(), f"{where}: then why is this different?"
