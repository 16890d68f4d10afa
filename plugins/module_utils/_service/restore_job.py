# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restore of one instance: what an earlier run did, the request, and how it ended (contract 7).

``claw_backup_restore`` runs one job, ``claw_fleet_restore`` many. Both do the polling themselves.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import ClawHostersError, PartialError, RefusedError, UnauthorizedError, WaitTimeoutError
from .._http.client import Client
from .._model.backup import summarize_backup, taken_at
from .._model.instance import (
    FailureStatusError,
    StateReached,
    describe_instance,
    is_busy,
    label,
    short_name,
)
from .._model.resource import Resource
from .._model.restore import SHORTEST_RESTORE, explain_obstacle, require_same_name, restore_finished
from .._model.restore_item import COMPLETED, FAILED, IN_FLIGHT, PLANNED, UNKNOWN
from .._model.results import Result
from .._state.journal import OperationEvent, OperationState
from .._state.store import Holder
from .._times import format_iso
from .._waiter import format_last_seen
from .at_most_once import OperationGuard, OutcomeUnknownError, UnrecordedError, explain_unknown, format_at, parse_at
from .backups import backup_path
from .instances import fetch_instance
from .restore_history import is_under_way

NEXT_STEP = "Run the same task again: it continues waiting, and sends nothing."


class NextStep(enum.Enum):
    """What is left to do for a restore."""

    SEND = "send"
    WAIT = "wait"  # an earlier run has sent it
    NONE = "none"  # it is completed


@dataclass
class RestoreJob:
    """The restore of ``instance`` from ``backup``. The caller holds the lock of ``guard``, except in check mode.

    ``instance`` is as last seen. ``changed``: this run has sent the restore, and it was accepted.
    """

    client: Client
    incident: str
    guard: OperationGuard
    instance: Resource
    backup: Resource | None
    warn: t.Callable[[str], None]
    force: bool = False
    expected_sent_at: str | None = None
    """As in :class:`RestoreQuery`."""
    next_step: str = NEXT_STEP
    """The sentence that says how to go on if the wait ends early."""
    changed: bool = False

    @property
    def _backup(self) -> Resource:
        return t.cast("Resource", self.backup)

    def decide(
        self, state: OperationState | None, now: Resource, find_recorded: t.Callable[[OperationState], Resource]
    ) -> NextStep:
        """Returns what is left to do. ``state`` and ``now``, the instance, were read under the lock.

        ``find_recorded`` returns the backup that the journal names. Raises RefusedError if the picture has changed
        since the restore was planned, and PartialError if an earlier restore failed, or if its outcome is unknown.
        """
        is_expected = self.expected_sent_at in (None, state.sent_at if state else "")
        before, self.instance = self.instance, now
        self.guard.take_up(state)
        if state is not None and not (self.force and is_expected):
            was_busy = is_busy(before) or is_busy(now)
            return self._resume(state, find_recorded(state), was_busy=was_busy)
        if not is_expected:
            raise RefusedError(
                f"Incident {self.incident}: another run was to send the restore of {label(before)} at "
                f"{self.expected_sent_at}, but it was not executed, and this run only waited for it. "
                "Nothing was sent. Check the plan again."
            )
        require_same_name(before, now)
        return NextStep.SEND

    def _resume(self, state: OperationState, recorded: Resource, *, was_busy: bool) -> NextStep:
        """Takes up an earlier restore of the backup ``recorded``. ``was_busy``: as during a restore."""
        given, self.backup = self.backup, recorded
        if given is not None and str(given["id"]) != str(recorded["id"]):
            self.warn(
                f"Incident {self.incident} has already used backup {recorded['id']}, so backup {given['id']} is not "
                "restored. Use another incident for it."
            )
        if state.event is OperationEvent.COMPLETED:
            return NextStep.NONE
        if state.event is OperationEvent.FAILED:
            raise PartialError(
                f"Incident {self.incident}: the restore of {label(self.instance)}, sent at {state.sent_at}, failed. "
                f"The instance is {self.instance.get('status')} now. "
                f"{explain_obstacle(self.instance) or 'Nothing was sent again; force: true would send it.'}",
                self.build_result(FAILED, state),
            )
        if is_under_way(state, self.guard.journal.now(), was_busy=was_busy):
            return NextStep.WAIT
        raise self._unknown_error(f"Incident {self.incident}: {explain_unknown('a restore', state)}", state)

    def send(self) -> None:
        """Sends the restore, and records that it was accepted.

        Raises PartialError if it is unknown whether it was executed. After any other error it was not.
        """
        backup = self._backup
        taken = taken_at(backup)
        notes = {
            "backup_id": backup["id"],
            "taken_at": taken.isoformat() if taken else None,
            "instance_name": self.instance.get("name"),
        }
        try:
            self.guard.send(
                self.client,
                lambda hooks: self.client.request("POST", f"{backup_path(backup['id'])}/restore", hooks=hooks),
                notes,
                "Nothing was restored; you can run the same incident again.",
            )
        except OutcomeUnknownError as unclear:
            self._read_outcome(unclear.cause)
        self.guard.record_event(OperationEvent.ACCEPTED)
        self.changed = True

    def _read_outcome(self, error: ClawHostersError) -> None:
        """Reads the instance after a lost response: if it has become busy, the restore has begun."""
        try:
            now = fetch_instance(self.client, self.instance["id"])
        except ClawHostersError:
            now = None
        was_busy, self.instance = is_busy(self.instance), now or self.instance
        if now is None or not is_busy(now) or was_busy:
            raise self._unknown_error(str(error), self.guard.known_state(), error)
        self.warn(f"{error} {label(now)} is {now.get('status')} now, so the restore has begun.")

    def _unknown_error(
        self, reason: str, state: OperationState | None, cause: ClawHostersError | None = None
    ) -> PartialError:
        advice = "Check it; nothing is sent again for this incident without force: true."
        if obstacle := explain_obstacle(self.instance):
            advice = f"{obstacle} Nothing is sent again for this incident."
        return PartialError(
            f"{reason} It is unknown whether the restore of {label(self.instance)} was executed: the instance is "
            f"{self.instance.get('status')} now. {advice}",
            self.build_result(UNKNOWN, state),
            cause,
        )

    # Waiting

    def finished_predicate(self) -> StateReached:
        """Returns the predicate for the instance of an accepted restore."""
        clock, seconds = self.client.progress.clock, _seconds_since(self.guard.known_state(), self.guard.journal.now())
        return restore_finished(self.instance, clock, seconds)

    def describe(self) -> tuple[str, str]:
        """Returns name and condition for progress lines, where ``running`` alone would read as done."""
        name, condition = describe_instance(self.instance)
        return name, condition if is_busy(self.instance) else f"{condition} (restore not yet verified)"

    def complete(self, now: Resource) -> Result:
        """Records that the restore is completed. Returns the result. Raises UnrecordedError."""
        self.instance = now
        self.guard.record_event(OperationEvent.COMPLETED, status=now.get("status"))
        self.require_recorded()
        return self.build_result(COMPLETED, self.guard.known_state())

    def require_recorded(self) -> None:
        """Raises UnrecordedError, with the outcome that the journal holds, if it lacks what this run has seen."""
        if self.guard.unrecorded:
            state = self.guard.known_state()
            raise UnrecordedError(self.guard.unrecorded, self.build_result(state.outcome if state else UNKNOWN, state))

    def record_failure(self, failure: FailureStatusError) -> PartialError:
        """Records that the accepted restore ended in a failure. Returns the error."""
        self.instance = now = failure.instance
        self.guard.record_event(OperationEvent.FAILED, status=now.get("status"))
        return PartialError(
            f"The restore of backup {self._backup['id']} was accepted, but {label(now)} is {now.get('status')} now. "
            "See the dashboard. To restore another backup, use backup_id and another incident.",
            self.build_result(FAILED, self.guard.known_state()),
        )

    def unfinished_error(self, error: ClawHostersError) -> PartialError:
        """Returns the error for a wait that ended with ``error`` before the restore did."""
        state = self.guard.known_state()
        before, self.instance = self.instance, error.last_seen.resource if error.last_seen else self.instance
        message = self._explain_unfinished(error, before, state)
        return PartialError(message, self.build_result(IN_FLIGHT, state, error), error)

    def _explain_unfinished(self, error: ClawHostersError, instance: Resource, state: OperationState | None) -> str:
        """Returns the message of a wait for an accepted restore that ended with ``error``."""
        if state is None or state.event is OperationEvent.ACCEPTED:
            accepted = f"The restore was accepted at {format_at(state.at if state else None)}"
        else:
            # After a lost response nothing but the time of the request is known.
            accepted = f"The restore was sent at {format_at(state.sent_at)}"
        if isinstance(error, WaitTimeoutError):
            return f"{error} {accepted}. {self.run_again(error)}"
        name, seen = short_name(instance), ""
        if error.last_seen:
            seen = f"; {name} was {format_last_seen(error.last_seen.condition, error.last_seen.at)}"
        if isinstance(error, UnauthorizedError):
            return f"The API key is no longer accepted: {error} {accepted} and goes on{seen}. {self.run_again(error)}"
        return f"{error} {accepted}, but its outcome can't be read now{seen}. {self.run_again(error)}"

    def run_again(self, error: ClawHostersError) -> str:
        """Returns the sentence that says how to go on after ``error``."""
        if isinstance(error, UnauthorizedError):
            return f"With a valid key, {self.next_step[:1].lower()}{self.next_step[1:]}"
        return self.next_step

    def build_result(
        self,
        outcome: str,
        state: OperationState | None,
        error: ClawHostersError | None = None,
    ) -> Result:
        """Returns the result of a task for this restore. ``error``: why the outcome can't be read now."""
        changed = self.changed or outcome == PLANNED
        before = {"id": self.instance["id"], "name": self.instance.get("name"), "restored_from": None}
        return {
            "changed": changed,
            "backup": self.backup,
            "instance": self.instance,
            "restore": {
                "incident": self.incident,
                "sent_at": state.sent_at if state else None,
                "completed_at": state.completed_at if state else None,
                "outcome": outcome,
                "failure": error.kind if error else None,
                "last_seen": _summarize_last_seen(error),
            },
            "diff": {
                "before": before,
                "after": {**before, "restored_from": summarize_backup(self.backup)} if changed else before,
            },
        }


def describe_holder(holder: Holder | None, now: datetime) -> str:
    """Returns who holds the lock of a restore, for progress lines. ``holder`` is None if the store does not name it."""
    return f"held by {holder.format(now.timestamp())}" if holder else "another run is restoring it"


def _seconds_since(state: OperationState | None, now: datetime) -> float:
    """Returns the age of the restore, between 0 and SHORTEST_RESTORE even if the clock was changed since."""
    age = (now - parse_at(state.sent_at)).total_seconds() if state else 0.0
    return min(max(age, 0.0), SHORTEST_RESTORE)


def _summarize_last_seen(error: ClawHostersError | None) -> dict[str, object] | None:
    """Returns the ``last_seen`` of a result: what a wait saw last of the instance."""
    if error is None or error.last_seen is None or not isinstance(error.last_seen.resource, dict):
        return None
    instance = error.last_seen.resource
    return {
        "status": instance.get("status"),
        "health_status": instance.get("health_status"),
        "at": format_iso(error.last_seen.at),
    }
