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
import json
import math
import os
import random
import threading
import time
import typing as t

from .._state.store import StoreError, key_digest
from .._text import MESSAGE_LIMIT, one_line
from .limiter import POLL_INTERVAL, Priority, RateLimiter, RequestOutcome, Turn

LOCK_TIMEOUT = 2.0
"""Seconds to wait for the lock of the document, which is held for milliseconds."""
MAX_SPREAD = 0.2
"""Seconds by which a request asks later than it may at most, at random, so that not all come at once."""

Sleep = t.Callable[[float, bool], None]
"""Sleeps for so many seconds. True if the request waits behind others."""

if t.TYPE_CHECKING:
    from .._state.open_store import Store

T = t.TypeVar("T")
Change: t.TypeAlias = t.Callable[[RateLimiter, float], T]


class SharedRateBudget:
    """The rate limit of one key at one service. ``clock`` is ``time.monotonic``, or in tests another.

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
        self.name = f"budget-{key_digest(api_url, api_key)}"
        self._store = store
        self._clock = clock
        self._priority = priority
        self._warn = warn
        self.is_shared = True
        """False once the store could not be used, of which the user was warned."""
        self._update_lock = threading.Lock()
        self._waiting: dict[object, Change[t.Any]] = {}
        self._results: dict[object, t.Any] = {}

    @contextlib.contextmanager
    def slot(self, max_wait: float, sleep: Sleep, max_total: float = math.inf) -> t.Iterator[RequestOutcome]:
        """Waits like :meth:`acquire`, and records the outcome that the block has set."""
        request_id = self.acquire(max_wait, sleep, max_total)
        outcome = RequestOutcome()
        try:
            yield outcome
        finally:
            self._update(lambda limiter, now: limiter.record(request_id, outcome, now, time.time()))

    def acquire(self, max_wait: float, sleep: Sleep, max_total: float = math.inf) -> str:
        """Sleeps until a request may be sent, and returns its id.

        Sleeps for ``max_wait`` seconds at most, not counting what it waits behind others, and for ``max_total`` in
        all. On timeout the request is sent anyway.
        """
        request_id = os.urandom(6).hex()
        looks = 0

        def ask(limiter: RateLimiter, now: float) -> Turn:
            return limiter.acquire(request_id, now, self._priority, has_waited=looks > 0)

        while True:
            delay, is_behind = self._update(ask) or Turn()
            if not delay:
                return request_id
            time_left = max_total if is_behind else min(max_wait, max_total)
            if delay > time_left:
                self._update(lambda limiter, now: limiter.mark_sent(request_id, now, self._priority))
                return request_id
            looks += 1
            spread = min(POLL_INTERVAL * looks + delay / 20, MAX_SPREAD)
            delay = min(delay + random.uniform(0, spread), time_left)
            sleep(delay, is_behind)
            max_total -= delay
            if not is_behind:
                max_wait -= delay

    def _update(self, change: Change[T]) -> T | None:
        """Applies ``change`` to the locked state and returns its result, or None if the state can't be used.

        Threads of this process queue here, since those that wait for the lock of a file have to poll. Whoever is next
        applies the changes of all that wait: to lock and write the document takes longer than they do.
        """
        own = object()
        self._waiting[own] = change
        with self._update_lock:
            if own in self._waiting:
                self._apply(self._waiting.copy())
            return self._results.pop(own)

    def _apply(self, changes: dict[object, Change[t.Any]]) -> None:
        results = dict.fromkeys(changes)
        try:
            if self.is_shared:
                with self._store.locked_document(self.name, within=LOCK_TIMEOUT) as document:
                    limiter = _parse_limiter(document.content)
                    now = self._clock() + document.clock_offset
                    applied = {own: change(limiter, now) for own, change in changes.items()}
                    document.new_content = json.dumps(vars(limiter))
                results = applied
        except StoreError as error:
            self.is_shared = False
            if not error.is_known:
                reason = one_line(error, MESSAGE_LIMIT)
                self._warn(f"{reason}, so the rate limit is not shared with other processes. {error.advice}.")
        finally:
            # Also after an interrupt, so that no change is applied for a thread that has gone.
            self._results.update(results)
            for own in changes:
                del self._waiting[own]


def _parse_limiter(text: str) -> RateLimiter:
    """Returns the state in the document, or a new one if there is none."""
    try:
        return RateLimiter.from_dict(json.loads(text))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return RateLimiter()
