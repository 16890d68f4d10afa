# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Polls the fleet, and puts its transitions into the queue of an event source."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import copy
import logging
import os
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ...module_utils._concurrency import Cancellation, heed
from ...module_utils._errors import AccountError, ClawHostersError, ForbiddenError, SettingsError, UnauthorizedError
from ...module_utils._http.client import Client
from ...module_utils._http.lists import fetch_all
from ...module_utils._http.settings import Settings, parse_settings, validate_seconds, without_unused_key
from ...module_utils._http.transport import require_library
from ...module_utils._model.resource import Resource
from ...module_utils._module.arguments import API, ArgumentSpec, warn_of_misspelt_variables
from ...module_utils._progress import Progress
from ...module_utils._service.account_check import AccountCheck
from ...module_utils._state.open_store import open_store
from ...module_utils._text import one_line
from .state import (
    Cursor,
    DatabaseCursor,
    StateError,
    StateFile,
    StateUnavailableError,
    Transition,
    TurnLostError,
    WatchState,
    find_transitions,
    take_snapshot,
)

if t.TYPE_CHECKING:
    from ...module_utils._state.postgres_store import PostgresStore

SPEC = API.with_default("priority", "low").merge(
    ArgumentSpec(
        mutually_exclusive=(("state_file", "name"),),
        options={
            "name": {"type": "str"},
            "interval": {"type": "float", "default": 30.0},
            "health_stays_for": {"type": "float", "default": 0.0},
            "state_file": {"type": "path"},
        },
    )
)

TURN_INTERVAL = 5.0
"""Seconds between two attempts to take over from another source of the same name."""
SETTLE_INTERVAL = 0.05
"""Seconds between two looks whether the rulebook has taken the last event."""
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
    state_file: str | None
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
    warn_of_misspelt_variables(os.environ, warn)
    return Arguments(
        parse_settings(without_unused_key(params, given), warn),
        validate_seconds("interval", params["interval"], above=0.0),
        validate_seconds("health_stays_for", params["health_stays_for"]),
        params["state_file"],
        params["name"],
        params,
    )


async def watch(queue: Queue, arguments: Arguments, log: logging.Logger) -> None:
    """Puts each transition into ``queue`` once, until it is cancelled. Raises StateError or one of FATAL_ERRORS."""
    with contextlib.ExitStack() as stack:
        cursor = open_cursor(arguments, log, stack)
        if cursor is None:
            await Watcher(queue, arguments, log, None).run()
        warned: set[str] = set()
        while cursor:
            try:
                with cursor.locked() as is_our_turn:
                    if is_our_turn:
                        await Watcher(queue, arguments, log, cursor).run()
            except (TurnLostError, StateUnavailableError) as error:
                if str(error) not in warned:
                    log.warning("%s This source tries again.", error)
                warned.add(str(error))
            await asyncio.sleep(TURN_INTERVAL)


def open_cursor(arguments: Arguments, log: logging.Logger, stack: contextlib.ExitStack) -> Cursor | None:
    """Returns where the state is kept, None if it is not. A connection is closed with ``stack``."""
    if arguments.state_file:
        return StateFile(arguments.state_file, arguments.settings)
    if not arguments.store_options["state_database"]:
        return None
    if not arguments.name:
        log.warning("state_database keeps no state of this source without name. Each start begins with a first poll.")
        return None
    store = t.cast("PostgresStore", stack.enter_context(open_store(arguments.store_options)))
    return DatabaseCursor(arguments.name, arguments.settings, store, log)


@dataclass
class Watcher:
    """A running source. It saves transitions before it delivers them, and records each delivery right after.

    ``saved`` is the state that the cursor has, if that is known: deliveries are recorded from it. ``handed`` is the
    number of transitions of ``state`` that were put into the queue.
    """

    queue: Queue
    arguments: Arguments
    log: logging.Logger
    cursor: Cursor | None
    state: WatchState = field(default_factory=WatchState)
    saved: WatchState = field(default_factory=WatchState)
    handed: int = 0
    failure: str | None = None
    """Reason of the last failure since the last successful poll."""
    is_started: bool = False
    is_account_checked: bool = False
    warnings: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Continues from the last state, forever. Raises TurnLostError if another source has taken over."""
        try:
            await self._poll_forever()
        except TurnLostError:
            raise
        except asyncio.CancelledError:
            # Nobody takes what waits in the queue.
            with contextlib.suppress(TurnLostError):
                self._settle()
            raise
        except Exception:  # such as that of a rulebook's filter: the rulebook takes what waits before it ends
            with contextlib.suppress(TurnLostError):
                self._record(self.handed)
            raise

    async def _poll_forever(self) -> None:
        if self.cursor:
            self.state = self.cursor.read()
            if not self.state.undelivered or self._keeps(self.cursor.write, self.state):
                self.saved = self.state
        await self._deliver()
        while True:
            try:
                instances = await self._settling(_run_in_thread(self._fetch_instances))
                self._update(instances, time.time())
            except FATAL_ERRORS as error:
                self.arguments.settings.name_key_file(error)
                raise
            except TurnLostError:
                raise
            except ClawHostersError as error:
                self._log_failure(str(error))
            except Exception as error:  # A bug that one poll triggers must not end the source.
                self._log_failure(f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}")
            else:
                self._log_success(len(instances))
                await self._deliver()
            await self._settling(asyncio.sleep(self.arguments.interval))

    def _fetch_instances(self) -> list[Resource]:
        """Fetches the fleet with a new client: its clock must not span the suspension of the machine."""
        progress = Progress(lambda line: self.log.info("%s", line))
        with open_store(self.arguments.store_options) as store:
            client = Client(self.arguments.settings, progress=progress, warn=self._warn_once, store=store)
            self._require_account(client)
            return fetch_all(client, "/instances")

    def _require_account(self, client: Client) -> None:
        """Raises AccountError for another account than the one that is meant. Reads it once."""
        if self.is_account_checked:
            return
        try:
            AccountCheck(client).require()
        except AccountError as error:
            # An outage does not end the source.
            raise error.cause or error from None
        self.is_account_checked = True

    def _warn_once(self, text: str) -> None:
        """Logs a warning, but not again: the client of each poll repeats it."""
        if text not in self.warnings:
            self.log.warning("%s", text)
        self.warnings.add(text)

    def _update(self, instances: list[Resource], now: float) -> None:
        """Saves the new snapshot and its transitions, after one that still waits. On a StateError nothing changes."""
        self._settle()
        waiting = self.state.undelivered[self._count_delivered() :]
        transitions: list[Transition] = []
        if self.state.snapshot is None:
            snapshot = take_snapshot(instances)
        else:
            transitions, snapshot = find_transitions(
                self.state.snapshot,
                instances,
                now,
                health_stays_for=self.arguments.health_stays_for,
                max_gap=self.arguments.max_gap,
            )
        state = WatchState(snapshot, waiting + transitions)
        self._save(state)
        self.state, self.handed = state, len(waiting)

    async def _deliver(self) -> None:
        """Puts the transitions into the queue one by one."""
        for transition in self.state.undelivered[self.handed :]:
            # A copy, since the rulebook's filters may change it.
            await self.queue.put(copy.deepcopy(transition))
            self.handed += 1
            self._settle()

    async def _settling(self, work: t.Coroutine[t.Any, t.Any, T]) -> T:
        """Returns the result of ``work``. Meanwhile, records that the last transition is taken out of the queue."""
        task = asyncio.ensure_future(work)
        try:
            while self.handed and not task.done():
                await asyncio.wait([task], timeout=SETTLE_INTERVAL)
                self._settle()
            return await task
        finally:
            task.cancel()

    def _settle(self) -> None:
        """Records the transitions that are delivered."""
        self._record(self._count_delivered())

    def _count_delivered(self) -> int:
        """Returns how many are out of the queue. That of ansible-rulebook holds one, and is full until it is taken."""
        queue = getattr(self.queue, "queue", self.queue)  # a rulebook's filters wrap it
        may_wait = isinstance(queue, asyncio.Queue) and queue.full()
        return max(self.handed - 1, 0) if may_wait else self.handed

    def _record(self, delivered: int) -> None:
        """Records that so many transitions of the state are delivered. After the last one, the state has none."""
        if not delivered:
            return
        is_recorded = True
        if self.cursor:
            is_recorded = self.saved is self.state and self._keeps(self.cursor.record_delivery, delivered)
        if delivered == len(self.state.undelivered):
            self.state, self.handed = WatchState(self.state.snapshot), 0
            if is_recorded:
                self.saved = self.state

    def _keeps(self, write: t.Callable[[T], None], content: T) -> bool:
        """Writes to the cursor. If that fails, warns and returns False: the delivery goes on."""
        try:
            write(content)
        except TurnLostError:
            raise
        except StateError as error:
            self._log_failure(f"{error} After a restart, events would be sent again.")
            return False
        return True

    def _save(self, state: WatchState) -> None:
        if self.cursor and state != self.saved:
            self.cursor.write(state)
        self.saved = state

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
