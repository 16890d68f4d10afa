# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats text of the service or of users for the screen, for pages, and for file names. Pure."""

from __future__ import annotations

import hashlib
import re
import typing as t
import unicodedata
from datetime import datetime

from ..module_utils._text import one_line
from ..module_utils._times import format_time

EMPTY = "\N{EN DASH}"
"""Placeholder for a missing value."""

SCREEN_WIDTH = 80
"""Columns of a screen."""

NAME_LIMIT = 80
"""Characters shown of a name; the service does not limit its length."""

_SLUG_LIMIT = 60
_SAFE_IN_FILE_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASH_SUFFIX = re.compile(r"-[0-9a-f]{16}\Z")
"""The end of every generated slug. Text that ends so is replaced, too, so that no two texts have the same slug."""


def format_value(value: object, limit: int = NAME_LIMIT) -> str:
    """Returns a value on one line, without control characters, truncated; a dash if it is None or empty."""
    return one_line(value, limit) if value not in (None, "") else EMPTY


def format_label(name: object, identity: object) -> str:
    """Returns ``NAME (id ID)``; only one of them if the other is missing."""
    if identity is None:
        return format_value(name)
    return (
        f"{format_value(name)} (id {one_line(identity, 20)})"
        if name not in (None, "")
        else f"id {one_line(identity, 20)}"
    )


def text_width(text: str) -> int:
    """Returns the columns of a terminal that ``text`` takes: two for a wide character, none for a combining one."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    is_combining = unicodedata.category(character) in ("Mn", "Me", "Cf")
    return 0 if is_combining else 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, width: int) -> list[str]:
    """Returns ``text`` in lines of at most ``width`` columns. Those after the first are indented more than it.

    A word that would stand alone in the last line takes the clause before it along.
    """
    indent = " " * (len(text) - len(text.lstrip()))
    lines = [indent]
    for word in text.split():
        separator = "" if lines[-1].isspace() or not lines[-1] else " "
        if text_width(lines[-1] + separator + word) > width and separator:
            lines.append(f"{indent}    ")
            separator = ""
        for character in separator + word:
            if text_width(lines[-1] + character) > width:
                lines.append(f"{indent}    ")
            lines[-1] += character
    if len(lines) > 1 and len(lines[-1].split()) == 1:
        end = max(lines[-2].rfind(", "), lines[-2].rfind("; ")) + 1
        clause = f"{indent}    {lines[-2][end + 1 :]} {lines[-1].strip()}"
        if end and text_width(clause) <= width:
            lines[-2:] = [lines[-2][:end], clause]
    return lines


def wrap_lines(lines: t.Iterable[str]) -> list[str]:
    """Returns lines that fit into the screen."""
    return [part for line in lines for part in wrap(line, SCREEN_WIDTH)]


def slugify(text: str) -> str:
    """Returns a file name without path separators, unique for ``text``."""
    if len(text) <= _SLUG_LIMIT and _SAFE_IN_FILE_NAMES.fullmatch(text) and not _HASH_SUFFIX.search(text):
        return text
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", text[: _SLUG_LIMIT * 4]).strip("-")[:_SLUG_LIMIT] or "unnamed"
    return f"{kept}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"


def format_clock(moment: datetime | None) -> str:
    """Returns a time as :func:`format_time` does; a dash for None."""
    return format_time(moment) if moment else EMPTY
