# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder ``state_dir`` of a machine that uses a database, too: two memories that don't know each other.

A machine that gets a database keeps its folder, with restores and purchases that the database doesn't know. And a run
without the database, such as one whose variable is missing, would not know what is recorded there.
"""

from __future__ import annotations

import contextlib

from .._text import one_line
from .folder_store import FolderStore
from .journal import JournalError, OperationKey, parse_subject, replay
from .journal_store import DamageError
from .store import StoreError

LOCK_TIMEOUT = 2.0
"""Seconds to wait for a lock that is held for a moment."""


class MachineFolder:
    """The folder. ``digest`` is that of service and key.

    One that is missing, or that somebody else owns or could have written to, is no memory of this machine.
    """

    def __init__(self, state_dir: str, digest: str) -> None:
        self._store = FolderStore(state_dir)
        self._document = f"database-{digest}"
        self._is_remembered = False

    def require_unknown(self, operation: OperationKey) -> None:
        """Raises JournalError if its journal knows ``operation``, or can't be read. The database does not know it."""
        try:
            if not self._store.is_own():
                return
            found = self._store.read_subjects([operation.subject])
            entries = [entry for one in found for entry in parse_subject(one, self._store.repair_hint)]
        except (StoreError, DamageError) as error:
            end = "." if isinstance(error, StoreError) else ""
            raise JournalError(
                f"This {operation.kind} is not in state_database. The journal in {self._path} may contain it, "
                f"but can't be read. {error}{end}"
            ) from None
        if state := replay(entries).get(operation):
            raise JournalError(
                f"The journal in {self._path} contains this {operation.kind}, sent at {state.sent_at}, but "
                "state_database does not. An administrator of the database must import the folder: "
                f"claw_state_database with import_dir: {self._path}."
            )

    def remember_database(self) -> None:
        """Remembers that a database is used for this account. A folder that can't be written to stops nothing."""
        if not self._is_remembered:
            self._is_remembered = True
            with contextlib.suppress(StoreError), self._store.locked_document(self._document, within=LOCK_TIMEOUT):
                pass  # the file says it

    def find_warning(self) -> str | None:
        """Returns what to warn of in a run without a database: it was used for this account. Else None."""
        with contextlib.suppress(StoreError):
            if self._store.has_document(self._document):
                return (
                    "On this machine, restores and purchases of this service and key were recorded in a database, and "
                    "state_database is not set. This task runs without it, and does not know what is recorded there. "
                    f"Set state_database, or, if that is no longer used, delete {self._path}/{self._document}.json."
                )
        return None

    @property
    def _path(self) -> str:
        return one_line(self._store.place)
