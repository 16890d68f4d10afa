# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many instances the playbook ``restore_unhealthy`` may restore, by its notes in the journal.

They have a subject of their own. Of two runs that decide at the same moment, one alone writes its next line.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from ...module_utils._errors import RefusedError
from ...module_utils._state.journal import NOTE, NoteKind, OperationEvent, OperationKey
from ...module_utils._state.journal_writer import JournalConflictError, append_note, record_note
from ...module_utils._text import format_count
from ...module_utils._times import CLOCK_TOLERANCE, format_time
from .role_run import UNHEALTHY

if t.TYPE_CHECKING:
    from ...module_utils._state.journal import Journal, JournalEntry

PERIOD = timedelta(hours=1)
"""For so long a restore counts, and nothing is restored after too many instances were unhealthy."""


class UnhealthyLimit:
    """At most ``at_most`` instances may be unhealthy, or restored by the playbook within the period."""

    def __init__(self, journal: Journal, service: str, at_most: int) -> None:
        self._journal, self._service, self._at_most = journal, service, at_most
        self._key = OperationKey(UNHEALTHY, service, UNHEALTHY)

    def find_reason(self, unhealthy: t.Collection[str], *, writes: bool = True) -> str:
        """Returns why nothing is restored while these instances are unhealthy; empty if one of them may be.

        ``writes``: notes that they are too many. Raises JournalError.
        """
        now = self._journal.now()
        notes = self._journal.read_entries([self._key.subject])
        count = len({*unhealthy, *self._find_restored(notes, now)})
        if count > self._at_most:
            if writes:
                record_note(self._journal, self._key, NoteKind.DECLINED, unhealthy=sorted(unhealthy))
            return (
                f"{format_count(count, 'instance')} {'is' if count == 1 else 'are'} unhealthy now, or chosen by this "
                f"playbook within the last hour, and restore_unhealthy_at_most is {self._at_most}: look for a common "
                "cause."
            )
        declined = [note["at"] for note in notes if note[NOTE] == NoteKind.DECLINED.value]
        if recent := [at for at in declined if _is_recent(at, now)]:
            at = datetime.fromisoformat(max(recent))
            return (
                f"At {format_time(at)}, more instances were unhealthy than restore_unhealthy_at_most: nothing is "
                f"restored until {format_time(at + PERIOD)}, since those that are left may recover as well."
            )
        return ""

    def _find_restored(self, notes: t.Sequence[JournalEntry], now: datetime) -> set[str]:
        """Returns the instances whose restores were sent within the period, or may still be sent."""
        allowed = [note for note in notes if note[NOTE] == NoteKind.ALLOWED.value]
        keys = [OperationKey("restore", self._service, note["incident"], note["restores"]) for note in allowed]
        states = self._journal.read_states({key.subject for key in keys}, with_refused=True) if keys else {}
        found = set()
        for note, key in zip(allowed, keys, strict=True):
            state = states.get(key)
            is_refused = state is not None and state.event is OperationEvent.REFUSED
            if not is_refused and _is_recent(max(note["at"], state.sent_at if state else ""), now):
                found.add(note["restores"])
        return found

    def claim(self, instance_id: str, incident: str) -> None:
        """Notes that an instance is restored for an incident. Raises RefusedError if that is one too many."""
        while True:
            if reason := self.find_reason({instance_id}):
                raise RefusedError(reason, is_unsent=True)
            try:
                append_note(self._journal, self._key, NoteKind.ALLOWED, restores=instance_id, incident=incident)
                return
            except JournalConflictError:
                continue  # another run has decided meanwhile


def _is_recent(at: str, now: datetime) -> bool:
    """Returns True within the period. A time that lies ahead counts as unknown."""
    return -CLOCK_TOLERANCE <= now - datetime.fromisoformat(at) <= PERIOD
