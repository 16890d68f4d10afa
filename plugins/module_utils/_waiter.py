# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One deadline, one poll loop: everything that waits for a state waits here."""

from __future__ import annotations

import typing as t

from ._errors import (
    ClawHostersError,
    IncompleteListError,
    RateLimitedError,
    ServerError,
    TransportError,
    WaitTimeoutError,
)
from ._progress import Progress

FIRST_INTERVAL = 2.0
LONGEST_INTERVAL = 15.0
GROWTH = 1.5
SCARCE_REQUESTS = 10
"""With fewer requests than this left in the window, polls are as rare as they get (contract 11, "Poll budget")."""

SECONDS_PER_REQUEST = 0.6
"""A hundred a minute (contract 1)."""

Seen = t.TypeVar("Seen")


class Waiter:
    """Polls until a predicate holds or the time is over. All waits of one task share its deadline."""

    def __init__(
        self,
        timeout: float,
        progress: Progress,
        requests_left: t.Callable[[], int | None] = lambda: None,
    ) -> None:
        self.timeout = timeout
        self._progress = progress
        self._requests_left = requests_left
        self.requests_per_look = 1
        """What one look costs; those that cost many are taken more rarely than every few seconds."""
        self._started = progress.clock()

    @property
    def seconds_left(self) -> float:
        return self._started + self.timeout - self._progress.clock()

    def until(
        self,
        read: t.Callable[[float], Seen],
        is_done: t.Callable[[Seen], bool],
        describe: t.Callable[[Seen], str],
        goal: str,
    ) -> Seen:
        """Calls ``read`` at once and then ever more rarely until ``is_done`` holds for what it returns; returns that.

        ``read`` gets the seconds left; ``is_done`` may raise to give up early. A service that is out of order for a
        while is asked again: only the deadline ends a wait. Raises WaitTimeoutError with what was seen last, or the
        fault that hid it.
        """
        interval = FIRST_INTERVAL
        shown = f"no answer yet to see whether it is {goal}"
        while True:
            seen: Seen | None = None
            fault: ClawHostersError | None = None
            try:
                seen = read(max(self.seconds_left, 0.0))
            except (TransportError, RateLimitedError, ServerError, IncompleteListError) as error:
                fault = error
            else:
                shown = describe(seen)
                if is_done(seen):
                    return seen
            if self.seconds_left <= 0:
                raise fault or WaitTimeoutError(
                    f"{shown}, and not {goal} within {self.timeout:g} s (wait_timeout).", seen
                )
            pause = min(self._pace(interval), self.seconds_left)
            self._progress.sleep(pause, shown, since=self._started, limit=self.timeout)
            interval = min(interval * GROWTH, LONGEST_INTERVAL)

    def _pace(self, interval: float) -> float:
        left = self._requests_left()
        if left is not None and left < SCARCE_REQUESTS:
            return max(LONGEST_INTERVAL, self.requests_per_look * SECONDS_PER_REQUEST)
        return max(interval, self.requests_per_look * SECONDS_PER_REQUEST)
