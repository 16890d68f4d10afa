# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings many instances to their states at the cost of a few lists.

One list serves all entries, changes are requested concurrently, and one waiter polls the list for all of them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ClawHostersError, PartialError
from .._http.client import Client
from .._model.fleet_entries import Entry
from .._model.fleet_plan import Job, Phase, plan
from .._model.fleet_results import Limits, build_result, find_excess, format_failures, hold_back_excess
from .._model.instance_index import InstanceIndex
from .._model.resource import Resource
from .._model.results import Result
from .._waiter import Waiter, describe_remaining
from .fleet_changes import FleetChanges


@dataclass
class Fleet:
    """Carries out a plan. Without a ``waiter`` it does not wait; in check mode it only reads."""

    client: Client
    waiter: Waiter | None
    wait_healthy: bool
    warn: t.Callable[[str], None]

    def __post_init__(self) -> None:
        self.changes = FleetChanges(self.client, self.wait_healthy, self.warn)

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
            self.changes.warn_if_paused(job)
        self.changes.check_flags(jobs)
        if excess := find_excess(jobs, limits):
            is_refused = not self.client.check_mode
            if not is_refused:  # the plan, which check mode shows all the same
                self.changes.request_changes(jobs)
            result = build_result(entries, jobs, done=False, refused=is_refused)
            raise PartialError(f"{excess} Nothing was sent.", result)
        self.changes.request_changes(jobs)
        if self.waiter is None:
            self._finish_without_waiting(jobs)
        else:
            self._wait(self.waiter, jobs, limits)
        result = build_result(entries, jobs, done=not self.client.check_mode)
        if failures := format_failures(entries, jobs):
            raise PartialError(failures, result, next((job.cause for job in jobs if job.error and job.cause), None))
        return result

    # Waiting

    def _finish_without_waiting(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.phase is Phase.SETTLING:
                job.fail(
                    f"It is {job.instance.get('status')}, and the next step depends on how that ends: use wait: true."
                )
            elif job.phase is Phase.CHANGING:
                job.finish(job.predict())

    def _wait(self, waiter: Waiter, jobs: list[Job], limits: Limits) -> None:
        for job in jobs:
            self.changes.wait_for_unchanged(job)
        watched = [job for job in jobs if job.phase is not Phase.DONE]
        if not watched:
            return

        def is_done(listing: list[Resource]) -> bool:
            by_id = InstanceIndex(listing).by_id
            open_jobs = [job for job in watched if job.phase is not Phase.DONE]
            for job in open_jobs:
                self.changes.update(job, by_id.get(str(job.instance["id"])))
            self.changes.check_flags(open_jobs, max(waiter.seconds_left, 0.0))
            hold_back_excess(jobs, limits)
            self.changes.request_changes(watched)
            return all(job.phase is Phase.DONE for job in watched)

        try:
            with self.client.progress.if_interrupted(
                "The changes that were accepted go on. Run the same command again to wait for the rest."
            ):
                waiter.until(
                    t.cast("list[Resource]", []),
                    lambda seconds: self.client.fetch_all("/instances", time_left=seconds),
                    is_done,
                    lambda _listing: describe_remaining(
                        self.changes.describe(job) for job in watched if job.phase is not Phase.DONE
                    ),
                    "all as declared",
                )
        except ClawHostersError as error:
            for job in watched:
                if job.phase is not Phase.DONE:
                    job.fail(self.changes.explain_unfinished(job, error, waiter.timeout), error.cause or error)
