# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the attributes that a user gives with those that the service shows. Pure."""

from __future__ import annotations

import json
import re
import typing as t

from .._secret_fields import redact
from .._text import one_line, replace_controls
from .resource import Resource

Config = dict[str, t.Any]

_NUMBER = re.compile(r"-?\d{1,300}(\.\d{1,300})?", re.ASCII)
"""Numbers that fit a float."""
_VALUE_LIMIT = 60
_ABSENT = object()


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
    if isinstance(given, str) and isinstance(shown, (int, float)) and _NUMBER.fullmatch(given.strip()):
        return float(given) if "." in given else int(given)
    return given


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


def _text(value: t.Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), _VALUE_LIMIT)
