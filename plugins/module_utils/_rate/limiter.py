# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a key's rate limit, and the decision when the next request may be sent. Pure: times are passed in, as
Unix time.

Each response says how many requests remain. Requests in flight may not be counted in that yet, so another one may be
sent while fewer are in flight than remain. This holds in whatever order responses arrive. Others who use the key
without this state show in the next response; meanwhile, either may get a 429.

After a window has ended its new size is unknown, since others may have sent requests first: one request, the probe, is
sent alone.

Requests that wait are sent by priority. While a run of priority ``high`` is active, the others leave it a tenth of
each window, for the requests of its next task.
"""

from __future__ import annotations

import enum
import math
import typing as t
from dataclasses import dataclass, field

from .._text import format_count
from .headers import DEFAULT_DELAYS, MAX_DELAY, Window, parse_delay, parse_window

PROBE_TIMEOUT = 2.0
"""Seconds without a response after which a second probe is sent, then twice as many each time. Also the seconds after
which a queued process that does not come back loses its place."""
POLL_INTERVAL = 0.02
"""Seconds until the next check when a response is expected at any moment."""
QUEUE_STAGGER = 0.004
"""Seconds between the checks of neighbours in the queue, so that they do not wake all at once."""
MAX_SLEEP = 5.0
"""Seconds after which a queued process checks again in any case: the state may have been lost."""
UNMETERED_TTL = 60.0
"""Seconds for which a service without rate limit headers counts as unlimited."""
RUN_TTL = 10.0
"""Seconds for which a run of priority ``high`` counts as active after its last request or response."""
RESERVED_FRACTION = 10
"""One of this many requests of a window is left to runs of priority ``high``, and at least one."""
RESET_ROUNDING = 1.0
"""Seconds by which a reset time is too early when it is rounded down to whole seconds."""


class Priority(enum.IntEnum):
    """The priority of a request. A smaller number goes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @property
    def word(self) -> str:
        """The value of the option ``priority``."""
        return self.name.lower()


class QueuedRequest(t.NamedTuple):
    """A request that waits. Times are Unix time."""

    expires_at: float
    """When it loses its place, unless its process comes back."""
    priority: Priority = Priority.NORMAL
    since: float = 0.0


Queue = dict[str, QueuedRequest]
"""The requests that wait, by id, in the order in which they came."""


@dataclass(frozen=True)
class Place:
    """The place of a request in the queue."""

    ahead: int = 0
    """How many go before it."""
    must_yield: bool = False
    """True if it waits even if there is room for all: ``low`` goes only if nobody else waits."""


def find_place(queue: Queue, request_id: str, priority: Priority, due: t.Sequence[str]) -> Place:
    """Returns the place of a request that is in the queue, or joins it now. ``due``: see :func:`find_due`."""
    if request_id in due:
        return Place(due.index(request_id))
    ahead = _find_ahead(queue, request_id, priority)
    due_behind = sum(queue[other].priority > priority for other in due)
    must_yield = priority == Priority.LOW and any(other.priority < priority for other in ahead)
    return Place(len(ahead) + due_behind, must_yield)


def find_due(queue: Queue, sent_at: t.Mapping[Priority, float], opened_at: float) -> list[str]:
    """Returns the ids of the requests that go now, before all others: each window has room for one of each priority.

    That is the first of its priority, if it waits since before ``opened_at`` and none of that was sent since then.
    ``sent_at`` has the priorities for which there is room, and when a request of each was sent last.
    """
    first: dict[Priority, str] = {}
    for request_id, request in queue.items():
        first.setdefault(request.priority, request_id)
    return [
        request_id
        for priority, request_id in first.items()
        if priority in sent_at and max(queue[request_id].since, sent_at[priority]) < opened_at
    ]


def describe_higher(queue: Queue, request_id: str) -> str:
    """Returns which requests of a higher priority wait: ``3 requests of priority high``. Empty if none do."""
    higher = [other.priority for other in queue.values() if other.priority < queue[request_id].priority]
    return " and ".join(
        f"{format_count(higher.count(priority), 'request')} of priority {priority.word}"
        for priority in sorted(set(higher))
    )


def _find_ahead(queue: Queue, request_id: str, priority: Priority) -> list[QueuedRequest]:
    ahead, came_before = [], True
    for other_id, other in queue.items():
        if other_id == request_id:
            came_before = False
        elif other.priority < priority or (came_before and other.priority == priority):
            ahead.append(other)
    return ahead


@dataclass(frozen=True)
class RequestOutcome:
    """The end of one request. ``status`` is None if no response arrived."""

    sent: bool
    status: int | None = None
    headers: t.Mapping[str, str] = field(default_factory=dict)


class InFlight(t.NamedTuple):
    """A request without a response so far."""

    sent_at: float
    expires_at: float
    """When its process has given up on the response."""
    is_probe: bool = False
    """True if it was sent while the window was unknown."""


@dataclass
class RateLimiter:
    """The state that processes share. Call :meth:`acquire` before each request and :meth:`record` after it."""

    remaining: int | None = None
    """Requests left according to the newest response; None if unknown."""
    updated_at: float = 0.0
    resets_at: float = 0.0
    """When the window of ``remaining`` ends."""
    unmetered_until: float = 0.0
    rejections: int = 0
    """How many 429 came in a row."""
    probing_since: float | None = None
    """When the first probe was sent; None after a response to one."""
    is_reset_rounded: bool = False
    """True if the service was seen to reject a request right after the reset time that it had given."""
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    queue: Queue = field(default_factory=dict)
    window_size: int = 0
    """Requests in a whole window, as far as is known."""
    opened_at: float = 0.0
    """When the first response of the window arrived."""
    low_sent_at: float = 0.0
    """When a request of priority ``low`` was sent last."""
    normal_sent_at: float = 0.0
    """When a request of priority ``normal`` was sent last."""
    high_runs: dict[str, float] = field(default_factory=dict)
    """The time of the last request or response of each active run of priority ``high``."""

    # Before a request

    def acquire(self, request_id: str, now: float, expires_at: float, priority: Priority = Priority.NORMAL) -> float:
        """Returns the seconds after which to call this again, or 0 if the request may be sent now.

        In the latter case the request is in flight until :meth:`record`, or until ``expires_at``.
        """
        self._expire(now)
        # No window is longer than MAX_DELAY; one that slides is always open.
        due = find_due(self.queue, self._due_priorities(), max(self.opened_at, now - MAX_DELAY))
        place = find_place(self.queue, request_id, priority, due)
        reserved = 0 if request_id in due else self._reserved(priority)
        delay = self._delay(place, reserved, now)
        if delay > 0:
            since = self.queue[request_id].since if request_id in self.queue else now
            self.queue[request_id] = QueuedRequest(now + delay + PROBE_TIMEOUT, priority, since)
        else:
            self.mark_sent(request_id, now, expires_at, priority)
        return delay

    def waits_behind(self, request_id: str) -> str:
        """Returns what a queued request waits behind: requests of a higher priority, or what is reserved for them.

        Returns an empty text if it waits for the rate limit alone.
        """
        is_reserved = 0 < (self.remaining or 0) <= self._reserved(self.queue[request_id].priority)
        return describe_higher(self.queue, request_id) or ("a run of priority high" if is_reserved else "")

    def mark_sent(self, request_id: str, now: float, expires_at: float, priority: Priority = Priority.NORMAL) -> None:
        """Marks the request as sent, whether the limit allows it or not."""
        self.queue.pop(request_id, None)
        if priority == Priority.LOW:
            self.low_sent_at = now
        elif priority == Priority.NORMAL:
            self.normal_sent_at = now
        is_probe = not self._is_window_known(now)
        if is_probe and self.probing_since is None:
            self.probing_since = now
        self.in_flight[request_id] = InFlight(now, expires_at, is_probe)

    def _delay(self, place: Place, reserved: int, now: float) -> float:
        if now < self.unmetered_until:
            return 0.0
        if not self._is_window_known(now):
            return self._probe_delay(place, now)
        allowance = t.cast("int", self.remaining) - reserved
        if len(self.in_flight) + place.ahead < allowance and not place.must_yield:
            return 0.0
        if allowance > 0:
            # The queue moves on, or a response raises the allowance, at any moment.
            return _poll_delay(place)
        return min(self.resets_at - now + place.ahead * QUEUE_STAGGER, MAX_SLEEP)

    def _probe_delay(self, place: Place, now: float) -> float:
        """Returns the delay while the window is unknown: one probe at first, more if a slow service does not answer."""
        allowed = 2 ** min(int((now - self.probing_since) / PROBE_TIMEOUT), 10) if self.probing_since is not None else 1
        is_free = self._count_probes() + place.ahead < allowed and not place.must_yield
        return 0.0 if is_free else _poll_delay(place)

    def _reserved(self, priority: Priority) -> int:
        """Returns how many requests of the window this priority leaves to runs of priority ``high``."""
        if priority == Priority.HIGH or not self.high_runs:
            return 0
        return max(self.window_size // RESERVED_FRACTION, 1)

    def _due_priorities(self) -> dict[Priority, float]:
        """Returns the priorities of which each window has room for one request, and when one was sent last.

        A window too small to reserve a part of it has room for ``low`` alone, or nothing would be left for ``high``.
        """
        due = {Priority.LOW: self.low_sent_at}
        if self.window_size >= RESERVED_FRACTION:
            due[Priority.NORMAL] = self.normal_sent_at
        return due

    def _count_probes(self) -> int:
        return sum(request.is_probe for request in self.in_flight.values())

    def _is_window_known(self, now: float) -> bool:
        return self.remaining is not None and now < self.resets_at

    def _expire(self, now: float) -> None:
        """Removes requests of lost processes, and times that a jump of the clock has made impossible."""
        latest = now + 1
        if self.probing_since is not None and not self._count_probes():
            is_plausible = now - UNMETERED_TTL <= self.probing_since <= latest
            self.probing_since = self.probing_since if is_plausible else None
        if self.updated_at > latest or self.resets_at > now + MAX_DELAY + RESET_ROUNDING + 1:
            self.remaining = None
        self.unmetered_until = self.unmetered_until if self.unmetered_until <= now + UNMETERED_TTL + 1 else 0.0
        for request_id, request in list(self.in_flight.items()):
            if not (request.sent_at <= latest and now < request.expires_at):
                self.mark_lost(request_id)
        self.queue = {
            request_id: request
            for request_id, request in self.queue.items()
            if now <= request.expires_at <= latest + MAX_SLEEP + PROBE_TIMEOUT
        }
        self.high_runs = {run: seen_at for run, seen_at in self.high_runs.items() if now - RUN_TTL < seen_at <= latest}
        self.low_sent_at = self.low_sent_at if self.low_sent_at <= latest else 0.0
        self.normal_sent_at = self.normal_sent_at if self.normal_sent_at <= latest else 0.0

    # After a request

    def record(self, request_id: str, outcome: RequestOutcome, now: float) -> None:
        """Updates the state with the outcome of the request of ``request_id``."""
        if not outcome.sent:
            self.mark_unsent(request_id)
        elif outcome.status is None:
            self.mark_lost(request_id)
        elif outcome.status == 429:
            self.on_429(request_id, now, parse_delay(outcome.headers, now, is_429=True))
        else:
            window = parse_window(outcome.headers, now)
            self.on_response(request_id, now, window, is_success=200 <= outcome.status < 300)

    def mark_unsent(self, request_id: str) -> None:
        """The request did not reach the service."""
        self.in_flight.pop(request_id, None)

    def mark_lost(self, request_id: str) -> None:
        """No response will arrive, but the service may have counted the request."""
        if self.in_flight.pop(request_id, None):
            self._decrement()

    def _decrement(self) -> None:
        """Counts one request as used, but keeps the last one, so that a request can find out."""
        if self.remaining is not None:
            self.remaining = max(self.remaining - 1, min(self.remaining, 1))

    def on_429(self, request_id: str, now: float, retry_after: float | None) -> None:
        """Updates the state after a 429. ``retry_after``: the seconds that the service asks for, or None."""
        request = self.in_flight.pop(request_id, None)
        self.probing_since = None
        is_over_soon = retry_after is None or retry_after <= RESET_ROUNDING
        if request and request.is_probe and is_over_soon and 0 <= request.sent_at - self.resets_at < RESET_ROUNDING:
            # The old window was still open. If others had spent the new one, it would last longer.
            self.is_reset_rounded = True
        if retry_after is None:
            retry_after = DEFAULT_DELAYS[min(self.rejections, len(DEFAULT_DELAYS) - 1)]
        if request is None or request.sent_at >= self.updated_at:
            # Requests that were sent together are rejected together, which counts once.
            self.rejections += 1
        self.remaining, self.updated_at, self.unmetered_until = 0, now, 0.0
        self.resets_at = now + retry_after

    def on_response(self, request_id: str, now: float, window: Window | None, *, is_success: bool) -> None:
        """Updates the state after any other response. ``window``: the rate limit in its headers, or None."""
        request = self.in_flight.pop(request_id, None)
        self.rejections, self.probing_since = 0, None
        if window is None:
            if self._is_window_known(now):
                self._decrement()
            else:
                # Perhaps only errors lack the headers: then the next request checks soon.
                self.unmetered_until = now + (UNMETERED_TTL if is_success else PROBE_TIMEOUT)
            return
        self.unmetered_until = 0.0
        self.window_size = window.limit or max(self.window_size, window.remaining)
        is_known = self._is_window_known(now)
        if not is_known:
            self.opened_at = now
        sent_at = request.sent_at if request else now
        # The newest response counts, though it may omit requests in flight. An older one counts only if it is lower.
        if not is_known or sent_at >= self.updated_at or window.remaining < t.cast("int", self.remaining):
            self._update(now, window)

    def _update(self, now: float, window: Window) -> None:
        self.remaining, self.updated_at = window.remaining, now
        self.resets_at = window.resets_at + (RESET_ROUNDING if self.is_reset_rounded else 0.0)

    # Between processes

    def as_dict(self) -> dict[str, t.Any]:
        """Returns the state as JSON can hold it."""
        return vars(self).copy()

    @classmethod
    def from_dict(cls, content: t.Any) -> RateLimiter:
        """Parses the result of :meth:`as_dict`. Raises ValueError, TypeError or KeyError for anything else."""
        stored = {name: content[name] for name in cls.__dataclass_fields__}
        times = ("updated_at", "resets_at", "unmetered_until", "opened_at", "low_sent_at", "normal_sent_at")
        return cls(
            **{name: _parse_number(stored[name]) for name in times},
            remaining=None if stored["remaining"] is None else int(_parse_number(stored["remaining"])),
            probing_since=None if stored["probing_since"] is None else _parse_number(stored["probing_since"]),
            rejections=max(int(_parse_number(stored["rejections"])), 0),
            window_size=int(_parse_number(stored["window_size"])),
            is_reset_rounded=stored["is_reset_rounded"] is True,
            in_flight={
                str(request_id): InFlight(_parse_number(sent_at), _parse_number(expires_at), is_probe is True)
                for request_id, (sent_at, expires_at, is_probe) in dict(stored["in_flight"]).items()
            },
            queue={
                str(request_id): QueuedRequest(_parse_number(expires_at), Priority(priority), _parse_number(since))
                for request_id, (expires_at, priority, since) in dict(stored["queue"]).items()
            },
            high_runs={str(run): _parse_number(seen_at) for run, seen_at in dict(stored["high_runs"]).items()},
        )


def _poll_delay(place: Place) -> float:
    """Returns the seconds until the next check at this place of the queue."""
    return POLL_INTERVAL + place.ahead * QUEUE_STAGGER


def _parse_number(value: t.Any) -> float:
    """Returns ``value`` if it is a finite number. Raises ValueError, OverflowError or TypeError."""
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)
