# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares the rate limit of a key between all processes that use the same store: forks, loops and inventories, and with
a database those of other machines.

The state is a small document, one for each service and key, locked while it is read and written. It is only advice:
without it the worst case is a 429.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import threading
import typing as t
from dataclasses import dataclass, field

from .._errors import MESSAGE_LIMIT, one_line
from .._state.store import Store, StoreError
from .limiter import POLL_INTERVAL, RateLimiter, RequestOutcome

LOCK_TIMEOUT = 2.0
"""Seconds to wait for the lock of the document, which is held for milliseconds."""

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
        warn: t.Callable[[str], None] = lambda _text: None,
    ) -> None:
        digest = hashlib.sha256(f"{api_url}\n{api_key}".encode()).hexdigest()[:24]
        self._name = f"budget-{digest}"
        self._store = store
        self._clock = clock
        self._warn = warn
        self._is_shared = True
        self._update_lock = threading.Lock()

    @contextlib.contextmanager
    def slot(self, timeout: float, max_wait: float, sleep: t.Callable[[float], None]) -> t.Iterator[Slot]:
        """Waits like :meth:`acquire`, and reports the outcome that the block has set."""
        request_id = self.acquire(timeout, max_wait, sleep)
        slot = Slot()
        try:
            yield slot
        finally:
            self.release(request_id, slot.outcome)

    def acquire(self, timeout: float, max_wait: float, sleep: t.Callable[[float], None]) -> str:
        """Sleeps until a request with this ``timeout`` may be sent, and returns an id for :meth:`release`.

        Sleeps for ``max_wait`` seconds at most. On timeout the request is sent anyway.
        """
        request_id = f"{self._store.process_id()}:{next(_request_numbers)}"
        while True:
            delay = self._update(lambda limiter, now: limiter.acquire(request_id, now, now + timeout))
            if not delay:
                return request_id
            if delay > max_wait:
                self._update(lambda limiter, now: limiter.mark_sent(request_id, now, now + timeout))
                return request_id
            if delay >= POLL_INTERVAL:  # a shorter one is left of a longer one
                delay = min(max(delay, self._store.min_delay), max_wait)
            sleep(delay)
            max_wait -= delay

    def release(self, request_id: str, outcome: RequestOutcome) -> None:
        """Records the outcome of a request."""
        self._update(lambda limiter, now: limiter.record(request_id, outcome, now))

    def _update(self, change: t.Callable[[RateLimiter, float], float | None]) -> float | None:
        """Applies ``change`` to the locked state and returns its result, or None if the state can't be used."""
        # Threads of this process queue here: those that wait for the lock of a file have to poll.
        with self._update_lock:
            if not self._is_shared:
                return None
            try:
                with self._store.locked_document(self._name, within=LOCK_TIMEOUT) as document:
                    limiter = _parse_limiter(document.read())
                    self._drop_dead_processes(limiter)
                    result = change(limiter, self._clock() + document.clock_offset)
                    document.write(json.dumps(limiter.as_dict()))
                    return result
            except StoreError as error:
                self._is_shared = False
                if str(error):
                    reason = one_line(error, MESSAGE_LIMIT)
                    self._warn(f"{reason}, so the rate limit is not shared with other processes. {error.advice}.")
                return None

    def _drop_dead_processes(self, limiter: RateLimiter) -> None:
        """Removes the requests of processes that have ended."""
        processes = {request_id.rpartition(":")[0] for request_id in [*limiter.in_flight, *limiter.queue]}
        ended = {process for process in processes if self._store.has_ended(process)}
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
