# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the event source like ansible-rulebook: as a coroutine with a queue."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

from ansible_collections.clawhosters.cloud.extensions.eda.plugins.event_source.instances import main
from simulator.handle import Simulator

from . import KEY

TIMEOUT = 60
"""Seconds after which a test gives up."""


class Source:
    """A source that polls the simulator."""

    def __init__(self, simulator: Simulator, arguments: dict[str, t.Any], queue_size: int = 0) -> None:
        self.simulator = simulator
        self.queue: asyncio.Queue[dict[str, t.Any]] = asyncio.Queue(queue_size)
        given = {"api_key": KEY, "api_url": simulator.url, "interval": 0.05, "timeout": 5, "retry_timeout": 0}
        self.task = asyncio.create_task(main(self.queue, {**given, **arguments}))

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

    def _count_polls(self) -> int:
        return sum(not call["query"].get("page") for call in self.simulator.log() if call["path"] == "/instances")


@contextlib.asynccontextmanager
async def source(simulator: Simulator, queue_size: int = 0, **arguments: t.Any) -> t.AsyncIterator[Source]:
    """Yields a source after its first poll, and cancels it at the end. ``queue_size`` 0 is unlimited."""
    running = Source(simulator, arguments, queue_size)
    try:
        await running.wait_for_poll()
        yield running
    finally:
        running.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running.task
