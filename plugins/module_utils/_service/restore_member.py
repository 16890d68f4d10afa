# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One restore of a batch: how far it is, what is sent for it, and how it ends (interface 3)."""

from __future__ import annotations

import contextlib
import copy
import enum
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .._errors import (
    ClawHostersError,
    LastSeen,
    PartialError,
    RefusedError,
    WaitTimeoutError,
)
from .._model.fleet_plan import Job, Phase
from .._model.instance import FailureStatusError, StateReached, label, short_name
from .._model.resource import Resource
from .._model.restore import require_restorable
from .._model.restore_item import COMPLETED, IN_FLIGHT, NOT_BEGUN, REFUSED, RestoreItem
from .._model.results import Result
from .._state.journal import JournalError, OperationEvent, OperationState
from .at_most_once import UnrecordedError
from .fleet_changes import FleetChanges
from .instances import InstanceGoneError
from .restore_job import NextStep, RestoreJob, describe_holder
from .restore_observer import RestoreObserver, RestoreStep
from .restore_target import RestoreFinder

NEXT_STEP = "Run the same task again: it waits for this restore, and does not send it again."


@dataclass(frozen=True)
class RestoreTimeouts:
    """Seconds for each batch.

    ``restored``: from the last request of the batch until each instance is restored. ``healthy``: from then until it
    runs and is healthy, for each instance; None to count that within ``restored``.
    """

    restored: float
    healthy: float | None = None


class Stage(enum.Enum):
    """How far a restore is."""

    LOCKED = "locked"  # another run works on it
    RESTORING = "restoring"
    STARTING = "starting"  # restored: waits until it runs and is healthy
    ENDED = "ended"  # failed, or to be verified


@dataclass(frozen=True)
class BatchContext:
    """What all restores of a batch share."""

    finder: RestoreFinder
    timeouts: RestoreTimeouts
    changes: FleetChanges
    observer: RestoreObserver
    _observer_lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, item: RestoreItem, step: RestoreStep) -> None:
        """Tells the observer of a step. Calls do not overlap."""
        with self._observer_lock:
            self.observer.on_step(item, step, datetime.now(UTC))

    def clock(self) -> float:
        """Returns the time by the clock of all waits."""
        return self.finder.client.progress.clock()


class RestoreMember:
    """An item of a batch, its restore, and how far that is. Sets the results of the item."""

    def __init__(self, item: RestoreItem, context: BatchContext) -> None:
        self.item = item
        self.stage = Stage.ENDED
        self.job: RestoreJob = context.finder.job(item.instance, item.backup, None, item.expected_sent_at, NEXT_STEP)
        self.start = Job("started")
        """The change to ``started``, once the stage is STARTING."""
        self._context = context
        self._changes = context.changes
        self._lock = contextlib.ExitStack()
        self._is_restored: StateReached | None = None
        self._seen_at = datetime.now(UTC)
        self._deadline: float | None = None

    @property
    def id(self) -> str:
        """Id of the instance."""
        return str(self.item.instance["id"])

    def describe(self) -> tuple[str, str]:
        """Returns name and condition of the instance."""
        if self.stage is Stage.LOCKED:
            return short_name(self.item.instance), self._describe_holder()
        if self.stage is Stage.STARTING:
            return self._changes.describe(self.start)
        return self.job.describe()

    def _describe_holder(self) -> str:
        holder = None
        with contextlib.suppress(JournalError):
            holder = self.job.guard.find_holder()
        return describe_holder(holder, self._context.finder.journal.now())

    # The lock of the operation

    def acquire(self, locks: contextlib.ExitStack) -> bool:
        """Locks the operation until ``release``, or until ``locks`` closes.

        Returns False if that fails, or if another run works on it.
        """
        with contextlib.ExitStack() as attempt:
            try:
                is_free = attempt.enter_context(self.job.guard.lock())
            except JournalError as error:
                self.fail(error)
                return False
            if is_free:
                self._lock = locks.enter_context(attempt.pop_all())
            else:
                self.stage = Stage.LOCKED
            return is_free

    def release(self) -> None:
        """Unlocks the operation."""
        self._lock.close()

    # Sending

    def decide(self, state: OperationState | None, now: Resource | None) -> NextStep:
        """Decides what is left to do, and begins to wait if an earlier run has sent the restore. Sends nothing.

        ``state``: what the journal holds. ``now``: the instance, None if it does not exist. Raises ClawHostersError
        for what must not be sent. Called while the operation is locked.
        """
        if now is None:
            raise RefusedError(f"{label(self.item.instance)} does not exist any more: nothing was sent.")
        job = self.job
        step = job.decide(state, now, lambda recorded: _find_recorded(job, recorded))
        self.item.current, self.item.backup = job.instance, job.backup
        if step is NextStep.SEND:
            if not job.force:
                require_restorable(now)
            if self.item.outcome != NOT_BEGUN or job.backup is None:
                raise RefusedError(
                    f"An earlier restore of {label(now)} for this incident was not executed, and no backup was chosen "
                    "now: nothing was sent. Run this again."
                )
        elif step is NextStep.WAIT:
            self._update_result(job.build_result(IN_FLIGHT, state))
            self._wait_for_restore(RestoreStep.UNDER_WAY)
        else:
            self._update_result(job.build_result(COMPLETED, state))
            self._begin_start()
        return step

    def send(self) -> None:
        """Sends the restore, and begins to wait for it."""
        self._observe(RestoreStep.SENDING)
        try:
            self.job.send()
        except ClawHostersError as error:
            self.fail(error)
            return
        self.item.changed = self.item.is_restored = True
        self._update_result(self.job.build_result(IN_FLIGHT, self.job.guard.known_state()))
        self._wait_for_restore(RestoreStep.ACCEPTED)

    def _wait_for_restore(self, step: RestoreStep) -> None:
        self.stage = Stage.RESTORING
        self._is_restored = self.job.finished_predicate()
        self._observe(step)

    # Waiting

    def limit_wait(self) -> None:
        """Sets the time at which the restore must have ended, if that may be before the end of the batch's wait."""
        timeouts = self._context.timeouts
        if timeouts.healthy is not None and self.stage in (Stage.LOCKED, Stage.RESTORING):
            self._deadline = self._context.clock() + timeouts.restored

    @property
    def is_overdue(self) -> bool:
        """True if the time limit of the stage has passed."""
        return self._deadline is not None and self._context.clock() >= self._deadline

    def update(self, now: Resource | None) -> None:
        """Updates the item from the instance as a poll shows it, None if it does not exist."""
        if now is None:
            self.fail(InstanceGoneError(f"{label(self.item.instance)} does not exist any more: it was deleted."))
            return
        self.item.current, self._seen_at = now, datetime.now(UTC)
        if self.stage is Stage.STARTING:
            self._update_start(now)
            return
        self.job.instance = now
        try:
            if self._is_restored is None or not self._is_restored(now):
                return
            self._update_result(self.job.complete(now))
        except FailureStatusError as failure:
            self.fail(self.job.record_failure(failure))
        except UnrecordedError as error:
            self.fail(error)
        else:
            self._begin_start()

    def _begin_start(self) -> None:
        """Follows a restored instance until it runs and is healthy; decides whether it must be started."""
        self.stage, self._deadline = Stage.STARTING, None
        if (seconds := self._context.timeouts.healthy) is not None:
            self._deadline = self._context.clock() + seconds
        self.start = Job("started", found=self.item.current)
        self.start.decide(self.item.current)
        self._changes.wait_for_unchanged(self.start)
        self._observe(RestoreStep.RESTORED)
        self.end_start()

    def _update_start(self, now: Resource) -> None:
        if self.start.phase is Phase.READY:
            # It was decided from an instance that may have been read long before.
            self.start.decide(now)
            self._changes.wait_for_unchanged(self.start)
        else:
            self._changes.update(self.start, now)

    def announce_start(self) -> None:
        """Tells the observer of a start that is sent next."""
        if self.start.phase is Phase.READY:
            self._observe(RestoreStep.STARTING)

    def end_start(self) -> None:
        """Ends the stage if the instance runs and is healthy, or if it can't."""
        start = self.start
        self.item.changed = self.item.changed or start.changed
        self.item.current = start.current or self.item.current
        if start.phase is not Phase.DONE:
            return
        if start.error is not None:
            self.fail(PartialError(f"It was restored. {start.error}", {}, start.cause))
            return
        self.stage = Stage.ENDED
        self._observe(RestoreStep.RUNNING)

    # The end

    def verify(self) -> None:
        """Ends an item that runs as done, unless the observer finds a fault."""
        try:
            self._context.observer.verify(self.item)
        except ClawHostersError as error:
            self.fail(error)
            return
        self.item.is_done = True
        self._observe(RestoreStep.DONE)

    def give_up(self, error: ClawHostersError) -> None:
        """Ends an item as failed whose wait ended with ``error``."""
        timeouts = self._context.timeouts
        if self.stage is Stage.STARTING:
            reason = self._changes.explain_unfinished(self.start, error, timeouts.healthy or timeouts.restored)
            cause = error.cause or (None if isinstance(error, WaitTimeoutError) else error)
            self.fail(PartialError(f"It was restored. {reason}", {}, cause))
            return
        own = copy.copy(error)
        name, condition = self.describe()
        if isinstance(error, WaitTimeoutError):
            answer = f"no answer ({error.cause.reason}); last seen " if error.cause else ""
            goal = f"not restored within {timeouts.restored:g} s (wait_timeout)."
            own = WaitTimeoutError(f"{name}: {answer}{condition}, and {goal}", error.cause)
        own.last_seen = LastSeen(self.job.instance, condition, self._seen_at)
        if self.stage is Stage.RESTORING:
            self.fail(self.job.unfinished_error(own))
            return
        state = self.job.guard.known_state()
        outcome = state.outcome if state and state.event is not OperationEvent.INTENDED else IN_FLIGHT
        result = self.job.build_result(outcome, state, own)
        self.fail(PartialError(f"{own} This run sent nothing for it. {self.job.run_again(own)}", result, own))

    def fail(self, error: ClawHostersError) -> None:
        """Ends the item as failed. The error has what is known of the restore, unless nothing was sent."""
        self.stage = Stage.ENDED
        result = error.result if isinstance(error, PartialError) else {}
        if result.get("restore"):
            self._update_result(result)
        elif self.item.outcome not in (COMPLETED, IN_FLIGHT):
            state = None if self.job.force else self.job.guard.known_state()
            self.item.outcome = state.outcome if state else REFUSED
        self.item.fail(error)
        self._observe(RestoreStep.FAILED)

    def _update_result(self, result: Result) -> None:
        self.item.current, self.item.backup = result["instance"], result["backup"]
        self.item.restore, self.item.outcome = result["restore"], result["restore"]["outcome"]

    def _observe(self, step: RestoreStep) -> None:
        self._context.observe(self.item, step)


def _find_recorded(job: RestoreJob, state: OperationState) -> Resource:
    """Returns the backup that the journal names; only its id if it is not the one that was given."""
    backup_id = state.notes.get("backup_id")
    return job.backup if job.backup and str(job.backup["id"]) == str(backup_id) else {"id": backup_id}
