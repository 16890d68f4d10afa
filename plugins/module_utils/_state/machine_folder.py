# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder ``state_dir`` of a machine that uses a database, too: two memories that don't know each other.

A machine that gets a database keeps its folder, with restores and purchases that the database doesn't know. And a run
without the database, such as one whose variable is missing, would not know what is recorded there. Only a task with a
database imports this.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._text import one_line
from .journal import JournalError, OperationKey, parse_subject, replay
from .journal_store import DamageError
from .store import StoreError

if t.TYPE_CHECKING:
    from .folder_journal import FolderStore

LOCK_TIMEOUT = 2.0
"""Seconds to wait for a lock that is held for a moment."""


class MachineFolder:
    """The folder in ``store``. The ``document`` in it says that a database is used for this account.

    A folder that is missing, or that somebody else owns or could have written to, is no memory of this machine.
    """

    def __init__(self, store: FolderStore, document: str) -> None:
        self._store = store
        self._document = document
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

    @property
    def _path(self) -> str:
        return one_line(self._store.place)
