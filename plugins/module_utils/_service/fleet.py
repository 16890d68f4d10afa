# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings many instances to their states at the cost of a few lists (interface 3, ``claw_fleet``).

One list serves all entries, changes are requested concurrently, and one waiter polls the list for all of them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import ClawHostersError, PartialError, WaitTimeoutError, format_list
from .._http.client import Client
from .._model.fleet_entries import Entry
from .._model.fleet_plan import Job, Phase, plan
from .._model.fleet_results import Limits, build_result, find_excess, format_failures
from .._model.instance import (
    Action,
    FailureStatusError,
    describe_instance,
    get_status,
    is_busy,
    is_healthy,
    label,
    state_reached,
)
from .._model.instance_index import InstanceIndex
from .._model.resource import Resource
from .._model.results import Result
from .._waiter import Waiter, format_last_seen
from .change_requests import Effect, request_change
from .instance_state import PAUSED_WARNING
from .instances import fetch_instance


@dataclass
class Fleet:
    """Carries out a plan. Without a ``waiter`` it does not wait; in check mode it only reads."""

    client: Client
    waiter: Waiter | None
    wait_healthy: bool
    warn: t.Callable[[str], None]

    def ensure(self, entries: list[Entry], limits: Limits) -> Result:
        """Brings every entry to its state, and returns the result of the task.

        Raises PartialError with the result if an entry failed, which does not stop the others; FaultyListError,
        PartialError if the plan exceeds the limits, and what the client raises for the list, before the first change.
        """
        jobs = plan(entries, self.client.fetch_all("/instances"))
        if self.waiter is not None:
            self.waiter.requests_per_poll = self.client.stats.requests
        for entry, job in zip(entries, jobs, strict=True):
            if job.warning:
                self.warn(f"{entry.label}: {job.warning} Nothing is deleted for this entry.")
            is_paused = job.current is not None and get_status(job.current) == "paused"
            if job.wanted == "stopped" and job.action is Action.NONE and is_paused:
                self.warn(PAUSED_WARNING.format(label(job.instance)))
            self._check_flags(job)
        if excess := find_excess(jobs, limits):
            if self.client.check_mode:
                self._request_changes(jobs)
            raise PartialError(f"{excess} Nothing was sent.", build_result(entries, jobs, done=False))
        self._request_changes(jobs)
        if self.waiter is None:
            self._finish_without_waiting(jobs)
        else:
            self._wait(self.waiter, jobs)
        result = build_result(entries, jobs, done=not self.client.check_mode)
        if failures := format_failures(entries, jobs):
            raise PartialError(failures, result, next((job.cause for job in jobs if job.cause), None))
        return result

    def _check_flags(self, job: Job) -> None:
        """Decides a rejected job again with the detail: only the detail shows the flags (contract 0.2)."""
        if job.action is not Action.REJECT or job.found is None or get_status(job.found) == "deleting":
            return
        try:
            detail = fetch_instance(self.client, job.found["id"])
        except ClawHostersError as error:
            job.fail(f"{job.error} Its flags, which may allow it, can't be read: {error}", error)
            return
        if detail is not None:
            job.error = None
            job.decide(detail)

    # Changing

    def _request_changes(self, jobs: list[Job]) -> None:
        """Requests all changes that are ready, concurrently."""
        ready = [job for job in jobs if job.phase is Phase.READY]
        for job in ready:
            if job.action is Action.DELETE and job.requests == 0:
                self._warn_of_deletion(job)
        if self.client.check_mode:
            for job in ready:
                job.changed = True
                job.finish(job.predict())
        elif ready:
            list(map_ordered(self._request_change, ready))

    def _warn_of_deletion(self, job: Job) -> None:
        """Warns before the request: the warnings of a task are shown when it ends."""
        warning = f"Deleting {label(job.instance)} may delete its backups too."
        if self.client.check_mode:
            self.warn(warning)
        else:
            self.client.progress.report(warning)

    def _request_change(self, job: Job) -> None:
        """Requests one change. A job sends at most two requests, the second only where contract 11 allows it."""
        before = job.instance
        try:
            while True:
                job.requests += 1
                change = request_change(self.client, job.instance, job.wanted, job.action, may_repeat=job.requests < 2)
                job.current = change.instance
                if change.effect is not Effect.RESEND:
                    break
                job.is_outcome_unknown = change.is_outcome_unknown
        except ClawHostersError as error:
            job.fail(error, error)
            return
        job.rejection = change.rejection
        if change.effect is Effect.REDECIDE:
            job.phase = Phase.SETTLING
            return
        # The state is reached by this request, or by the one before it whose response was lost.
        job.changed = job.is_outcome_unknown or change.effect is Effect.DONE
        job.is_outcome_unknown = False
        if change.instance is None:
            job.finish(None)
        else:
            self._start_waiting(job, before)

    def _start_waiting(self, job: Job, before: Resource) -> None:
        job.phase = Phase.CHANGING
        if job.wanted != "absent":
            job.reached_predicate = state_reached(job.wanted, get_status(before), wait_healthy=self.wait_healthy)

    # Waiting

    def _finish_without_waiting(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.phase is Phase.SETTLING:
                job.fail(
                    f"It is {job.instance.get('status')}, and the next step depends on how that ends: use wait: true."
                )
            elif job.phase is Phase.CHANGING:
                job.finish(job.predict())

    def _wait(self, waiter: Waiter, jobs: list[Job]) -> None:
        for job in jobs:
            self._wait_for_unchanged(job)
        watched = [job for job in jobs if job.phase is not Phase.DONE]
        if not watched:
            return

        def is_done(listing: list[Resource]) -> bool:
            by_id = InstanceIndex(listing).by_id
            for job in watched:
                if job.phase is not Phase.DONE:
                    self._update(job, by_id.get(str(job.instance["id"])))
            self._request_changes(watched)
            return all(job.phase is Phase.DONE for job in watched)

        try:
            with self.client.progress.if_interrupted(
                "The changes that were accepted go on. Run the same command again to wait for the rest."
            ):
                waiter.until(
                    t.cast("list[Resource]", []),
                    lambda seconds: self.client.fetch_all("/instances", time_left=seconds),
                    is_done,
                    lambda _listing: self._describe_remaining(watched),
                    "all as declared",
                )
        except ClawHostersError as error:
            for job in watched:
                if job.phase is not Phase.DONE:
                    job.fail(self._explain_unfinished(job, error, waiter.timeout), error.cause or error)

    def _update(self, job: Job, now: Resource | None) -> None:
        """Updates a job from the instance in the list, and ends it if it is done."""
        if now is None and job.wanted == "absent":
            job.finish(None)
        elif now is None:
            job.fail("It was deleted during this task.")
        elif job.phase is Phase.SETTLING:
            job.current = now
            if not is_busy(now):
                job.decide(now)
                self._wait_for_unchanged(job)
        else:
            job.current = now
            try:
                if job.reached_predicate is not None and job.reached_predicate(now):
                    job.finish(now)
            except FailureStatusError as error:
                job.fail(error)

    def _wait_for_unchanged(self, job: Job) -> None:
        """Makes a job that needs no change wait for health or deletion."""
        if self.client.check_mode or job.phase is not Phase.DONE or job.error is not None or job.changed:
            return
        if job.current is None:
            return
        is_unhealthy = self.wait_healthy and job.wanted == "started" and not is_healthy(job.current)
        if job.wanted == "absent" or is_unhealthy:
            self._start_waiting(job, job.current)

    # Messages

    def _describe(self, job: Job) -> tuple[str, str]:
        """Returns name and condition of the instance."""
        return describe_instance(job.instance, with_health=self.wait_healthy and job.wanted != "stopped")

    def _describe_remaining(self, jobs: list[Job]) -> tuple[str, str]:
        """Returns the parts of a progress line: ``5 to go: web-bot: deploying, ... and 2 more``."""
        texts = [": ".join(self._describe(job)) for job in jobs if job.phase is not Phase.DONE]
        return f"{len(texts)} to go", format_list(texts, 3)

    def _explain_unfinished(self, job: Job, error: ClawHostersError, timeout: float) -> str:
        """Returns what is known of a job whose wait ended with ``error``."""
        accepted = f"The {job.action.value} was accepted. " if job.changed else ""
        _name, condition = self._describe(job)
        if isinstance(error, WaitTimeoutError) and error.cause is None:
            return f"{accepted}It is {condition}, and not {job.wanted} within {timeout:g} s (wait_timeout)."
        reason, at = error.cause or error, error.last_seen.at if error.last_seen else None
        seen = format_last_seen(condition, at)
        return f"{accepted}It is unknown whether it is {job.wanted}: {reason} It was {seen}."
