# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Polls the fleet, and puts its transitions into the queue of an event source."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import hashlib
import itertools
import json
import logging
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ...module_utils._errors import AccountError, ClawHostersError, ForbiddenError, SettingsError, UnauthorizedError
from ...module_utils._http.client import Client
from ...module_utils._http.connections import require_library
from ...module_utils._http.settings import Settings, parse_settings, validate_seconds, without_unused_key
from ...module_utils._model.instance_fields import lacks
from ...module_utils._model.resource import Resource
from ...module_utils._module.arguments import API, ArgumentSpec, unset_empty_variables
from ...module_utils._progress import Cancellation, Progress, heed
from ...module_utils._service.instance_list import list_instances
from ...module_utils._state.open_store import open_store
from ...module_utils._state.snapshots import FolderSnapshots
from ...module_utils._state.store import StoreError
from ...module_utils._text import one_line
from .transitions import WATCHED_FIELDS, Snapshot, Transition, find_key, find_transitions, parse_snapshot

if t.TYPE_CHECKING:
    from ...module_utils._state.open_store import SnapshotStore

SPEC = API.with_default("priority", "low").merge(
    ArgumentSpec(
        options={
            "name": {"type": "str"},
            "interval": {"type": "float", "default": 30.0},
            "health_stays_for": {"type": "float", "default": 0.0},
        }
    )
)

TAKEN_INTERVAL = 0.05
"""Seconds between two checks that the rulebook has taken the last event."""
POLL_THREAD = "clawhosters-poll"
"""Name of the thread of a poll."""
FATAL_ERRORS = (SettingsError, UnauthorizedError, ForbiddenError)
"""Errors that no later poll would recover from: the source ends."""

T = t.TypeVar("T")


class Queue(t.Protocol):
    """The queue of a rulebook: an asyncio.Queue, or a wrapper that applies the rulebook's filters."""

    async def put(self, event: Transition, /) -> None:
        """Returns when the rulebook has taken the event."""


@dataclass(frozen=True)
class Arguments:
    """The validated arguments of the source."""

    settings: Settings
    interval: float
    health_stays_for: float
    name: str | None
    store_options: t.Mapping[str, t.Any]

    @property
    def max_gap(self) -> float:
        """Longest time in seconds between two polls that show a lasting health; a slow response is not a gap."""
        return max(self.health_stays_for, 2 * self.interval + self.settings.timeout)


def parse_arguments(given: t.Mapping[str, t.Any], warn: t.Callable[[str], None]) -> Arguments:
    """Validates the arguments of a rulebook like the options of a module.

    Empty ones count as not given, except a database and an account, which may be unresolved variables.
    Raises SettingsError, and ClawHostersError if ``requests`` is missing.
    """
    unset_empty_variables()
    validator = ArgumentSpecValidator(SPEC.options, **SPEC.constraints())
    given = {
        name: value
        for name, value in given.items()
        if value is not None and (value != "" or name in ("state_database", "account"))
    }
    validation = validator.validate(given)
    if validation.error_messages:
        unsupported = [error.msg for error in validation.errors.errors if isinstance(error, UnsupportedError)]
        reason = one_line((unsupported or validation.error_messages)[0], 500)
        # Ansible ends the list of the supported ones with a full stop, and no other message.
        raise SettingsError(f"Unsupported arguments: {reason}" if unsupported else f"{reason}.")
    params = validation.validated_parameters
    require_library()
    return Arguments(
        parse_settings(without_unused_key(params, given), warn),
        validate_seconds("interval", params["interval"], above=0.0),
        validate_seconds("health_stays_for", params["health_stays_for"]),
        params["name"],
        params,
    )


@dataclass
class Watcher:
    """A running source."""

    queue: Queue
    arguments: Arguments
    log: logging.Logger
    snapshot: Snapshot | None = None
    """The fleet as the rulebook knows it: an instance changes when its events are taken. None before the first poll."""
    document: str | None = None
    """Where the store keeps the snapshot; None if it does not."""
    saved: str = ""
    """The snapshot in the store."""
    failure: str | None = None
    """Reason of the last failure since the last successful poll."""
    is_prepared: bool = False
    is_started: bool = False
    warnings: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Puts each transition into the queue, until it is cancelled. Raises one of FATAL_ERRORS."""
        try:
            while True:
                await self._poll()
                await asyncio.sleep(self.arguments.interval)
        finally:
            self._save()

    async def _poll(self) -> None:
        try:
            instances = await _run_in_thread(self._fetch_instances)
            stays_for, max_gap = self.arguments.health_stays_for, self.arguments.max_gap
            transitions, after = find_transitions(
                self.snapshot, instances, time.time(), health_stays_for=stays_for, max_gap=max_gap
            )
        except FATAL_ERRORS:
            raise
        except ClawHostersError as error:
            self._log_failure(str(error))
        except Exception as error:  # A bug that one poll triggers must not end the source.
            self._log_failure(f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}")
        else:
            self._log_success(len(instances))
            await self._hand_over(transitions, after)
            await _run_in_thread(self._save)

    def _fetch_instances(self) -> list[Resource]:
        """Fetches the fleet with a new client: its clock must not span the suspension of the machine."""
        progress = Progress(lambda line: self.log.info("%s", line))
        with open_store(self.arguments.store_options, FolderSnapshots) as store:
            client = Client(self.arguments.settings, progress=progress, warn=self._warn_once, store=store)
            if not self.is_prepared and (self.arguments.name or self.arguments.settings.account):
                self._prepare(client, t.cast("SnapshotStore", store))
            self.is_prepared = True
            instances = list_instances(client)
            if unshown := [name for name in WATCHED_FIELDS if any(lacks(one, name) for one in instances)]:
                self._warn_once(
                    f"The list does not show {' or '.join(unshown)} of all: no change of it can be seen there."
                )
            return instances

    def _prepare(self, client: Client, store: SnapshotStore) -> None:
        """Reads the account and the last snapshot. Raises AccountError for another account than the one meant."""
        from ...module_utils._service.account_check import AccountCheck

        account = AccountCheck(client)
        try:
            account.require()
        except AccountError as error:
            # An outage does not end the source.
            raise error.cause or error from None
        if self.arguments.name:
            # By the account, not the key, which may be replaced.
            identity = [self.arguments.settings.api_url, account.identify(), self.arguments.name]
            self.document = f"watch-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]}"
            self._load(store, self.document)

    def _load(self, store: SnapshotStore, document: str) -> None:
        """Reads the last snapshot, if there is one. Raises ClawHostersError: to begin anew could lose a transition."""
        try:
            self.saved = store.read_snapshot(document)
            self.snapshot = parse_snapshot(self.saved) if self.saved else None
        except StoreError as error:
            raise ClawHostersError(f"{error}. {error.advice}.") from None
        except ValueError:
            raise ClawHostersError(
                f"The state of name {one_line(self.arguments.name)} ({document}) is damaged. Use another name to start "
                "from the current fleet."
            ) from None

    async def _hand_over(self, transitions: list[Transition], after: Snapshot) -> None:
        """Puts the transitions into the queue one by one. An instance is as in ``after`` when the last one of it is
        taken."""
        known = self.snapshot or {}
        for key, group in itertools.groupby(transitions, find_key):
            for transition in group:
                # A copy, since the rulebook's filters may change it.
                await self.queue.put(copy.deepcopy(transition))
                await self._wait_until_taken()
            known.pop(key, None)
            if key in after:
                known[key] = after[key]
        self.snapshot = after

    async def _wait_until_taken(self) -> None:
        """Returns when the event is out of the queue. That of ansible-rulebook holds one, and is full until then."""
        queue = getattr(self.queue, "queue", self.queue)  # a rulebook's filters wrap it
        interval = 0.0
        while isinstance(queue, asyncio.Queue) and queue.full():
            await asyncio.sleep(interval)
            interval = TAKEN_INTERVAL

    def _save(self) -> None:
        """Keeps the snapshot in the store. If that fails, warns: the events go on."""
        if self.document is None or self.snapshot is None:
            return
        content = json.dumps(self.snapshot)
        if content == self.saved:
            return
        try:
            with open_store(self.arguments.store_options, FolderSnapshots) as store:
                t.cast("SnapshotStore", store).write_snapshot(self.document, content)
        except StoreError as error:
            self._warn_once(f"{error}. {error.advice}. Until then, a restart may repeat or lose events.")
        else:
            self.saved = content

    def _warn_once(self, text: str) -> None:
        """Logs a warning, but not again: the client of each poll repeats it."""
        if text not in self.warnings:
            self.log.warning("%s", text)
        self.warnings.add(text)

    def _log_success(self, count: int) -> None:
        """Logs the first poll, since no event may follow for long, and the first one after a failure."""
        if self.failure:
            self.log.warning("Polling works again.")
        self.failure = None
        if not self.is_started:
            host = self.arguments.settings.host
            self.log.info("Watching %d instances at %s, every %g s.", count, host, self.arguments.interval)
        self.is_started = True

    def _log_failure(self, reason: str) -> None:
        """Warns of the first failure in a row only: an outage is one line."""
        if self.failure is None:
            self.log.warning("%s No events are sent until polling works again.", reason)
        else:
            self.log.info("%s", reason)
        self.failure = reason


async def _run_in_thread(function: t.Callable[[], T]) -> T:
    """Runs ``function`` in a daemon thread and returns its result. When it is cancelled, the thread sends no more.

    asyncio.to_thread won't do: at exit, Python waits for the threads of an executor, and so for a hanging request.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()
    cancellation = Cancellation()

    def run() -> None:
        heed(cancellation)
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=POLL_THREAD, daemon=True).start()
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        cancellation.set()
        raise
