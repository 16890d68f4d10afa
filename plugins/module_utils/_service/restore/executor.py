# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out planned restores: sends them in batches, waits for each batch, and starts what comes back stopped.

Imports at its top all that may be needed after a restore was sent, so a task imports it before it sends one.
"""

from __future__ import annotations

import contextlib
import copy
import math
import threading
import typing as t
from datetime import UTC, datetime, timedelta
from functools import partial

from ..._concurrency import map_ordered
from ..._errors import ClawHostersError, LastSeen, RefusedError, UnauthorizedError, WaitTimeoutError
from ..._http.acceptance import parse_accepted
from ..._model.batches import begin_batches, split_batches
from ..._model.instance import (
    describe_condition,
    describe_instance,
    describe_status,
    find_state,
    get_status,
    is_busy,
    is_health_final,
    is_healthy,
    label,
    short_name,
)
from ..._model.instance_index import InstanceIndex
from ..._model.instance_job import InstanceJob, Phase, warn_of_ends
from ..._model.resource import parse_id
from ..._state.journal import UNSEEN, JournalError, OperationEvent
from ..._text import format_count
from ..._times import format_iso, parse_time
from ..._waiter import POLL_SHARE, TEMPORARY_ERRORS, Waiter, describe_remaining, explain_ended_wait
from ..at_most_once import OperationGuard, OutcomeUnknownError, UnrecordedError
from ..backups import backup_path
from ..find_instance import find_instance
from ..instance_changes import FailureStatusError, InstanceChanges, StateReached, explain_lapse, keeps_state
from ..instance_list import list_instances
from .history import find_age, is_recent
from .reason import Reason, ReasonError, ReasonKind
from .reason_texts import format_holder
from .restore_job import COMPLETED, FAILED, IN_FLIGHT, REFUSED, UNKNOWN, RestoreJob, Stage, check_held
from .target_plan import RestoreAction

if t.TYPE_CHECKING:
    from ..._model.resource import Resource
    from ..._state.journal import OperationState
    from .history import RestoreHistory
    from .restore_job import ExecutorOptions
    from .restore_task import RestoreTask

END_STATUSES = ("running", "stopped", "pending_configuration")
"""Statuses in which a restore ends. How it shows in the status meanwhile is unknown; it may not show at all."""
RESTORED_FIELDS = ("restored_at", "last_restored_at", "restore_completed_at")
"""Fields of an instance that may show when its restore ended; none is documented."""
SHORTEST_RESTORE = 10.0
"""Seconds before an instance that never looked busy counts as restored."""
LONGEST_STOP = 60.0
"""Seconds for which a restore may keep an instance stopped. From then on, that is its end."""


class RestoreObserver:
    """Follows restores. Each method does nothing here.

    Calls never overlap, except those of ``verify``. What ``on_batch`` or ``on_end`` raises ends the run: no more is
    sent. What is under way goes on, unobserved.
    """

    def on_batch(self, number: int, restores: t.Sequence[RestoreJob]) -> None:
        """Called before anything is read or sent for batch ``number``, from 1."""

    def on_end(self, restore: RestoreJob) -> None:
        """Called when a restore is done or has failed. One that is done may fail later."""

    def verify(self, restore: RestoreJob) -> None:
        """Checks an instance that runs, such as its HTTP address. Raises ClawHostersError to fail its restore.

        Called for the restores of a batch in parallel, before the batch counts as done.
        """


class RestoreExecutor:
    """Carries out one restore, from its lock to its end, and sets its results."""

    def __init__(self, restore: RestoreJob, shared: BatchExecutor) -> None:
        self.restore = restore
        self.job = InstanceJob("started", found=restore.instance)
        """The rest of the way once the instance is restored: it runs and, if that is waited for, is healthy."""
        self._shared, self._task = shared, shared.task
        self._guard = OperationGuard(self._task.journal, self._task.key(restore.instance["id"]), self._task.warn)
        self._lock = contextlib.ExitStack()
        self._is_restored: StateReached
        """Set once it is waited for."""
        self._was_busy = False
        """True if it was busy before it was waited for: that it is still busy is no new sign of the restore."""
        self._is_busy_seen = False
        self._stopped_since: float | None = None
        """Since when it was seen stopped without a break, by the clock, if its restore may have stopped it."""
        self._seen_at = datetime.now(UTC)
        self.deadline = math.inf
        """When the wait of its stage ends, by the clock."""

    @property
    def id(self) -> str:
        """Id of the instance."""
        return str(self.restore.instance["id"])

    @property
    def stage(self) -> Stage:
        return self.restore.stage

    def describe(self) -> tuple[str, str]:
        """Returns name and condition of the instance, for progress lines."""
        if self.stage is Stage.HELD:
            return short_name(self.restore.instance), f"held by {self._describe_holder()}"
        if self.stage is Stage.RESTORED:
            return self._shared.changes.describe(self.job)
        name, condition = describe_instance(self.restore.current)
        # ``running`` alone would read as done.
        return name, condition if is_busy(self.restore.current) else f"{condition} (restore not yet verified)"

    def _describe_holder(self) -> str:
        """Returns who works on the instance, as far as the store names anybody."""
        with contextlib.suppress(JournalError):
            return format_holder(self._guard.find_holder(), self._task.journal.now())
        return format_holder(None, self._seen_at)

    def predict(self) -> None:
        """Sets the results that the restore would have, and those of the start that would follow, for check mode."""
        restore, job = self.restore, self.job
        if restore.plan.reason:
            restore.fail(restore.plan.reason, restore.outcome, restore.plan.cause)
            return
        restore.stage = Stage.DONE
        if restore.plan.sends:
            restore.is_sent, restore.current = True, {**restore.current, "status": "running"}
        elif self._shared.options.starts and restore.outcome == COMPLETED:
            job.decide(restore.current)
            self._shared.changes.request_changes([job])
            restore.is_started, restore.current = job.changed, job.current or restore.current
            if job.error is not None:
                self._fail_unrecovered()

    # The lock of the instance

    def acquire(self) -> bool:
        """Locks the instance until ``release``. Returns False if that fails, or if another run works on it."""
        try:
            is_free = self._lock.enter_context(self._guard.lock())
        except JournalError as error:
            self.fail(ReasonKind.NO_JOURNAL, error)
            return False
        if not is_free:
            self.release()
            self.restore.stage = Stage.HELD
        return is_free

    def release(self) -> None:
        """Unlocks the instance."""
        self._lock.close()

    # Sending

    def decide(self, history: RestoreHistory, now: Resource | None) -> bool:
        """Returns True if the restore is to be sent. Else it is waited for, or has ended. Sends nothing.

        ``history`` was read under the lock. ``now``: the instance, None if it does not exist.
        """
        restore = self.restore
        restore.stage = Stage.PLANNED
        restore.check_again(now, history, self._task.rules)
        restore.current = now or restore.current
        restore.state = restore.plan.earlier
        self._guard.take_up(restore.state)
        if restore.plan.reason:
            self._end(restore.plan.reason, restore.plan.cause)
        elif restore.plan.action is RestoreAction.SEND:
            return True
        elif restore.plan.action is RestoreAction.WAIT:
            restore.outcome = IN_FLIGHT
            self._wait_for_end()
        else:
            restore.outcome = COMPLETED
            self._begin_recovery()
        return False

    def decide_held(self, ended: ClawHostersError | None = None) -> None:
        """Decides a restore whose instance another run works on. Sends nothing.

        It is not waited for, or the wait for it has ``ended`` with this error.
        """
        restore, plan = self.restore, self.restore.plan
        try:
            history = self._task.read_history([self.id], with_holders=True)
        except JournalError as error:
            self.fail(ReasonKind.NO_JOURNAL, error)
            return
        check_held(plan, history, self._task.rules)
        restore.state, restore.outcome = plan.earlier, IN_FLIGHT if plan.action is RestoreAction.WAIT else COMPLETED
        if plan.reason:
            # A run of this incident may be about to send it.
            is_about_to_send = plan.reason.kind is ReasonKind.HELD and history.is_held(self.id)
            self._end(plan.reason, ended, IN_FLIGHT if is_about_to_send else None)
        elif ended:
            kind = ReasonKind.NOT_OVER if plan.action is RestoreAction.WAIT else ReasonKind.HEALTH_UNSEEN
            self.fail(kind, ended, restore.outcome)

    def send(self) -> None:
        """Sends the restore, and begins to wait for it."""
        self._enter(Stage.SENDING)
        try:
            self._request()
        except JournalError as error:
            self.fail(ReasonKind.NO_JOURNAL, error)
        except OutcomeUnknownError as error:
            self.fail(ReasonKind.UNKNOWN, error.cause)
        except ClawHostersError as error:
            self.fail(ReasonKind.REJECTED, error)

    def _record_sent(self) -> None:
        self.restore.is_sent, self.restore.outcome = True, IN_FLIGHT
        self.restore.state = self._guard.known_state()
        self._wait_for_end()

    def _request(self) -> None:
        """Sends the request, and records that it was accepted.

        Raises OutcomeUnknownError if it is unknown whether it was executed. After any other error it was not.
        """
        client, instance, backup_id = self._task.client, self.restore.instance, self.restore.plan.backup_id
        facts = {**self.restore.plan.backup_facts, "instance_name": instance.get("name")}
        # The service may show the backup or the instance.
        parse = partial(parse_accepted, asked={"backup": {"id": backup_id}, "instance": instance})
        path, seen = f"{backup_path(backup_id)}/restore", dict[str, object]()
        try:
            self._guard.send(client, lambda hooks: client.request("POST", path, hooks=hooks, parse=parse), facts)
        except OutcomeUnknownError as unclear:
            if not self._has_begun(unclear.cause):
                raise
            seen = {"seen": True}
        # The observer, too, is to know of the response before a Ctrl-C that was deferred ends the run.
        self._guard.record_event(OperationEvent.ACCEPTED, self._record_sent, **seen)

    def _has_begun(self, error: ClawHostersError) -> bool:
        """Reads the instance after a lost response. Returns True if it has become busy."""
        try:
            now = find_instance(self._task.client, self.id)
        except ClawHostersError:
            now = None
        was_busy, self.restore.current = is_busy(self.restore.current), now or self.restore.current
        if now is None or not is_busy(now) or was_busy:
            return False
        self._task.warn(f"{error} {label(now)} is {describe_condition(now)} now, so the restore has begun.")
        return True

    def _wait_for_end(self) -> None:
        state = self._guard.known_state()
        age = find_age(state.sent_at, self._task.journal.now()) if state else None
        passed = min(age.total_seconds(), SHORTEST_RESTORE) if age else 0.0
        status, clock = get_status(self.restore.current), self._shared.clock
        earliest = clock() + SHORTEST_RESTORE - passed
        self._is_restored = StateReached("restored", status, END_STATUSES, False, earliest=earliest, clock=clock)
        self._was_busy = self.restore.is_sent and is_busy(self.restore.current)
        self._record_sign()
        self._enter(Stage.ACCEPTED)

    def _record_sign(self) -> None:
        """Records that the status shows the restore, once: the instance is busy, or stopped by it."""
        restore, state = self.restore, self._guard.known_state()
        is_begun = is_busy(restore.current) and not self._was_busy
        self._is_busy_seen = self._is_busy_seen or is_begun
        has_stopped = get_status(restore.current) == "stopped" and get_status(restore.instance) == "running"
        if (is_begun or has_stopped) and state and not state.facts.get("seen"):
            self._guard.record_event(OperationEvent.ACCEPTED, seen=True)

    def _is_at_work(self) -> bool:
        """Returns True while the restore may be what keeps the instance stopped: a start would disturb it."""
        was_stopped = self.restore.plan.sends and get_status(self.restore.instance) == "stopped"
        if get_status(self.restore.current) != "stopped" or was_stopped or self._is_busy_seen:
            self._stopped_since = None
            return False
        if self._stopped_since is None:
            self._stopped_since = self._shared.clock()
        return self._shared.clock() - self._stopped_since < LONGEST_STOP

    def require_recorded(self) -> None:
        """Fails a restore that was sent, and that the journal does not hold as such: no later run would wait for it."""
        if self._guard.unrecorded and self.restore.reason is None:
            self.fail(ReasonKind.UNRECORDED, UnrecordedError(self._guard.unrecorded, {}))

    # Waiting

    def update(self, now: Resource | None) -> None:
        """Updates the restore from the instance as a poll shows it, None if it does not exist."""
        if now is None:
            self.fail(ReasonKind.GONE)
            return
        self.restore.current, self._seen_at = now, datetime.now(UTC)
        if self.stage is not Stage.ACCEPTED:
            if self.job.phase is Phase.READY:
                # It was decided from an instance that may have been read long before.
                self._decide_start()
            else:
                self._shared.changes.update(self.job, now)
            return
        self._record_sign()
        if self._is_at_work():
            return
        try:
            is_restored = self._is_restored(now)
        except FailureStatusError:
            self._guard.record_event(OperationEvent.FAILED, status=now.get("status"))
            self.fail(ReasonKind.FAILED, outcome=FAILED)
            return
        if is_restored:
            self._record_completed()
            self.restore.outcome, self.restore.state = COMPLETED, self._guard.known_state()
            self.require_recorded()
            if self.restore.is_unseen and not self._task.wording.prefix:
                told = f"The restore of {label(now)} {UNSEEN}: check whether its data is that of the backup."
                self._task.warn(told)
            if self.restore.reason is None:
                self._begin_recovery()

    def _record_completed(self) -> None:
        """Records that it has completed, if a sign of it was seen, and if it is healthy. Adds only what is new."""
        now, state = self.restore.current, self._guard.known_state()
        shown: dict[str, object] = {}
        if state and not state.completed_at:
            if restored_at := self._find_restored_at(state):
                shown["restored_at"] = format_iso(restored_at)
            shown["seen"] = bool(state.facts.get("seen") or restored_at or self._shows_backup())
        done_at = state.completed_at if state else None
        # What was repaired long after its restore proves no backup.
        is_restored_now = done_at is None or is_recent(done_at, self._task.journal.now())
        if is_restored_now and find_state(now) == "running" and is_health_final(now):
            shown["healthy" if is_healthy(now) else "running"] = True
        self._guard.record_event(OperationEvent.COMPLETED, status=now.get("status"), **shown)

    def _shows_backup(self) -> bool:
        """Returns True if a field of the instance that may name a backup names this one since the request."""
        before, wanted = self.restore.instance, parse_id(self.restore.plan.backup_id)
        return any(
            "backup" in name and parse_id(value) == wanted != parse_id(before.get(name, value))
            for name, value in self.restore.current.items()
        )

    def _find_restored_at(self, state: OperationState) -> datetime | None:
        """Returns when the restore ended, as the service shows it. The clocks may differ: ages are compared."""
        sent_ago = self._task.journal.now() - datetime.fromisoformat(state.sent_at)
        times = (parse_time(self.restore.current[name]) for name in RESTORED_FIELDS if name in self.restore.current)
        now, precision = self._task.now, timedelta(seconds=2)
        return next((at for at in filter(None, times) if -precision <= now - at <= sent_ago + precision), None)

    def _begin_recovery(self) -> None:
        """Follows a restored instance until it runs and is healthy.

        Unless the run starts instances, one that came back stopped is left as it is.
        """
        options, now = self._shared.options, self.restore.current
        healthy = options.healthy_timeout
        self.deadline = math.inf if healthy is None else self._shared.clock() + healthy
        self._enter(Stage.RESTORED)
        if options.starts or find_state(now) == "running":
            self._decide_start()
        elif options.wait_healthy:
            status = f"The status of {label(now)} is {describe_status(now)}"
            self._task.warn(f"{status}, so its health is not waited for.")
        self.end_recovery()

    def _decide_start(self) -> None:
        self.job.decide(self.restore.current)
        self._shared.changes.await_unchanged(self.job)

    def end_recovery(self) -> None:
        """Ends the stage if the instance runs and is healthy, or if it can't."""
        restore, job = self.restore, self.job
        restore.is_started = restore.is_started or job.changed
        restore.current = job.current or restore.current
        if job.error is not None:
            self._fail_unrecovered()
        elif job.phase is Phase.DONE:
            self._record_completed()
            restore.healthy_at = self._seen_at
            self._enter(Stage.RUNNING)

    # The end

    def verify(self) -> None:
        """Ends a restore whose instance runs as done, unless the observer finds a fault."""
        try:
            self._shared.observer.verify(self.restore)
        except ClawHostersError as error:
            self.fail(error.reason_kind if isinstance(error, ReasonError) else ReasonKind.BAD_ADDRESS, error)
        else:
            self._enter(Stage.DONE)

    def _fail_unrecovered(self) -> None:
        """Ends a restore whose instance is not as it should be."""
        cause = self.job.cause
        is_unread = isinstance(cause.response if cause else None, UnauthorizedError)
        kind = ReasonKind.HEALTH_UNSEEN if is_unread else ReasonKind.NOT_HEALTHY
        self.fail(kind, RefusedError(self.job.error, cause))

    def give_up(self, error: ClawHostersError) -> None:
        """Ends a restore as failed whose wait ended with ``error``."""
        options, error, is_held = self._shared.options, copy.copy(error), self.stage is Stage.HELD
        # Of an instance that another run works on, the lock is seen now.
        seen_at = datetime.now(UTC) if is_held else self._seen_at
        error.last_seen = LastSeen(self.restore.current, self.describe()[1], seen_at)
        if self.stage is Stage.RESTORED:
            kind = ReasonKind.NOT_HEALTHY if error.kind == "timeout" else ReasonKind.HEALTH_UNSEEN
            limit = options.healthy_timeout or options.timeout
            option = self._task.wording.option("healthy_timeout" if options.healthy_timeout else "wait_timeout")
            error.replace(self._shared.changes.explain_unfinished(self.job, error, limit, option=option))
            self.fail(kind, error)
            return
        option, goal = self._task.wording.option("wait_timeout"), "free" if is_held else "restored"
        error.replace(explain_ended_wait(error, error.last_seen.condition, goal, options.timeout, option=option))
        if is_held:
            self.decide_held(error)
        else:
            self.fail(ReasonKind.NOT_OVER, error, IN_FLIGHT)

    def fail(self, kind: ReasonKind, cause: ClawHostersError | None = None, outcome: str | None = None) -> None:
        """Ends the restore as failed. See :meth:`_end`."""
        reason = self.restore.plan.build_reason(kind, cause, status=self.restore.current.get("status"))
        self._end(reason, cause, outcome)

    def _end(self, reason: Reason, cause: ClawHostersError | None, outcome: str | None = None) -> None:
        """Ends the restore as failed. Its outcome is what the journal knows: nothing was sent without an entry."""
        restore = self.restore
        state = restore.state = self._guard.known_state()
        if outcome is None:
            # An earlier restore says nothing of one that was to be sent again.
            is_own = state and (not restore.plan.sends or state.position > restore.plan.known_position)
            outcome = (state.outcome if state and is_own else None) or (UNKNOWN if self._guard.unrecorded else REFUSED)
        restore.fail(reason, outcome, cause)
        self._shared.observe(restore)

    def _enter(self, stage: Stage) -> None:
        self.restore.stage = stage
        self._shared.observe(self.restore)


class BatchExecutor:
    """Carries out the restores of a task, batch by batch.

    ``list_requests``: the requests of the whole list of instances; None if that is not known.
    """

    def __init__(
        self,
        task: RestoreTask,
        list_requests: int | None,
        options: ExecutorOptions,
        observer: RestoreObserver | None = None,
    ) -> None:
        self.task, self.options, self.observer = task, options, observer or RestoreObserver()
        self.changes = InstanceChanges(task.client, options.wait_healthy, task.warn)
        self.clock = task.client.progress.clock
        """The clock of all waits."""
        self.read_error: ClawHostersError | None = None
        """Why the instances of earlier batches can't be read: then nothing is sent."""
        self._list_requests = list_requests
        self._observer_lock = threading.Lock()
        self._restores: t.Sequence[RestoreJob] = ()
        self._batch: list[RestoreExecutor] = []
        """The restores of the batch that are carried out."""

    def run(self, restores: t.Sequence[RestoreJob]) -> None:
        """Sends the restores, and sets their results. Started again for the same incident, it goes on.

        One that has a ``reason`` already counts as failed in its batch, and is not sent. A failed restore stops neither
        the others of its batch nor, up to ``max_failures``, the next batches. In check mode, predicts all that.
        """
        options, client, self._restores = self.options, self.task.client, restores
        batches, done = split_batches(restores, options.sizes), list[InstanceJob]()
        with client.progress.if_interrupted(self._explain_interruption):
            shown = None if client.check_mode else client.progress
            for number, batch in begin_batches(
                batches, options.max_failures, shown, RestoreJob.proves_nothing, lambda one: short_name(one.instance)
            ):
                self.observer.on_batch(number, batch)
                for restore in batch:
                    if restore.reason is not None:
                        self.observe(restore)
                self._batch = [RestoreExecutor(restore, self) for restore in batch if restore.reason is None]
                if client.check_mode:
                    for executor in self._batch:
                        executor.predict()
                else:
                    self._carry_out()
                    running = [one for one in self._batch if get_status(one.restore.current) == "running"]
                    done += [one.job for one in running if one.stage is Stage.DONE]
                self._look_back()
            warn_of_ends(done, self.task.warn, waits_healthy=options.wait_healthy)

    def _look_back(self) -> None:
        """Looks again at the instances that were restored and ran, and fails those that do so no more."""
        done = [one for one in self._restores if one.stage is Stage.DONE and one.healthy_at]
        has_just_read = len(self._restores) == 1 or all(one.plan.action is RestoreAction.NONE for one in self._restores)
        if not done or has_just_read:
            return
        try:
            seen, at, self.read_error = self.read([one.instance["id"] for one in done]), datetime.now(UTC), None
        except ClawHostersError as error:
            self.read_error = error
            return
        for restore in done:
            now = seen[str(restore.instance["id"])]
            if keeps_state(now, "started", wait_healthy=self.options.wait_healthy):
                continue
            healthy_at = restore.healthy_at if self.options.wait_healthy else None
            lapse = explain_lapse(restore.current, healthy_at, now, at)
            restore.current, restore.healthy_at = now or restore.current, None
            kind = ReasonKind.NOT_HEALTHY if now else ReasonKind.GONE
            restore.fail(Reason(kind, {"status": now.get("status")} if now else {}), COMPLETED, RefusedError(lapse))
            self.observe(restore)

    # A batch

    def _carry_out(self) -> None:
        """Sends the restores of the batch together, and waits for them with one waiter."""
        with contextlib.ExitStack() as locks:
            for executor in self._batch:
                locks.callback(executor.release)
            self._send_free(self._batch)
            if not self.options.waits:
                for executor in self._batch:
                    if executor.stage is Stage.HELD:
                        executor.decide_held()
                    executor.require_recorded()
                return
            if self._find_open():
                self._wait()
            running = [executor for executor in self._batch if executor.stage is Stage.RUNNING]
            list(map_ordered(RestoreExecutor.verify, running))

    def _send_free(self, executors: list[RestoreExecutor]) -> None:
        """Locks the instances that are free, decides under the locks what is left to do, and sends that."""
        ready = [executor for executor in executors if executor.acquire()]
        if not ready:
            return
        try:
            if self.read_error is not None:
                raise self.read_error
            history = self.task.read_history(executor.id for executor in ready)
            # What had been restored before the plan was made is not restored again, whatever its status is now.
            ids = [executor.id for executor in ready if executor.restore.plan.action is not RestoreAction.NONE]
            seen = self.read(ids) if ids else {}
        except ClawHostersError as error:
            kind = ReasonKind.NO_JOURNAL if isinstance(error, JournalError) else ReasonKind.REJECTED
            for executor in ready:
                executor.fail(kind, error)
            return
        sends = [
            executor for executor in ready if executor.decide(history, seen.get(executor.id, executor.restore.instance))
        ]
        list(map_ordered(RestoreExecutor.send, sends))

    def _wait(self) -> None:
        """Polls until no restore has to be waited for, and fails those that have not ended in time."""
        options, client = self.options, self.task.client
        waiter = Waiter(
            options.timeout + (options.healthy_timeout or 0.0), client.progress, lambda: client.stats.remaining
        )
        waiter.find_deadline = lambda: min((executor.deadline for executor in self._find_open()), default=math.inf)
        if len(self._batch) > 1:
            waiter.budget_share = POLL_SHARE
        for executor in self._find_open():
            if options.healthy_timeout is not None and executor.stage is not Stage.RESTORED:
                # From the last request on, and not with the time to become healthy.
                executor.deadline = self.clock() + options.timeout

        def fetch(seconds: float) -> dict[str, Resource | None]:
            # Nothing is to be seen of an instance that another run works on, but its lock.
            ids = [executor.id for executor in self._find_open() if executor.stage is not Stage.HELD]
            waiter.requests_per_poll = self.cost(len(ids))
            return self.read(ids, time_left=seconds) if ids else {}

        def is_done(seen: dict[str, Resource | None]) -> bool:
            self._update(seen)
            return not self._find_open()

        def describe(_seen: object) -> tuple[str, str]:
            return describe_remaining(executor.describe() for executor in self._find_open())

        nothing: dict[str, Resource | None] = {}
        try:
            waiter.until(nothing, fetch, is_done, describe)
        except ClawHostersError as error:
            for executor in self._find_open():
                executor.give_up(error)

    def _update(self, seen: dict[str, Resource | None]) -> None:
        """Updates the restores after a poll, and sends what has become possible."""
        for executor in self._find_open():
            if executor.id in seen:
                executor.update(seen[executor.id])
        self._send_free([executor for executor in self._batch if executor.stage is Stage.HELD])
        restored = [executor for executor in self._batch if executor.stage is Stage.RESTORED]
        # Starts the instances that came back stopped.
        self.changes.request_changes([executor.job for executor in restored])
        for executor in restored:
            executor.end_recovery()
        for executor in self._find_open():
            if self.clock() >= executor.deadline:
                executor.give_up(WaitTimeoutError("The time is over."))
        self._release_ended()

    def _find_open(self) -> list[RestoreExecutor]:
        return [executor for executor in self._batch if executor.stage.is_open]

    def _release_ended(self) -> None:
        """Unlocks the instances whose restores have ended: two runs that wait for each other would do so in vain."""
        for executor in self._batch:
            if not executor.stage.is_open:
                executor.release()

    # Reading instances

    def cost(self, count: int) -> int:
        """Returns the number of requests that it takes to read ``count`` instances."""
        return count if self._list_requests is None else min(count, self._list_requests)

    def read(self, ids: t.Collection[object], time_left: float | None = None) -> dict[str, Resource | None]:
        """Returns the instances by id, None for one that does not exist. ``time_left``: see :meth:`Client.fetch`.

        With ``time_left``, instances that could not be read because of a temporary error are missing. Raises the error
        if that is all of them.
        """
        if self.cost(len(ids)) < len(ids):
            by_id = InstanceIndex(list_instances(self.task.client, time_left=time_left)).by_id
            return {str(one): by_id.get(str(one)) for one in ids}
        results = zip(ids, map_ordered(lambda one: self._read_one(one, time_left), ids), strict=True)
        seen = {str(one): result for one, result in results}
        errors = [result for result in seen.values() if isinstance(result, ClawHostersError)]
        if errors and len(errors) == len(seen):
            raise errors[0]
        return {one: result for one, result in seen.items() if not isinstance(result, ClawHostersError)}

    def _read_one(self, one: object, time_left: float | None) -> Resource | ClawHostersError | None:
        try:
            return find_instance(self.task.client, one, time_left=time_left)
        except TEMPORARY_ERRORS as error:
            if time_left is None:
                raise
            return error

    # The observer, and Ctrl-C

    def observe(self, restore: RestoreJob) -> None:
        """Tells the observer of a restore that has ended. Calls do not overlap."""
        with self._observer_lock:
            if restore.stage in (Stage.DONE, Stage.FAILED):
                self.observer.on_end(restore)

    def _explain_interruption(self) -> list[str]:
        sent, progress = [one for one in self._restores if one.may_be_sent], "this run has sent nothing."
        if sent:
            total = format_count(len(self._restores), "restore")
            completed = sum(one.outcome == COMPLETED for one in sent)
            progress = (
                f"this run has sent {len(sent)} of {total}, and {completed} completed; what the service has accepted "
                "goes on."
            )
        return [f"Incident {self.task.incident}: {progress} {self.task.wording.advice}"]
