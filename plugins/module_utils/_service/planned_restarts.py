# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends each restart of a plan at most once, however often the plan is applied: the journal knows it by the digest."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._http.client import Client
from .._http.transport import RequestHooks
from .._model.saved_plan import Approval, PlannedChange
from .._state.journal import Journal, OperationEvent, OperationKey
from .at_most_once import OperationGuard, OutcomeUnknownError, format_at


@dataclass
class PlannedRestarts:
    """The restarts of a plan. ``digest`` is that of the plan."""

    client: Client
    journal: Journal
    digest: str

    def _key(self, instance_id: object) -> OperationKey:
        return OperationKey("restart", self.client.settings.api_url, self.digest, str(instance_id))

    def read(self, ids: t.Iterable[object]) -> None:
        """Reads what the journal holds of these instances. Raises JournalError."""
        self.journal.read_states([self._key(instance_id).subject for instance_id in ids])

    def approve(self, change: PlannedChange) -> Approval:
        """Returns what the plan allows for the instance of a change, by the journal as it was read."""
        state = self.journal.known_state(self._key(change.id))
        if state is None:
            return Approval(change, send_once=self._send_once)
        return Approval(change, format_at(state.sent_at), state.event is OperationEvent.ACCEPTED)

    def _send_once(self, instance_id: object, request: t.Callable[[RequestHooks], t.Any]) -> t.Any:
        """Returns the result of ``request``, which sends the restart with the hooks that it gets. Raises its errors.

        Raises JournalConflictError if another run of the plan has sent it since the journal was read.
        """
        guard = OperationGuard(self.journal, self._key(instance_id), self.client.warn)
        try:
            answer = guard.send(self.client, request, {})
        except OutcomeUnknownError as unclear:
            raise unclear.cause from None
        guard.record_event(OperationEvent.ACCEPTED)
        return answer
