# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats objects and lists as the switches say: field names, ids, times, pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from simulator.errors import Refused, refused_now
from simulator.exchange import Exchange
from simulator.instances import ACTED, LISTED, SETTINGS, Instance
from simulator.switches import Switches
from simulator.times import in_style
from simulator.world import World

T = TypeVar("T")
LARGEST_NUMBER = 10**9
REFUSAL_CODES = {400: "bad_request", 422: "unprocessable_entity"}


def listed(instance: Instance, world: World) -> dict[str, Any]:
    """Returns an item of GET /instances (contract 4.4), with the fields added by a tester."""
    return _dressed(instance, _fields(instance, LISTED) | instance.extra, world, "instances")


def detailed(instance: Instance, world: World) -> dict[str, Any]:
    """Returns the response to GET /instances/:id (contract 4.5) and to DELETE (contract 4.7)."""
    record = _fields(instance, LISTED) | world.flags(instance) | _fields(instance, SETTINGS) | instance.extra
    return _dressed(instance, record, world)


def acted(instance: Instance, world: World) -> dict[str, Any]:
    """Returns the response to start, stop and restart (contract 4.6)."""
    return _dressed(instance, _fields(instance, ACTED) | world.flags(instance), world)


def _fields(instance: Instance, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in names}


def _dressed(instance: Instance, record: dict[str, Any], world: World, collection: str = "") -> dict[str, Any]:
    record["status"] = world.shown_status(instance)
    return dressed("instance", record, world.switches, collection)


def dressed(kind: str, record: dict[str, Any], switches: Switches, collection: str = "") -> dict[str, Any]:
    """Drops, adds and renames fields; converts ids and times (contract 11, U23 to U25).

    ``collection``: the name of the list that the object is shown in.
    """
    if switches.id_as_string or switches.id_prefix:
        prefix = switches.id_prefix or ""
        record = {
            name: f"{prefix}{value}" if (name == "id" or name.endswith("_id")) and isinstance(value, int) else value
            for name, value in record.items()
        }
    if switches.timestamps != "plain":
        record = {
            name: in_style(value, switches.timestamps) if name.endswith("_at") and isinstance(value, str) else value
            for name, value in record.items()
        }
    if switches.rename_fields:
        record = _renamed(record, of_kind(kind, switches.rename_fields))
    if switches.drop_fields:
        dropped = set(switches.drop_fields)
        record = {
            name: record[name] for name in record if not {name, f"{kind}.{name}", f"{collection}.{name}"} & dropped
        }
    kept = switches.keep_fields.get(collection, switches.keep_fields.get(kind))
    if kept is not None:
        record = {name: record[name] for name in record if name in kept}
    if switches.add_fields:
        record = record | of_kind(kind, switches.add_fields)
    return record


def of_kind(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the field names for one kind: `instance.name` applies to instances, `name` to all."""
    named = {name.rpartition("."): value for name, value in fields.items()}
    return {name: value for (of_kind, _dot, name), value in named.items() if of_kind in ("", kind)}


def _renamed(record: dict[str, Any], renames: dict[str, str]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in record.items():
        outer, _dot, inner = renames.get(name, name).partition(".")
        if inner:
            renamed.setdefault(outer, {})[inner] = value
        else:
            renamed[outer] = value
    return renamed


def page_of(items: Sequence[T], collection: str, exchange: Exchange) -> tuple[Sequence[T], dict[str, int] | None]:
    """Returns the requested page and its `pagination`, or None (contract 1, 11 U8)."""
    switches = exchange.switches
    if switches.pagination == "none" or collection == "packages":
        return items, None
    page, size = 1, switches.per_page_default
    if switches.pagination != "ignored":
        page = _number(exchange, "page", page)
    if switches.pagination == "honoured":
        if switches.per_page_refused and "per_page" in exchange.query:
            code = REFUSAL_CODES[switches.per_page_refused]
            raise Refused(switches.per_page_refused, code, "Unknown parameter.", {"per_page": "is unknown"})
        size = min(_number(exchange, "per_page", size), switches.per_page_max)
    count = len(items)
    pagination = {"current_page": page, "total_pages": math.ceil(count / size), "total_count": count, "per_page": size}
    is_needed = switches.pagination != "when_needed" or count > size
    return items[(page - 1) * size : page * size], pagination if is_needed else None


def _number(exchange: Exchange, name: str, default: int) -> int:
    text = exchange.query.get(name)
    if text is None:
        return default
    # Check the length first: Python refuses to parse a number of thousands of digits.
    if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_NUMBER)) and 1 <= int(text) <= LARGEST_NUMBER:
        return int(text)
    raise refused_now("Invalid page.", {name: f"must be a whole number from 1 to {LARGEST_NUMBER}"})
