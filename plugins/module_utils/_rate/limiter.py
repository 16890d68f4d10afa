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

from .headers import LONGEST_WAIT, UNTOLD_PAUSES, Window

PATIENCE = 2.0
"""Seconds after which a request that went ahead is joined by one more, then by twice as many, as long as none is
answered; and after which a place in the queue is given up when nobody comes back to it."""
GLANCE = 0.02
"""Seconds until the next look when an answer is due any moment."""
STAGGER = 0.004
"""Seconds by which one in the queue looks later than the one before, so that they do not wake all at once."""
LONGEST_SLEEP = 5.0
"""Seconds after which a waiter looks again in any case: the ledger may have been lost, or its holder."""
SILENCE = 60.0
"""Seconds for which a service that says nothing of its rate is not asked for it again."""
COMPANY = 60.0
"""Seconds for which somebody who was seen to use the same key is expected to do so again."""
ROUNDING = 1.0
"""Seconds by which a window's end is told too early when it is cut to whole seconds."""


class Flight(t.NamedTuple):
    """A request that may be sent, and is not answered yet."""

    since: float
    until: float
    """When nobody waits for its answer any more."""
    ahead: bool = False
    """Whether it went ahead, with nothing known of the window."""


@dataclass
class Ledger:
    """The state that processes share; :meth:`ask` before each request, one of the others after it."""

    remaining: int | None = None
    """Requests left, as told last; None when nothing is known."""
    told_at: float = 0.0
    closes_at: float = 0.0
    """When the window ends that ``remaining`` is about."""
    least: int = 0
    """What would be left if nobody else used the key; when less is left, somebody does."""
    company_until: float = 0.0
    silent_until: float = 0.0
    refusals: int = 0
    ahead_since: float | None = None
    """Since when those who went ahead have had no answer at all."""
    is_cut: bool = False
    """Whether the service was seen to tell the end of a window too early."""
    flights: dict[str, Flight] = field(default_factory=dict)
    queue: dict[str, float] = field(default_factory=dict)
    """Who waits, in order, and when they look again at the latest."""

    # Before a request

    def ask(self, who: str, now: float, answer_by: float) -> float:
        """Seconds after which ``who`` must ask again; 0 when it may send, which it then must report.

        ``answer_by``: when its answer must have come.
        """
        self._forget(now)
        waiting = list(self.queue)
        place = waiting.index(who) if who in self.queue else len(waiting)
        pause = self._pause(place, now)
        if pause > 0:
            self.queue[who] = now + pause + PATIENCE
        else:
            self.depart(who, now, answer_by)
        return pause

    def depart(self, who: str, now: float, answer_by: float) -> None:
        """Notes that ``who`` sends, allowed or not."""
        self.queue.pop(who, None)
        ahead = not self._knows(now)
        if ahead and self.ahead_since is None:
            self.ahead_since = now
        self.flights[who] = Flight(now, answer_by, ahead)
        self.least -= 1

    def _pause(self, place: int, now: float) -> float:
        if now < self.silent_until:
            return 0.0
        if not self._knows(now):
            return self._pause_ahead(place, now)
        left = t.cast("int", self.remaining)
        # Half of what is left, so that two who know nothing of each other do not take the same requests; who has
        # been seen to have company lets it have the odd one, but for the last.
        room = max(left // 2, min(left, 1)) if now < self.company_until else (left + 1) // 2
        under_way = len(self.flights) + place
        if under_way < room:
            return 0.0
        if left > 1 or (left and self.flights):
            return _glance(place)  # those before go any moment, or an answer comes that makes room
        return min(self.closes_at - now + place * STAGGER, LONGEST_SLEEP)

    def _pause_ahead(self, place: int, now: float) -> float:
        """Nothing is known: one goes ahead. More do when it gets no answer, so that a slow service is no dead end."""
        ahead = self._ahead()
        allowed = 2 ** min(int((now - self.ahead_since) / PATIENCE), 10) if self.ahead_since is not None else 1
        return 0.0 if ahead + place < allowed else _glance(place)

    def _ahead(self) -> int:
        return sum(flight.ahead for flight in self.flights.values())

    def _knows(self, now: float) -> bool:
        return self.remaining is not None and now < self.closes_at

    def _forget(self, now: float) -> None:
        """Lets go of whoever does not come back, and of what a clock that jumped has made nonsense."""
        latest = now + 1
        if self.ahead_since is not None and not now - SILENCE <= self.ahead_since <= latest and not self._ahead():
            self.ahead_since = None
        if self.told_at > latest or self.closes_at > now + LONGEST_WAIT + ROUNDING + 1:
            self.remaining = None
        self.silent_until = self.silent_until if self.silent_until <= now + SILENCE + 1 else 0.0
        self.company_until = self.company_until if self.company_until <= now + COMPANY + 1 else 0.0
        for who, flight in list(self.flights.items()):
            if not (flight.since <= latest and now < flight.until):
                self.lose(who)
        self.queue = {
            who: looks_by
            for who, looks_by in self.queue.items()
            if now <= looks_by <= latest + LONGEST_SLEEP + PATIENCE
        }

    # After a request

    def never_sent(self, who: str) -> None:
        """It did not reach the service."""
        self.flights.pop(who, None)
        self.least += 1

    def lose(self, who: str) -> None:
        """It may have been counted, and its answer will not come."""
        if self.flights.pop(who, None):
            self._count_one()

    def _count_one(self) -> None:
        """One more was used, for all that is known; but the last one is left, so that somebody can go and ask."""
        if self.remaining is not None:
            self.remaining = max(self.remaining - 1, min(self.remaining, 1))

    def refused(self, who: str, now: float, wait: float | None) -> None:
        """It was answered with 429, ``wait``: the seconds that the service asks for, None when it does not say."""
        flight = self.flights.pop(who, None)
        self.ahead_since = None
        is_alone = now >= self.company_until and not self.refusals
        if is_alone and flight and flight.ahead and 0 <= flight.since - self.closes_at < ROUNDING:
            self.is_cut = True
        if wait is None:
            wait = UNTOLD_PAUSES[min(self.refusals, len(UNTOLD_PAUSES) - 1)]
        if flight is None or flight.since >= self.told_at:
            # Those that were sent together are refused together: that is one refusal.
            self.refusals += 1
        self.remaining, self.told_at, self.silent_until = 0, now, 0.0
        self.closes_at = now + wait

    def answered(self, who: str, now: float, window: Window | None, *, is_success: bool) -> None:
        """It was answered, with what the headers say of the ``window``; None when they say nothing usable."""
        flight = self.flights.pop(who, None)
        self.refusals, self.ahead_since = 0, None
        if window is None:
            if self._knows(now):
                self._count_one()
            else:
                # Perhaps only errors keep silent about it: then the next one is asked before long.
                self.silent_until = now + (SILENCE if is_success else PATIENCE)
            return
        self.silent_until = 0.0
        sent_at = flight.since if flight else now
        knew = self._knows(now)
        # A window that is new here should be new to the service too.
        is_first = window.limit is None or window.remaining + 1 + len(self.flights) >= window.limit
        if window.remaining < self.least if knew else not is_first:
            self.company_until = now + COMPANY
        if not knew or sent_at >= self.told_at:
            # Newer than all that is known; those still under way may not be counted in it.
            self._learn(now, window)
            self.least = window.remaining - len(self.flights)
        elif window.remaining < t.cast("int", self.remaining):
            self._learn(now, window)

    def _learn(self, now: float, window: Window) -> None:
        self.remaining, self.told_at = window.remaining, now
        self.closes_at = window.closes_at + (ROUNDING if self.is_cut else 0.0)

    # Between processes

    def as_dict(self) -> dict[str, t.Any]:
        """What is kept of it, as JSON can."""
        return vars(self)

    @classmethod
    def from_dict(cls, kept: t.Any) -> Ledger:
        """What was kept. Raises ValueError, TypeError or KeyError for what this can't have been."""
        numbers = {name: _number(kept[name]) for name in ("told_at", "closes_at", "company_until", "silent_until")}
        return cls(
            **numbers,
            remaining=None if kept["remaining"] is None else int(_number(kept["remaining"])),
            least=int(_number(kept["least"])),
            ahead_since=None if kept["ahead_since"] is None else _number(kept["ahead_since"]),
            refusals=max(int(_number(kept["refusals"])), 0),
            is_cut=kept["is_cut"] is True,
            flights={
                str(who): Flight(_number(since), _number(until), ahead is True)
                for who, (since, until, ahead) in dict(kept["flights"]).items()
            },
            queue={str(who): _number(looks_by) for who, looks_by in dict(kept["queue"]).items()},
        )


def _glance(place: int) -> float:
    """Seconds until who is at this place of the queue looks again when things may change any moment."""
    return GLANCE + place * STAGGER


def _number(value: t.Any) -> float:
    """``value``, if it is a finite number. Raises ValueError, OverflowError or TypeError."""
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
