# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Polls until a resource has the wanted state."""

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

INITIAL_INTERVAL = 2.0
MAX_INTERVAL = 15.0
INTERVAL_MULTIPLIER = 1.5
LOW_REMAINING = 10
"""With fewer requests left in the window, polls use the maximum interval (contract 11, "Poll budget")."""

SECONDS_PER_REQUEST = 0.6
"""100 requests a minute (contract 1)."""

State = t.TypeVar("State")


class Waiter:
    """Polls until a predicate is true or the timeout is over. All waits of one task share its deadline."""

    def __init__(
        self,
        timeout: float,
        progress: Progress,
        requests_left: t.Callable[[], int | None] = lambda: None,
    ) -> None:
        self.timeout = timeout
        self._progress = progress
        self._requests_left = requests_left
        self.requests_per_poll = 1
        """The cost of one poll. Expensive polls have a longer interval."""
        self._started = progress.clock()

    @property
    def seconds_left(self) -> float:
        return self._started + self.timeout - self._progress.clock()

    def until(
        self,
        fetch: t.Callable[[float], State],
        is_done: t.Callable[[State], bool],
        describe: t.Callable[[State], str],
        goal: str,
    ) -> State:
        """Calls ``fetch`` at growing intervals until ``is_done`` is true for its result, and returns that.

        ``fetch`` gets the seconds left. ``is_done`` may raise to give up early. Temporary errors of the service do not
        end the wait. On timeout, raises WaitTimeoutError with the last state, or the error of the last poll.
        """
        interval = INITIAL_INTERVAL
        description = f"no response yet, waiting until it is {goal}"
        while True:
            state: State | None = None
            last_error: ClawHostersError | None = None
            try:
                state = fetch(max(self.seconds_left, 0.0))
            except (TransportError, RateLimitedError, ServerError, IncompleteListError) as error:
                last_error = error
            else:
                description = describe(state)
                if is_done(state):
                    return state
            if self.seconds_left <= 0:
                raise last_error or WaitTimeoutError(
                    f"{description}, and not {goal} within {self.timeout:g} s (wait_timeout).", state
                )
            delay = min(self._poll_interval(interval), self.seconds_left)
            self._progress.sleep(delay, description, since=self._started, limit=self.timeout)
            interval = min(interval * INTERVAL_MULTIPLIER, MAX_INTERVAL)

    def _poll_interval(self, interval: float) -> float:
        remaining = self._requests_left()
        if remaining is not None and remaining < LOW_REMAINING:
            return max(MAX_INTERVAL, self.requests_per_poll * SECONDS_PER_REQUEST)
        return max(interval, self.requests_per_poll * SECONDS_PER_REQUEST)
