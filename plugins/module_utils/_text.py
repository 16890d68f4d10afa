# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes texts short, plain and readable for messages. Pure."""

from __future__ import annotations

import json
import re
import typing as t

MASK = "********"
"""Replaces a secret."""

KEY_PREFIX = "oc_live_"
"""The beginning of an API key."""

_KEY = re.compile(rf"{KEY_PREFIX}[\w-]{{8,}}")
"""Matches any text that looks like an API key."""

SERVICE_TEXT_LIMIT = 200
"""Characters of a text of the service in a message."""

MESSAGE_LIMIT = 4000
"""Characters of a whole message."""

_CONTROL = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]|\r(?!\n)"
)
"""Characters that a terminal obeys: C0 but tab and line break, DEL, C1, and those that turn the direction of text. And
lone surrogates, which can't be written."""


def replace_controls(text: str) -> str:
    """Returns ``text`` with U+FFFD for each control character."""
    return text if text.isprintable() else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def find_keys(text: str) -> set[str]:
    """Returns all parts of ``text`` that look like an API key: it may have been given as another option by mistake."""
    return set(_KEY.findall(text)) if KEY_PREFIX in text else set()


def mask_keys(text: str) -> str:
    """Returns ``text`` with a mask for all that looks like an API key."""
    return _KEY.sub(MASK, text) if KEY_PREFIX in text else text


def is_number(value: object) -> t.TypeGuard[str]:
    """Returns True for a text of ASCII digits that is not absurdly long, as an id or a count may be written."""
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20


def lacks_home(path: str) -> bool:
    """Returns True for an expanded path with the ``~`` or ``~name`` of a home folder that can't be found.

    In options of the inventory, Ansible puts it below the folder of the file.
    """
    return "/~" in f"/{path}"


def one_line(text: object, limit: int = SERVICE_TEXT_LIMIT) -> str:
    """Returns ``text`` on one line, without control characters, truncated to ``limit`` characters."""
    start = str(text)[: limit * 4]
    if not start.isprintable():
        start = "".join(character if character.isprintable() else " " for character in start)
    flat = " ".join(start.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def one_clause(text: object) -> str:
    """Returns a text of somebody else as a part of a sentence: on one line, without a full stop."""
    return one_line(text).rstrip(".")


def format_details(details: object) -> str:
    """Returns the ``details`` of a validation error, of any shape, on one line."""
    if isinstance(details, dict):
        return one_line("; ".join([f"{field}: {format_details(reason)}" for field, reason in details.items()]))
    if isinstance(details, (list, tuple)):
        return one_line(", ".join(format_details(item) for item in details))
    if details is None or details == "":
        return ""
    return one_line(details if isinstance(details, str) else json.dumps(details))


def format_list(texts: t.Iterable[str], limit: int, total: int | None = None) -> str:
    """Returns the first texts and the number of the others: ``a, b and 3 more``. ``total``: their number in all."""
    every = list(texts)
    total = len(every) if total is None else total
    more = f" and {total - limit} more" if total > limit else ""
    return ", ".join(every[:limit]) + more


def format_first(sentences: t.Sequence[str], limit: int) -> str:
    """Returns the first sentences and the number of the others: ``A. B. And 3 more.``"""
    more = [f"And {len(sentences) - limit} more."] if len(sentences) > limit else []
    return " ".join([*sentences[:limit], *more])


def format_count(number: object, noun: str) -> str:
    """Returns ``1 instance`` or ``3 instances``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
