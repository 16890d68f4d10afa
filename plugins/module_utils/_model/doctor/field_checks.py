# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that serve several kinds of objects: fields and their types (contract 4.1, 5). Pure."""

from __future__ import annotations

import functools
import typing as t

from ..resource import Resource, as_objects
from .fields import DOCUMENTED, FLAGS
from .findings import CheckResult, different, ok, unknown
from .observations import Observations
from .shapes import type_name


def fields_check(kind: str, needed: str, consequence: str) -> t.Callable[[Observations], CheckResult]:
    """Returns the function that compares the fields of one kind with the documented ones."""
    return functools.partial(_check_fields, kind=kind, needed=needed, consequence=consequence)


def _check_fields(seen: Observations, kind: str, needed: str, consequence: str) -> CheckResult:
    items, documented = find_objects(seen, kind), DOCUMENTED[kind]
    if not items:
        return unknown("none", needed)
    missing = [name for name in documented if any(name not in item for item in items)]
    wrong = [
        f"{name} is {type_name(item[name])}"
        for name, types in documented.items()
        for item in items
        if name in item and not has_type(item[name], types)
    ]
    problems = [f"without {', '.join(missing)}"] if missing else []
    problems += list(dict.fromkeys(wrong))[:5]
    if problems:
        return different("; ".join(problems), consequence)
    more = {name for item in items for name in item} - documented.keys()
    more -= {*FLAGS} if kind == "instance_detail" else set()
    return ok(f"all {len(documented)} fields{f', and {len(more)} more (see shapes)' if more else ''}")


def find_objects(seen: Observations, kind: str) -> list[Resource]:
    """Returns the objects of one kind of DOCUMENTED."""
    if kind == "instance":
        return seen.reply("instances").items
    if kind.startswith("usage_"):
        return as_objects(seen.reply("usage").object.get(f"{kind.removeprefix('usage_')}s"))
    reply = seen.reply("instance" if kind == "instance_detail" else kind)
    return [reply.object] if reply.object else []


def has_type(value: object, types: t.Container[str]) -> bool:
    """Returns True if the type of ``value`` is one of the ``types`` of DOCUMENTED."""
    kind = type_name(value)
    words = {"integer": "number", "time": "text", "empty list": "list"}
    return words.get(kind, kind.partition(" ")[0]) in types
