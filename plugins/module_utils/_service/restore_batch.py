# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One batch of restores: sends them together, and waits for all with one waiter (interface 3)."""

from __future__ import annotations

import contextlib
import typing as t

from .._concurrency import map_ordered
from .._errors import ClawHostersError, WaitTimeoutError
from .._http.client import Client
from .._model.resource import Resource
from .._model.restore import RESTORE_POLL_SHARE
from .._model.restore_item import RestoreItem
from .._state.journal import OperationEvent, OperationState
from .._waiter import Waiter, describe_remaining
from .fleet_changes import FleetChanges
from .instance_reader import InstanceReader
from .restore_job import NextStep
from .restore_member import BatchContext, RestoreMember, RestoreTimeouts, Stage
from .restore_observer import RestoreObserver
from .restore_target import RestoreFinder


class RestoreBatch:
    """Restores the items of one batch, and sets their results."""

    def __init__(
        self,
        finder: RestoreFinder,
        reader: InstanceReader,
        timeouts: RestoreTimeouts,
        observer: RestoreObserver,
        *,
        wait_healthy: bool,
    ) -> None:
        self._finder = finder
        self._reader = reader
        self._changes = FleetChanges(finder.client, wait_healthy, finder.warn)
        self._context = BatchContext(finder, timeouts, self._changes, observer)
        self._locks = contextlib.ExitStack()

    @property
    def _client(self) -> Client:
        return self._finder.client

    def run(self, items: t.Iterable[RestoreItem]) -> None:
        """Restores the items without an error."""
        members = [RestoreMember(item, self._context) for item in items if item.error is None]
        with self._locks:
            self._begin(members)
            _release_ended(members)
            self._wait(members)
            list(map_ordered(RestoreMember.verify, [member for member in members if member.item.error is None]))

    def _begin(self, members: list[RestoreMember]) -> None:
        """Locks the operations, decides under the locks what is left to do, and sends what has to be sent."""
        ready = [member for member in members if member.acquire(self._locks)]
        try:
            states = self._finder.journal.read_states() if ready else {}
            force = self._finder.force
            unsettled = [member for member in ready if force or not _is_completed(states.get(member.job.guard.key))]
            seen = self._reader.read([member.id for member in unsettled])
        except ClawHostersError as error:
            error.add("This run sent nothing for it.")
            for member in ready:
                member.fail(error)
            return
        sends = []
        for member in ready:
            try:
                # A completed restore is followed by polls, unless the plan has seen that it runs.
                now = seen.get(member.id, member.item.instance)
                if member.decide(states.get(member.job.guard.key), now) is NextStep.SEND:
                    sends.append(member)
            except ClawHostersError as error:
                member.fail(error)
        list(map_ordered(RestoreMember.send, sends))

    def _wait(self, members: list[RestoreMember]) -> None:
        """Polls until no item has to be waited for, and fails those that have not ended in time."""
        timeouts = self._context.timeouts
        client = self._client
        waiter = Waiter(
            timeouts.restored + (timeouts.healthy or 0.0),
            client.progress,
            requests_left=lambda: client.stats.remaining,
        )
        waiter.budget_share = RESTORE_POLL_SHARE
        for member in members:
            member.limit_wait()
        if not _open(members):
            return

        def fetch(seconds: float) -> dict[str, Resource | None]:
            # Nothing is to be seen of an instance that another run works on, but its lock.
            ids = [member.id for member in _open(members) if member.stage is not Stage.LOCKED]
            waiter.requests_per_poll = self._reader.cost(len(ids))
            return self._reader.read(ids, time_left=seconds) if ids else {}

        def is_done(seen: dict[str, Resource | None]) -> bool:
            self._update(members, seen)
            return not _open(members)

        try:
            waiter.until(
                t.cast("dict[str, Resource | None]", {}),
                fetch,
                is_done,
                lambda _seen: describe_remaining(member.describe() for member in _open(members)),
                "all restored",
            )
        except ClawHostersError as error:
            for member in _open(members):
                member.give_up(error)

    def _update(self, members: list[RestoreMember], seen: dict[str, Resource | None]) -> None:
        """Updates the items after a poll, and sends what has become possible."""
        for member in _open(members):
            if member.stage is not Stage.LOCKED and member.id in seen:
                member.update(seen[member.id])
        self._begin([member for member in members if member.stage is Stage.LOCKED])
        self._request_starts([member for member in members if member.stage is Stage.STARTING])
        for member in _open(members):
            if member.is_overdue:
                member.give_up(WaitTimeoutError("The time is over."))
        _release_ended(members)

    def _request_starts(self, members: list[RestoreMember]) -> None:
        """Starts the instances that came back stopped."""
        for member in members:
            member.announce_start()
        self._changes.request_changes([member.start for member in members])
        for member in members:
            member.end_start()


def _open(members: list[RestoreMember]) -> list[RestoreMember]:
    return [member for member in members if member.stage is not Stage.ENDED]


def _release_ended(members: list[RestoreMember]) -> None:
    """Unlocks the operations that have ended: two runs that wait for each other would both wait until timeout."""
    for member in members:
        if member.stage is Stage.ENDED:
            member.release()


def _is_completed(state: OperationState | None) -> bool:
    return state is not None and state.event is OperationEvent.COMPLETED
