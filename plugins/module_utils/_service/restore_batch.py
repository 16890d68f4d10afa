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
class _Member:
    """A member of the batch: an item, its restore, and how far it is."""

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
        members = [
            _Member(item, self._finder.job(item.instance, item.backup, None, item.expected_sent_at, NEXT_STEP))
            for item in items
            if item.error is None
        ]
        with self._locks:
            self._begin(members)
            self._release(members)
            self._wait(members)
            list(map_ordered(self._verify, [member for member in members if member.item.error is None]))

    # Sending

    def _begin(self, members: list[_Member]) -> None:
        """Locks the operations, decides under the locks what is left to do, and sends what has to be sent."""
        ready = [member for member in members if self._lock(member)]
        try:
            states = self._finder.journal.read_states() if ready else {}
            force = self._finder.force
            unsettled = [member for member in ready if force or not _is_completed(states.get(member.job.guard.key))]
            seen = self._reader.read([member.id for member in unsettled])
        except ClawHostersError as error:
            error.add("This run sent nothing for it.")
            for member in ready:
                self._fail(member, error)
            return
        sends = []
        for member in ready:
            try:
                # A completed restore is followed by polls, unless the plan has seen that it runs.
                now = seen.get(member.id, member.item.instance)
                if self._decide(member, states.get(member.job.guard.key), now) is NextStep.SEND:
                    sends.append(member)
            except ClawHostersError as error:
                self._fail(member, error)
        list(map_ordered(self._send, sends))

    def _lock(self, member: _Member) -> bool:
        """Locks the operation. Returns False if that fails, or if another run works on it."""
        with contextlib.ExitStack() as attempt:
            try:
                is_free = attempt.enter_context(member.job.guard.lock())
            except JournalError as error:
                self._fail(member, error)
                return False
            if is_free:
                member.lock = self._locks.enter_context(attempt.pop_all())
            else:
                member.stage = _Stage.LOCKED
            return is_free

    def _release(self, members: list[_Member]) -> None:
        """Unlocks the operations that have ended: two runs that wait for each other would both wait until timeout."""
        for member in members:
            if member.stage is _Stage.ENDED:
                member.lock.close()

    def _decide(self, member: _Member, state: OperationState | None, now: Resource | None) -> NextStep:
        """Decides, and begins to wait if an earlier run has sent the restore."""
        if now is None:
            raise RefusedError(f"{label(member.item.instance)} does not exist any more: nothing was sent.")
        job = member.job
        step = job.decide(state, now, lambda recorded: _find_recorded(job, recorded))
        member.item.current, member.item.backup = job.instance, job.backup
        if step is NextStep.SEND:
            if not job.force:
                require_restorable(now)
            if member.item.outcome != NOT_BEGUN or job.backup is None:
                raise RefusedError(
                    f"An earlier restore of {label(now)} for this incident was not executed, and no backup was chosen "
                    "now: nothing was sent. Run this again."
                )
        elif step is NextStep.WAIT:
            self._update_result(member, job.build_result(IN_FLIGHT, state))
            self._wait_for_restore(member, RestoreStep.UNDER_WAY)
        else:
            self._update_result(member, job.build_result(COMPLETED, state))
            self._begin_start(member)
        return step

    def _send(self, member: _Member) -> None:
        """Sends one restore. Called in parallel."""
        self._observe(member, RestoreStep.SENDING)
        try:
            member.job.send()
        except ClawHostersError as error:
            self._fail(member, error)
            return
        member.item.changed = True
        self._update_result(member, member.job.build_result(IN_FLIGHT, member.job.guard.known_state()))
        self._wait_for_restore(member, RestoreStep.ACCEPTED)

    def _wait_for_restore(self, member: _Member, step: RestoreStep) -> None:
        member.stage = _Stage.RESTORING
        member.is_restored = member.job.finished_predicate(wait_healthy=False)
        self._observe(member, step)

    # Waiting

    def _wait(self, members: list[_Member]) -> None:
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
            for member in members:
                if member.stage in (_Stage.LOCKED, _Stage.RESTORING):
                    member.deadline = client.progress.clock() + timeouts.restored
        if not _open(members):
            return

        def fetch(seconds: float) -> dict[str, Resource | None]:
            # Nothing is to be seen of an instance that another run works on, but its lock.
            ids = [member.id for member in _open(members) if member.stage is not _Stage.LOCKED]
            waiter.requests_per_poll = self._reader.cost(len(ids))
            return self._reader.read(ids, time_left=seconds) if ids else {}

        def is_done(seen: dict[str, Resource | None]) -> bool:
            self._update(members, seen)
            return not _open(members)

        try:
            waiter.until(
                t.cast("dict[str, Resource | None]", {}),
                fetch,
                is_done,
                lambda _seen: describe_remaining(map(self._describe, _open(members))),
                "all restored",
            )
        except ClawHostersError as error:
            for member in _open(members):
                self._give_up(member, error)

    def _update(self, members: list[_Member], seen: dict[str, Resource | None]) -> None:
        """Updates the items after a poll, and sends what has become possible."""
        for member in _open(members):
            if member.stage is not _Stage.LOCKED and member.id in seen:
                self._update_seen(member, seen[member.id])
        self._begin([member for member in members if member.stage is _Stage.LOCKED])
        self._request_starts(members)
        for member in _open(members):
            if member.deadline is not None and self._client.progress.clock() >= member.deadline:
                self._give_up(member, WaitTimeoutError("The time is over."))
        self._release(members)

    def _update_seen(self, member: _Member, now: Resource | None) -> None:
        if now is None:
            self._fail(member, RefusedError(f"{label(member.item.instance)} does not exist any more: it was deleted."))
            return
        member.item.current, member.seen_at = now, datetime.now(UTC)
        if member.stage is _Stage.STARTING:
            self._update_start(member.start, now)
            return
        member.job.instance = now
        try:
            is_restored = member.is_restored(now)
        except FailureStatusError as failure:
            self._fail(member, member.job.record_failure(failure))
            return
        if is_restored:
            self._update_result(member, member.job.complete(now))
            self._begin_start(member)

    def _begin_start(self, member: _Member) -> None:
        """Follows a restored instance until it runs and is healthy; decides whether it must be started."""
        member.stage, member.deadline = _Stage.STARTING, None
        if self._timeouts.healthy is not None:
            member.deadline = self._client.progress.clock() + self._timeouts.healthy
        member.start = Job("started", found=member.item.current)
        member.start.decide(member.item.current)
        self._changes.wait_for_unchanged(member.start)
        self._observe(member, RestoreStep.RESTORED)
        self._end_start(member)

    def _update_start(self, start: Job, now: Resource) -> None:
        if start.phase is Phase.READY:
            # It was decided from an instance that may have been read long before.
            start.decide(now)
            self._changes.wait_for_unchanged(start)
        else:
            self._changes.update(start, now)

    def _request_starts(self, members: list[_Member]) -> None:
        """Starts the instances that came back stopped."""
        starting = [member for member in members if member.stage is _Stage.STARTING]
        for member in starting:
            if member.start.phase is Phase.READY:
                self._observe(member, RestoreStep.STARTING)
        self._changes.request_changes([member.start for member in starting])
        for member in starting:
            self._end_start(member)

    def _end_start(self, member: _Member) -> None:
        """Ends the stage if the instance runs and is healthy, or if it can't."""
        start = member.start
        member.item.changed = member.item.changed or start.changed
        member.item.current = start.current or member.item.current
        if start.phase is not Phase.DONE:
            return
        if start.error is not None:
            self._fail(member, PartialError(f"It was restored. {start.error}", {}, start.cause))
            return
        member.stage = _Stage.ENDED
        self._observe(member, RestoreStep.RUNNING)

    def _give_up(self, member: _Member, error: ClawHostersError) -> None:
        """Fails an item whose wait ended with ``error``."""
        if member.stage is _Stage.STARTING:
            start, timeout = member.start, self._timeouts.healthy or self._timeouts.restored
            reason = self._changes.explain_unfinished(start, error, timeout)
            cause = error.cause or (None if isinstance(error, WaitTimeoutError) else error)
            self._fail(member, PartialError(f"It was restored. {reason}", {}, cause))
            return
        own = copy.copy(error)
        name, condition = self._describe(member)
        if isinstance(error, WaitTimeoutError):
            answer = f"no answer ({error.cause.reason}); last seen " if error.cause else ""
            goal = f"not restored within {self._timeouts.restored:g} s (wait_timeout)."
            own = WaitTimeoutError(f"{name}: {answer}{condition}, and {goal}", error.cause)
        own.last_seen = LastSeen(member.job.instance, condition, member.seen_at)
        if member.stage is _Stage.RESTORING:
            self._fail(member, member.job.unfinished_error(own))
            return
        state = member.job.guard.known_state()
        outcome = state.outcome if state and state.event is not OperationEvent.INTENDED else IN_FLIGHT
        result = member.job.build_result(outcome, state, own)
        self._fail(
            member, PartialError(f"{own} This run sent nothing for it. {member.job.run_again(own)}", result, own)
        )

    def _verify(self, member: _Member) -> None:
        try:
            self._observer.verify(member.item)
        except ClawHostersError as error:
            self._fail(member, error)
            return
        member.item.is_done = True
        self._observe(member, RestoreStep.DONE)

    # Results

    def _fail(self, member: _Member, error: ClawHostersError) -> None:
        """Ends an item as failed. The error has what is known of the restore, unless nothing was sent."""
        member.stage = _Stage.ENDED
        result = error.result if isinstance(error, PartialError) else {}
        if result.get("restore"):
            self._update_result(member, result)
        elif member.item.outcome not in (COMPLETED, IN_FLIGHT):
            state = None if member.job.force else member.job.guard.known_state()
            member.item.outcome = state.outcome if state else REFUSED
        member.item.fail(error)
        self._observe(member, RestoreStep.FAILED)

    def _update_result(self, member: _Member, result: Result) -> None:
        member.item.current, member.item.backup = result["instance"], result["backup"]
        member.item.restore, member.item.outcome = result["restore"], result["restore"]["outcome"]

    def _observe(self, member: _Member, step: RestoreStep) -> None:
        with self._observer_lock:
            self._observer.on_step(member.item, step, datetime.now(UTC))

    # Messages

    def _describe(self, member: _Member) -> tuple[str, str]:
        """Returns name and condition of the instance."""
        if member.stage is _Stage.LOCKED:
            return short_name(member.item.instance), self._describe_holder(member)
        if member.stage is _Stage.STARTING:
            return self._changes.describe(member.start)
        return member.job.describe(with_health=False)

    def _describe_holder(self, member: _Member) -> str:
        holder = None
        with contextlib.suppress(JournalError):
            holder = member.job.guard.find_holder()
        return describe_holder(holder, self._finder.journal.now())


def _open(members: list[_Member]) -> list[_Member]:
    return [member for member in members if member.stage is not _Stage.ENDED]


def _is_completed(state: OperationState | None) -> bool:
    return state is not None and state.event is OperationEvent.COMPLETED


def _find_recorded(job: RestoreJob, state: OperationState) -> Resource:
    """Returns the backup that the journal names; only its id if it is not the one that was given."""
    backup_id = state.notes.get("backup_id")
    return job.backup if job.backup and str(job.backup["id"]) == str(backup_id) else {"id": backup_id}
