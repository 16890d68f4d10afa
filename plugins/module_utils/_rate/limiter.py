# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a key's rate limit, and the decision when the next request may be sent. Pure: times are passed in, by
any clock that all who share the state agree on.

Each response says how many requests remain. Requests in flight may not be counted in that yet, so another one may be
sent while fewer are in flight than remain. This holds in whatever order responses arrive. Others who use the key
without this state show in the next response; meanwhile, either may get a 429.

After a window has ended its new size is unknown, since others may have sent requests first: one request, the probe, is
sent alone.

A request that has to wait asks again. Until then, those of a lower priority wait too, and so do new ones of the same,
except ``high``.
While a run of priority ``high`` is active, the others leave it a tenth of each window, for its next task.
"""

from __future__ import annotations

import enum
import math
import typing as t
from dataclasses import dataclass, field

from .headers import Window, default_delay, parse_delay, parse_window

PROBE_TIMEOUT = 2.0
"""Seconds without a response after which a second probe is sent, then twice as many each time."""
POLL_INTERVAL = 0.02
"""Seconds until the next check when a response is expected at any moment."""
GRACE = 0.5
"""Seconds by which a request that has waited may come late and still go first."""
MAX_SLEEP = 5.0
"""Seconds after which a request that waits checks again in any case: the state may have been lost."""
MAX_FLIGHT = 10.0
"""Seconds after which a request without a response counts as received: its process may have ended."""
MAX_OVERTAKEN = 5.0
"""Seconds by which a request may have been sent before one that is answered, and still be on its way."""
UNMETERED_TTL = 60.0
"""Seconds for which a service without rate limit headers counts as unlimited."""
RUN_TTL = 20.0
"""Seconds for which a run of priority ``high`` counts as active after a request. It polls more often."""
RESERVED_FRACTION = 10
"""One of this many requests of a window is left to runs of priority ``high``, and at least one."""
RESET_ROUNDING = 1.0
"""Seconds by which a reset time is too early when it is rounded down to whole seconds."""


class Priority(enum.IntEnum):
    """The priority of a request. A smaller number goes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class RequestOutcome:
    """The end of one request, which its sender sets. ``status`` is None if no response arrived."""

    def __init__(
        self, sent: bool = False, status: int | None = None, headers: t.Mapping[str, str] | None = None
    ) -> None:
        self.sent = sent
        self.status = status
        self.headers = headers or {}


class Turn(t.NamedTuple):
    """When a request may be sent."""

    delay: float = 0.0
    """Seconds after which to ask again, or 0 if it may be sent now."""
    is_behind: bool = False
    """True if it waits for other requests rather than for the rate limit."""


@dataclass(eq=False, repr=False)
class RateLimiter:
    """The state that processes share. Call :meth:`acquire` before each request and :meth:`record` after it."""

    now: float = 0.0
    """When the state was used last."""
    remaining: float = 0.0
    """Requests left according to the newest response."""
    updated_at: float = 0.0
    opened_at: float = 0.0
    """When the window began, as far as is known."""
    resets_at: float = 0.0
    """When the window ends. After that it is unknown."""
    ends: float = 0.0
    """The same, by the clock of the service."""
    reset_margin: float = 0.0
    """Is RESET_ROUNDING once the service was seen to reject a request right after the reset time that it had given."""
    window_size: float = 0.0
    """Requests in a whole window, as far as is known."""
    unmetered_until: float = 0.0
    rejections: float = 0.0
    """How many 429 came in a row."""
    high_until: float = 0.0
    """Until when a run of priority ``high`` counts as active."""
    in_flight: dict[str, float] = field(default_factory=dict)
    """When each request without a response was sent."""
    waiting: list[float] = field(default_factory=lambda: [0.0] * len(Priority))
    """Until when the requests of each priority that wait are expected to ask again."""
    sent_at: list[float] = field(default_factory=lambda: [0.0] * len(Priority))
    """When a request of each priority was sent last."""

    # Before a request

    def acquire(self, request_id: str, now: float, priority: Priority, *, has_waited: bool = False) -> Turn:
        """Returns if the request may be sent now. Then it is in flight until :meth:`record`."""
        self.advance(now)
        if priority == Priority.HIGH:
            self.high_until = now + RUN_TTL
        turn = self._find_turn(priority)
        if turn.delay:
            expected_until = now + min(turn.delay + GRACE, 4 * turn.delay)
            self.waiting[priority] = max(self.waiting[priority], expected_until)
        elif not has_waited and now < self.waiting[priority] and priority != Priority.HIGH:
            return Turn(min(self.waiting[priority] - now, MAX_SLEEP), is_behind=True)
        else:
            self.mark_sent(request_id, now, priority)
        return turn

    def mark_sent(self, request_id: str, now: float, priority: Priority) -> None:
        """Marks the request as sent, if the limit allows it or not."""
        self.sent_at[priority] = self.in_flight[request_id] = now

    def _find_turn(self, priority: Priority) -> Turn:
        if self.now < self.unmetered_until:
            return Turn()
        others_until = 0.0 if self._is_due(priority) else max([0.0, *self.waiting[:priority]])
        is_known = self.now < self.resets_at
        kept = self._count_kept(priority) if is_known else 0
        room = self.remaining - len(self.in_flight) if is_known else self._count_probes_left()
        if room <= kept:
            # A response or the next probe is due at any moment, unless the window is spent.
            delay = self.resets_at - self.now if is_known and self.remaining <= kept else POLL_INTERVAL
            return Turn(min(delay, MAX_SLEEP), is_behind=room > 0 or self.now < others_until)
        return Turn(min(max(others_until - self.now, 0.0), MAX_SLEEP), is_behind=True)

    def _count_probes_left(self) -> int:
        """Returns how many requests may be sent to an unknown window: one, but more if a slow service is silent."""
        probes = [sent_at for sent_at in self.in_flight.values() if sent_at >= self.resets_at]
        silent_for = self.now - min(probes, default=self.now)
        return 2 ** max(int(silent_for / PROBE_TIMEOUT), 0) - len(probes)

    def _count_kept(self, priority: Priority) -> float:
        """Returns how many requests of the window this priority leaves to others."""
        lower = range(priority + 1, len(Priority))
        kept: float = sum(self.now < self.waiting[other] and self._is_due(other) for other in lower)
        if priority != Priority.HIGH and self.now < self.high_until and not self._is_due(priority):
            kept += max(self.window_size // RESERVED_FRACTION, 1)
        return kept

    def _is_due(self, priority: int) -> bool:
        """Returns True if no request of this priority was sent in this window, which has room for one of each.

        A window too small to keep a part of it has room for ``low`` alone, or nothing would be left for ``high``.
        """
        smallest = 2 if priority == Priority.LOW else RESERVED_FRACTION
        return self.window_size >= smallest and self.sent_at[priority] < self.opened_at

    def advance(self, now: float) -> None:
        """Removes requests of lost processes, and a state of the future: that of another clock."""
        if now < self.now - 1:
            vars(self).update(vars(RateLimiter()))
        self.now = now
        for request_id, sent_at in list(self.in_flight.items()):
            if now - sent_at > MAX_FLIGHT:
                self.mark_lost(request_id)

    # After a request

    def record(self, request_id: str, outcome: RequestOutcome, now: float, unix_now: float) -> None:
        """Updates the state with the outcome of the request of ``request_id``."""
        self.advance(now)
        if not outcome.sent:
            self.in_flight.pop(request_id, None)
        elif outcome.status is None:
            self.mark_lost(request_id)
        elif outcome.status == 429:
            self.on_429(request_id, parse_delay(outcome.headers, unix_now, is_429=True))
        else:
            window = parse_window(outcome.headers, unix_now)
            self.on_response(request_id, window, is_success=200 <= outcome.status < 300)

    def mark_lost(self, request_id: str) -> None:
        """No response will arrive, but the service may have counted the request."""
        if self.in_flight.pop(request_id, None) is not None:
            self._decrement()

    def _decrement(self) -> None:
        """Counts one request as used, but keeps the last one, so that a request can find out."""
        self.remaining = max(self.remaining - 1, min(self.remaining, 1))

    def _land(self, request_id: str) -> float:
        """Returns when the request was sent that is answered now, and drops those that were sent long before it."""
        sent_at = self.in_flight.pop(request_id, -math.inf)
        self.in_flight = {other: at for other, at in self.in_flight.items() if at > sent_at - MAX_OVERTAKEN}
        return sent_at

    def on_429(self, request_id: str, retry_after: float | None) -> None:
        """Updates the state after a 429. ``retry_after``: the seconds that the service asks for, or None."""
        sent_at = self._land(request_id)
        is_over_soon = retry_after is None or retry_after <= RESET_ROUNDING
        if is_over_soon and 0 <= sent_at - self.resets_at < RESET_ROUNDING:
            # The old window was still open. If others had spent the new one, it would last longer.
            self.reset_margin = RESET_ROUNDING
        if retry_after is None:
            retry_after = default_delay(self.rejections)
        if sent_at >= self.updated_at:
            # Requests that were sent together are rejected together, which counts once.
            self.rejections += 1
        self.remaining, self.updated_at, self.unmetered_until = 0, self.now, 0.0
        self.resets_at = self.now + retry_after

    def on_response(self, request_id: str, window: Window | None, *, is_success: bool) -> None:
        """Updates the state after any other response. ``window``: the rate limit in its headers, or None."""
        sent_at = self._land(request_id)
        self.rejections = 0
        is_known = self.now < self.resets_at
        if window is None:
            if is_known:
                self._decrement()
            else:
                # Perhaps only errors lack the headers: then the next request checks soon.
                self.unmetered_until = self.now + (UNMETERED_TTL if is_success else PROBE_TIMEOUT)
            return
        if is_known and window.ends < self.ends - RESET_ROUNDING:
            return  # a late response, of the window before
        self.unmetered_until = 0.0
        self.window_size = window.limit or max(self.window_size, window.remaining)
        resets_at = self.now + window.resets_in + self.reset_margin
        if is_known and window.ends <= self.ends + RESET_ROUNDING:
            if sent_at < self.updated_at and window.remaining >= self.remaining:
                return  # a newer one counts, though it may omit requests in flight
            resets_at = min(self.resets_at, resets_at)
        elif window.remaining > self.window_size / 2:
            # One that slides is never so empty while many wait.
            self.opened_at = max(sent_at, self.opened_at)
        self.remaining, self.updated_at = window.remaining, self.now
        self.ends, self.resets_at = window.ends, resets_at

    # Between processes

    @classmethod
    def from_dict(cls, content: t.Any) -> RateLimiter:
        """Parses ``vars`` of a limiter. Raises ValueError, TypeError, AttributeError or OverflowError if it is none."""
        limiter = cls(**content)
        values = {**vars(limiter), "in_flight": 0, "waiting": len(limiter.waiting), "sent_at": len(limiter.sent_at)}
        for value in (*values.values(), *limiter.in_flight.values(), *limiter.waiting, *limiter.sent_at):
            if isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(f"{value!r} is not a number")
        if not values["waiting"] == values["sent_at"] == len(Priority):
            raise ValueError("a priority is missing")
        return limiter
