# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts the instances that a restore has left stopped. Few tasks need it."""

from __future__ import annotations

import typing as t

from ..._model.instance_job import Job, Phase
from ..instance_changes import InstanceChanges
from .recovery import Recovery
from .restore import COMPLETED

if t.TYPE_CHECKING:
    from ..._errors import ClawHostersError
    from ..._model.resource import Resource
    from .incident import Incident
    from .restore import Restore


class StartingRecovery(Recovery):
    """Follows an instance that is started if it is stopped: a job of ``changes``."""

    warning = ""

    def __init__(self, instance: Resource, changes: InstanceChanges) -> None:
        super().__init__(instance, wait_healthy=changes.wait_healthy)
        self.job = Job("started", found=instance)
        self._changes = changes
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
            self.fail(job.error, job.cause)

    def describe(self) -> tuple[str, str]:
        """Returns name and condition of the instance, for progress lines."""
        return self._changes.describe(self.job)

    def explain_unfinished(self, error: ClawHostersError, timeout: float, option: str) -> str:
        """Returns what is known if the wait ended with ``error``; ``option`` set its timeout."""
        return self._changes.explain_unfinished(self.job, error, timeout, option=option)


class Starter:
    """Starts the instances of a run."""

    def __init__(self, incident: Incident, *, wait_healthy: bool) -> None:
        self._changes = InstanceChanges(incident.client, wait_healthy, incident.warn)

    def follow(self, instance: Resource) -> StartingRecovery:
        """Begins to follow an instance that was restored."""
        return StartingRecovery(instance, self._changes)

    def request(self, recoveries: t.Sequence[StartingRecovery]) -> None:
        """Starts these instances."""
        self._changes.request_changes([recovery.job for recovery in recoveries])
        for recovery in recoveries:
            recovery.follow_job()


def predict_start(restore: Restore) -> None:
    """Sets the results that the start of a restored instance would have, for check mode."""
    start = Job("started", found=restore.current)
    start.decide(restore.current)
    if start.error is not None:
        restore.fail(restore.explain_unrecovered(start.error, start.cause), COMPLETED)
    elif start.phase is Phase.READY:
        restore.is_started, restore.current = True, {**restore.current, "status": "running"}
