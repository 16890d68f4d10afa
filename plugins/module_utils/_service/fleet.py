# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings many instances to their states at the cost of a few lists.

One list serves all entries, changes are requested concurrently, and one waiter polls the list for all of them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._http.client import Client
from .._model.fleet_entries import Entry
from .._model.fleet_plan import Job, Phase, plan
from .._model.fleet_results import build_diff, build_outcomes, find_excess, format_report, hold_back_excess
from .._model.instance import Action, label
from .._model.instance_index import InstanceIndex
from .._model.outcomes import Limits, build_result, format_failures, raise_excess, raise_failures
from .._model.protection import UNPROTECTED, Protection
from .._model.resource import Resource
from .._model.results import Result
from .._waiter import Waiter
from .fleet_changes import FleetChanges, Reader


@dataclass
class Fleet:
    """Carries out a plan. Without a ``waiter`` it does not wait; in check mode it only reads."""

    client: Client
    waiter: Waiter | None
    wait_healthy: bool
    warn: t.Callable[[str], None]
    protection: Protection = UNPROTECTED

    def ensure(self, entries: list[Entry], limits: Limits) -> Result:
        """Brings every entry to its state, and returns the result of the task.

        Raises PartialError with the result if an entry failed, which does not stop the others; FaultyListError,
        PartialError if the plan exceeds the limits, and what the client raises for the list, before the first change.
        """
        check_mode, waiter = self.client.check_mode, self.waiter
        changes = FleetChanges(self.client, self.wait_healthy, self.warn)
        jobs = plan(entries, self.client.fetch_all("/instances"), self.protection)
        if waiter is not None:
            waiter.requests_per_poll = self.client.stats.requests
        for entry, job in zip(entries, jobs, strict=True):
            if job.warning:
                self.warn(f"{entry.label}: {job.warning} Nothing is deleted for this entry.")
        changes.check_flags(jobs)
        excess = find_excess(jobs, limits)
        if check_mode or not excess:
            self._warn_of_deletions(jobs)
        if excess:
            if check_mode:  # the plan is shown all the same
                changes.request_changes(jobs)
            changes.warn_of_pauses(jobs)
            raise_excess(excess, "instance", self._build_result(entries, jobs, done=False, refused=not check_mode))

        def check_decisions(decided: list[Job], seconds: float) -> None:
            changes.check_flags(decided, seconds)
            hold_back_excess(jobs, limits)

        changes.carry_out(jobs, Reader(self._read_list), waiter, check_decisions)
        result = self._build_result(entries, jobs, done=not check_mode)
        if failures := format_failures(build_outcomes(entries, jobs)):
            raise_failures(failures, result, (job.cause for job in jobs if job.error))
        return result

    def _build_result(self, entries: list[Entry], jobs: list[Job], *, done: bool, refused: bool = False) -> Result:
        result = build_result("instances", build_outcomes(entries, jobs, refused=refused), build_diff(jobs))
        return {**result, "report": format_report(entries, jobs, done=done)}

    def _read_list(self, seconds: float) -> dict[str, Resource]:
        return InstanceIndex(self.client.fetch_all("/instances", time_left=seconds)).by_id

    def _warn_of_deletions(self, jobs: list[Job]) -> None:
        """Warns before the first request: the warnings of a task are shown when it ends."""
        warn = self.warn if self.client.check_mode else self.client.progress.report
        for job in jobs:
            if job.phase is Phase.READY and job.action is Action.DELETE:
                warn(f"Deleting {label(job.instance)} may delete its backups too.")
