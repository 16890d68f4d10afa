# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs calls in parallel and returns their results in order."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice

MAX_WORKERS = 24
"""Requests in flight: enough to hide the latency without flooding the service."""

Argument = t.TypeVar("Argument")
Value = t.TypeVar("Value")

_current_call = threading.local()


class Cancelled(Exception):
    """The result of this call is no longer needed."""


def sleep(seconds: float) -> None:
    """Sleeps. Within a call of :func:`map_ordered`, raises Cancelled as soon as the result is no longer needed."""
    cancelled: threading.Event | None = getattr(_current_call, "cancelled", None)
    if cancelled is None:
        time.sleep(seconds)
    elif cancelled.wait(seconds):
        raise Cancelled


def raise_if_cancelled() -> None:
    """Raises Cancelled within a call of :func:`map_ordered` whose result is no longer needed."""
    sleep(0)


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
    cancelled = threading.Event()
    with ThreadPoolExecutor(len(first), initializer=setattr, initargs=(_current_call, "cancelled", cancelled)) as pool:
        pending: deque[Future[Value]] = deque(pool.submit(function, argument) for argument in first)
        try:
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(function, argument) for argument in islice(rest, 1))
        finally:
            cancelled.set()
            for future in pending:
                future.cancel()
