# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several calls at a time, their results in order."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice

MAX_WORKERS = 16
"""Requests under way at a time: enough to hide the latency, few enough to be polite."""

Argument = t.TypeVar("Argument")
Value = t.TypeVar("Value")

_call = threading.local()


class Cancelled(Exception):
    """Nobody waits for what this call makes any more."""


def sleep(seconds: float) -> None:
    """Sleeps; in a call of :func:`map_ordered`, for no longer than somebody waits for it. Raises Cancelled."""
    cancelled: threading.Event | None = getattr(_call, "abandoned", None)
    if cancelled is None:
        time.sleep(seconds)
    elif cancelled.wait(seconds):
        raise Cancelled


def raise_if_cancelled() -> None:
    """Raises Cancelled in a call of :func:`map_ordered` that nobody waits for any more."""
    sleep(0)


def map_ordered(
    make: t.Callable[[Argument], Value], given: t.Iterable[Argument], max_workers: int = MAX_WORKERS
) -> t.Iterator[Value]:
    """Yields ``make`` of each of ``given``, in their order, with ``max_workers`` calls under way at most.

    Raises what a call raises, in its turn. Whoever stops early, by an error, a Ctrl-C or the end of a task's time,
    starts no more calls and ends those that sleep; it waits for the requests alone that are under way.
    """
    rest = iter(given)
    first = list(islice(rest, max_workers))
    if len(first) < 2:
        yield from map(make, chain(first, rest))
        return
    cancelled = threading.Event()
    with ThreadPoolExecutor(len(first), initializer=setattr, initargs=(_call, "abandoned", cancelled)) as pool:
        under_way: deque[Future[Value]] = deque(pool.submit(make, one) for one in first)
        try:
            while under_way:
                yield under_way.popleft().result()
                under_way.extend(pool.submit(make, one) for one in islice(rest, 1))
        finally:
            cancelled.set()
            for future in under_way:
                future.cancel()
