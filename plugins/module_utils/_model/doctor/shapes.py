# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and types of fields, without values (interface 3). Pure.

Nothing that the account chose is shown: no text, no number, no key of a map. Only the words of a status, health, tier
or type are, since a report is about them.
"""

from __future__ import annotations

import re
import typing as t

from ..._times import parse_time
from ..resource import Resource, as_objects
from .fields import DOCUMENTED, KNOWN_NAMES
from .observations import Observations

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
        if time_format(value):
            return "time"
        return "text of digits" if value.isascii() and value.isdigit() else "text"
    if isinstance(value, list):
        inner = sorted({type_name(entry).partition(" ")[0] for entry in value})
        return f"list of {' or '.join(inner)}" if inner else "empty list"
    names = {bool: "boolean", int: "integer", float: "number", dict: "object", type(None): "null"}
    return names.get(type(value), "number")


def time_format(value: object) -> str:
    """Returns the format of a time in ISO 8601: plain (whole seconds, Z), fraction, offset, local; empty if invalid."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None or parse_time(value) is None:
        return ""
    _seconds, fraction, offset = match.groups()
    if offset is None:
        return "local"
    if offset not in ("Z", "z"):
        return "offset"
    return "fraction" if fraction else "plain"


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
    usage = seen.reply("usage").object
    objects = {
        "health": [seen.reply("health").object],
        "account": [seen.reply("account").object],
        "pagination": [dict(seen.reply("instances").pagination or {})],
        "instance": seen.reply("instances").items,
        "instance_detail": [seen.reply("instance").object],
        "summary": [seen.reply("summary").object],
        "usage": [usage],
        "usage_instance": as_objects(usage.get("instances")),
        "usage_addon": as_objects(usage.get("addons")),
        "transaction": seen.reply("transactions").items,
        "package": seen.reply("packages").items,
        "addon": seen.reply("addons").items,
        "addon_detail": [seen.reply("addon").object],
        "backup": seen.reply("backups").items,
        "backup_detail": [seen.reply("backup").object],
    }
    shapes = {kind: describe_fields(items, DOCUMENTED.get(kind, ())) for kind, items in objects.items()}
    return {kind: shape for kind, shape in shapes.items() if shape}
