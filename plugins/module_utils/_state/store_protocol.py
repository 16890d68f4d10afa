# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store behind the rate budget and the change log: files of one machine, or a database of many.

Its users don't know which one they have. Only for type checking.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from datetime import datetime


class Document(t.Protocol):
    """A small text that is locked while this object is in use."""

    clock_offset: float
    """Seconds by which the clock of the store is ahead of this machine's."""

    def read(self) -> str:
        """Returns the content, empty at first."""

    def write(self, text: str) -> None:
        """Replaces the content."""


class Store(t.Protocol):
    """Keeps documents. All methods raise StoreError. The journal has a protocol of its own."""

    min_delay: float
    """Seconds between two looks at a document, at least: a look may cost a network."""
    clock_offset: float
    """Seconds by which its clock is ahead of this machine's, as far as that is known."""

    def locked_document(self, name: str, *, within: float) -> t.ContextManager[Document]:
        """Locks a document, after waiting for ``within`` seconds at most."""

    def process_id(self) -> str:
        """Returns a name of this process that no other user of the store has."""

    def has_ended(self, process_id: str) -> bool:
        """Returns True if the process has certainly ended."""


class ChangeStore(t.Protocol):
    """Keeps the change log. All methods raise StoreError."""

    clock_offset: float
    """Seconds by which its clock is ahead of this machine's, as far as that is known."""

    def add_changes(self, lines: t.Sequence[str]) -> None:
        """Adds entries to the change log, without waiting until they are durable."""

    def read_changes(self, since: datetime) -> t.Iterable[str]:
        """Returns the entries of the change log since this time, and perhaps earlier ones, newest first.

        Those that nobody asks for are not read.
        """
