# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows a restored instance until it runs and is healthy."""

from __future__ import annotations

import typing as t

from ..._model.instance import describe_status, get_status, label
from ..._model.instance_job import Job, Phase

if t.TYPE_CHECKING:
    from ..._errors import ClawHostersError
    from ..._model.resource import Resource
    from ..instance_changes import InstanceChanges


class Recovery:
    """The time from the end of a restore until its instance runs and, if that is waited for, is healthy.

    It is a job of ``changes``. Unless the run ``starts`` instances, one that came back stopped is left as it is.
    """

    def __init__(self, instance: Resource, changes: InstanceChanges, *, starts: bool) -> None:
        self.current = instance
        """The instance as last seen."""
        self.failure: tuple[object, ClawHostersError | None] | None = None
        """Why it will not recover, and the error behind that; None for its status."""
        self.needs_start = self.is_started = False
        """True if the instance is started next, and if this run has started it."""
        self.is_done = not starts and get_status(instance) != "running"
        """True if nothing is left to wait for, or if it has failed."""
        self.warning = ""
        """The warning at the end of the restore."""
        if self.is_done and changes.wait_healthy:
            status = f"The status of {label(instance)} is {describe_status(instance)}"
            self.warning = f"{status}, so its health is not waited for."
        self.job = Job("started", found=instance, instance=instance)
        self._changes = changes
        if not self.is_done:
            self._decide(instance)

    def _decide(self, instance: Resource) -> None:
        self.job.decide(instance)
        self._changes.wait_for_unchanged(self.job)
        self.follow_job()

    def update(self, now: Resource) -> None:
        """Updates it from the instance as a poll shows it."""
        if self.needs_start:
            # It was decided from an instance that may have been read long before.
            self._decide(now)
        else:
            self._changes.update(self.job, now)
            self.follow_job()

    def follow_job(self) -> None:
        """Takes over what the job knows."""
        job = self.job
        self.needs_start, self.is_started, self.is_done = job.phase is Phase.READY, job.changed, job.phase is Phase.DONE
        self.current = job.current or self.current
        if job.error is not None:
            self.failure = (job.error, job.cause)

    def describe(self) -> tuple[str, str]:
        """Returns name and condition of the instance, for progress lines."""
        return self._changes.describe(self.job)

    def explain_unfinished(self, error: ClawHostersError, timeout: float, option: str) -> str:
        """Returns what is known if the wait ended with ``error``; ``option`` set its timeout."""
        return self._changes.explain_unfinished(self.job, error, timeout, option=option)
