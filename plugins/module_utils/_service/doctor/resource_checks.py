# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of instances, add-ons and backups, of how these show their instance, and of billing. Pure.

They compare the fields with the documented ones. Nothing that the account chose is shown: no text, no number, no key of
a map. Only the words of a status, health, tier or type are, since a report is about them.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ..._model.backup import GOOD_STATUSES, TIME_FIELDS, taken_at
from ..._model.instance import HEALTH_STATUSES, STATUSES, get_status
from ..._model.ownership import parse_owner
from ..._model.resource import Resource, as_objects, normalize
from ..._times import parse_time
from .findings import Check, CheckResult, Observations, different, ok, tolerated, unknown

TEXT, NUMBER, FLAG, NULL, LIST = "text", "number", "boolean", "null", "list"
ID = (NUMBER, TEXT)
"""Ids may be texts: they are compared as texts."""

_LISTED = {
    "id": ID,
    "name": (TEXT,),
    "status": (TEXT,),
    "tier": (TEXT,),
    "billing_mode": (TEXT,),
    "ip_address": (TEXT, NULL),
    "health_status": (TEXT,),
    "created_at": (TEXT,),
    "provisioned_at": (TEXT, NULL),
}
FLAGS = ("can_start", "can_stop", "can_restart")
_DETAIL = {
    "subdomain_url": (TEXT, NULL),
    "daily_claw_cost": (NUMBER, NULL),
    "llm_configured": (FLAG,),
    "telegram_configured": (FLAG,),
}

DOCUMENTED: dict[str, dict[str, tuple[str, ...]]] = {
    "instance": _LISTED,
    # The flags have a check of their own.
    "instance_detail": {**_LISTED, **_DETAIL},
    "summary": {
        "claws_balance": (NUMBER,),
        "daily_claw_cost": (NUMBER,),
        "days_remaining": (NUMBER, NULL),
        "low_balance": (FLAG,),
        "subscription_status": (TEXT, NULL),
        "subscription_tier": (TEXT, NULL),
        "instances_count": (NUMBER,),
        "running_instances_count": (NUMBER,),
    },
    "usage": {"daily_total": (NUMBER,), "instances": (LIST,), "addons": (LIST,)},
    "usage_instance": {
        "id": ID,
        "name": (TEXT,),
        "tier": (TEXT,),
        "daily_claws": (NUMBER,),
        "status": (TEXT,),
        "billing_mode": (TEXT,),
    },
    "usage_addon": {
        "id": ID,
        "addon_type": (TEXT,),
        "instance_name": (TEXT,),
        "tier": (TEXT, NULL),
        "current_usage": (NUMBER, NULL),
        "usage_limit": (NUMBER, NULL),
    },
}

_NEEDED_OF_INSTANCES = frozenset(("id", "name", "status", "health_status"))
NEEDED = {
    "instance": _NEEDED_OF_INSTANCES,
    "instance_detail": _NEEDED_OF_INSTANCES,
    "summary": frozenset(("claws_balance", "daily_claw_cost", "days_remaining")),
    "usage": frozenset(DOCUMENTED["usage"]),
    "usage_instance": frozenset(("id", "daily_claws")),
    "usage_addon": frozenset(("instance_name",)),
}
"""The fields on which the collection rests: without another one, only that field is missing."""

KNOWN_NAMES = frozenset(name for fields in DOCUMENTED.values() for name in fields) | set(TIME_FIELDS) | {*FLAGS, "type"}
"""Names that are shown of objects inside of undocumented fields: no others, since an account may have chosen them."""

WORD_FIELDS = frozenset(
    (
        *("status", "health", "health_status", "tier", "type"),
        *("addon_type", "backup_type", "transaction_type", "subscription_status", "subscription_tier"),
    )
)
"""Fields whose plain words are shown."""
MAX_WORDS = 12
"""Words shown of a field."""
MAX_FIELDS = 80
"""Fields shown of an object."""
UNNAMED = "(others)"
"""Replaces fields whose names don't look like those of an API."""

_PLAIN_WORD = re.compile(r"[a-z_]{1,30}")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII)

Shape = dict[str, str]


def plain_words(values: t.Iterable[object]) -> list[str]:
    """Returns the different words among ``values`` that may be shown, sorted; at most MAX_WORDS."""
    words = {value for value in values if isinstance(value, str) and _PLAIN_WORD.fullmatch(value)}
    return sorted(words)[:MAX_WORDS]


def type_name(value: object) -> str:
    """Returns the type of a value: what JSON calls it, and the format of a text."""
    if isinstance(value, str):
        if _is_time(value):
            return "time"
        return "text of digits" if value.isascii() and value.isdigit() else "text"
    if isinstance(value, list):
        inner = sorted({type_name(entry).partition(" ")[0] for entry in value})
        return f"list of {' or '.join(inner)}" if inner else "empty list"
    names = {bool: "boolean", int: "integer", float: "number", dict: "object", type(None): "null"}
    return names.get(type(value), "number")


def _is_time(text: str) -> bool:
    """Returns True for a time in ISO 8601."""
    return _TIME.fullmatch(text) is not None and parse_time(text) is not None


def describe_fields(items: list[Resource], documented: t.Container[str] = ()) -> Shape:
    """Returns the type of each field of the items. Keys inside a documented field are not shown."""
    names = list(dict.fromkeys(name for item in items for name in item))
    shown = [name for name in names if _FIELD_NAME.fullmatch(name)][:MAX_FIELDS]
    shape = {name: _describe_field(name, items, documented) for name in shown}
    if len(shown) < len(names):
        shape[UNNAMED] = f"{len(names) - len(shown)} fields whose names are not shown"
    return shape


def _describe_field(name: str, items: list[Resource], documented: t.Container[str]) -> str:
    values = [item[name] for item in items if name in item]
    text = " or ".join(sorted({type_name(value) for value in values}, key=lambda kind: (kind == "null", kind)))
    inner = {key for value in values if isinstance(value, dict) for key in value} & KNOWN_NAMES
    if inner and name not in documented:
        text += f" with {', '.join(sorted(inner))}"
    if name in WORD_FIELDS and (words := plain_words(values)):
        text += f": {', '.join(words)}"
    return text if len(values) == len(items) else f"{text}; not in every one"


def describe_shapes(seen: Observations) -> dict[str, Shape]:
    """Returns the fields of each kind of object that was seen."""
    shapes = {kind: describe_fields(items, DOCUMENTED.get(kind, ())) for kind, items in find_objects(seen).items()}
    return {kind: shape for kind, shape in shapes.items() if shape}


def find_objects(seen: Observations) -> dict[str, list[Resource]]:
    """Returns the objects that were seen, by kind."""
    usage = seen.reply("usage").object
    return {
        "health": _find_object(seen, "health"),
        "account": _find_object(seen, "account"),
        "pagination": [dict(seen.reply("instances").pagination or {})],
        "instance": seen.reply("instances").items,
        "instance_detail": _find_object(seen, "instance"),
        "summary": _find_object(seen, "summary", may_be_empty=True),
        "usage": _find_object(seen, "usage", may_be_empty=True),
        "usage_instance": as_objects(usage.get("instances")),
        "usage_addon": as_objects(usage.get("addons")),
        "transaction": seen.reply("transactions").items,
        "package": seen.reply("packages").items,
        "addon": seen.reply("addons").items,
        "addon_detail": _find_object(seen, "addon"),
        "backup": seen.reply("backups").items,
        "backup_detail": _find_object(seen, "backup"),
    }


def _find_object(seen: Observations, name: str, *, may_be_empty: bool = False) -> list[Resource]:
    """Returns the object of a reply that is no list, or nothing. An empty one counts if all of its fields matter."""
    reply = seen.reply(name)
    return [reply.object] if reply.object or (may_be_empty and not reply.problem) else []


def check_fields(kind: str, needed: str, consequence: str, seen: Observations) -> CheckResult:
    """Compares the fields of one kind of objects with the documented ones."""
    items, documented = find_objects(seen)[kind], DOCUMENTED[kind]
    if not items:
        return unknown("none", needed)
    missing = [name for name in documented if any(name not in item for item in items)]
    wrong = {
        f"{name} is {type_name(item[name])}": name
        for name, types in documented.items()
        for item in items
        if name in item and not has_type(item[name], types)
    }
    problems = [f"without {', '.join(missing)}"] if missing else []
    problems += list(wrong)[:5]
    if problems:
        judge = tolerated if NEEDED[kind].isdisjoint((*missing, *wrong.values())) else different
        return judge("; ".join(problems), consequence)
    more = {name for item in items for name in item} - documented.keys()
    more -= {*FLAGS} if kind == "instance_detail" else set()
    return ok(f"all {len(documented)} fields{f', and {len(more)} more (see shapes)' if more else ''}")


def has_type(value: object, types: t.Container[str]) -> bool:
    """Returns True if the type of ``value`` is one of the ``types`` of DOCUMENTED."""
    kind = type_name(value)
    words = {"integer": "number", "time": "text", "empty list": "list"}
    return words.get(kind, kind.partition(" ")[0]) in types


NO_INSTANCE = "Needs an account with an instance: create one in the dashboard."
NO_ADDON = "Needs an account with an add-on: order one in the dashboard."
NO_BACKUP = "Needs an account with a backup: order the backup add-on; the first backup comes within a day."

STATE_FLAGS = {"running": (False, True, True), "stopped": (True, False, False)}
"""can_start, can_stop and can_restart in the statuses that are documented."""


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


def _check_words(field: str, known: t.Collection[str], consequence: str, seen: Observations) -> CheckResult:
    """Compares the words of a field of instances with the known ones."""
    values = [item[field] for item in seen.reply("instances").items if item.get(field) not in (None, "")]
    if not values:
        return unknown("none", f"Needs instances that show their {field}.")
    new = [value for value in values if normalize(value) not in known]
    if new:
        words = ", ".join(plain_words(new))
        return different(f"further ones: {words or 'not shown, since they are not plain words'}", consequence)
    found = ", ".join(sorted({normalize(value) for value in values}))
    if any(value not in known for value in values):
        return tolerated(f"{found}, in another spelling", "Case, spaces and dashes are ignored.")
    return ok(found)


def _check_owner(kind: str, needed: str, seen: Observations) -> CheckResult:
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
        "Selecting by instance_id also reads the list of instances, and a name that two instances share is refused.",
    )


def _check_addon_type(seen: Observations) -> CheckResult:
    items = seen.reply("addons").items
    if not items:
        return unknown("none", NO_ADDON)
    if all(isinstance(item.get("addon_type"), str) for item in items):
        return ok(", ".join(plain_words(item["addon_type"] for item in items)) or "no plain words")
    return different("no addon_type", "Name add-ons by id: addon_type can't find them.")


def _check_backup_time(seen: Observations) -> CheckResult:
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


def _check_backup_statuses(seen: Observations) -> CheckResult:
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


RESOURCE_CHECKS = (
    Check(
        "list_fields",
        f"GET /instances shows the {len(DOCUMENTED['instance'])} documented fields",
        functools.partial(
            check_fields, "instance", NO_INSTANCE, "Filters, groups and host variables of these fields don't work."
        ),
        ("instances",),
    ),
    Check(
        "detail_fields",
        f"GET /instances/ID shows {len(DOCUMENTED['instance_detail'])} documented fields, and flags",
        functools.partial(
            check_fields,
            "instance_detail",
            NO_INSTANCE,
            "Host variables of these fields are missing, with `details` too.",
        ),
        ("instance",),
    ),
    Check("flags", "can_start, can_stop and can_restart agree with the status", _check_flags, ("instance",)),
    Check(
        "statuses",
        "the nine documented statuses",
        functools.partial(
            _check_words,
            "status",
            STATUSES,
            "A status that is not known counts as busy: changes wait for its end until wait_timeout.",
        ),
        ("instances",),
    ),
    Check(
        "health_statuses",
        "health_status is healthy, unhealthy or unknown",
        functools.partial(
            _check_words,
            "health_status",
            HEALTH_STATUSES,
            "wait_healthy waits for `healthy`, and restores by events for `unhealthy`.",
        ),
        ("instances",),
    ),
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
    Check("addon_types", "each add-on has an addon_type (undocumented)", _check_addon_type, ("addons",)),
    Check(
        "addon_owner",
        "each add-on shows its instance by id (undocumented)",
        functools.partial(_check_owner, "addon", NO_ADDON),
        ("addons",),
    ),
    Check("backup_time", f"each backup shows its time: {', '.join(TIME_FIELDS)}", _check_backup_time, ("backups",)),
    Check(
        "backup_owner",
        "each backup shows its instance by id (undocumented)",
        functools.partial(_check_owner, "backup", NO_BACKUP),
        ("backups",),
    ),
    Check("backup_statuses", "a good backup is `completed`, or similar", _check_backup_statuses, ("backups",)),
)
