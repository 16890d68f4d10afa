# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sleeping that tells the person who waits what it is for (interface 1a)."""

from __future__ import annotations

import math
import time
import typing as t

from . import _concurrency as concurrency

EVERY_SECONDS = 10.0
SHORTEST_STEP = 1e-4
"""Seconds. Less than that is rounding, and might move no clock."""


class Progress:
    """Sleeps, and every ten seconds of one wait says what for: ``web-bot: deploying, 20 s of at most 300 s``."""

    def __init__(
        self,
        say: t.Callable[[str], None] | None = None,
        *,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = concurrency.sleep,
    ) -> None:
        self._say = say
        self._sleep = sleep
        self.clock = clock
        self._said: dict[str, float] = {}
        self._told: dict[float, float] = {}
        self._epoch = time.time() - clock()

    def now(self) -> float:
        """Unix time, as ``clock`` has moved it on since this object was made: no jump of the system's clock shows."""
        return self._epoch + self.clock()

    def sleep(self, seconds: float, what: str, *, since: float, limit: float) -> None:
        """Sleeps ``seconds``, part of a wait that began at ``since`` (of ``clock``) and lasts ``limit`` at most."""
        end = self.clock() + seconds
        self._catch_up(what, since=since, limit=limit)
        while (remaining := end - self.clock()) > SHORTEST_STEP:
            waited = self.clock() - since
            next_line = (waited // EVERY_SECONDS + 1) * EVERY_SECONDS
            step = min(remaining, max(next_line - waited, SHORTEST_STEP))
            self._sleep(step)
            if waited + step >= next_line - 1e-3:
                self._tell(what, next_line, since=since, limit=limit)

    def _catch_up(self, what: str, *, since: float, limit: float) -> None:
        """Says what was due while something else than sleeping took its time, such as a slow answer."""
        due = (self.clock() - since) // EVERY_SECONDS * EVERY_SECONDS
        if due > self._told.get(since, 0.0):
            self._tell(what, due, since=since, limit=limit)

    def _tell(self, what: str, seconds: float, *, since: float, limit: float) -> None:
        self._told[since] = seconds
        self.report(f"{what}, {seconds:.0f} s of at most {limit:.0f} s")

    def report(self, line: str) -> None:
        """Says it, unless another thread that waits for the same has just done so."""
        now = self.clock()
        if self._say and now - self._said.get(line, -math.inf) > EVERY_SECONDS / 2:
            self._said[line] = now
            self._say(line)


class Usage(t.Protocol):
    """Counts the time in which a task waits."""

    def waiting(self, clock: t.Callable[[], float], /) -> t.ContextManager[None]:
        """Adds the duration of the block to the count."""


class Deadline:
    """The time limit of one call to the client, for all its attempts and waits. Times are in seconds."""

    def __init__(self, progress: Progress, limit: float, usage: Usage) -> None:
        self._progress = progress
        self._limit = limit
        self._usage = usage
        self._started = progress.clock()

    @property
    def elapsed(self) -> float:
        return self._progress.clock() - self._started

    @property
    def remaining(self) -> float:
        return self._limit - self.elapsed

    def report(self, line: str) -> None:
        """Shows a line of progress."""
        self._progress.report(line)

    def sleep(self, seconds: float, what: str) -> None:
        """Sleeps, and shows ``what`` the wait is for."""
        with self._usage.waiting(self._progress.clock):
            self._progress.sleep(seconds, what, since=self._started, limit=self._limit)
