# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth of the cost of events, and of the polls that find them: four times as many cost about four times as much."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import (
    Watcher,
    open_cursor,
    parse_arguments,
)
from benchmarks.measure import Workplace
from benchmarks.rows_plan import GROWTH, measure_growth
from benchmarks.table import Section
from support import KEY
from support.postgres import Postgres
from support.stores import database_place

EVENTS = 500
LOG = logging.getLogger("clawhosters.benchmark")


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section."""
    with Postgres() as server, database_place(server) as database:
        stores = {
            "folder": {"state_file": str(workplace.folder / "watch.json")},
            "database": {**database.options, "name": "bench"},
        }
        rows = [
            measure_growth(f"{EVENTS} turn unhealthy, {store}", _build_events(arguments), EVENTS, runs)
            for store, arguments in stores.items()
        ]
    note = (
        "Processor of the event source when all instances turn unhealthy in one poll: it finds the transitions, saves "
        "them with the fleet, hands each over, and records that."
    )
    return Section(f"Events: {GROWTH}x the work", rows, [note])


def _build_events(arguments: dict[str, str]) -> Callable[[int], Callable[[], object]]:
    def build(size: int) -> Callable[[], object]:
        return lambda: asyncio.run(_tell_all(size, arguments))

    return build


async def _tell_all(size: int, arguments: dict[str, str]) -> None:
    with contextlib.ExitStack() as stack:
        watcher = stack.enter_context(_open_watcher(arguments))
        watcher._update(_build_fleet(size, "healthy"), 0.0)
        await watcher._deliver()
        watcher._update(_build_fleet(size, "unhealthy"), 1.0)
        await watcher._deliver()


@contextlib.contextmanager
def _open_watcher(arguments: dict[str, str]) -> Iterator[Watcher]:
    given = {"api_key": KEY, "api_url": "http://127.0.0.1:1/api/v1", **arguments}
    parsed = parse_arguments(given, LOG.warning)
    with contextlib.ExitStack() as stack:
        cursor = open_cursor(parsed, LOG, stack)
        assert cursor is not None
        stack.enter_context(cursor.locked())
        cursor.read()
        yield Watcher(asyncio.Queue(), parsed, LOG, cursor)


def _build_fleet(size: int, health: str) -> list[dict[str, object]]:
    return [
        {
            "id": number,
            "name": f"customer-{number:05d}-bot",
            "status": "running",
            "tier": "balanced",
            "ip_address": "2001:db8::1",
            "health_status": health,
            "created_at": "2026-01-01T00:00:00Z",
        }
        for number in range(size)
    ]
