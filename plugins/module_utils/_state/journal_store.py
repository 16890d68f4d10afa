# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store behind the journal: the lines of subjects, and who works on which."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ClawHostersError
from .._text import one_line
from .._times import parse_time
from .store import StoreError

NAME_LIMIT = 100
"""Characters of an incident or order that a holder shows."""


class ConflictError(StoreError):
    """Another process has written this line of the subject."""

    def __init__(self) -> None:
        super().__init__(
            "Another run has written to the journal since this run read it",
            "Run this again: it reads what the other run has done",
        )


@dataclass(frozen=True)
class JournalLine:
    """A line of a subject: of all that is done to one instance, or for one order. Positions are counted from 1."""

    subject: str
    position: int
    text: str
    name: str | None = None
    """Identifies the incident or order, by which subjects are found. None in a line that was read without it."""
    place: str = field(default="", compare=False)
    """Where a store has read it: ``Line 3 of the journal /home/…``."""


@dataclass(frozen=True)
class SubjectLines:
    """The lines that a store holds of one subject, and their damage."""

    subject: str
    lines: list[JournalLine]
    """In their order. Those that are left, if it is damaged."""
    damage: str = ""
    """How it is damaged, as far as the store can see: a clause. A line may be damaged too."""


class DamageError(ClawHostersError):
    """The journal is damaged, so earlier requests are unknown. ``str(error)`` is the whole message.

    ``damage`` is a clause that says how.
    """

    def __init__(self, damage: str, repair_hint: str) -> None:
        self.damage = damage
        super().__init__(
            f"{damage}, so earlier requests are unknown. {repair_hint} if no restore or purchase is in progress. "
            "First check the dashboard: the journal then forgets all that was sent since the copy (everything, without "
            "a copy), and it could be sent again."
        )


@dataclass(frozen=True)
class Holder:
    """The process that works on a subject. Any field but ``subject`` may be unknown."""

    subject: str
    user: str | None = None
    host: str | None = None
    process: int | None = None
    since: str | None = None
    name: str | None = None
    """The incident or order that it works on, as :func:`shorten_name` shows it."""

    @property
    def facts(self) -> dict[str, t.Any]:
        """The fields that are known, by name."""
        return {name: value for name, value in vars(self).items() if name != "subject" and value is not None}

    @property
    def who(self) -> str:
        """The user and the host: ``alice@node2``, as far as they are known."""
        return one_line(f"{self.user}@{self.host}" if self.user and self.host else self.user or "another run")

    def format(self, now: float) -> str:
        """Returns ``alice@node2, process 4711, for 40 s``. ``now`` is Unix time."""
        parts = [self.who]
        if self.process:
            parts.append(f"process {self.process}")
        if since := parse_time(self.since):
            parts.append(f"for {max(now - since.timestamp(), 0):.0f} s")
        return one_line(", ".join(parts))


def shorten_name(name: str) -> str:
    """Returns the name of an incident or order for a holder: short, and without characters that a store rejects."""
    return one_line(name, NAME_LIMIT)
