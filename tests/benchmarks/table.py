# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table: rows in sections, followed by notes on the measurements."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH = 120
WIDTHS = (40, 17, 17, 17, 10, 12, 7)
CONTESTANTS = ("ours", "hcloud", "vultr")


@dataclass(frozen=True)
class Row:
    """One line with the values of each contestant, in column order. ``met`` is None without a target."""

    name: str
    values: Sequence[str]
    ratio: str = ""
    target: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        verdict = {None: "", True: "met", False: "missed"}[self.met]
        return (self.name, *self.values, self.ratio, self.target, verdict)


@dataclass
class Section:
    """Rows measured together, with notes on their commands."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        rule = "-" * WIDTH
        lines = ["", self.title, _line(("", *CONTESTANTS, "ratio", "target", "")), rule]
        lines += [_line(row.cells()) for row in self.rows]
        return lines


def table(sections: list[Section], versions: list[str]) -> str:
    lines = []
    for section in sections:
        lines += section.lines()
    missed = [row.name for section in sections for row in section.rows if row.met is False]
    verdict = f"Missed targets ({len(missed)}): {'; '.join(missed)}" if missed else "All targets met."
    lines += ["", *textwrap.wrap(verdict, WIDTH)]
    for section in sections:
        lines += ["", f"Notes on '{section.title}'"]
        for note in section.notes:
            lines += textwrap.wrap(note, WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
    lines += ["", "Versions", *(f"  {version}" for version in versions)]
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    first, *others = (
        cell.ljust(width) if index in (0, len(WIDTHS) - 1) else cell.rjust(width - 1) + " "
        for index, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return (first + "".join(others)).rstrip()
