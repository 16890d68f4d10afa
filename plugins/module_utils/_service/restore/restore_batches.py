# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends planned restores in batches, and starts the instances that come back stopped."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._model.batches import BatchSize, announce_batch, begin_batches, split_batches
from ..._model.instance import short_name
from ..._model.instance_job import Job, Phase
from ..instance_changes import InstanceChanges
from .recovery import Recoveries, Recovery
from .restore import Restore, RestoreObserver
from .restore_batch import RestoreBatch
from .restore_runner import RestoreOptions, RunContext

if t.TYPE_CHECKING:
    from ..._errors import ClawHostersError
    from ..._model.resource import Resource
    from ..instance_reader import InstanceReader
    from .incident import Incident


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


class Starts(Recoveries):
    """Follows the instances of a run, and starts those that came back stopped."""

    starts = True

    def __init__(self, incident: Incident, *, wait_healthy: bool) -> None:
        super().__init__(wait_healthy=wait_healthy)
        self._changes = InstanceChanges(incident.client, wait_healthy, incident.warn, incident.name)

    def follow(self, instance: Resource) -> StartingRecovery:
        """Begins to follow an instance that was restored."""
        return StartingRecovery(instance, self._changes)

    def request_starts(self, recoveries: t.Sequence[Recovery]) -> None:
        """Starts the instances that need it."""
        starting = t.cast("t.Sequence[StartingRecovery]", recoveries)
        self._changes.request_changes([recovery.job for recovery in starting])
        for recovery in starting:
            recovery.follow_job()


@dataclass
class RestoreBatches:
    """Restores in batches. ``max_failures``: when more than this have failed, no further batch begins."""

    incident: Incident
    reader: InstanceReader
    options: RestoreOptions
    serial: t.Sequence[BatchSize]
    max_failures: int = 0
    wait_healthy: bool = True
    observer: RestoreObserver = field(default_factory=RestoreObserver)

    def run(self, restores: t.Sequence[Restore]) -> None:
        """Sends the restores, and sets their results. Started again for the same incident, it goes on.

        One that has an ``error`` already counts as failed in its batch, and is not sent. A failed restore stops neither
        the others of its batch nor, up to ``max_failures``, the next batches. Not for check mode.
        """
        batches = split_batches(restores, self.serial)
        progress = self.incident.client.progress
        with progress.if_interrupted("") as note:
            starts = Starts(self.incident, wait_healthy=self.wait_healthy)
            context = RunContext(self.incident, self.options, starts, self.observer, restores, note)
            for number, batch in begin_batches(batches, self.max_failures, Restore.has_failed):
                names = (short_name(restore.instance) for restore in batch)
                prefix = announce_batch(progress, number, len(batches), names)
                self.observer.on_batch(number, len(batches), batch)
                RestoreBatch(context, self.reader, batch, prefix).run()
