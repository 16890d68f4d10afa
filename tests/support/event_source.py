# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the event source like ansible-rulebook: as a coroutine with a queue. And kills it at a line of its code."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import threading
import typing as t
from types import FrameType
from unittest import mock

from ansible_collections.clawhosters.cloud.extensions.eda.plugins.event_source.instances import main
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import POLL_THREAD, Watcher
from simulator.handle import Simulator

from . import KEY
from .users import FORK

TIMEOUT = 60
"""Seconds after which a test gives up."""
PLACES = (
    "plugin_utils/_watch/watch.py:_poll",
    "plugin_utils/_watch/watch.py:_hand_over",
    "plugin_utils/_watch/watch.py:_wait_until_taken",
    "plugin_utils/_watch/watch.py:_save",
    "module_utils/_state/snapshots.py:write_snapshot",
    "module_utils/_state/snapshots.py:atomic_replace",
    "module_utils/_state/postgres_store.py:write_snapshot",
)
"""The functions between whose lines a source is killed."""


class Source:
    """A source that polls the simulator."""

    def __init__(self, simulator: Simulator, arguments: dict[str, t.Any], queue_size: int = 0) -> None:
        self.simulator = simulator
        self.queue: asyncio.Queue[dict[str, t.Any]] = asyncio.Queue(queue_size)
        self.task = asyncio.create_task(main(self.queue, {**_build_arguments(simulator), **arguments}))

    async def event(self) -> tuple[str, int]:
        """Returns the kind and the instance id of the next event."""
        event = (await self.whole_event())["clawhosters"]
        return event["event"], event["instance"]["id"]

    async def whole_event(self) -> dict[str, t.Any]:
        """Returns the next event."""
        return await asyncio.wait_for(self.queue.get(), TIMEOUT)

    async def wait_for_poll(self) -> None:
        """Returns after a poll that began after the call, successful or not."""
        polls = self._count_polls()
        async with asyncio.timeout(TIMEOUT):
            while self._count_polls() < polls + 2:
                assert not self.task.done(), "the source has ended"
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Cancels the source, and returns when its last poll has ended: the next test has the same simulator."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        for thread in [thread for thread in threading.enumerate() if thread.name == POLL_THREAD]:
            await asyncio.to_thread(thread.join, TIMEOUT)
            assert not thread.is_alive(), "a poll has not ended"

    def _count_polls(self) -> int:
        return sum(not call["query"].get("page") for call in self.simulator.log() if call["path"] == "/instances")


async def until(condition: t.Callable[[], object]) -> None:
    """Returns once the condition holds."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def source(simulator: Simulator, queue_size: int = 0, **arguments: t.Any) -> t.AsyncIterator[Source]:
    """Yields a source after its first poll, and stops it at the end. ``queue_size`` 0 is unlimited."""
    running = Source(simulator, arguments, queue_size)
    try:
        await running.wait_for_poll()
        yield running
    finally:
        await running.stop()


def run_killed(simulator: Simulator, arguments: dict[str, t.Any], events: int, at: int) -> tuple[list[t.Any], int]:
    """Runs a source in another process until it has told so many events, and kills it at the line ``at`` of PLACES.

    Its queue takes one event at a time. Returns the events, and how many lines were run; 0 means that it was killed.
    """
    ours, theirs = FORK.Pipe(duplex=False)
    given = {**_build_arguments(simulator), **arguments}
    process = FORK.Process(target=_tell, args=(theirs, given, events, at))
    process.start()
    theirs.close()
    told = []
    with contextlib.suppress(EOFError):
        while ours.poll(TIMEOUT):
            told.append(ours.recv())
    process.join(TIMEOUT)
    if process.exitcode == -signal.SIGKILL:
        return told, 0
    assert process.exitcode == 0, "see the output"
    return told[:-1], told[-1]


def _build_arguments(simulator: Simulator) -> dict[str, t.Any]:
    return {"api_key": KEY, "api_url": simulator.url, "interval": 0.05, "timeout": 5, "retry_timeout": 0}


def _tell(pipe: t.Any, arguments: dict[str, t.Any], events: int, at: int) -> None:
    lines = itertools.count(1)
    last = 0
    saved, save = threading.Event(), Watcher._save

    def save_and_tell(watcher: Watcher) -> None:
        save(watcher)
        saved.set()

    def count(_frame: FrameType, event: str, _arg: object) -> t.Any:
        nonlocal last
        if event == "line":
            last = next(lines)
            if last == at:
                os.kill(os.getpid(), signal.SIGKILL)
        return count

    def trace(frame: FrameType, _event: str, _arg: object) -> t.Any:
        _root, _folder, name = frame.f_code.co_filename.partition("/plugins/")
        return count if f"{name}:{frame.f_code.co_name}" in PLACES else None

    async def scenario() -> None:
        queue: asyncio.Queue[t.Any] = asyncio.Queue(1)
        running = asyncio.create_task(main(queue, arguments))
        async with asyncio.timeout(TIMEOUT):
            for _event in range(events):
                # Not in a task of its own: what is out of the queue is told at once.
                pipe.send(await queue.get())
        saved.clear()
        await until(saved.is_set)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    with mock.patch.object(Watcher, "_save", save_and_tell):
        sys.settrace(trace)
        threading.settrace(trace)
        asyncio.run(scenario())
        sys.settrace(None)
    pipe.send(last)
