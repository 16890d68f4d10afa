# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the fields of instances, billing, add-ons and backups (contract 4.1, 4.2, 5, 6, 7). Pure."""

from __future__ import annotations

import functools
import ipaddress
import typing as t

from ..._times import parse_time
from ..backup import GOOD_STATUSES, TIME_FIELDS, taken_at
from ..instance import STATUSES, get_status
from ..ownership import parse_owner
from ..resource import Resource, normalize
from .fields import BILLING_MODES, DOCUMENTED, FLAG, FLAGS, HEALTH_WORDS, TIERS
from .findings import Check, Verdict, different, ok, tolerated, unknown
from .list_checks import is_ascending
from .observations import Observations
from .shapes import describe_type, plain_words, time_form

NO_INSTANCE = "Needs an account with an instance: create one in the dashboard."
NO_ADDON = "Needs an account with an add-on: order one in the dashboard."
NO_BACKUP = "Needs an account with a backup: order the backup add-on; the first backup comes within a day."

TABLE_FLAGS = {"running": (False, True, True), "stopped": (True, False, False)}
"""can_start, can_stop and can_restart in the statuses that are documented (contract 4.3)."""


def _items(seen: Observations, kind: str) -> list[Resource]:
    """Returns the objects of one kind of DOCUMENTED."""
    if kind == "instance":
        return seen.reply("instances").items
    if kind.startswith("usage_"):
        value = seen.reply("usage").object.get(f"{kind.removeprefix('usage_')}s")
        return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    reply = seen.reply("instance" if kind == "instance_detail" else kind)
    return [reply.object] if reply.object else []


def _judge_fields(seen: Observations, kind: str, needed: str, consequence: str) -> Verdict:
    """Compares the fields of one kind with the documented ones."""
    items, documented = _items(seen, kind), DOCUMENTED[kind]
    if not items:
        return unknown("none", needed)
    missing = [name for name in documented if any(name not in item for item in items)]
    wrong = [
        f"{name} is {describe_type(item[name])}"
        for name, types in documented.items()
        for item in items
        if name in item and not _has_type(item[name], types)
    ]
    problems = [f"without {', '.join(missing)}"] if missing else []
    problems += list(dict.fromkeys(wrong))[:5]
    if problems:
        return different("; ".join(problems), consequence)
    more = {name for item in items for name in item} - documented.keys()
    more -= {*FLAGS} if kind == "instance_detail" else set()
    return ok(f"all {len(documented)} fields{f', and {len(more)} more (see shapes)' if more else ''}")


def _has_type(value: object, types: t.Container[str]) -> bool:
    kind = describe_type(value)
    words = {"integer": "number", "time": "text", "empty list": "list"}
    return words.get(kind, kind.partition(" ")[0]) in types


def _judge_flags(seen: Observations) -> Verdict:
    detail = seen.reply("instance").object
    status = get_status(detail)
    shown = {name: detail[name] for name in FLAGS if name in detail}
    if not shown:
        return tolerated("none", "The status alone decides what is possible; the service refuses the rest with a 422.")
    if len(shown) < len(FLAGS) or not all(describe_type(value) == FLAG for value in shown.values()):
        return tolerated("some are missing or no booleans", "Those count as not shown: the status decides.")
    if status not in TABLE_FLAGS:
        return unknown(_status_text(status), "Needs an instance that is running or stopped.")
    wrong = [
        f"{name} is {str(shown[name]).lower()}"
        for name, usual in zip(FLAGS, TABLE_FLAGS[status], strict=True)
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


def _judge_words(
    seen: Observations, field: str, known: t.Collection[str], consequence: str, *, is_tolerated: bool
) -> Verdict:
    """Compares the words of a field of instances with the known ones."""
    values = [item[field] for item in seen.reply("instances").items if item.get(field) not in (None, "")]
    if not values:
        return unknown("none", f"Needs instances that show their {field}.")
    new = [value for value in values if normalize(value) not in known]
    if new:
        words = ", ".join(plain_words(new)) if field != "billing_mode" else ""
        found = f"further ones: {words or 'not shown, since they are no plain words'}"
        return (tolerated if is_tolerated else different)(found, consequence)
    found = ", ".join(sorted({normalize(value) for value in values}))
    if any(value not in known for value in values):
        return tolerated(f"{found}, in another spelling", "Case, spaces and dashes are ignored.")
    return ok(found)


def _judge_addresses(seen: Observations) -> Verdict:
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


def _judge_times(seen: Observations) -> Verdict:
    items = [item for name in ("instances", "backups", "transactions") for item in seen.reply(name).items]
    values = [
        value for item in items for name, value in item.items() if name.endswith("_at") and value not in (None, "")
    ]
    if not values:
        return unknown("none", NO_INSTANCE)
    forms = {time_form(value) or ("another form" if parse_time(value) else "unreadable") for value in values}
    found = ", ".join(sorted({"plain": "whole seconds, Z"}.get(form, form) for form in forms))
    if "unreadable" in forms:
        return different(found, "Ages and `before` can't be computed where a time is not ISO 8601.")
    return ok(found) if forms == {"plain"} else tolerated(found, "These forms are understood, too.")


def _judge_free_account(seen: Observations) -> Verdict:
    summary = seen.reply("summary").object
    if summary.get("daily_claw_cost") != 0:
        return unknown("the account has costs", "Needs an account in which nothing costs Claws.")
    if summary.get("days_remaining") is None:
        return ok("null")
    return tolerated("a number", "balance_guard takes it as the forecast, although nothing costs Claws.")


def _judge_addon_costs(seen: Observations) -> Verdict:
    entries = _items(seen, "usage_addon")
    if not entries:
        return unknown("none", "Needs an add-on of a running instance.")
    if all(_has_type(entry.get("daily_claws"), ("number",)) for entry in entries):
        return ok("daily_claws")
    return tolerated("no daily_claws", "balance_guard counts only the instances' own cost when it plans stops.")


def _judge_transactions(seen: Observations) -> Verdict:
    items = seen.reply("transactions").items
    times = [parse_time(item.get("created_at")) for item in items]
    if len(items) < 2:
        return unknown("fewer than two", "Needs an account with two transactions.")
    if None in times:
        return tolerated("no created_at", "The order is unknown: read all pages with max_pages: 0.")
    if is_ascending(reversed(times)):
        return ok("newest first")
    if is_ascending(times):
        return tolerated("oldest first", "max_pages: 1 returns the oldest: read all pages with max_pages: 0.")
    return tolerated("another order", "Read all pages with max_pages: 0.")


def _judge_amounts(seen: Observations) -> Verdict:
    amounts = [item.get("amount") for item in seen.reply("transactions").items]
    numbers = [value for value in amounts if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if not amounts:
        return unknown("no transactions", "Needs an account with transactions.")
    if len(numbers) < len(amounts):
        return tolerated("no numbers in amount", "claw_billing_info returns transactions as they are.")
    if any(number < 0 for number in numbers):
        return ok("signed")
    return tolerated("none is negative", "The sign does not tell what was spent from what was bought.")


def _judge_packages(seen: Observations) -> Verdict:
    items = seen.reply("packages").items
    if not items:
        return unknown("none", "Needs a service that sells packages to this account.")
    if all(item.get("id") not in (None, "") for item in items):
        return ok("each with an id")
    return different("without an id", "claw_purchase can't name a package.")


def _judge_owner(seen: Observations, kind: str, needed: str) -> Verdict:
    items = seen.reply(f"{kind}s").items
    if not items:
        return unknown("none", needed)
    owners = [parse_owner(item) for item in items]
    option = f"Name {kind}s by id: instance_id and instance_name can't find them."
    if any(owner == (None, None) for owner in owners):
        return different("no known field", option)
    nested = any(isinstance(item.get("instance"), dict) for item in items)
    if all(owner.id is not None for owner in owners):
        return ok("instance.id" if nested else "instance_id")
    return tolerated(
        "instance.name only" if nested else "instance_name only",
        "To find an instance by id costs its list, and a name that two instances share is refused.",
    )


def _judge_addon_type(seen: Observations) -> Verdict:
    items = seen.reply("addons").items
    if not items:
        return unknown("none", NO_ADDON)
    if all(isinstance(item.get("addon_type"), str) for item in items):
        return ok(", ".join(plain_words(item["addon_type"] for item in items)) or "no plain words")
    return different("no addon_type", "Name add-ons by id: addon_type can't find them.")


def _judge_detail(seen: Observations, kind: str, needed: str) -> Verdict:
    """Compares the object of its own endpoint with that of the list."""
    detail = seen.reply(kind).object
    item = next((one for one in seen.reply(f"{kind}s").items if str(one.get("id")) == str(detail.get("id"))), None)
    if item is None:
        return (
            different("another id", f"A {kind} that is asked for by id is refused.")
            if detail
            else unknown("none", needed)
        )
    missing, more = item.keys() - detail.keys(), detail.keys() - item.keys()
    if missing:
        return tolerated(f"{len(missing)} fields fewer (see shapes)", "Results by id have fewer fields.")
    return ok(f"all {len(item)} fields{f', and {len(more)} more (see shapes)' if more else ''}")


def _judge_backup_time(seen: Observations) -> Verdict:
    items = seen.reply("backups").items
    if not items:
        return unknown("none", NO_BACKUP)
    untimed = sum(taken_at(item) is None for item in items)
    if untimed:
        share = "no backup" if untimed == len(items) else f"{len(items) - untimed} of {len(items)} backups"
        return different(
            f"in {share}", "`backup: latest`, `before` and `max_age` refuse those without: name backup_id."
        )
    return ok(", ".join(name for name in TIME_FIELDS if any(item.get(name) not in (None, "") for item in items)))


def _judge_backup_words(seen: Observations) -> Verdict:
    values = [item.get("status") for item in seen.reply("backups").items]
    if not values:
        return unknown("none", NO_BACKUP)
    given = [value for value in values if value not in (None, "")]
    if not given:
        return ok("no status", "Each backup with a time counts as usable.")
    good = [value for value in given if normalize(value) in GOOD_STATUSES]
    other = [value for value in given if normalize(value) not in GOOD_STATUSES]
    # Normalized, a text may look like a plain word. Only the known ones are shown so.
    found = "; ".join(
        f"{label}: {', '.join(plain_words(words)) or 'no plain words'}"
        for label, words in (("usable", list(map(normalize, good))), ("not usable", other))
        if words
    )
    if good:
        return ok(found)
    return different(found, "`backup: latest` finds no usable backup: name backup_id.")


def _fields(kind: str, needed: str, consequence: str) -> t.Callable[[Observations], Verdict]:
    return functools.partial(_judge_fields, kind=kind, needed=needed, consequence=consequence)


def _words(
    field: str, known: t.Collection[str], consequence: str, *, is_tolerated: bool = False
) -> t.Callable[[Observations], Verdict]:
    return functools.partial(_judge_words, field=field, known=known, consequence=consequence, is_tolerated=is_tolerated)


CHECKS = (
    Check(
        "list_fields",
        f"GET /instances shows the {len(DOCUMENTED['instance'])} documented fields",
        _fields("instance", NO_INSTANCE, "Filters, groups and host variables of these fields don't work."),
        ("instances",),
    ),
    Check(
        "detail_fields",
        f"GET /instances/ID shows {len(DOCUMENTED['instance_detail'])} documented fields, and flags",
        _fields("instance_detail", NO_INSTANCE, "Host variables of these fields are missing, with `details` too."),
        ("instance",),
    ),
    Check("flags", "can_start, can_stop and can_restart agree with the status", _judge_flags, ("instance",)),
    Check(
        "statuses",
        "the nine documented statuses",
        _words(
            "status",
            STATUSES,
            "A status that is not known counts as busy: changes wait for its end until wait_timeout.",
        ),
        ("instances",),
    ),
    Check(
        "health_words",
        "health_status is healthy, unhealthy or unknown",
        _words(
            "health_status", HEALTH_WORDS, "wait_healthy waits for `healthy`, and restores by events for `unhealthy`."
        ),
        ("instances",),
    ),
    Check(
        "tiers",
        f"tier is {', '.join(TIERS[:-1])} or {TIERS[-1]}",
        _words("tier", TIERS, "They can be used in filters and groups like the others.", is_tolerated=True),
        ("instances",),
    ),
    Check(
        "billing_modes",
        "billing_mode is daily or monthly",
        _words(
            "billing_mode",
            BILLING_MODES,
            "balance_guard stops only instances that are billed daily.",
            is_tolerated=True,
        ),
        ("instances",),
    ),
    Check("addresses", "ip_address is IPv6, IPv4 or null", _judge_addresses, ("instances",)),
    Check("times", "ISO 8601, whole seconds, Z", _judge_times, ("instances",)),
    Check(
        "billing_summary",
        f"GET /billing/summary shows the {len(DOCUMENTED['summary'])} documented fields",
        _fields("summary", "Needs a summary.", "balance_guard, fleet_report and claw_purchase need these numbers."),
        ("summary",),
    ),
    Check("free_account", "days_remaining is null at no cost (undocumented)", _judge_free_account, ("summary",)),
    Check(
        "billing_usage",
        "GET /billing/usage shows daily_total, instances and addons",
        _fields("usage", "Needs a usage.", "balance_guard and fleet_report don't know what costs Claws."),
        ("usage",),
    ),
    Check(
        "usage_instances",
        f"an instance in the usage has the {len(DOCUMENTED['usage_instance'])} documented fields",
        _fields("usage_instance", "Needs a running instance.", "balance_guard can't tell what a stop saves."),
        ("usage",),
    ),
    Check(
        "usage_addons",
        f"an add-on in the usage has the {len(DOCUMENTED['usage_addon'])} documented fields",
        _fields("usage_addon", "Needs an add-on of a running instance.", "balance_guard can't tell whose cost it is."),
        ("usage",),
    ),
    Check("addon_costs", "an add-on in the usage shows daily_claws (undocumented)", _judge_addon_costs, ("usage",)),
    Check("transactions", "newest first, by created_at (undocumented)", _judge_transactions, ("transactions",)),
    Check("amounts", "amount is negative for what was spent (undocumented)", _judge_amounts, ("transactions",)),
    Check("packages", "each package has an id (undocumented)", _judge_packages, ("packages",)),
    Check("addon_types", "each add-on has an addon_type (undocumented)", _judge_addon_type, ("addons",)),
    Check(
        "addon_owner",
        "each add-on shows its instance by id (undocumented)",
        functools.partial(_judge_owner, kind="addon", needed=NO_ADDON),
        ("addons",),
    ),
    Check(
        "addon_detail",
        "GET /addons/ID shows the fields of the list",
        functools.partial(_judge_detail, kind="addon", needed=NO_ADDON),
        ("addons", "addon"),
    ),
    Check("backup_time", f"each backup shows its time: {', '.join(TIME_FIELDS)}", _judge_backup_time, ("backups",)),
    Check(
        "backup_owner",
        "each backup shows its instance by id (undocumented)",
        functools.partial(_judge_owner, kind="backup", needed=NO_BACKUP),
        ("backups",),
    ),
    Check("backup_statuses", "a good backup is `completed`, or similar", _judge_backup_words, ("backups",)),
    Check(
        "backup_detail",
        "GET /backups/ID shows the fields of the list",
        functools.partial(_judge_detail, kind="backup", needed=NO_BACKUP),
        ("backups", "backup"),
    ),
)
