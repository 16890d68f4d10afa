# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One batch of restores: sends them together, and waits for all with one waiter (interface 3)."""

from __future__ import annotations

import contextlib
import copy
import enum
import threading
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .._concurrency import map_ordered
from .._errors import (
    ClawHostersError,
    LastSeen,
    PartialError,
    RefusedError,
    WaitTimeoutError,
)
from .._http.client import Client
from .._model.fleet_plan import Job, Phase
from .._model.instance import FailureStatusError, StateReached, label, short_name
from .._model.resource import Resource
from .._model.restore import RESTORE_POLL_SHARE, require_restorable
from .._model.restore_item import COMPLETED, IN_FLIGHT, NOT_BEGUN, REFUSED, RestoreItem
from .._model.results import Result
from .._state.journal import JournalError, OperationEvent, OperationState
from .._waiter import Waiter, describe_remaining
from .fleet_changes import FleetChanges
from .instance_reader import InstanceReader
from .restore_job import NextStep, RestoreJob, describe_holder
from .restore_observer import RestoreObserver, RestoreStep
from .restore_target import RestoreFinder

NEXT_STEP = "Run the same task again: it waits for this restore, and sends it no second time."


@dataclass(frozen=True)
class RestoreTimeouts:
    """Seconds for each batch.

    ``restored``: from the last request of the batch until each instance is restored. ``healthy``: from then until it
    runs and is healthy, for each instance; None to count that within ``restored``.
    """

    restored: float
    healthy: float | None = None


class _Stage(enum.Enum):
    LOCKED = "locked"  # another run works on it
    RESTORING = "restoring"
    STARTING = "starting"  # restored: waits until it runs and is healthy
    ENDED = "ended"  # failed, or to be verified


@dataclass(eq=False)
class _Work:
    """An item in the batch, with its parts."""

    item: RestoreItem
    job: RestoreJob
    stage: _Stage = _Stage.ENDED
    lock: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """Holds the operation until the item has ended."""
    is_restored: StateReached = field(init=False, repr=False)
    """Set while RESTORING."""
    start: Job = field(init=False, repr=False)
    """The change to ``started``; set while STARTING."""
    seen_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    deadline: float | None = None
    """Time of the clock at which the stage must have ended, if that is before the end of the wait."""

    @property
    def id(self) -> str:
        return str(self.item.instance["id"])


class RestoreBatch:
    """Restores the items of one batch, and sets their results."""

    def __init__(
        self,
        finder: RestoreFinder,
        reader: InstanceReader,
        timeouts: RestoreTimeouts,
        observer: RestoreObserver,
        *,
        wait_healthy: bool,
    ) -> None:
        self._finder = finder
        self._reader = reader
        self._timeouts = timeouts
        self._observer = observer
        self._observer_lock = threading.Lock()
        self._changes = FleetChanges(finder.client, wait_healthy, finder.warn)
        self._locks = contextlib.ExitStack()

    @property
    def _client(self) -> Client:
        return self._finder.client

    def run(self, items: t.Iterable[RestoreItem]) -> None:
        """Restores the items without an error."""
        works = [
            _Work(item, self._finder.job(item.instance, item.backup, None, item.expected_sent_at, NEXT_STEP))
            for item in items
            if item.error is None
        ]
        with self._locks:
            self._begin(works)
            self._release(works)
            self._wait(works)
            list(map_ordered(self._verify, [work for work in works if work.item.error is None]))

    # Sending

    def _begin(self, works: list[_Work]) -> None:
        """Locks the operations, decides under the locks what is left to do, and sends what has to be sent."""
        ready = [work for work in works if self._lock(work)]
        try:
            states = self._finder.journal.read_states() if ready else {}
            force = self._finder.force
            unsettled = [work for work in ready if force or not _is_completed(states.get(work.job.guard.key))]
            seen = self._reader.read([work.id for work in unsettled])
        except ClawHostersError as error:
            error.add("This run sent nothing for it.")
            for work in ready:
                self._fail(work, error)
            return
        sends = []
        for work in ready:
            try:
                # A completed restore is followed by polls, unless the plan has seen that it runs.
                now = seen.get(work.id, work.item.instance)
                if self._decide(work, states.get(work.job.guard.key), now) is NextStep.SEND:
                    sends.append(work)
            except ClawHostersError as error:
                self._fail(work, error)
        list(map_ordered(self._send, sends))

    def _lock(self, work: _Work) -> bool:
        """Locks the operation. Returns False if that fails, or if another run works on it."""
        with contextlib.ExitStack() as attempt:
            try:
                is_free = attempt.enter_context(work.job.guard.lock())
            except JournalError as error:
                self._fail(work, error)
                return False
            if is_free:
                work.lock = self._locks.enter_context(attempt.pop_all())
            else:
                work.stage = _Stage.LOCKED
            return is_free

    def _release(self, works: list[_Work]) -> None:
        """Unlocks the operations that have ended: two runs that wait for each other would both wait until timeout."""
        for work in works:
            if work.stage is _Stage.ENDED:
                work.lock.close()

    def _decide(self, work: _Work, state: OperationState | None, now: Resource | None) -> NextStep:
        """Decides, and begins to wait if an earlier run has sent the restore."""
        if now is None:
            raise RefusedError(f"{label(work.item.instance)} does not exist any more: nothing was sent.")
        job = work.job
        step = job.decide(state, now, lambda recorded: _find_recorded(job, recorded))
        work.item.current, work.item.backup = job.instance, job.backup
        if step is NextStep.SEND:
            if not job.force:
                require_restorable(now)
            if work.item.outcome != NOT_BEGUN or job.backup is None:
                raise RefusedError(
                    f"An earlier restore of {label(now)} for this incident was not executed, and no backup was chosen "
                    "now: nothing was sent. Run this again."
                )
        elif step is NextStep.WAIT:
            self._update_result(work, job.build_result(IN_FLIGHT, state))
            self._wait_for_restore(work, RestoreStep.UNDER_WAY)
        else:
            self._update_result(work, job.build_result(COMPLETED, state))
            self._begin_start(work)
        return step

    def _send(self, work: _Work) -> None:
        """Sends one restore. Called in parallel."""
        self._observe(work, RestoreStep.SENDING)
        try:
            work.job.send()
        except ClawHostersError as error:
            self._fail(work, error)
            return
        work.item.changed = True
        self._update_result(work, work.job.build_result(IN_FLIGHT, work.job.guard.known_state()))
        self._wait_for_restore(work, RestoreStep.ACCEPTED)

    def _wait_for_restore(self, work: _Work, step: RestoreStep) -> None:
        work.stage = _Stage.RESTORING
        work.is_restored = work.job.finished_predicate(wait_healthy=False)
        self._observe(work, step)

    # Waiting

    def _wait(self, works: list[_Work]) -> None:
        """Polls until no item has to be waited for, and fails those that have not ended in time."""
        timeouts = self._timeouts
        client = self._client
        waiter = Waiter(
            timeouts.restored + (timeouts.healthy or 0.0),
            client.progress,
            requests_left=lambda: client.stats.remaining,
        )
        waiter.budget_share = RESTORE_POLL_SHARE
        if timeouts.healthy is not None:
            for work in works:
                if work.stage in (_Stage.LOCKED, _Stage.RESTORING):
                    work.deadline = client.progress.clock() + timeouts.restored
        if not _open(works):
            return

        def fetch(seconds: float) -> dict[str, Resource | None]:
            # Nothing is to be seen of an instance that another run works on, but its lock.
            ids = [work.id for work in _open(works) if work.stage is not _Stage.LOCKED]
            waiter.requests_per_poll = self._reader.cost(len(ids))
            return self._reader.read(ids, time_left=seconds) if ids else {}

        def is_done(seen: dict[str, Resource | None]) -> bool:
            self._update(works, seen)
            return not _open(works)

        try:
            waiter.until(
                t.cast("dict[str, Resource | None]", {}),
                fetch,
                is_done,
                lambda _seen: describe_remaining(map(self._describe, _open(works))),
                "all restored",
            )
        except ClawHostersError as error:
            for work in _open(works):
                self._give_up(work, error)

    def _update(self, works: list[_Work], seen: dict[str, Resource | None]) -> None:
        """Updates the items after a poll, and sends what has become possible."""
        for work in _open(works):
            if work.stage is not _Stage.LOCKED and work.id in seen:
                self._update_seen(work, seen[work.id])
        self._begin([work for work in works if work.stage is _Stage.LOCKED])
        self._request_starts(works)
        for work in _open(works):
            if work.deadline is not None and self._client.progress.clock() >= work.deadline:
                self._give_up(work, WaitTimeoutError("The time is over."))
        self._release(works)

    def _update_seen(self, work: _Work, now: Resource | None) -> None:
        if now is None:
            self._fail(work, RefusedError(f"{label(work.item.instance)} does not exist any more: it was deleted."))
            return
        work.item.current, work.seen_at = now, datetime.now(UTC)
        if work.stage is _Stage.STARTING:
            self._update_start(work.start, now)
            return
        work.job.instance = now
        try:
            is_restored = work.is_restored(now)
        except FailureStatusError as failure:
            self._fail(work, work.job.record_failure(failure))
            return
        if is_restored:
            self._update_result(work, work.job.complete(now))
            self._begin_start(work)

    def _begin_start(self, work: _Work) -> None:
        """Follows a restored instance until it runs and is healthy; decides whether it must be started."""
        work.stage, work.deadline = _Stage.STARTING, None
        if self._timeouts.healthy is not None:
            work.deadline = self._client.progress.clock() + self._timeouts.healthy
        work.start = Job("started", found=work.item.current)
        work.start.decide(work.item.current)
        self._changes.wait_for_unchanged(work.start)
        self._observe(work, RestoreStep.RESTORED)
        self._end_start(work)

    def _update_start(self, start: Job, now: Resource) -> None:
        if start.phase is Phase.READY:
            # It was decided from an instance that may have been read long before.
            start.decide(now)
            self._changes.wait_for_unchanged(start)
        else:
            self._changes.update(start, now)

    def _request_starts(self, works: list[_Work]) -> None:
        """Starts the instances that came back stopped."""
        starting = [work for work in works if work.stage is _Stage.STARTING]
        for work in starting:
            if work.start.phase is Phase.READY:
                self._observe(work, RestoreStep.STARTING)
        self._changes.request_changes([work.start for work in starting])
        for work in starting:
            self._end_start(work)

    def _end_start(self, work: _Work) -> None:
        """Ends the stage if the instance runs and is healthy, or if it can't."""
        start = work.start
        work.item.changed = work.item.changed or start.changed
        work.item.current = start.current or work.item.current
        if start.phase is not Phase.DONE:
            return
        if start.error is not None:
            self._fail(work, PartialError(f"It was restored. {start.error}", {}, start.cause))
            return
        work.stage = _Stage.ENDED
        self._observe(work, RestoreStep.RUNNING)

    def _give_up(self, work: _Work, error: ClawHostersError) -> None:
        """Fails an item whose wait ended with ``error``."""
        if work.stage is _Stage.STARTING:
            start, timeout = work.start, self._timeouts.healthy or self._timeouts.restored
            reason = self._changes.explain_unfinished(start, error, timeout)
            cause = error.cause or (None if isinstance(error, WaitTimeoutError) else error)
            self._fail(work, PartialError(f"It was restored. {reason}", {}, cause))
            return
        own = copy.copy(error)
        name, condition = self._describe(work)
        if isinstance(error, WaitTimeoutError):
            answer = f"no answer ({error.cause.reason}); last seen " if error.cause else ""
            goal = f"not restored within {self._timeouts.restored:g} s (wait_timeout)."
            own = WaitTimeoutError(f"{name}: {answer}{condition}, and {goal}", error.cause)
        own.last_seen = LastSeen(work.job.instance, condition, work.seen_at)
        if work.stage is _Stage.RESTORING:
            self._fail(work, work.job.unfinished_error(own))
            return
        state = work.job.guard.known_state()
        outcome = state.outcome if state and state.event is not OperationEvent.INTENDED else IN_FLIGHT
        result = work.job.build_result(outcome, state, own)
        self._fail(work, PartialError(f"{own} This run sent nothing for it. {work.job.run_again(own)}", result, own))

    def _verify(self, work: _Work) -> None:
        try:
            self._observer.verify(work.item)
        except ClawHostersError as error:
            self._fail(work, error)
            return
        work.item.is_done = True
        self._observe(work, RestoreStep.DONE)

    # Results

    def _fail(self, work: _Work, error: ClawHostersError) -> None:
        """Ends an item as failed. The error has what is known of the restore, unless nothing was sent."""
        work.stage = _Stage.ENDED
        result = error.result if isinstance(error, PartialError) else {}
        if result.get("restore"):
            self._update_result(work, result)
        elif work.item.outcome not in (COMPLETED, IN_FLIGHT):
            state = None if work.job.force else work.job.guard.known_state()
            work.item.outcome = state.outcome if state else REFUSED
        work.item.fail(error)
        self._observe(work, RestoreStep.FAILED)

    def _update_result(self, work: _Work, result: Result) -> None:
        work.item.current, work.item.backup = result["instance"], result["backup"]
        work.item.restore, work.item.outcome = result["restore"], result["restore"]["outcome"]

    def _observe(self, work: _Work, step: RestoreStep) -> None:
        with self._observer_lock:
            self._observer.on_step(work.item, step, datetime.now(UTC))

    # Messages

    def _describe(self, work: _Work) -> tuple[str, str]:
        """Returns name and condition of the instance."""
        if work.stage is _Stage.LOCKED:
            return short_name(work.item.instance), self._describe_holder(work)
        if work.stage is _Stage.STARTING:
            return self._changes.describe(work.start)
        return work.job.describe(with_health=False)

    def _describe_holder(self, work: _Work) -> str:
        holder = None
        with contextlib.suppress(JournalError):
            holder = work.job.guard.find_holder()
        return describe_holder(holder, self._finder.journal.now())


def _open(works: list[_Work]) -> list[_Work]:
    return [work for work in works if work.stage is not _Stage.ENDED]


def _is_completed(state: OperationState | None) -> bool:
    return state is not None and state.event is OperationEvent.COMPLETED


def _find_recorded(job: RestoreJob, state: OperationState) -> Resource:
    """Returns the backup that the journal names; only its id if it is not the one that was given."""
    backup_id = state.notes.get("backup_id")
    return job.backup if job.backup and str(job.backup["id"]) == str(backup_id) else {"id": backup_id}
