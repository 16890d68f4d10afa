# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends planned restores in batches, each together and with one waiter, and starts what comes back stopped.

Imports all that may be needed once they were sent, so a task imports it before that, and only if something may be sent.
"""

from __future__ import annotations

import contextlib
import math
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..._concurrency import map_ordered
from ..._errors import ClawHostersError, WaitTimeoutError
from ..._http.lists import fetch_all
from ..._model.batches import begin_batches, split_batches
from ..._model.instance import short_name
from ..._model.instance_index import InstanceIndex
from ..._state.journal import OperationEvent
from ..._waiter import POLL_SHARE, TEMPORARY_ERRORS, Waiter, describe_remaining
from ..instance_changes import explain_lapse, keeps_state
from ..instance_requests import fetch_instance
from .plan import RestoreAction
from .restore import COMPLETED, InstanceGoneError, Restore, Stage
from .restore_runner import RestoreObserver, RestoreRunner, RunContext

if t.TYPE_CHECKING:
    from ..._http.client import Client
    from ..._model.resource import Resource
    from .history import RestoreHistory
    from .incident import Incident
    from .plan import RestoreOptions


@dataclass
class InstanceReader:
    """Reads instances by their ids. ``list_requests``: the requests of the whole list; None if that is not known."""

    client: Client
    list_requests: int | None = None

    def cost(self, count: int) -> int:
        """Returns the number of requests that it takes to read ``count`` instances."""
        return count if self.list_requests is None else min(count, self.list_requests)

    def read(self, ids: t.Collection[object], time_left: float | None = None) -> dict[str, Resource | None]:
        """Returns the instances by id, None for one that does not exist. ``time_left``: see :meth:`Client.fetch`.

        With ``time_left``, instances that could not be read because of a temporary error are missing. Raises the error
        if that is all of them.
        """
        if self.cost(len(ids)) < len(ids):
            by_id = InstanceIndex(fetch_all(self.client, "/instances", time_left=time_left)).by_id
            return {str(one): by_id.get(str(one)) for one in ids}
        results = zip(ids, map_ordered(lambda one: self._read_one(one, time_left), ids), strict=True)
        seen = {str(one): result for one, result in results}
        errors = [result for result in seen.values() if isinstance(result, ClawHostersError)]
        if errors and len(errors) == len(seen):
            raise errors[0]
        return {one: result for one, result in seen.items() if not isinstance(result, ClawHostersError)}

    def _read_one(self, one: object, time_left: float | None) -> Resource | ClawHostersError | None:
        try:
            return fetch_instance(self.client, one, time_left=time_left)
        except TEMPORARY_ERRORS as error:
            if time_left is None:
                raise
            return error


@dataclass
class RestoreBatch:
    """The ``restores`` of one batch."""

    context: RunContext
    reader: InstanceReader
    restores: t.Sequence[Restore]

    def __post_init__(self) -> None:
        self._runners = [RestoreRunner(restore, self.context) for restore in self.restores if restore.error is None]

    def run(self) -> None:
        """Restores those without an error."""
        if self.context.incident.client.check_mode:
            for runner in self._runners:
                runner.predict()
            return
        with contextlib.ExitStack() as locks:
            for runner in self._runners:
                locks.callback(runner.release)
            self._begin(self._runners)
            self._release_ended()
            if not self.context.options.waits:
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
        ready = [runner for runner in runners if runner.acquire()]
        if not ready:
            return
        try:
            if self.context.unseen is not None:
                raise self.context.unseen
            history = self.context.incident.read_history(runner.id for runner in ready)
            seen = self._read_again(ready, history)
        except ClawHostersError as error:
            error.add("This run sent nothing for it.")
            for runner in ready:
                runner.fail(error)
            return
        sends = [runner for runner in ready if runner.decide(history, seen.get(runner.id, runner.restore.instance))]
        list(map_ordered(RestoreRunner.send, sends))

    def _read_again(self, ready: list[RestoreRunner], history: RestoreHistory) -> dict[str, Resource | None]:
        """Returns the instances as they are now, except those that the plan has read after their restores completed."""
        ids = []
        for runner in ready:
            state, was_completed = history.find_own(runner.id), runner.restore.plan.action is RestoreAction.NONE
            is_completed = state is not None and state.event is OperationEvent.COMPLETED and was_completed
            if not is_completed:
                ids.append(runner.id)
        return self.reader.read(ids) if ids else {}

    def _wait(self) -> None:
        """Polls until no restore has to be waited for, and fails those that have not ended in time."""
        options, client = self.context.options, self.context.incident.client
        waiter = Waiter(
            options.timeout + (options.healthy_timeout or 0.0),
            client.progress,
            requests_left=lambda: client.stats.remaining,
        )
        waiter.find_deadline = lambda: min((runner.deadline for runner in self._open()), default=math.inf)
        if len(self._runners) > 1:
            waiter.budget_share = POLL_SHARE
        for runner in self._open():
            if options.healthy_timeout is not None and runner.stage is not Stage.RESTORED:
                # From the last request on, and not with the time to become healthy.
                runner.deadline = self.context.clock() + options.timeout
        if not self._open():
            return

        def fetch(seconds: float) -> dict[str, Resource | None]:
            # Nothing is to be seen of an instance that another run works on, but its lock.
            ids = [runner.id for runner in self._open() if runner.stage is not Stage.LOCKED]
            waiter.requests_per_poll = self.reader.cost(len(ids))
            return self.reader.read(ids, time_left=seconds) if ids else {}

        def is_done(seen: dict[str, Resource | None]) -> bool:
            self._update(seen)
            return not self._open()

        def describe(_seen: object) -> tuple[str, str]:
            return describe_remaining(runner.describe() for runner in self._open())

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
        self._request_starts([runner for runner in self._runners if runner.stage is Stage.RESTORED])
        for runner in self._open():
            if self.context.clock() >= runner.deadline:
                runner.give_up(WaitTimeoutError("The time is over."))
        self._release_ended()

    def _request_starts(self, runners: list[RestoreRunner]) -> None:
        """Starts the instances that came back stopped."""
        self.context.changes.request_changes([runner.job for runner in runners])
        for runner in runners:
            runner.end_recovery()

    def _open(self) -> list[RestoreRunner]:
        return [runner for runner in self._runners if runner.stage.is_open]

    def _release_ended(self) -> None:
        """Unlocks the instances whose restores have ended: two runs that wait for each other would do so in vain."""
        for runner in self._runners:
            if not runner.stage.is_open:
                runner.release()


@dataclass
class RestoreBatches:
    """Restores in batches. ``list_requests``: see :class:`InstanceReader`."""

    incident: Incident
    list_requests: int | None
    options: RestoreOptions
    observer: RestoreObserver = field(default_factory=RestoreObserver)

    def run(self, restores: t.Sequence[Restore]) -> None:
        """Sends the restores, and sets their results. Started again for the same incident, it goes on.

        One that has an ``error`` already counts as failed in its batch, and is not sent. A failed restore stops neither
        the others of its batch nor, up to ``max_failures``, the next batches. In check mode, predicts all that.
        """
        options, reader = self.options, InstanceReader(self.incident.client, self.list_requests)
        batches = split_batches(restores, options.sizes)
        client = self.incident.client
        with client.progress.if_interrupted("") as note:
            context = RunContext(self.incident, options, self.observer, restores, note)
            shown = None if client.check_mode else client.progress
            for number, batch in begin_batches(
                batches, options.max_failures, shown, Restore.has_failed, lambda one: short_name(one.instance)
            ):
                self.observer.on_batch(number, len(batches), batch)
                RestoreBatch(context, reader, batch).run()
                self._look_back(context, reader)

    def _look_back(self, context: RunContext, reader: InstanceReader) -> None:
        """Looks again at the instances that were restored and ran, and fails those that do so no more."""
        done = [one for one in context.restores if one.stage is Stage.DONE and one.healthy_at]
        has_just_read = len(context.restores) == 1 or all(
            one.plan.action is RestoreAction.NONE for one in context.restores
        )
        if not done or has_just_read:
            return
        try:
            seen, at, context.unseen = reader.read([one.instance["id"] for one in done]), datetime.now(UTC), None
        except ClawHostersError as error:
            context.unseen = error
            return
        for restore in done:
            now = seen[str(restore.instance["id"])]
            if keeps_state(now, "started", wait_healthy=self.options.wait_healthy):
                restore.healthy_at = at
                continue
            lapse = explain_lapse(restore.current, restore.healthy_at, now, at)
            gone = None if now else InstanceGoneError(restore.instance)
            restore.current, restore.healthy_at = now or restore.current, None
            restore.fail(restore.explain_unrecovered(lapse, gone), COMPLETED)
            context.observe(restore)
