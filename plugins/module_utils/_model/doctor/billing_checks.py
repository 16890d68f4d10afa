# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of billing: summary, usage, transactions and packages. Pure."""

from __future__ import annotations

import functools
import typing as t
from itertools import pairwise

from ..._times import parse_time
from .fields import DOCUMENTED, check_fields, find_objects, has_type
from .findings import Check, CheckResult, Observations, different, ok, tolerated, unknown


def _check_free_account(seen: Observations) -> CheckResult:
    summary = seen.reply("summary").object
    if summary.get("daily_claw_cost") != 0:
        return unknown("the account has costs", "Needs an account in which nothing costs Claws.")
    if summary.get("days_remaining") is None:
        return ok("null")
    return tolerated("a number", "balance_guard ignores it, since nothing costs Claws; fleet_report shows it.")


def _check_addon_costs(seen: Observations) -> CheckResult:
    entries = find_objects(seen)["usage_addon"]
    if not entries:
        return unknown("none", "Needs an add-on of a running instance.")
    if all(has_type(entry.get("daily_claws"), ("number",)) for entry in entries):
        return ok("daily_claws")
    return tolerated("no daily_claws", "balance_guard counts only the instances' own cost when it plans stops.")


def _check_transactions(seen: Observations) -> CheckResult:
    items = seen.reply("transactions").items
    times = [parse_time(item.get("created_at")) for item in items]
    if len(items) < 2:
        return unknown("fewer than two", "Needs an account with two transactions.")
    if None in times:
        return tolerated("no created_at", "The order is unknown: read all pages with max_pages: 0.")
    if _is_ascending(reversed(times)):
        return ok("newest first")
    if _is_ascending(times):
        return tolerated("oldest first", "max_pages: 1 returns the oldest: read all pages with max_pages: 0.")
    return tolerated("another order", "Read all pages with max_pages: 0.")


def _check_amounts(seen: Observations) -> CheckResult:
    amounts = [item.get("amount") for item in seen.reply("transactions").items]
    numbers = [value for value in amounts if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if not amounts:
        return unknown("no transactions", "Needs an account with transactions.")
    if len(numbers) < len(amounts):
        return tolerated("no numbers in amount", "claw_billing_info returns transactions as they are.")
    if any(number < 0 for number in numbers):
        return ok("signed")
    return tolerated("none is negative", "The sign does not distinguish what was spent from what was bought.")


def _check_packages(seen: Observations) -> CheckResult:
    items = seen.reply("packages").items
    if not items:
        return unknown("none", "Needs a service that sells packages to this account.")
    if all(item.get("id") not in (None, "") for item in items):
        return ok("each with an id")
    return different("without an id", "claw_purchase can't name a package.")


def _is_ascending(values: t.Iterable[t.Any]) -> bool:
    """Returns True if no value is less than the one before it."""
    return all(earlier <= later for earlier, later in pairwise(values))


CHECKS = (
    Check(
        "billing_summary",
        f"GET /billing/summary shows the {len(DOCUMENTED['summary'])} documented fields",
        functools.partial(
            check_fields,
            "summary",
            "Needs the billing summary.",
            "balance_guard, fleet_report and claw_purchase need these numbers.",
        ),
        ("summary",),
    ),
    Check("free_account", "days_remaining is null at no cost (undocumented)", _check_free_account, ("summary",)),
    Check(
        "billing_usage",
        "GET /billing/usage shows daily_total, instances and addons",
        functools.partial(
            check_fields,
            "usage",
            "Needs the billing usage.",
            "balance_guard and fleet_report don't know what costs Claws.",
        ),
        ("usage",),
    ),
    Check(
        "usage_instances",
        f"an instance in the usage has the {len(DOCUMENTED['usage_instance'])} documented fields",
        functools.partial(
            check_fields, "usage_instance", "Needs a running instance.", "balance_guard can't tell what a stop saves."
        ),
        ("usage",),
    ),
    Check(
        "usage_addons",
        f"an add-on in the usage has the {len(DOCUMENTED['usage_addon'])} documented fields",
        functools.partial(
            check_fields,
            "usage_addon",
            "Needs an add-on of a running instance.",
            "balance_guard can't tell whose cost it is.",
        ),
        ("usage",),
    ),
    Check("addon_costs", "an add-on in the usage shows daily_claws (undocumented)", _check_addon_costs, ("usage",)),
    Check("transactions", "newest first, by created_at (undocumented)", _check_transactions, ("transactions",)),
    Check("amounts", "amount is negative for what was spent (undocumented)", _check_amounts, ("transactions",)),
    Check("packages", "each package has an id (undocumented)", _check_packages, ("packages",)),
)
