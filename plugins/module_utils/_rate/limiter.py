# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a key's rate, and who may send next. Pure: moments are passed in, as Unix time.

The service says in each answer how many requests are left (contract 1, "Rate limit"). Those that it has not answered
yet it may not have counted, so one more may go while fewer are under way than are left. That holds whatever the order
in which answers come in, and whoever else uses the key: what others send shows in the next answer.

When a window ends nobody knows what the next one holds, since others may have been quicker: one request goes ahead.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field

from .headers import DEFAULT_DELAYS, MAX_DELAY, Window, parse_window, requested_delay

PROBE_TIMEOUT = 2.0
"""Seconds after which a request that went ahead is joined by one more, then by twice as many, as long as none is
answered; and after which a place in the queue is given up when nobody comes back to it."""
POLL_INTERVAL = 0.02
"""Seconds until the next look when an answer is due any moment."""
QUEUE_STAGGER = 0.004
"""Seconds by which one in the queue looks later than the one before, so that they do not wake all at once."""
MAX_SLEEP = 5.0
"""Seconds after which a waiter looks again in any case: the ledger may have been lost, or its holder."""
UNMETERED_TTL = 60.0
"""Seconds for which a service that says nothing of its rate is not asked for it again."""
CONTENTION_TTL = 60.0
"""Seconds for which somebody who was seen to use the same key is expected to do so again."""
RESET_ROUNDING = 1.0
"""Seconds by which a window's end is told too early when it is cut to whole seconds."""

_NAMES_IN_FILE = {
    "remaining": "remaining",
    "updated_at": "told_at",
    "resets_at": "closes_at",
    "expected_remaining": "least",
    "contended_until": "company_until",
    "unmetered_until": "silent_until",
    "rejections": "refusals",
    "probing_since": "ahead_since",
    "is_reset_rounded": "is_cut",
    "in_flight": "flights",
    "queue": "queue",
}
"""The fields of a limiter and their names in the budget file, whose format stays."""


@dataclass(frozen=True)
class RequestOutcome:
    """How one request ended. ``status`` is None if no response arrived."""

    sent: bool
    status: int | None = None
    headers: t.Mapping[str, str] = field(default_factory=dict)


class InFlight(t.NamedTuple):
    """A request that may be sent, and is not answered yet."""

    since: float
    until: float
    """When nobody waits for its answer any more."""
    is_probe: bool = False
    """Whether it went ahead, with nothing known of the window."""


@dataclass
class RateLimiter:
    """The state that processes share; :meth:`acquire` before each request, one of the others after it."""

    remaining: int | None = None
    """Requests left, as told last; None when nothing is known."""
    updated_at: float = 0.0
    resets_at: float = 0.0
    """When the window ends that ``remaining`` is about."""
    expected_remaining: int = 0
    """What would be left if nobody else used the key; when less is left, somebody does."""
    contended_until: float = 0.0
    unmetered_until: float = 0.0
    rejections: int = 0
    probing_since: float | None = None
    """Since when those who went ahead have had no answer at all."""
    is_reset_rounded: bool = False
    """Whether the service was seen to tell the end of a window too early."""
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    queue: dict[str, float] = field(default_factory=dict)
    """Who waits, in order, and when they look again at the latest."""

    # Before a request

    def acquire(self, who: str, now: float, answer_by: float) -> float:
        """Seconds after which ``who`` must ask again; 0 when it may send, which it then must report.

        ``answer_by``: when its answer must have come.
        """
        self._expire(now)
        waiting = list(self.queue)
        place = waiting.index(who) if who in self.queue else len(waiting)
        pause = self._delay(place, now)
        if pause > 0:
            self.queue[who] = now + pause + PROBE_TIMEOUT
        else:
            self.mark_sent(who, now, answer_by)
        return pause

    def mark_sent(self, who: str, now: float, answer_by: float) -> None:
        """Notes that ``who`` sends, allowed or not."""
        self.queue.pop(who, None)
        is_probe = not self._is_known(now)
        if is_probe and self.probing_since is None:
            self.probing_since = now
        self.in_flight[who] = InFlight(now, answer_by, is_probe)
        self.expected_remaining -= 1

    def _delay(self, place: int, now: float) -> float:
        if now < self.unmetered_until:
            return 0.0
        if not self._is_known(now):
            return self._probe_delay(place, now)
        left = t.cast("int", self.remaining)
        # Half of what is left, so that two who know nothing of each other do not take the same requests; who has
        # been seen to have company lets it have the odd one, but for the last.
        room = max(left // 2, min(left, 1)) if now < self.contended_until else (left + 1) // 2
        under_way = len(self.in_flight) + place
        if under_way < room:
            return 0.0
        if left > 1 or (left and self.in_flight):
            return _poll_delay(place)  # those before go any moment, or an answer comes that makes room
        return min(self.resets_at - now + place * QUEUE_STAGGER, MAX_SLEEP)

    def _probe_delay(self, place: int, now: float) -> float:
        """Nothing is known: one goes ahead. More do when it gets no answer, so that a slow service is no dead end."""
        is_probe = self._probes()
        allowed = 2 ** min(int((now - self.probing_since) / PROBE_TIMEOUT), 10) if self.probing_since is not None else 1
        return 0.0 if is_probe + place < allowed else _poll_delay(place)

    def _probes(self) -> int:
        return sum(request.is_probe for request in self.in_flight.values())

    def _is_known(self, now: float) -> bool:
        return self.remaining is not None and now < self.resets_at

    def _expire(self, now: float) -> None:
        """Lets go of whoever does not come back, and of what a clock that jumped has made nonsense."""
        latest = now + 1
        if (
            self.probing_since is not None
            and not now - UNMETERED_TTL <= self.probing_since <= latest
            and not self._probes()
        ):
            self.probing_since = None
        if self.updated_at > latest or self.resets_at > now + MAX_DELAY + RESET_ROUNDING + 1:
            self.remaining = None
        self.unmetered_until = self.unmetered_until if self.unmetered_until <= now + UNMETERED_TTL + 1 else 0.0
        self.contended_until = self.contended_until if self.contended_until <= now + CONTENTION_TTL + 1 else 0.0
        for who, request in list(self.in_flight.items()):
            if not (request.since <= latest and now < request.until):
                self.mark_lost(who)
        self.queue = {
            who: looks_by
            for who, looks_by in self.queue.items()
            if now <= looks_by <= latest + MAX_SLEEP + PROBE_TIMEOUT
        }

    # After a request

    def record(self, who: str, outcome: RequestOutcome, now: float) -> None:
        """Updates the state with the outcome of the request of ``who``."""
        if not outcome.sent:
            self.mark_unsent(who)
        elif outcome.status is None:
            self.mark_lost(who)
        elif outcome.status == 429:
            self.on_429(who, now, requested_delay(outcome.headers, now, limited=True))
        else:
            window = parse_window(outcome.headers, now)
            self.on_response(who, now, window, is_success=200 <= outcome.status < 300)

    def mark_unsent(self, who: str) -> None:
        """It did not reach the service."""
        self.in_flight.pop(who, None)
        self.expected_remaining += 1

    def mark_lost(self, who: str) -> None:
        """It may have been counted, and its answer will not come."""
        if self.in_flight.pop(who, None):
            self._decrement()

    def _decrement(self) -> None:
        """One more was used, for all that is known; but the last one is left, so that somebody can go and ask."""
        if self.remaining is not None:
            self.remaining = max(self.remaining - 1, min(self.remaining, 1))

    def on_429(self, who: str, now: float, wait: float | None) -> None:
        """It was answered with 429, ``wait``: the seconds that the service asks for, None when it does not say."""
        request = self.in_flight.pop(who, None)
        self.probing_since = None
        is_alone = now >= self.contended_until and not self.rejections
        if is_alone and request and request.is_probe and 0 <= request.since - self.resets_at < RESET_ROUNDING:
            self.is_reset_rounded = True
        if wait is None:
            wait = DEFAULT_DELAYS[min(self.rejections, len(DEFAULT_DELAYS) - 1)]
        if request is None or request.since >= self.updated_at:
            # Those that were sent together are refused together: that is one refusal.
            self.rejections += 1
        self.remaining, self.updated_at, self.unmetered_until = 0, now, 0.0
        self.resets_at = now + wait

    def on_response(self, who: str, now: float, window: Window | None, *, is_success: bool) -> None:
        """It was answered, with what the headers say of the ``window``; None when they say nothing usable."""
        request = self.in_flight.pop(who, None)
        self.rejections, self.probing_since = 0, None
        if window is None:
            if self._is_known(now):
                self._decrement()
            else:
                # Perhaps only errors keep silent about it: then the next one is asked before long.
                self.unmetered_until = now + (UNMETERED_TTL if is_success else PROBE_TIMEOUT)
            return
        self.unmetered_until = 0.0
        sent_at = request.since if request else now
        knew = self._is_known(now)
        # A window that is new here should be new to the service too.
        is_first = window.limit is None or window.remaining + 1 + len(self.in_flight) >= window.limit
        if window.remaining < self.expected_remaining if knew else not is_first:
            self.contended_until = now + CONTENTION_TTL
        if not knew or sent_at >= self.updated_at:
            # Newer than all that is known; those still under way may not be counted in it.
            self._update(now, window)
            self.expected_remaining = window.remaining - len(self.in_flight)
        elif window.remaining < t.cast("int", self.remaining):
            self._update(now, window)

    def _update(self, now: float, window: Window) -> None:
        self.remaining, self.updated_at = window.remaining, now
        self.resets_at = window.resets_at + (RESET_ROUNDING if self.is_reset_rounded else 0.0)

    # Between processes

    def as_dict(self) -> dict[str, t.Any]:
        """Returns the state as JSON can hold it, under the names of the file format."""
        return {in_file: getattr(self, name) for name, in_file in _NAMES_IN_FILE.items()}

    @classmethod
    def from_dict(cls, content: t.Any) -> RateLimiter:
        """Parses what :meth:`as_dict` returned. Raises ValueError, TypeError or KeyError for anything else."""
        kept = {name: content[in_file] for name, in_file in _NAMES_IN_FILE.items()}
        moments = ("updated_at", "resets_at", "contended_until", "unmetered_until")
        return cls(
            **{name: _number(kept[name]) for name in moments},
            remaining=None if kept["remaining"] is None else int(_number(kept["remaining"])),
            expected_remaining=int(_number(kept["expected_remaining"])),
            probing_since=None if kept["probing_since"] is None else _number(kept["probing_since"]),
            rejections=max(int(_number(kept["rejections"])), 0),
            is_reset_rounded=kept["is_reset_rounded"] is True,
            in_flight={
                str(who): InFlight(_number(since), _number(until), is_probe is True)
                for who, (since, until, is_probe) in dict(kept["in_flight"]).items()
            },
            queue={str(who): _number(looks_by) for who, looks_by in dict(kept["queue"]).items()},
        )


def _poll_delay(place: int) -> float:
    """Seconds until who is at this place of the queue looks again when things may change any moment."""
    return POLL_INTERVAL + place * QUEUE_STAGGER


def _number(value: t.Any) -> float:
    """``value``, if it is a finite number. Raises ValueError, OverflowError or TypeError."""
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
