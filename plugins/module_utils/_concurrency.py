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

AT_ONCE = 16
"""Requests under way at a time: enough to hide the latency, few enough to be polite."""

Given = t.TypeVar("Given")
Made = t.TypeVar("Made")

_call = threading.local()


class Abandoned(Exception):
    """Nobody waits for what this call makes any more."""


def sleep(seconds: float) -> None:
    """Sleeps; in a call of :func:`in_order`, for no longer than somebody waits for it. Raises Abandoned."""
    abandoned: threading.Event | None = getattr(_call, "abandoned", None)
    if abandoned is None:
        time.sleep(seconds)
    elif abandoned.wait(seconds):
        raise Abandoned


def check_wanted() -> None:
    """Raises Abandoned in a call of :func:`in_order` that nobody waits for any more."""
    sleep(0)


def in_order(make: t.Callable[[Given], Made], given: t.Iterable[Given], at_once: int = AT_ONCE) -> t.Iterator[Made]:
    """Yields ``make`` of each of ``given``, in their order, with ``at_once`` calls under way at most.

    Raises what a call raises, in its turn. Whoever stops early, by an error, a Ctrl-C or the end of a task's time,
    starts no more calls and ends those that sleep; it waits for the requests alone that are under way.
    """
    rest = iter(given)
    first = list(islice(rest, at_once))
    if len(first) < 2:
        yield from map(make, chain(first, rest))
        return
    abandoned = threading.Event()
    with ThreadPoolExecutor(len(first), initializer=setattr, initargs=(_call, "abandoned", abandoned)) as pool:
        under_way: deque[Future[Made]] = deque(pool.submit(make, one) for one in first)
        try:
            while under_way:
                yield under_way.popleft().result()
                under_way.extend(pool.submit(make, one) for one in islice(rest, 1))
        finally:
            abandoned.set()
            for future in under_way:
                future.cancel()
