# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats rows as a table of plain text with wrapped cells. Pure."""

from __future__ import annotations

import textwrap
import typing as t
from itertools import zip_longest

GAP = "  "


def format_row(cells: t.Sequence[str], widths: t.Sequence[int]) -> list[str]:
    """Returns the lines of one row, each cell wrapped within the width of its column."""
    columns = [textwrap.wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return [
        GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*columns, fillvalue="")
    ]


def format_table(rows: t.Iterable[t.Sequence[str]], widths: t.Sequence[int]) -> list[str]:
    """Returns the lines of a table. A row of empty cells becomes an empty line."""
    return [line for row in rows for line in (format_row(row, widths) or [""])]
