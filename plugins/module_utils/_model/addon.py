# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add-ons: which one a user means, which attributes differ, and what diffs and messages show of it. Pure.

The add-on object is undocumented except for ``id``, so every attribute that it shows can be set.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, replace

from .._errors import ApiError, RefusedError, ResponseError
from .._names import require_names
from .._numbers import parse_number, to_json
from .._secret_fields import redact
from .._text import format_list, one_line, replace_controls
from .ownership import has_owner, parse_owner
from .resource import Resource, advise_id, as_objects, normalize, parse_id
from .similar_names import with_suggestion

Config = dict[str, t.Any]

_VALUE_LIMIT = 60
_ABSENT = object()
_LISTED = 10
"""Add-ons that a message lists."""


def is_same(given: t.Any, shown: t.Any) -> bool:
    """Deep comparison. Returns True if ``shown`` has everything that was ``given``; true is not 1.

    Control characters are compared as responses show them, or a text with one would seem to differ forever.
    """
    if isinstance(given, dict) and isinstance(shown, dict):
        return all(is_same(value, shown.get(name, _ABSENT)) for name, value in given.items())
    if isinstance(given, list) and isinstance(shown, list):
        return len(given) == len(shown) and all(map(is_same, given, shown))
    if isinstance(given, str) and isinstance(shown, str):
        return replace_controls(given) == replace_controls(shown)
    return isinstance(given, bool) == isinstance(shown, bool) and bool(given == shown)


def convert_like(given: t.Any, shown: t.Any) -> t.Any:
    """Returns ``given`` with texts converted to the number or bool that is shown.

    Up to ansible-core 2.18 templates give texts.
    """
    if isinstance(given, dict) and isinstance(shown, dict):
        return {name: convert_like(value, shown.get(name)) for name, value in given.items()}
    if isinstance(given, str) and isinstance(shown, bool):
        return {"true": True, "false": False}.get(given.strip().lower(), given)
    number = parse_number(given.strip()) if isinstance(given, str) and isinstance(shown, (int, float)) else None
    return given if number is None else to_json(number)


def find_differences(shown: Resource, config: Config, write_only: t.Collection[str]) -> Config:
    """Returns the attributes to send: those that differ, and all write-only ones."""
    return {
        name: value
        for name, value in config.items()
        if name in write_only or not is_same(value, shown.get(name, _ABSENT))
    }


def format_unchanged(now: Resource, changes: Config, write_only: t.Collection[str]) -> str:
    """Returns a text that lists the ``changes`` that ``now`` does not show; empty if it shows all that can be seen."""
    wanted, shown = redact(changes), redact(now)
    return ", ".join(
        f"{name} is {_text(shown[name])} instead of {_text(wanted[name])}" if name in now else f"{name} is not shown"
        for name in find_differences(now, changes, ())
        if name not in write_only
    )


def find_lost(before: Resource, now: Resource, changes: Config) -> list[str]:
    """Returns the attributes that were shown before, are missing or null ``now``, and are not in ``changes``."""
    lost = []
    for name, value in before.items():
        if name not in changes:
            lost += [name] if value is not None and now.get(name) is None else []
        elif all(isinstance(one, dict) for one in (value, now.get(name), changes[name])):
            lost += [f"{name}.{inner}" for inner in find_lost(value, now[name], changes[name])]
    return lost


def _text(value: t.Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), _VALUE_LIMIT)


@dataclass(frozen=True)
class AddonQuery:
    """Conditions for add-ons; None matches any."""

    id: int | None
    addon_type: str | None
    instance_id: int | None
    instance_name: str | None

    def __post_init__(self) -> None:
        require_names(addon_type=self.addon_type, instance_name=self.instance_name)

    def __str__(self) -> str:
        parts = [
            f"{self.addon_type} add-on" if self.addon_type else "add-on",
            f"with id {self.id}" if self.id is not None else "",
            f"of the instance named {self.instance_name}" if self.instance_name is not None else "",
            f"of the instance with id {self.instance_id}" if self.instance_id is not None else "",
        ]
        return " ".join(filter(None, parts))

    @property
    def has_instance(self) -> bool:
        return self.instance_id is not None or self.instance_name is not None

    def lacks_fields(self, addon: Resource) -> bool:
        """Returns True if the add-on does not show its type or its instance, and the query needs it."""
        lacks_type = self.addon_type is not None and not addon.get("addon_type")
        return lacks_type or (self.has_instance and not has_owner(addon))

    def may_match(self, addon: Resource) -> bool:
        """Returns False if the add-on shows another id or another instance. It may not show what is asked for."""
        owner = parse_owner(addon)
        pairs = ((self.id, addon["id"]), (self.instance_id, owner.id), (self.instance_name, owner.name))
        return all(wanted is None or shown is None or str(wanted) == str(shown) for wanted, shown in pairs)

    def matches_type(self, addon: Resource) -> bool:
        """Raises ResponseError if the type of the add-on is needed and unknown."""
        if self.addon_type is None:
            return True
        if not addon.get("addon_type"):
            advice = advise_id([addon["id"]], "See the dashboard, and give the id of the add-on", "Use the dashboard")
            raise ResponseError(
                f"The service does not show the type (addon_type) of add-on {addon.get('id')}, and the collection does "
                f"not guess. {advice}."
            )
        return normalize(addon["addon_type"]) == normalize(self.addon_type)


def label(addon: Resource) -> str:
    """Returns type, id and instance, for messages."""
    kind = f"{addon['addon_type']} add-on" if addon.get("addon_type") else "add-on"
    return f"{kind} {addon.get('id')}" + (f" of {parse_owner(addon)}" if has_owner(addon) else "")


def merge_usage(addons: list[Resource], usage: object) -> list[Resource]:
    """Returns the add-ons with the type and the instance that the usage shows."""
    known = {str(parse_id(entry.get("id"))): entry for entry in as_objects(usage)}
    merged = []
    for addon in addons:
        entry = known.get(str(addon["id"]), {})
        extra = {"addon_type": entry.get("addon_type")} if not addon.get("addon_type") else {}
        if not has_owner(addon):
            owner = parse_owner(entry)
            extra |= {"instance_id": owner.id, "instance_name": owner.name}
        merged.append({**addon, **extra})
    return merged


def require_one(found: list[Resource], addons: list[Resource], query: AddonQuery) -> Resource:
    """Returns the only match. Raises RefusedError for none and for several. ``addons``: all that there are."""
    if len(found) > 1:
        each = format_list((f"{addon['id']} of {parse_owner(addon)}" for addon in found), _LISTED)
        ids = [addon["id"] for addon in found]
        advice = advise_id(ids, "choose one with id", "name type and instance, or use the dashboard")
        raise RefusedError(f"{len(found)} add-ons match {query} (ids {each}): {advice}.")
    if not found and query.id is not None:
        for addon in addons:
            if str(addon["id"]) == str(query.id):
                raise RefusedError(f"The {label(addon)} is not the {replace(query, id=None)}; nothing was done.")
    if not found:
        listed = format_list(map(label, addons[:_LISTED]), _LISTED, len(addons))
        there = f"Found: {listed}." if addons else "The account has no add-ons."
        raise RefusedError(f"No add-on matches {query}. {there} Order add-ons in the dashboard.")
    return found[0]


def require_same_owner(addon: Resource, found: Resource, query: AddonQuery) -> None:
    """Raises RefusedError if ``addon``, as it was read last, shows another instance than the one that was asked for.

    ``found`` is the same add-on, as it matched the query.
    """
    shown, known = parse_owner(addon), parse_owner(found)
    wanted_id = known.id if query.instance_id is None else str(query.instance_id)
    is_other = shown.id not in (None, wanted_id) and wanted_id is not None
    if query.has_instance and (is_other or (query.instance_name and shown.name not in (None, query.instance_name))):
        raise RefusedError(f"The {label(addon)} is not the {query} any more; nothing was done.")


def require_shown(addon: Resource, config: Config, write_only: t.Collection[str]) -> None:
    """Raises RefusedError for an attribute that GET does not show: its value could not be compared."""
    unknown = [name for name in config if name not in addon and name not in write_only]
    if not unknown:
        return
    guesses = ", ".join(with_suggestion(name, addon) for name in unknown)
    raise RefusedError(
        f"The {label(addon)} shows no attribute {guesses}; it shows {', '.join(addon)}. Nothing was sent. "
        "Name an attribute in write_only if the service accepts it but never shows it."
    )


def needs_wrapping(rejection: ApiError, changes: Config) -> bool:
    """Returns True if the details of a rejection name ``addon`` as missing, and nothing that was sent.

    The body of a PATCH is undocumented: the service may expect the attributes inside of ``addon``.
    """
    words = set(re.findall(r"\w+", json.dumps(rejection.details)))
    return rejection.status in (400, 422) and "addon" in words and not words & set(changes)
