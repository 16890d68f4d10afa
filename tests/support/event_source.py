# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the event source like ansible-rulebook: as a coroutine with a queue."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import typing as t

from ansible_collections.clawhosters.cloud.extensions.eda.plugins.event_source.instances import main
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import POLL_THREAD
from simulator.handle import Simulator

from . import KEY

TIMEOUT = 60
"""Seconds after which a test gives up."""


class Source:
    def __init__(self, simulator: Simulator, arguments: dict[str, t.Any], queue_size: int = 0) -> None:
        self.simulator = simulator
        self.queue: asyncio.Queue[dict[str, t.Any]] = asyncio.Queue(queue_size)
        given = {"api_key": KEY, "api_url": simulator.url, "interval": 0.05, "timeout": 5, "retry_timeout": 0}
        self.task = asyncio.create_task(main(self.queue, {**given, **arguments}))

    async def event(self) -> tuple[str, int]:
        """Returns the kind and the instance id of the next event, and empties it, as a rulebook's filter may."""
        event = (await self.whole_event())["clawhosters"]
        told = event["event"], event["instance"]["id"]
        event["instance"].clear()
        return told

    async def whole_event(self) -> dict[str, t.Any]:
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
