# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes many instances concurrently, and waits for all of them at once."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import ClawHostersError
from .._model.instance import Action, get_status
from .._wait_summary import ProgressSummary, describe_remaining
from .instance_changes import InstanceChanges, find_open
from .instance_requests import fetch_instance

if t.TYPE_CHECKING:
    from .._model.instance_job import Job


@dataclass
class FleetChanges(InstanceChanges):
    """Changes the instances of a fleet. ``prefix`` begins the lines of a wait.

    Before further changes are requested, ``check_decisions`` gets the jobs that a poll has updated, and the seconds
    left.
    """

    check_decisions: t.Callable[[list[Job], float], None] = lambda jobs, seconds: None
    prefix: str = ""

    def check_flags(self, jobs: t.Iterable[Job], time_left: float | None = None) -> None:
        """Decides rejected jobs again with the detail: only the detail shows the flags."""
        rejected = [job for job in jobs if job.action is Action.REJECT and get_status(job.instance) != "deleting"]
        list(map_ordered(lambda job: self._check_flags(job, time_left), rejected))
        for job in rejected:
            self.wait_for_unchanged(job)

    def _check_flags(self, job: Job, time_left: float | None) -> None:
        try:
            detail = fetch_instance(self.client, job.instance["id"], time_left=time_left)
        except ClawHostersError as error:
            job.error = f"{job.error} Its flags, which may allow it, can't be read: {error}"
            job.cause = error.response or job.cause
            return
        if detail is not None:
            job.error = job.cause = None
            job.decide(detail)

    def _review(self, decided: list[Job], seconds: float) -> None:
        self.check_decisions(decided, seconds)

    def _build_summary(self, watched: list[Job]) -> t.Callable[[], str] | None:
        if len(watched) == 1:
            return None
        return ProgressSummary(lambda: map(self.describe, find_open(watched)), self.prefix).format

    def _describe_all(self, watched: list[Job]) -> tuple[str, str]:
        return describe_remaining(map(self.describe, find_open(watched)), self.prefix)

    def _explain_interruption(self, watched: list[Job]) -> str:
        if len(watched) == 1:
            return super()._explain_interruption(watched)
        return "The changes that were accepted go on. Run the same command again to wait for the rest."
