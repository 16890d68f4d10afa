# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table: rows in sections, and below them what they were measured with."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH = 120
COLUMNS = (("", 40), ("ours", 17), ("hcloud", 17), ("vultr", 17), ("ratio", 10), ("target", 12), ("", 7))


@dataclass(frozen=True)
class Row:
    """One line: what each contestant came to, in the order of the columns. ``met`` is None where there is no target."""

    name: str
    values: Sequence[str]
    ratio: str = ""
    target: str = ""
    met: bool | None = None
    exempt: str = ""
    """Why a target that is missed doesn't count, in a word."""

    def cells(self) -> tuple[str, ...]:
        """The columns."""
        verdict = {None: "", True: "met", False: self.exempt or "short"}[self.met]
        return (self.name, *self.values, self.ratio, self.target, verdict)


@dataclass
class Section:
    """Rows that were measured together, with the commands that they stand for."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """As it is printed."""
        rule = "-" * WIDTH
        lines = ["", self.title, rule]
        lines += [_line(row.cells()) for row in self.rows]
        return lines


def table(sections: list[Section], versions: list[str]) -> str:
    """All of it."""
    lines = ["", _line(tuple(title for title, _width in COLUMNS))]
    for section in sections:
        lines += section.lines()
    short = [row.name for section in sections for row in section.rows if row.met is False and not row.exempt]
    verdict = f"{len(short)} short of their target: {'; '.join(short)}" if short else "Every target is met."
    lines += ["", *textwrap.wrap(verdict, WIDTH)]
    for section in sections:
        lines += ["", f"Behind '{section.title}'"]
        for note in section.notes:
            lines += textwrap.wrap(note, WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
    lines += ["", "Versions", *(f"  {version}" for version in versions)]
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    first, *others = (
        cell.ljust(width) if index in (0, len(COLUMNS) - 1) else cell.rjust(width - 1) + " "
        for index, (cell, (_title, width)) in enumerate(zip(cells, COLUMNS, strict=True))
    )
    return (first + "".join(others)).rstrip()
