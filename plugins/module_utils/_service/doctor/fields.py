# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of objects: the documented ones, those that were seen without their values, and a comparison. Pure.

Nothing that the account chose is shown: no text, no number, no key of a map. Only the words of a status, health, tier
or type are, since a report is about them.
"""

from __future__ import annotations

import re
import typing as t

from ..._model.backup import TIME_FIELDS
from ..._model.resource import Resource, as_objects
from ..._times import parse_time
from .findings import CheckResult, Observations, different, ok, tolerated, unknown

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
