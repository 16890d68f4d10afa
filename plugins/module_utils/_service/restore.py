# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a backup at most once for an incident (interface 3, ``claw_backup_restore``; contract 7).

A restore overwrites data, and as far as is known no copy is taken first. So the journal records it before it is sent,
it is sent once, and its outcome is read from the service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._errors import (
    ClawHostersError,
    PartialError,
    RefusedError,
    SettingsError,
    WaitTimeoutError,
)
from .._http.client import Client
from .._model.instance import (
    FailureStatusError,
    StateReached,
    describe_instance,
    get_status,
    is_healthy,
    label,
    short_name,
)
from .._model.resource import Resource
from .._model.restore import RestoreQuery, require_restorable
from .._model.restore_item import COMPLETED, IN_FLIGHT, PLANNED
from .._model.results import Result
from .._progress import InterruptNote
from .._state.journal import JournalError, OperationEvent
from .._waiter import Waiter
from .at_most_once import OperationGuard, explain_recorded
from .instances import InstanceGoneError, refetch_instance
from .restore_job import NextStep, RestoreJob, describe_holder
from .restore_target import RestoreFinder


@dataclass
class Restore:
    """One restore, from the choice of the backup to the end of the wait."""

    finder: RestoreFinder
    waiter: Waiter | None
    wait_healthy: bool

    @property
    def client(self) -> Client:
        return self.finder.client

    @property
    def incident(self) -> str:
        return self.finder.incident

    def run(self, query: RestoreQuery) -> Result:
        """Restores, or continues an earlier run, and returns the result of the task.

        Raises RefusedError if nothing was sent, and PartialError, whose result holds what is known, if something was or
        may have been sent, by this run or an earlier one.
        """
        with self.client.progress.if_interrupted(f"Nothing was sent for incident {self.incident}.") as note:
            try:
                return self._run_alone(query, note)
            except (PartialError, RefusedError, SettingsError, JournalError):
                raise
            except ClawHostersError as error:
                raise self._with_earlier_run(error, query) from None

    def _run_alone(self, query: RestoreQuery, note: InterruptNote) -> Result:
        """Runs while no other process works on this operation, after a wait if one does."""
        while True:
            # Found again after each wait: the other run may have changed anything.
            instance, backup = self.finder.find_target(query)
            guard = self.finder.guard(instance, note)
            if self.client.check_mode:
                return self._run(query, instance, backup, guard)
            with guard.lock() as is_free:
                if is_free:
                    return self._run(query, instance, backup, guard)
            if self.waiter is None:
                return self.finder.job(instance, backup, guard).build_result(IN_FLIGHT, guard.state())
            self._wait_for_other_run(self.waiter, guard, instance, backup)

    def _wait_for_other_run(
        self, waiter: Waiter, guard: OperationGuard, instance: Resource, backup: Resource | None
    ) -> None:
        """Returns when no other run works on this restore. Raises PartialError on timeout."""
        try:
            waiter.until(
                None,
                lambda _seconds: guard.find_holder(),
                lambda holder: holder is None,
                lambda holder: (short_name(instance), describe_holder(holder, guard.journal.now())),
                "free",
            )
        except WaitTimeoutError as timeout:
            raise PartialError(
                f"{timeout} This run sent nothing. Run the same task again: it continues waiting.",
                self.finder.job(instance, backup, guard).build_result(IN_FLIGHT, guard.state(), timeout),
            ) from None

    def _with_earlier_run(self, error: ClawHostersError, query: RestoreQuery) -> ClawHostersError:
        """Returns ``error``, which kept this run from reading the service, with what the journal knows."""
        try:
            recorded = None if self.finder.force else self.finder.find_in_journal(query)
        except JournalError:
            return error
        if recorded is None:
            return error
        instance, state = recorded
        known = explain_recorded(f"the restore of {short_name(instance)}", state)
        job = self.finder.job(instance, {"id": state.notes.get("backup_id")})
        again = "" if state.event is OperationEvent.COMPLETED else job.run_again(error)
        result = job.build_result(state.outcome, state, error)
        return PartialError(f"{error} {known} {again}", result, error)

    def _run(self, query: RestoreQuery, instance: Resource, backup: Resource | None, guard: OperationGuard) -> Result:
        """Continues what the journal holds, or begins. No other process works on this operation."""
        state = guard.state()
        job = self.finder.job(instance, backup, guard, query.expected_sent_at)
        # Another run may have restored it since the instance was read.
        now = instance if state is None else refetch_instance(self.client, instance)
        step = job.decide(state, now, lambda recorded: self.finder.find_recorded(recorded, backup))
        if step is NextStep.WAIT and not self.client.check_mode:
            return self._wait(job)
        if step is NextStep.WAIT:
            return job.build_result(IN_FLIGHT, state)
        if step is NextStep.NONE:
            return self._wait_for_health(job, job.build_result(COMPLETED, state))
        job.backup = backup or self.finder.find_newest(query, job.instance)
        if not self.finder.force:
            require_restorable(job.instance)
        query.require_max_age(job.backup, job.instance)
        if self.client.check_mode:
            return job.build_result(PLANNED, state)
        job.send()
        return self._wait(job)

    def _wait(self, job: RestoreJob) -> Result:
        """Waits for an accepted restore, if there is a waiter, and records how it ended."""
        if self.waiter is None:
            job.require_recorded()
            return job.build_result(IN_FLIGHT, job.guard.known_state())
        try:
            now = self._wait_until_finished(self.waiter, job)
        except FailureStatusError as failure:
            raise job.record_failure(failure) from None
        except ClawHostersError as error:
            raise job.unfinished_error(error) from None
        return self._wait_for_health(job, job.complete(now))

    def _wait_until_finished(self, waiter: Waiter, job: RestoreJob) -> Resource:
        instance = job.instance
        return waiter.until(
            instance,
            lambda seconds: refetch_instance(self.client, instance, seconds),
            job.finished_predicate(),
            lambda now: replace(job, instance=now).describe(),
            "restored",
        )

    def _wait_for_health(self, job: RestoreJob, result: Result) -> Result:
        """Returns the ``result`` of a completed restore, with ``wait_healthy`` once the instance is healthy."""
        instance = job.instance
        if self.waiter is None or not self.wait_healthy or self.client.check_mode or is_healthy(instance):
            return result
        if get_status(instance) != "running":
            self.finder.warn(f"{label(instance)} is {instance.get('status')}, so its health is not waited for.")
            return result
        try:
            job.instance = self.waiter.until(
                instance,
                lambda seconds: refetch_instance(self.client, instance, seconds),
                StateReached("healthy", "running", ("running",), wait_healthy=True, is_transition_seen=True),
                lambda now: describe_instance(now, with_health=True),
                "healthy",
            )
        except ClawHostersError as error:
            job.instance = error.last_seen.resource if error.last_seen else instance
            result = job.build_result(COMPLETED, job.guard.known_state(), error)
            again = "" if isinstance(error, InstanceGoneError) else f" {job.run_again(error)}"
            raise PartialError(f"It was restored. {error}{again}", result, error) from None
        return {**result, "instance": job.instance}
