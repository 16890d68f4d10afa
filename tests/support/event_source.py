# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source as a rulebook runs it: a coroutine with a queue, in a loop that others use, too."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

from ansible_collections.clawhosters.cloud.extensions.eda.plugins.event_source.instances import main
from simulator.handle import Simulator

from . import KEY

PATIENCE = 60
"""Seconds after which a test gives up."""


class Source:
    """A source at work on the simulator."""

    def __init__(self, simulator: Simulator, arguments: dict[str, t.Any], places: int = 0) -> None:
        self.simulator = simulator
        self.queue: asyncio.Queue[dict[str, t.Any]] = asyncio.Queue(places)
        given = {"api_key": KEY, "api_url": simulator.url, "interval": 0.05, "timeout": 5, "retry_timeout": 0}
        self.task = asyncio.create_task(main(self.queue, {**given, **arguments}))

    async def event(self) -> tuple[str, int]:
        """The next event, in short."""
        event = (await self.whole_event())["clawhosters"]
        return event["event"], event["instance"]["id"]

    async def whole_event(self) -> dict[str, t.Any]:
        """The next event."""
        return await asyncio.wait_for(self.queue.get(), PATIENCE)

    async def look(self) -> None:
        """Returns when a look is over that began after the call, whatever came of it."""
        begun = self._looks()
        async with asyncio.timeout(PATIENCE):
            while self._looks() < begun + 2:
                assert not self.task.done(), "the source has ended"
                await asyncio.sleep(0.02)

    def _looks(self) -> int:
        return sum(not call["query"].get("page") for call in self.simulator.log() if call["path"] == "/instances")


@contextlib.asynccontextmanager
async def source(simulator: Simulator, places: int = 0, **arguments: t.Any) -> t.AsyncIterator[Source]:
    """A source that has had its first look; cancelled at the end, as a rulebook does it.

    ``places``: how many events its queue holds, 0 for any number.
    """
    running = Source(simulator, arguments, places)
    try:
        await running.look()
        yield running
    finally:
        running.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running.task
