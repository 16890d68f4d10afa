# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the requests, retries and waiting time of a task."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .._rate import headers as rate_headers
from .._rate.limiter import RequestOutcome


@dataclass
class RequestStats:
    """The ``api`` result that every module returns. ``waited`` is in seconds. Thread-safe."""

    requests: int = 0
    changes: int = 0
    """The requests that were no GET."""
    retries: int = 0
    waited: float = 0.0
    remaining: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _waiters: int = field(default=0, repr=False)
    _waiting_since: float = field(default=0.0, repr=False)
    _service_epoch: tuple[float, float] | None = field(default=None, repr=False)
    """Unix time by the service's clock when the monotonic clock was 0: at least, and at most. None before it has told
    its time."""

    def as_dict(self) -> dict[str, t.Any]:
        """Returns the ``api`` result."""
        return {
            "requests": self.requests,
            "retries": self.retries,
            "waited": round(self.waited, 3),
            "remaining": self.remaining,
        }

    def record(
        self, outcome: RequestOutcome, sent_at: float, *, is_retry: bool = False, is_change: bool = False
    ) -> None:
        """Counts a request, sent at ``sent_at`` by the monotonic clock. One that was not sent does not count."""
        if not outcome.sent:
            return
        with self._lock:
            self.requests += 1
            self.changes += is_change
            self.retries += is_retry
            remaining = rate_headers.parse_remaining(outcome.headers)
            self.remaining = self.remaining if remaining is None else remaining
            date = rate_headers.parse_http_date(outcome.headers.get("Date"))
            if date is not None:
                self._set_service_clock(date - time.monotonic(), date + 1 - sent_at)

    def _set_service_clock(self, least: float, most: float) -> None:
        """Narrows what is known of the service's clock. ``Date`` has whole seconds, and a response takes its time."""
        known = self._service_epoch
        if known and known[0] <= most and least <= known[1]:
            least, most = max(known[0], least), min(known[1], most)
        # Otherwise its clock was set.
        self._service_epoch = least, most

    def service_time(self) -> datetime | None:
        """Returns the time by the clock of the service, which no change of this machine's clock affects.

        None if no response has told it.
        """
        if self._service_epoch is not None:
            with contextlib.suppress(ValueError, OverflowError):
                return datetime.fromtimestamp(sum(self._service_epoch) / 2 + time.monotonic(), UTC)
        return None

    def now(self) -> datetime:
        """Returns the time by which backups are judged: by the clock of the service, or else of this machine."""
        return self.service_time() or datetime.now(UTC)

    def find_clock_lead(self) -> timedelta:
        """Returns how far this machine's clock is ahead of the service's; 0 if they agree, or that is not known."""
        lead = datetime.now(UTC) - (self.service_time() or datetime.now(UTC))
        return lead if abs(lead.total_seconds()) > rate_headers.CLOCK_TOLERANCE else timedelta(0)

    @contextlib.contextmanager
    def waiting(self, clock: t.Callable[[], float]) -> t.Iterator[None]:
        """Adds the duration of the block to ``waited``. Overlapping waits of several threads count once."""
        with self._lock:
            self._waiters += 1
            if self._waiters == 1:
                self._waiting_since = clock()
        try:
            yield
        finally:
            with self._lock:
                self._waiters -= 1
                if not self._waiters:
                    self.waited += clock() - self._waiting_since
