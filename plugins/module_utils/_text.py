# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes texts short, plain and readable for messages. Pure."""

from __future__ import annotations

import difflib
import functools
import json
import re
import typing as t
import unicodedata

MASK = "********"
"""Replaces a secret."""

KEY_PREFIX = "oc_live_"
"""The beginning of an API key."""

_KEY = re.compile(rf"{KEY_PREFIX}[\w-]{{8,}}")
"""What looks like an API key, wherever it stands."""

SERVICE_TEXT_LIMIT = 200
"""Characters of a text of the service in a message."""

MESSAGE_LIMIT = 4000
"""Characters of a whole message."""

_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that leave nothing on the screen although Unicode counts them as letters, marks or symbols."""

_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")
"""Characters that a terminal obeys: C0 but tab and line break, DEL, C1, and those that turn the direction of text."""

_SIMILAR_NAME = 0.8
"""Ratio of difflib from which a name counts as a misspelling: 0.75 would take ``demo-bot`` for ``docs-bot``."""

_SIMILAR_FIELD = 0.6
"""The same for fields and options, which are few and chosen to differ."""


def replace_controls(text: str) -> str:
    """Returns ``text`` with U+FFFD for each control character."""
    return text if text.isprintable() else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def find_keys(text: str) -> set[str]:
    """Returns all parts of ``text`` that look like an API key: it may have been given as another option by mistake."""
    return set(_KEY.findall(text)) if KEY_PREFIX in text else set()


def mask_keys(text: str) -> str:
    """Returns ``text`` with a mask for all that looks like an API key."""
    return _KEY.sub(MASK, text) if KEY_PREFIX in text else text


def map_texts(value: t.Any, change: t.Callable[[str], str]) -> t.Any:
    """Returns parsed JSON with ``change`` applied to each string in it, including names of fields."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): map_texts(content, change) for name, content in value.items()}
    return [map_texts(entry, change) for entry in value] if isinstance(value, list) else value


def is_number(value: object) -> t.TypeGuard[str]:
    """Returns True for a text of ASCII digits that is not absurdly long, as an id or a count may be written."""
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20


def one_line(text: object, limit: int = SERVICE_TEXT_LIMIT) -> str:
    """Returns ``text`` on one line, without control characters, truncated to ``limit`` characters."""
    start = str(text)[: limit * 4]
    if not start.isprintable():
        start = "".join(character if character.isprintable() else " " for character in start)
    flat = " ".join(start.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def find_invisible(text: str) -> str | None:
    """Returns the first control character, invisible character or blank other than a plain space; None without one."""
    if text.isascii() and text.isprintable():
        return None
    return next((character for character in text if not character.isprintable() or _BLANK.match(character)), None)


def format_character(character: str) -> str:
    """Returns code and name of a character that can't be shown: ``U+200B (ZERO WIDTH SPACE)``."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name})" if name else "")


@functools.lru_cache(maxsize=4096)
def normalize_name(name: str) -> str:
    """Returns the one spelling of a name: in Unicode's NFC, with plain spaces, without invisible characters."""
    if find_invisible(name) is not None:
        spaced = (" " if character.isspace() else character for character in name)
        name = "".join(character for character in spaced if find_invisible(character) is None)
    return unicodedata.normalize("NFC", name).strip()


def format_details(details: object) -> str:
    """Returns the ``details`` of a validation error, of any shape, on one line."""
    if isinstance(details, dict):
        parts = [f"{field}: {format_details(reason)}" for field, reason in details.items()]
        return one_line("; ".join(parts))
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


def format_count(number: int, noun: str) -> str:
    """Returns ``1 instance`` or ``3 instances``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def with_suggestion(field: str, known: t.Iterable[str]) -> str:
    """Returns ``field``, with a similar one of the ``known`` fields if there is one: ``tire (did you mean tier?)``."""
    similar = find_similar(field, known, _SIMILAR_FIELD)
    return f"{field} (did you mean {similar}?)" if similar else field


def find_similar(name: str, known: t.Iterable[str], cutoff: float = _SIMILAR_NAME) -> str | None:
    """Returns the name in ``known`` that ``name`` is probably a misspelling of; None if there is none.

    Names with other digits are other names: ``worker-2`` is not a misspelling of ``worker-1``.
    """
    digits = extract_digits(name)
    by_folded = {one.casefold(): one for one in known if extract_digits(one) == digits}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[near[0]] if near else None


def extract_digits(name: str) -> str:
    """Returns the digits of a name, which tell it from names that are not meant."""
    return "".join(filter(str.isdigit, name))
