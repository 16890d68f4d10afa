# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests the changes of many instances concurrently, and follows each until it is done.

``claw_fleet`` brings instances to any state, ``claw_fleet_restore`` starts those that a restore left stopped.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import ApiError, ClawHostersError, WaitTimeoutError
from .._http.client import Client
from .._model.fleet_plan import Job, Phase
from .._model.instance import (
    Action,
    FailureStatusError,
    build_paused_warning,
    describe_instance,
    get_status,
    is_busy,
    is_healthy,
    label,
    state_reached,
)
from .._model.resource import Resource
from .._waiter import format_last_seen
from .change_requests import Effect, request_change
from .instances import fetch_instance


@dataclass
class FleetChanges:
    """Changes the instances of jobs. The caller polls. In check mode, predicts the changes."""

    client: Client
    wait_healthy: bool
    warn: t.Callable[[str], None]

    def request_changes(self, jobs: list[Job]) -> None:
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
            for job in ready:
                self.warn_if_paused(job)

    def _warn_of_deletion(self, job: Job) -> None:
        """Warns before the request: the warnings of a task are shown when it ends."""
        warning = f"Deleting {label(job.instance)} may delete its backups too."
        if self.client.check_mode:
            self.warn(warning)
        else:
            self.client.progress.report(warning)

    def _request_change(self, job: Job) -> None:
        """Requests one change. A job sends at most two requests.

        The second is sent only if a 422 was about a status that passes, or if a start or stop without a clear response
        shows no effect.
        """
        before = job.instance
        try:
            while True:
                job.requests += 1
                change = request_change(self.client, job.instance, job.wanted, job.action, may_repeat=job.requests < 2)
                job.current = change.instance
                if change.effect is Effect.RESEND:
                    job.is_outcome_unknown = change.is_outcome_unknown
                elif change.effect is not Effect.REDECIDE or is_busy(job.instance):
                    break
                # Otherwise again at once: a deletion was refused while the instance was busy, and it has settled since.
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
        elif job.changed:
            self._start_waiting(job, before)
        else:
            job.finish(change.instance)
            self.wait_for_unchanged(job)

    def _start_waiting(self, job: Job, before: Resource) -> None:
        job.phase = Phase.CHANGING
        if job.wanted != "absent":
            job.reached_predicate = state_reached(job.wanted, get_status(before), wait_healthy=self.wait_healthy)

    def update(self, job: Job, now: Resource | None) -> None:
        """Updates a job from the instance in the list, and ends it if it is done."""
        if now is None and job.wanted == "absent":
            job.finish(None)
        elif now is None:
            job.fail("It was deleted during this task.")
        elif job.phase is Phase.SETTLING:
            job.current = now
            if not is_busy(now):
                job.decide(now)
                self.warn_if_paused(job)
                self.wait_for_unchanged(job)
        else:
            job.current = now
            try:
                if job.reached_predicate is not None and job.reached_predicate(now):
                    job.finish(now)
                    self.warn_if_paused(job)
            except FailureStatusError as error:
                job.fail(error)

    def check_flags(self, jobs: t.Iterable[Job], time_left: float | None = None) -> None:
        """Decides rejected jobs again with the detail: only the detail shows the flags."""
        rejected = [job for job in jobs if job.action is Action.REJECT and get_status(job.instance) != "deleting"]
        list(map_ordered(lambda job: self._check_flags(job, time_left), rejected))
        for job in rejected:
            self.warn_if_paused(job)
            self.wait_for_unchanged(job)

    def _check_flags(self, job: Job, time_left: float | None) -> None:
        try:
            detail = fetch_instance(self.client, job.instance["id"], time_left=time_left)
        except ClawHostersError as error:
            job.error = f"{job.error} Its flags, which may allow it, can't be read: {error}"
            job.cause = error if isinstance(error, ApiError) else job.cause
            return
        if detail is not None:
            job.error = job.cause = None
            job.decide(detail)

    def warn_if_paused(self, job: Job) -> None:
        """Warns of an instance that was to be stopped, and is as good as stopped because it is paused."""
        if job.phase is not Phase.DONE or job.error is not None:
            return
        if warning := build_paused_warning(job.current, job.wanted, changed=job.changed):
            self.warn(warning)

    def wait_for_unchanged(self, job: Job) -> None:
        """Makes a job that needs no change wait for health or deletion."""
        if self.client.check_mode or job.phase is not Phase.DONE or job.error is not None or job.changed:
            return
        if job.current is None:
            return
        is_unhealthy = self.wait_healthy and job.wanted == "started" and not is_healthy(job.current)
        if job.wanted == "absent" or is_unhealthy:
            self._start_waiting(job, job.current)

    def describe(self, job: Job) -> tuple[str, str]:
        """Returns name and condition of the instance."""
        return describe_instance(job.instance, with_health=self.wait_healthy and job.wanted != "stopped")

    def explain_unfinished(self, job: Job, error: ClawHostersError, timeout: float) -> str:
        """Returns what is known of a job whose wait ended with ``error``."""
        accepted = f"The {job.action.value} was accepted. " if job.changed else ""
        _name, condition = self.describe(job)
        if isinstance(error, WaitTimeoutError) and error.cause is None:
            waits_for_health = self.wait_healthy and job.wanted in ("started", "restarted")
            is_unhealthy = get_status(job.instance) == "running" and not is_healthy(job.instance)
            goal = "healthy" if waits_for_health and is_unhealthy else job.wanted
            return f"{accepted}It is {condition}, and not {goal} within {timeout:g} s (wait_timeout)."
        reason, at = error.cause or error, error.last_seen.at if error.last_seen else None
        seen = format_last_seen(condition, at)
        return f"{accepted}It is unknown whether it is {job.wanted}: {reason} It was {seen}."
