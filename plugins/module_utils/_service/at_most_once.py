# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends a request at most once: the journal records it before it is sent, and its outcome after it."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._errors import ClawHostersError, PartialError
from .._http.client import Client
from .._http.transport import RequestHooks
from .._progress import InterruptShield
from .._state.journal import UNSEEN, Journal, JournalError, OperationEvent, OperationKey, OperationState
from .._state.journal_store import Holder
from .._state.journal_writer import append_event, describe_sender, lock_operation, read_state, record_outcome
from .._times import format_time

T = t.TypeVar("T")

_EVENT_TEXTS = {
    OperationEvent.ACCEPTED: "The service accepted the request",
    OperationEvent.UNCLEAR: "The request was sent, and its response was lost or unclear",
    OperationEvent.REFUSED: "The request was not executed",
    OperationEvent.COMPLETED: "The request was accepted, and counts as done",
    OperationEvent.FAILED: "The request was accepted, and failed",
}

_END_TEXTS = {OperationEvent.COMPLETED: "has completed", OperationEvent.FAILED: "has failed"}


class OutcomeUnknownError(ClawHostersError):
    """The request was sent, and it is unknown whether it was executed. ``cause`` is the error that hid the outcome."""

    cause: ClawHostersError

    def __init__(self, cause: ClawHostersError) -> None:
        super().__init__(cause, cause)


class UnrecordedError(PartialError):
    """The request was executed, and the journal lacks it."""


@dataclass
class OperationGuard(RequestHooks):
    """Sends the request of one operation, ``key``, at most once.

    It serves as hooks of its own request: a request that still waits for the rate limit is not recorded as sent.
    """

    journal: Journal
    key: OperationKey
    warn: t.Callable[[str], None]
    needs_new_connection = True
    unrecorded: str | None = None
    """Why the last outcome is not in the journal; None if it is."""
    _attempt: str | None = None
    """The attempt whose outcome this run records."""
    _is_intended: bool = False
    """True while an intent of this run awaits its outcome: a refusal would undo the attempt of an earlier run."""
    _facts: dict[str, t.Any] = field(default_factory=dict)
    _shield: InterruptShield | None = None
    """Defers Ctrl-C from the record of the intent to that of the outcome."""
    _is_shielded: bool = False

    def read_state(self) -> OperationState | None:
        """Returns the state of the operation in the journal. Raises JournalError."""
        return read_state(self.journal, self.key)

    def known_state(self) -> OperationState | None:
        """Returns the state without reading the journal again: as long as this run has the lock, nobody else writes it.

        A run that was cut off from the database has lost the lock. ``record_event`` reads what others have written.
        """
        return self.journal.known_state(self.key)

    def take_up(self, state: OperationState | None) -> None:
        """Makes the attempt in ``state`` the one whose outcome this run records."""
        self._attempt = state.attempt if state else None

    def lock(self) -> t.ContextManager[bool]:
        """Locks the operation; the context is False if another process holds the lock. Raises JournalError."""
        return lock_operation(self.journal, self.key)

    def find_holder(self) -> Holder | None:
        """Returns who works on the operation now, None if nobody does. Raises JournalError."""
        return self.journal.find_holder(self.key)

    def send(
        self, client: Client, request: t.Callable[[RequestHooks], T], facts: dict[str, t.Any], retry_hint: str = ""
    ) -> T:
        """Calls ``request``, which must pass on its hooks, and returns its response.

        The journal keeps ``facts``. Raises OutcomeUnknownError if the outcome is unknown. After any other error nothing
        was executed and the operation can be tried again; ``retry_hint`` is then added to the message. A JournalError
        means that nothing was sent.
        """
        self._facts = facts
        self._shield = client.progress.shield
        sent_before = client.stats.requests
        try:
            return request(self)
        except JournalError:
            raise
        except ClawHostersError as error:
            if client.stats.requests == sent_before or not error.may_have_been_executed:
                if self._is_intended:
                    self.record_event(OperationEvent.REFUSED, **error.facts)
                if retry_hint:
                    error.add(retry_hint)
                raise
            self.record_event(OperationEvent.UNCLEAR, **error.facts)
            raise OutcomeUnknownError(error) from None
        except BaseException:
            self._leave_shield()
            raise

    def record_event(
        self, event: OperationEvent, then: t.Callable[[], None] = lambda: None, /, **facts: object
    ) -> None:
        """Writes the event to the journal. If that fails, sets ``unrecorded``: then the run is no success.

        Warns of it too, so that the outcome is not lost if the run goes on or fails for another reason. A deferred
        Ctrl-C waits until ``then`` has returned.
        """
        self._is_intended = False
        try:
            record_outcome(self.journal, self.key, event, self._attempt, **facts)
            self.unrecorded = None
        except JournalError as error:
            self.unrecorded = f"{_EVENT_TEXTS[event]}, but the journal could not be written. {error}"
            self.warn(self.unrecorded)
        try:
            then()
        finally:
            self._leave_shield()

    # RequestHooks

    def before_send(self) -> None:
        """Records the intent. Raises JournalError, which cancels the request, and Cancelled after Ctrl-C."""
        self._enter_shield()
        try:
            append_event(self.journal, self.key, OperationEvent.INTENDED, by=describe_sender(), **self._facts)
        except JournalError as error:
            self._leave_shield()
            error.is_unsent = True
            raise
        self._is_intended = True
        self.take_up(self.known_state())

    def on_rejected(self) -> None:
        """Records that a 429 rejected the request. If that fails, the request counts as sent, which is safe."""
        self._is_intended = False
        with contextlib.suppress(JournalError):
            record_outcome(self.journal, self.key, OperationEvent.REFUSED, self._attempt, http_status=429)
        self._leave_shield()

    def _enter_shield(self) -> None:
        if self._shield and not self._is_shielded:
            self._shield.enter()
            self._is_shielded = True

    def _leave_shield(self) -> None:
        if self._shield and self._is_shielded:
            self._is_shielded = False
            self._shield.leave()


def explain_unknown(what: str, state: OperationState) -> str:
    """Returns how far an earlier run came with ``what``, an operation whose outcome was not recorded."""
    if state.event is OperationEvent.UNCLEAR:
        return f"{what} was sent at {format_at(state.sent_at)}, and {explain_unclear(state)}."
    return f"{what} was about to be sent at {format_at(state.sent_at)}, and the run ended there."


def explain_unclear(state: OperationState) -> str:
    """Returns why it is unknown whether a request was executed: it was answered, or its response was lost."""
    if status := state.facts.get("http_status"):
        return f"it was answered with status {status}, which does not show whether it was executed"
    return "its response was lost or unclear"


def explain_recorded(what: str, state: OperationState) -> str:
    """Returns what the journal holds of ``what``, for a run that can't reach the service."""
    sent_at = format_at(state.sent_at)
    if state.event is OperationEvent.ACCEPTED:
        known = f"{what}, sent at {sent_at}, is still open"
    elif state.event in _END_TEXTS:
        known = f"{what}, sent at {sent_at}, {UNSEEN if state.is_unseen else _END_TEXTS[state.event]}"
    else:
        known = f"{what} may have been sent at {sent_at}, and its outcome is unknown"
    return f"This run sent nothing; {known}."


def format_at(at: str) -> str:
    """Returns a time of the journal as :func:`format_time` does."""
    return format_time(datetime.fromisoformat(at))
