# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares the rate limit of a key between all processes that use the same store: forks, loops and inventories, and with
a database those of other machines.

The state is a small document, one for each service and key, locked while it is read and written. Nothing rests on it:
without it the worst case is a 429.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import multiprocessing
import os
import platform
import threading
import typing as t
from dataclasses import dataclass, field

from .._state.store import StoreError, key_digest
from .._text import MESSAGE_LIMIT, one_line
from .limiter import POLL_INTERVAL, Priority, RateLimiter, RequestOutcome

LOCK_TIMEOUT = 2.0
"""Seconds to wait for the lock of the document, which is held for milliseconds."""

Sleep = t.Callable[[float, str], None]
"""Sleeps for so many seconds. The text says what of a higher priority the request waits behind; empty for nothing."""

if t.TYPE_CHECKING:
    from .._state.open_store import Store

T = t.TypeVar("T")

_request_numbers = itertools.count()


@dataclass
class Slot:
    """Permission to send one request. The sender sets the outcome."""

    outcome: RequestOutcome = field(default_factory=lambda: RequestOutcome(sent=False))


class SharedRateBudget:
    """The rate limit of one key at one service. ``clock`` returns Unix time.

    ``warn`` is called with the reason if the limit can't be shared.
    """

    def __init__(
        self,
        store: Store,
        api_url: str,
        api_key: str,
        clock: t.Callable[[], float],
        *,
        priority: Priority = Priority.NORMAL,
        warn: t.Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._name = f"budget-{key_digest(api_url, api_key)}"
        self._store = store
        self._clock = clock
        self._priority = priority
        self._warn = warn
        self.is_shared = True
        """False once the store could not be used, of which the user was warned."""
        self._update_lock = threading.Lock()
        self._written: tuple[str, RateLimiter] | None = None
        """The document as this process has written it last, and the state in it."""

    @contextlib.contextmanager
    def slot(self, timeout: float, max_wait: float, sleep: Sleep, max_total: float = math.inf) -> t.Iterator[Slot]:
        """Waits like :meth:`acquire`, and reports the outcome that the block has set."""
        request_id = self.acquire(timeout, max_wait, sleep, max_total)
        slot = Slot()
        try:
            yield slot
        finally:
            self.release(request_id, slot.outcome)

    def acquire(self, timeout: float, max_wait: float, sleep: Sleep, max_total: float = math.inf) -> str:
        """Sleeps until a request with this ``timeout`` may be sent, and returns an id for :meth:`release`.

        Sleeps for ``max_wait`` seconds at most, not counting what it waits behind requests of a higher priority, and
        for ``max_total`` in all. On timeout the request is sent anyway.
        """
        request_id = f"{self._store.process_id()}:{next(_request_numbers)}"

        def join(limiter: RateLimiter, now: float) -> tuple[float, str]:
            self._register(limiter, now)
            delay = limiter.acquire(request_id, now, now + timeout, self._priority)
            return delay, limiter.waits_behind(request_id) if delay else ""

        while True:
            delay, behind = self._update(join) or (0.0, "")
            if not delay:
                return request_id
            time_left = max_total if behind else min(max_wait, max_total)
            if delay > time_left:
                self._update(lambda limiter, now: limiter.mark_sent(request_id, now, now + timeout, self._priority))
                return request_id
            if delay >= POLL_INTERVAL:  # a shorter one is the rest of a longer one
                delay = min(max(delay, self._store.min_delay), time_left)
            sleep(delay, behind)
            max_total -= delay
            if not behind:
                max_wait -= delay

    def release(self, request_id: str, outcome: RequestOutcome) -> None:
        """Records the outcome of a request."""

        def record(limiter: RateLimiter, now: float) -> None:
            self._register(limiter, now)
            limiter.record(request_id, outcome, now)

        self._update(record)

    def _register(self, limiter: RateLimiter, now: float) -> None:
        """Registers this run if its priority is ``high``."""
        if self._priority == Priority.HIGH:
            limiter.high_runs[_name_run()] = now

    def _update(self, change: t.Callable[[RateLimiter, float], T]) -> T | None:
        """Applies ``change`` to the locked state and returns its result, or None if the state can't be used.

        Threads of this process queue here, since those that wait for the lock of a file have to poll.
        """
        with self._update_lock:
            if not self.is_shared:
                return None
            try:
                with self._store.locked_document(self._name, within=LOCK_TIMEOUT) as document:
                    limiter = self._take_state(document.content)
                    self._drop_dead_processes(limiter)
                    result = change(limiter, self._clock() + document.clock_offset)
                    document.new_content = json.dumps(limiter.as_dict())
                    self._written = document.new_content, limiter
                return result
            except StoreError as error:
                self.is_shared = False
                if not error.is_known:
                    reason = one_line(error, MESSAGE_LIMIT)
                    self._warn(f"{reason}, so the rate limit is not shared with other processes. {error.advice}.")
                return None

    def _take_state(self, text: str) -> RateLimiter:
        """Returns the state in the document, to be changed. It is parsed only if another process has changed it."""
        written, self._written = self._written, None
        return written[1] if written and written[0] == text else _parse_limiter(text)

    def _drop_dead_processes(self, limiter: RateLimiter) -> None:
        """Removes the requests and runs of processes that have ended."""
        processes = {request_id.rpartition(":")[0] for request_id in [*limiter.in_flight, *limiter.queue]}
        ended = {process for process in {*processes, *limiter.high_runs} if self._store.has_ended(process)}
        for run in ended.intersection(limiter.high_runs):
            del limiter.high_runs[run]
        for request_id in [*limiter.in_flight, *limiter.queue]:
            if request_id.rpartition(":")[0] in ended:
                limiter.queue.pop(request_id, None)
                limiter.mark_lost(request_id)


def _parse_limiter(text: str) -> RateLimiter:
    """Returns the state in the document, or a new one if there is none."""
    try:
        return RateLimiter.from_dict(json.loads(text))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return RateLimiter()


def _name_run() -> str:
    """Returns the host and the number of the process whose end ends the run.

    The tasks of a play run in processes of their own, and end before the play does.
    """
    parent = multiprocessing.parent_process()
    return f"{platform.node()}:{parent.pid if parent else os.getpid()}"
