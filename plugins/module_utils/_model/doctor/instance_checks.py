# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the fields of instances (contract 4.1, 4.2, 4.3). Pure."""

from __future__ import annotations

import functools
import ipaddress
import typing as t

from ..._times import parse_time
from ..instance import HEALTH_STATUSES, STATUSES, TIERS, get_status
from ..resource import normalize
from .field_checks import fields_check
from .fields import BILLING_MODES, DOCUMENTED, FLAG, FLAGS
from .findings import Check, CheckResult, different, ok, tolerated, unknown
from .observations import Observations
from .shapes import plain_words, time_format, type_name

NO_INSTANCE = "Needs an account with an instance: create one in the dashboard."

STATE_FLAGS = {"running": (False, True, True), "stopped": (True, False, False)}
"""can_start, can_stop and can_restart in the statuses that are documented (contract 4.3)."""


def _check_flags(seen: Observations) -> CheckResult:
    detail = seen.reply("instance").object
    status = get_status(detail)
    shown = {name: detail[name] for name in FLAGS if name in detail}
    if not shown:
        return tolerated("none", "The status alone decides what is possible; the service refuses the rest with a 422.")
    if len(shown) < len(FLAGS) or not all(type_name(value) == FLAG for value in shown.values()):
        return tolerated("some are missing or no booleans", "Those count as not shown: the status decides.")
    if status not in STATE_FLAGS:
        return unknown(_status_text(status), "Needs an instance that is running or stopped.")
    wrong = [
        f"{name} is {str(shown[name]).lower()}"
        for name, usual in zip(FLAGS, STATE_FLAGS[status], strict=True)
        if shown[name] is not usual
    ]
    if wrong:
        return different(
            f"{status}: {', '.join(wrong)}",
            "The flags overrule the state table: what they deny fails, and what they allow is sent.",
        )
    return ok(f"{status}: as expected")


def _status_text(status: str) -> str:
    return f"the status is {status}" if status in STATUSES else "an unknown status"


def _values_check(
    field: str, known: t.Collection[str], consequence: str, *, is_tolerated: bool = False
) -> t.Callable[[Observations], CheckResult]:
    return functools.partial(
        _check_values, field=field, known=known, consequence=consequence, is_tolerated=is_tolerated
    )


def _check_values(
    seen: Observations, field: str, known: t.Collection[str], consequence: str, *, is_tolerated: bool
) -> CheckResult:
    """Compares the words of a field of instances with the known ones."""
    values = [item[field] for item in seen.reply("instances").items if item.get(field) not in (None, "")]
    if not values:
        return unknown("none", f"Needs instances that show their {field}.")
    new = [value for value in values if normalize(value) not in known]
    if new:
        words = ", ".join(plain_words(new)) if field != "billing_mode" else ""
        found = f"further ones: {words or 'not shown, since they are not plain words'}"
        return (tolerated if is_tolerated else different)(found, consequence)
    found = ", ".join(sorted({normalize(value) for value in values}))
    if any(value not in known for value in values):
        return tolerated(f"{found}, in another spelling", "Case, spaces and dashes are ignored.")
    return ok(found)


def _check_addresses(seen: Observations) -> CheckResult:
    values = [item.get("ip_address") for item in seen.reply("instances").items]
    kinds = sorted({_address_kind(value) for value in values if value is not None})
    if not kinds:
        return unknown("null in all of them", "Needs an instance that has been provisioned.")
    if "no address" in kinds:
        return tolerated(", ".join(kinds), "connect_with: ip_address leaves ansible_host unset there, with a warning.")
    return ok(", ".join(kinds))


def _address_kind(value: object) -> str:
    try:
        return f"IPv{ipaddress.ip_address(str(value)).version}"
    except ValueError:
        return "no address"


def _check_times(seen: Observations) -> CheckResult:
    items = [item for name in ("instances", "backups", "transactions") for item in seen.reply(name).items]
    values = [
        value for item in items for name, value in item.items() if name.endswith("_at") and value not in (None, "")
    ]
    if not values:
        return unknown("none", NO_INSTANCE)
    formats = {time_format(value) or ("another format" if parse_time(value) else "unreadable") for value in values}
    found = ", ".join(sorted({"plain": "whole seconds, Z"}.get(format, format) for format in formats))
    if "unreadable" in formats:
        return different(found, "Ages and `before` can't be computed where a time is not ISO 8601.")
    return ok(found) if formats == {"plain"} else tolerated(found, "These formats are understood, too.")


CHECKS = (
    Check(
        "list_fields",
        f"GET /instances shows the {len(DOCUMENTED['instance'])} documented fields",
        fields_check("instance", NO_INSTANCE, "Filters, groups and host variables of these fields don't work."),
        ("instances",),
    ),
    Check(
        "detail_fields",
        f"GET /instances/ID shows {len(DOCUMENTED['instance_detail'])} documented fields, and flags",
        fields_check("instance_detail", NO_INSTANCE, "Host variables of these fields are missing, with `details` too."),
        ("instance",),
    ),
    Check("flags", "can_start, can_stop and can_restart agree with the status", _check_flags, ("instance",)),
    Check(
        "statuses",
        "the nine documented statuses",
        _values_check(
            "status",
            STATUSES,
            "A status that is not known counts as busy: changes wait for its end until wait_timeout.",
        ),
        ("instances",),
    ),
    Check(
        "health_statuses",
        "health_status is healthy, unhealthy or unknown",
        _values_check(
            "health_status",
            HEALTH_STATUSES,
            "wait_healthy waits for `healthy`, and restores by events for `unhealthy`.",
        ),
        ("instances",),
    ),
    Check(
        "tiers",
        f"tier is {', '.join(TIERS[:-1])} or {TIERS[-1]}",
        _values_check("tier", TIERS, "They can be used in filters and groups like the others.", is_tolerated=True),
        ("instances",),
    ),
    Check(
        "billing_modes",
        "billing_mode is daily or monthly",
        _values_check(
            "billing_mode",
            BILLING_MODES,
            "balance_guard stops only instances that are billed daily.",
            is_tolerated=True,
        ),
        ("instances",),
    ),
    Check("addresses", "ip_address is IPv6, IPv4 or null", _check_addresses, ("instances",)),
    Check("times", "ISO 8601, whole seconds, Z", _check_times, ("instances",)),
)
