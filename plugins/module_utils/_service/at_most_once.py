# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends what must not be sent twice: it is written down before it goes out, and so is what came of it (interface 3)."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field

from .._errors import (
    ApiError,
    ClawHostersError,
    RedirectedError,
    SettingsError,
    TlsError,
    TransportError,
)
from .._http.client import Client
from .._http.request import RequestHooks
from .._state.journal import Journal, JournalError, OperationEvent, OperationKey, OperationState

Sent = t.TypeVar("Sent")

_WHAT_CAME = {
    OperationEvent.ACCEPTED: "The service accepted it",
    OperationEvent.UNCLEAR: "It was sent, and its answer was lost",
    OperationEvent.REFUSED: "It was not carried out",
    OperationEvent.COMPLETED: "It was carried out",
    OperationEvent.FAILED: "It was accepted, and went wrong",
}


class OutcomeUnknownError(ClawHostersError):
    """It was sent, and whether it was carried out is not known. ``cause``: why."""

    def __init__(self, cause: ClawHostersError) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass
class AtMostOnce:
    """What is done at most once for ``operation``. It is the witness of its own request: what waits for its turn is not
    sent, and may be tried again."""

    journal: Journal
    operation: OperationKey
    warn: t.Callable[[str], None]
    _notes: dict[str, t.Any] = field(default_factory=dict)

    def record(self) -> OperationState | None:
        """What the journal knows of it. Raises JournalError."""
        return self.journal.read_state(self.operation)

    def lock(self) -> t.ContextManager[bool]:
        """Holds it against other processes; whether it was free. Raises JournalError."""
        return self.journal.lock(self.operation)

    def send(
        self, client: Client, request: t.Callable[[RequestHooks], Sent], notes: dict[str, t.Any], free: str
    ) -> Sent:
        """What ``request`` returns, which must hand on its witness. ``notes`` are kept with the journal's entry.

        Raises OutcomeUnknownError if the outcome is unknown. Any other error means that nothing was done, and
        that it may be tried again, which ``free`` says in words; a JournalError means that it was not sent.
        """
        self._notes = notes
        sent_before = client.usage.requests
        try:
            return request(self)
        except JournalError:
            raise
        except ClawHostersError as error:
            if not_executed(error, sent=client.usage.requests > sent_before):
                self.record_event(OperationEvent.REFUSED, reason=str(error))
                error.add(free)
                raise
            self.record_event(OperationEvent.UNCLEAR, reason=str(error))
            raise OutcomeUnknownError(error) from None

    def record_event(self, event: OperationEvent, **notes: object) -> None:
        """Writes down what came of it; what is known now is not lost when that fails."""
        try:
            self.journal.append(self.operation, event, **notes)
        except JournalError as error:
            self.warn(f"{_WHAT_CAME[event]}, but that could not be written down. {error}")

    # As the witness of the request

    def before_send(self) -> None:
        """Raises JournalError, and then nothing may be sent."""
        try:
            self.journal.append(self.operation, OperationEvent.INTENDED, **self._notes)
        except JournalError as error:
            error.add("Nothing was sent.")
            raise

    def on_rejected(self) -> None:
        """The service said 429. Where that can't be written down the request counts as sent, which is safe."""
        with contextlib.suppress(JournalError):
            self.journal.append(self.operation, OperationEvent.REFUSED, reason="rate limit")


def checked_name(option: str, name: str) -> str:
    """The name of an incident or an order, without white space around it. Raises SettingsError when nothing is left."""
    name = name.strip()
    if not name:
        raise SettingsError(f"{option} is empty. It tells one time from the next: give it a name.")
    return name


def not_executed(error: ClawHostersError, *, sent: bool) -> bool:
    """Whether the service refused it or never saw it, so that it may be tried again.

    ``sent``: a request was counted, so that whatever the error is, something went out.
    """
    if not sent:
        return True
    if isinstance(error, ApiError):
        return 400 <= error.status < 500 and error.status != 408
    if isinstance(error, RedirectedError):
        # The others are also how a service answers what it has done.
        return error.status in (307, 308)
    if isinstance(error, TransportError):
        return not error.may_have_been_sent
    return isinstance(error, TlsError)
