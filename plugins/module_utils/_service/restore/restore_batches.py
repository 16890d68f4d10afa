# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends planned restores in batches: those of a batch together, with one waiter for all of them."""

from __future__ import annotations

import contextlib
import math
import typing as t
from dataclasses import dataclass, field

from ..._concurrency import map_ordered
from ..._errors import ClawHostersError, WaitTimeoutError
from ..._model.batches import POLL_SHARE, BatchSize, announce_batch, begin_batches, parse_serial, split_batches
from ..._model.instance import short_name
from ..._model.resource import Resource
from ..._state.journal import OperationEvent
from ..._waiter import ProgressSummary, Waiter, describe_remaining
from ..instance_reader import InstanceReader
from .history import RestoreHistory
from .incident import Incident
from .plan import Target
from .restore import Restore, RestoreObserver, Stage
from .restore_runner import RestoreOptions, RestoreRunner, RunContext


@dataclass
class RestoreBatches:
    """Restores in batches. ``max_failures``: when more than this have failed, no further batch begins.

    ``waits``: without it, the requests are sent, and nothing is waited for.
    """

    incident: Incident
    reader: InstanceReader
    options: RestoreOptions
    serial: t.Sequence[BatchSize] = field(default_factory=lambda: parse_serial("serial", ["100%"]))
    max_failures: int = 0
    waits: bool = True
    observer: RestoreObserver = field(default_factory=RestoreObserver)

    def run(self, restores: t.Sequence[Restore]) -> None:
        """Sends the restores, and sets their results. Started again for the same incident, it goes on.

        One that has an ``error`` already counts as failed in its batch, and is not sent. A failed restore stops neither
        the others of its batch nor, up to ``max_failures``, the next batches. Not for check mode.
        """
        batches = split_batches(restores, self.serial)
        progress = self.incident.client.progress
        with progress.if_interrupted("") as note:
            context = RunContext(self.incident, self.options, self.observer, restores, note)
            for number, batch in begin_batches(batches, self.max_failures, Restore.has_failed):
                names = (short_name(restore.instance) for restore in batch)
                prefix = announce_batch(progress, number, len(batches), names)
                self.observer.on_batch(number, len(batches), batch)
                _Batch(self, context, batch, prefix).run()


class _Batch:
    """The restores of one batch."""

    def __init__(
        self, batches: RestoreBatches, context: RunContext, restores: t.Iterable[Restore], prefix: str
    ) -> None:
        self._batches = batches
        self._incident = batches.incident
        self._changes = context.changes
        self._prefix = prefix
        """Says which of many batches it is, in the progress lines."""
        self._locks = contextlib.ExitStack()
        self._runners = [RestoreRunner(restore, context) for restore in restores if restore.error is None]

    def run(self) -> None:
        """Restores those without an error."""
        with self._locks:
            self._begin(self._runners)
            self._release_ended()
            if not self._batches.waits:
                for runner in self._runners:
                    if runner.stage is Stage.LOCKED:
                        runner.decide_held()
                    runner.require_recorded()
                return
            self._wait()
            running = [runner for runner in self._runners if runner.stage is Stage.RUNNING]
            list(map_ordered(RestoreRunner.verify, running))

    def _begin(self, runners: list[RestoreRunner]) -> None:
        """Locks the instances, decides under the locks what is left to do, and sends what has to be sent."""
        ready = [runner for runner in runners if runner.acquire(self._locks)]
        if not ready:
            return
        try:
            history = self._incident.read_history(Target(runner.restore.instance["id"], None) for runner in ready)
            seen = self._look(ready, history)
        except ClawHostersError as error:
            error.add("This run sent nothing for it.")
            for runner in ready:
                runner.fail(error)
            return
        sends = [runner for runner in ready if runner.decide(history, seen.get(runner.id, runner.restore.instance))]
        list(map_ordered(RestoreRunner.send, sends))

    def _look(self, ready: list[RestoreRunner], history: RestoreHistory) -> dict[str, Resource | None]:
        """Returns the instances as they are now, those that must be read again.

        A completed restore is followed by polls.
        """
        force = self._incident.rules.force
        ids = []
        for runner in ready:
            state = history.find_own(runner.id)
            is_completed = state is not None and state.event is OperationEvent.COMPLETED and not force
            if not is_completed and not (runner.restore.is_fresh and state is None):
                ids.append(runner.id)
        return self._batches.reader.read(ids) if ids else {}

    def _wait(self) -> None:
        """Polls until no restore has to be waited for, and fails those that have not ended in time."""
        options, client = self._batches.options, self._incident.client
        waiter = Waiter(
            options.timeout + (options.healthy_timeout or 0.0),
            client.progress,
            requests_left=lambda: client.stats.remaining,
        )
        waiter.find_deadline = lambda: min((runner.deadline for runner in self._open()), default=math.inf)
        if len(self._runners) > 1:
            waiter.budget_share = POLL_SHARE
            waiter.summary = ProgressSummary(lambda: (runner.describe() for runner in self._open()), self._prefix)
        for runner in self._runners:
            runner.limit_wait()
        if not self._open():
            return

        def fetch(seconds: float) -> dict[str, Resource | None]:
            # Nothing is to be seen of an instance that another run works on, but its lock.
            ids = [runner.id for runner in self._open() if runner.stage is not Stage.LOCKED]
            waiter.requests_per_poll = self._batches.reader.cost(len(ids))
            return self._batches.reader.read(ids, time_left=seconds) if ids else {}

        def is_done(seen: dict[str, Resource | None]) -> bool:
            self._update(seen)
            return not self._open()

        def describe(_seen: object) -> tuple[str, str]:
            return describe_remaining((runner.describe() for runner in self._open()), self._prefix)

        try:
            waiter.until(t.cast("dict[str, Resource | None]", {}), fetch, is_done, describe)
        except ClawHostersError as error:
            for runner in self._open():
                runner.give_up(error)

    def _update(self, seen: dict[str, Resource | None]) -> None:
        """Updates the restores after a poll, and sends what has become possible."""
        for runner in self._open():
            if runner.stage is not Stage.LOCKED and runner.id in seen:
                runner.update(seen[runner.id])
        self._begin([runner for runner in self._runners if runner.stage is Stage.LOCKED])
        self._request_starts([runner for runner in self._runners if runner.stage in (Stage.RESTORED, Stage.STARTING)])
        for runner in self._open():
            if runner.is_overdue:
                runner.give_up(WaitTimeoutError("The time is over."))
        self._release_ended()

    def _request_starts(self, runners: list[RestoreRunner]) -> None:
        """Starts the instances that came back stopped."""
        for runner in runners:
            runner.announce_start()
        self._changes.request_changes([runner.start for runner in runners])
        for runner in runners:
            runner.end_start()

    def _open(self) -> list[RestoreRunner]:
        return [runner for runner in self._runners if runner.stage.is_open]

    def _release_ended(self) -> None:
        """Unlocks the instances whose restores have ended: two runs that wait for each other would do so in vain."""
        for runner in self._runners:
            if not runner.stage.is_open:
                runner.release()
