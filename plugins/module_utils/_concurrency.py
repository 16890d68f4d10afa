# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs calls in parallel and returns their results in order."""

from __future__ import annotations

import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice

from ._progress import Cancellation, current_cancellation, heed

MAX_WORKERS = 24
"""Requests in flight: enough to hide the latency without flooding the service."""

Argument = t.TypeVar("Argument")
Value = t.TypeVar("Value")


def run_parallel(first: t.Callable[[], Argument], second: t.Callable[[], Value]) -> tuple[Argument, Value]:
    """Runs two calls in parallel and returns both results. Raises the error of the first, or else of the second."""
    return t.cast("tuple[Argument, Value]", tuple(map_ordered(lambda call: call(), (first, second))))


def map_ordered(
    function: t.Callable[[Argument], Value], arguments: t.Iterable[Argument], max_workers: int = MAX_WORKERS
) -> t.Iterator[Value]:
    """Like ``map``, with up to ``max_workers`` calls in parallel. Yields the results in order.

    Raises the first error of a call, in order. If the caller stops early (error, Ctrl-C, task timeout), no more calls
    start, those that sleep are cancelled, and only requests in flight are waited for.
    """
    rest = iter(arguments)
    first = list(islice(rest, max_workers))
    if len(first) < 2:
        yield from map(function, chain(first, rest))
        return
    cancellation = Cancellation(current_cancellation())
    with ThreadPoolExecutor(len(first), initializer=heed, initargs=(cancellation,)) as pool:
        pending: deque[Future[Value]] = deque(pool.submit(function, argument) for argument in first)
        try:
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(function, argument) for argument in islice(rest, 1))
        finally:
            cancellation.set()
            for future in pending:
                future.cancel()
