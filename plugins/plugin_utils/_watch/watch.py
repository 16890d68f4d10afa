# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at the fleet again and again, and tells an event source's queue what changed (interface 6)."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import threading
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ...module_utils._errors import ClawHostersError, ForbiddenError, SettingsError, UnauthorizedError, one_line
from ...module_utils._http.client import Client
from ...module_utils._http.settings import Settings, parse_settings, validate_seconds
from ...module_utils._http.transport import require_library
from ...module_utils._model.resource import Resource
from ...module_utils._module.arguments import API, ArgumentSpec
from ...module_utils._progress import Progress
from .state import State, StateError, StateFile
from .transitions import Event, baseline, transitions

SPEC = API.merge(
    ArgumentSpec(
        {
            "interval": {"type": "float", "default": 30.0},
            "health_stays_for": {"type": "float", "default": 0.0},
            "state_file": {"type": "path"},
        }
    )
)

HOPELESS = (SettingsError, UnauthorizedError, ForbiddenError)
"""What no later look would mend: the source ends."""

Done = t.TypeVar("Done")


class Queue(t.Protocol):
    """The queue of a rulebook: an asyncio.Queue, or what has its filters in front of it."""

    async def put(self, event: Event, /) -> None:
        """Returns when the rulebook has taken the event."""


class WatchStopped(Exception):
    """Nobody waits for the look any more."""


@dataclass(frozen=True)
class Arguments:
    """The checked arguments of the source."""

    settings: Settings
    interval: float
    health_stays_for: float
    state_file: str | None

    @property
    def longest_gap(self) -> float:
        """Seconds between two looks after which nobody knows whether a health stayed; a slow answer is no gap."""
        return max(self.health_stays_for, 2 * self.interval + self.settings.timeout)


def parse_arguments(given: t.Mapping[str, t.Any], warn: t.Callable[[str], None]) -> Arguments:
    """The arguments of a rulebook, checked like the options of a module; those that are empty count as not given.

    Raises SettingsError, and ClawHostersError where ``requests`` is missing.
    """
    validator = ArgumentSpecValidator(SPEC.options, **SPEC.constraints())
    validation = validator.validate({name: value for name, value in given.items() if value not in (None, "")})
    if validation.error_messages:
        unsupported = isinstance(validation.errors[0], UnsupportedError)
        reason = one_line(validation.errors.msg, 500).rstrip(".")
        raise SettingsError(f"{'Unsupported arguments: ' if unsupported else ''}{reason}.")
    params = validation.validated_parameters
    require_library()
    return Arguments(
        parse_settings(params, warn),
        validate_seconds("interval", params["interval"], above=0.0),
        validate_seconds("health_stays_for", params["health_stays_for"]),
        params["state_file"],
    )


async def watch(queue: Queue, arguments: Arguments, log: logging.Logger) -> None:
    """Tells ``queue`` each transition once, until it is cancelled. Raises StateError or one of HOPELESS."""
    with contextlib.ExitStack() as stack:
        file = None
        if arguments.state_file:
            file = StateFile(arguments.state_file, arguments.settings)
            stack.enter_context(file.held())
        await Watch(queue, arguments, log, file).run()


@dataclass
class Watch:
    """One source at work. What it knows is on the disk before it is told, and that it was told right after it."""

    queue: Queue
    arguments: Arguments
    log: logging.Logger
    file: StateFile | None
    state: State = field(default_factory=State)
    written: State = field(default_factory=State)
    fault: str | None = None
    begun: bool = False
    warned: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Goes on where the state file ends, for ever."""
        if self.file:
            self.state = self.file.read()
            self.written = self.state
        await self._tell()
        cancelled = threading.Event()
        while True:
            try:
                look = await _in_thread(lambda: self._look(cancelled), cancelled)
                self._take(look, time.time())
            except HOPELESS:
                raise
            except ClawHostersError as error:
                self._failed(str(error))
            except Exception as error:  # One look that meets a fault of our own must not end the watch.
                self._failed(f"A fault of the collection, please report it: {type(error).__name__}: {one_line(error)}")
            else:
                if self.fault:
                    self.log.warning("The instances can be watched again.")
                self.fault = None
                self._say_begun(len(look))
                await self._tell()
            await asyncio.sleep(self.arguments.interval)

    def _look(self, cancelled: threading.Event) -> list[Resource]:
        """The fleet as it is now, by a client with a clock of its own: a watch may outlive a suspended machine."""
        progress = Progress(lambda line: self.log.info("%s", line), sleep=lambda seconds: _sleep(seconds, cancelled))
        return Client(self.arguments.settings, progress=progress, warn=self._warn_once).fetch_all("/instances")

    def _warn_once(self, text: str) -> None:
        """Each look has a client of its own, which warns anew."""
        if text not in self.warned:
            self.log.warning("%s", text)
        self.warned.add(text)

    def _take(self, look: list[Resource], now: float) -> None:
        """Takes in a whole list of the fleet. Raises StateError, and then it is as if there had been no look."""
        events: list[Event] = []
        if self.state.known is None:
            known = baseline(look)
        else:
            events, known = transitions(
                self.state.known,
                look,
                now,
                health_stays_for=self.arguments.health_stays_for,
                longest_gap=self.arguments.longest_gap,
            )
        state = State(known, events)
        self._write(state)
        self.state = state

    async def _tell(self) -> None:
        """Hands the events over, one after another, and notes which were taken, however it ends."""
        events = self.state.untold
        told = 0
        try:
            for event in events:
                # A filter of the rulebook may change what it gets.
                await self.queue.put(copy.deepcopy(event))
                told += 1
                # In a queue of one place, this one may still be there, but the one before it was taken.
                self._keep(events[told - 1 :])
        finally:
            self._keep(events[told:])

    def _keep(self, untold: list[Event]) -> None:
        """Notes what is still to be told."""
        self.state = State(self.state.known, untold)
        try:
            self._write(self.state)
        except StateError as error:
            self._failed(f"{error} After a restart events would be told again.")

    def _write(self, state: State) -> None:
        if self.file and state != self.written:
            self.file.write(state)
            self.written = state

    def _say_begun(self, count: int) -> None:
        """Says once that there is somebody at work, who may have nothing to tell for long."""
        if not self.begun:
            host = urlsplit(self.arguments.settings.api_url).netloc
            self.log.info("Watching %d instances at %s, every %g s.", count, host, self.arguments.interval)
        self.begun = True

    def _failed(self, reason: str) -> None:
        """Warns of the first failure in a row: an outage is one line, however many looks it takes."""
        if self.fault is None:
            self.log.warning("%s Nothing is told until the instances can be watched again.", reason)
        else:
            self.log.info("%s", reason)
        self.fault = reason


async def _in_thread(work: t.Callable[[], Done], cancelled: threading.Event) -> Done:
    """What ``work`` returns, done in a thread, so that the rulebook goes on meanwhile.

    The thread of an executor would keep a process that wants to end for as long as its request waits.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Done] = loop.create_future()

    def settle(how: t.Callable[[t.Any], None], value: t.Any) -> None:
        if not outcome.done():
            how(value)

    def post(how: t.Callable[[t.Any], None], value: t.Any) -> None:
        with contextlib.suppress(RuntimeError):  # The loop has ended, and with it who waited.
            loop.call_soon_threadsafe(settle, how, value)

    def run() -> None:
        try:
            done = work()
        except BaseException as error:
            post(outcome.set_exception, error)
        else:
            post(outcome.set_result, done)

    threading.Thread(target=run, name="clawhosters-look", daemon=True).start()
    try:
        return await outcome
    except asyncio.CancelledError:
        cancelled.set()
        raise


def _sleep(seconds: float, cancelled: threading.Event) -> None:
    if cancelled.wait(seconds):
        raise WatchStopped
