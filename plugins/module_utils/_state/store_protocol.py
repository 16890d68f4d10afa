# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store behind rate budget and journal: files of one machine, or a database of many.

Its users don't know which one they have. Only for type checking.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .journal_store import Holder, JournalLine, SubjectLines


class Document(t.Protocol):
    """A small text that is locked while this object is in use."""

    clock_offset: float
    """Seconds by which the clock of the store is ahead of this machine's."""

    def read(self) -> str:
        """Returns the content, empty at first."""

    def write(self, text: str) -> None:
        """Replaces the content."""


class Store(t.Protocol):
    """Keeps documents and snapshots. All methods raise StoreError."""

    min_delay: float
    """Seconds between two looks at a document, at least: a look may cost a network."""

    def locked_document(self, name: str, *, within: float) -> t.ContextManager[Document]:
        """Locks a document, after waiting for ``within`` seconds at most."""

    def read_snapshot(self, name: str) -> str:
        """Returns what was written last under this name; empty if nothing was."""

    def write_snapshot(self, name: str, text: str) -> None:
        """Replaces it, as a whole or not at all."""

    def process_id(self) -> str:
        """Returns a name of this process that no other user of the store has."""

    def has_ended(self, process_id: str) -> bool:
        """Returns True if the process has certainly ended."""


class JournalStore(t.Protocol):
    """The lines of the journal, and locks. All methods raise StoreError."""

    repair_hint: str
    """Advice about a damaged journal, as the beginning of a sentence that goes on with "if"."""

    @property
    def place(self) -> str:
        """Where it is: the path of a folder, or the name of an option."""

    def read_subjects(self, subjects: t.Collection[str] | None = None) -> list[SubjectLines]:
        """Returns what it holds of these subjects, or of all."""

    def find_subjects(self, name: str) -> set[str]:
        """Returns the subjects that have a line with this ``name``, and perhaps others."""

    def read_positions(self) -> dict[str, int]:
        """Returns the last position that each subject has now."""

    def now(self) -> float:
        """Returns Unix time by the store's clock, on which all its users agree."""

    def append(self, lines: t.Sequence[JournalLine], *, again: bool = False) -> None:
        """Adds the last of these lines, which are all of their subject. It is durable when this returns.

        Raises DamageError, and ConflictError if the subject has this line, or lacks the one before it. A store that has
        lost its connection, and with it the hold of a subject, connects only ``again``, and then writes what it lacks
        of the lines, since a failover may have lost some.
        """

    def hold(self, subject: str, name: str) -> t.ContextManager[Holder | None]:
        """Holds a subject until the block or this process ends. Yields None, or else who holds it.

        Raises DamageError. ``name`` is the incident or order, for display.
        """

    def holders(self, subject: str | None = None) -> dict[str, Holder]:
        """Returns who holds which subject now, or this one, by subject."""
