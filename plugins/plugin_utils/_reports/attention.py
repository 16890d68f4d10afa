# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats the instances that need attention as a table for a terminal. Pure."""

from __future__ import annotations

import typing as t

from .._formatting import EMPTY
from .._table import GAP, format_row, measure_columns

Data = dict[str, t.Any]

WIDTH = 69
"""Columns of the table. Ansible prints eleven more around each line of a message."""

MAX_ROWS = 30
_HEADINGS = ("NAME", "ID", "STATUS", "HEALTH", "NEWEST BACKUP")
_LIMITS = ((11, 21, 9, 18), (11, 14, 9, 18))
"""Most columns of each field but the name, which gets the rest. The second, if that rest is too short."""
_UNESCAPED = {ord('"'): "'", ord("\\"): "/"}
"""Ansible prints a message as JSON, where these characters are escaped and take two columns."""
_NAME_WIDTH = 16
"""Columns that a name has at least, if a shorter status allows it."""


def format_attention(page: Data) -> list[str]:
    """Returns the lines of the table, the worst instance first; none if no instance needs attention.

    ``page`` has the variables of the page.
    """
    rows = [_build_cells(row) for row in page["rows"] if row["trouble"] or row["backup"]["late"]]
    if not rows:
        return []
    shown = [_HEADINGS, *rows[:MAX_ROWS]]
    widths = _choose_widths(measure_columns(shown))
    lines = [format_row(row, widths) for row in shown]
    more = len(rows) - MAX_ROWS
    return [*lines, f"And {more} more; the page lists all."] if more > 0 else lines


def _choose_widths(needed: list[int]) -> list[int]:
    name, *others = needed
    for limits in _LIMITS:
        widths = list(map(min, others, limits))
        rest = WIDTH - sum(widths) - len(GAP) * len(widths)
        if rest >= min(name, _NAME_WIDTH):
            break
    return [min(name, rest), *widths]


def _build_cells(row: Data) -> tuple[str, ...]:
    backup = row["backup"]
    age = f"{backup['age']}, overdue" if backup["word"] == "overdue" else backup["age"]
    cells = (row["name"], row["id"], row["status"], row["health"], age)
    return tuple("-" if cell == EMPTY else cell.translate(_UNESCAPED) for cell in cells)
