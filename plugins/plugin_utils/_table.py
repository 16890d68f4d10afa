# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats rows of text as the lines of a table for a terminal. Pure."""

from __future__ import annotations

import typing as t

from ._formatting import fit, text_width

GAP = "  "

Row = t.Sequence[str]


def measure_columns(rows: t.Iterable[Row]) -> list[int]:
    """Returns the width of the longest cell of each column."""
    return [max(map(text_width, column)) for column in zip(*rows, strict=True)]


def format_row(cells: Row, widths: t.Sequence[int]) -> str:
    """Returns one line. A cell that is wider than its column is cut."""
    return GAP.join(map(fit, cells, widths)).rstrip()
