# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Polls until a resource has the wanted state, and says why a wait has ended without it."""

from __future__ import annotations

import math
import typing as t
from datetime import UTC, datetime

from ._errors import (
    ClawHostersError,
    IncompleteListError,
    LastSeen,
    MalformedResponseError,
    RateLimitedError,
    ServerError,
    TransportError,
    UnauthorizedError,
    WaitTimeoutError,
)
from ._progress import Progress, fit_line
from ._text import format_list
from ._times import format_time

INITIAL_INTERVAL = 2.0
MAX_INTERVAL = 15.0
INTERVAL_MULTIPLIER = 1.5
LOW_REMAINING = 10
"""With fewer requests left in the window, polls use the maximum interval."""

SECONDS_PER_REQUEST = 0.6
"""Seconds between requests at the documented rate limit, 100 a minute."""
QUICK_SHARE = 0.3
"""The part of the rate limit that frequent polls after a change may use."""

POLL_SHARE = 0.25
"""Part of the rate limit that the polls of a batch may use. The rest is left to other runs."""

TEMPORARY_ERRORS = (TransportError, RateLimitedError, ServerError, MalformedResponseError, IncompleteListError)
"""Errors after which a wait polls again."""

REMAINING_NAMED = 2
"""Resources that a progress line names."""

State = t.TypeVar("State")


class _Poll(t.NamedTuple):
    """The last answer: name, condition, and its time by the clock. ``error``: why there is none since."""

    name: str
    condition: str
    answered_at: float
    error: ClawHostersError | None = None

    def format(self, now: float) -> str:
        """Returns what is known at the time ``now`` of the clock: since an error, how long and why there is no more."""
        if self.error is None:
            return f"{self.name}: {self.condition}"
        seconds = max(now - self.answered_at, 0.0)
        if response := self.error.response:
            return f"{self.name}: {response.reason} for {seconds:.0f} s"
        return f"{self.name}: no answer for {seconds:.0f} s ({self.error.reason})"

    def format_line(self, now: float) -> str:
        """Returns the same for a progress line: since an error response, it has the service's own words."""
        if self.error and self.error.response and (words := self.error.response.words):
            return fit_line(f"{self.name}: {words}")
        return fit_line(self.format(now))


def describe_remaining(descriptions: t.Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Returns name and condition of a wait: ``web-bot``, ``deploying``, or ``5 to go``, ``web-bot: deploying, …``."""
    described = list(descriptions)
    if len(described) == 1:
        return described[0]
    texts = [": ".join(description) for description in described]
    return f"{len(texts)} to go", format_list(texts, REMAINING_NAMED)


def explain_ended_wait(
    error: ClawHostersError, condition: str, goal: str, timeout: float, advice: str = "", option: str = "wait_timeout"
) -> str:
    """Returns why a wait ended with ``error``: ``It was not started within 300 s, and now it is deploying.``

    ``condition`` was seen last. ``advice``: the sentence that says how to go on. ``option`` set the timeout.
    """
    seen = f"It was last seen {condition}{f' at {format_time(error.last_seen.at)}' if error.last_seen else ''}."
    if not isinstance(error, WaitTimeoutError):
        key = "The API key is no longer accepted: " if isinstance(error, UnauthorizedError) else ""
        reason = f"{seen} {key}{error}"
    elif error.cause:
        silence = f"The service has not answered since ({error.cause.reason})"
        if response := error.response:
            silence = f"Since then, the service has answered with errors only ({response.reason}{response.asks})"
        reason = f"{seen} {silence}, and the wait ended after {timeout:g} s ({option})."
    else:
        reason = f"It was not {goal} within {timeout:g} s ({option}), and now it is {condition}."
    return f"{reason} {advice}".rstrip()


def quick_interval(requests_per_poll: int) -> float:
    """Returns the seconds until the next poll after one that showed a change."""
    return min(max(INITIAL_INTERVAL, requests_per_poll * SECONDS_PER_REQUEST / QUICK_SHARE), MAX_INTERVAL)


class Waiter:
    """Polls until a predicate is true or the timeout is over. All waits of one task share its deadline.

    ``since``: when it began, by the clock; now without it.
    """

    def __init__(
        self,
        timeout: float,
        progress: Progress,
        requests_left: t.Callable[[], int | None] = lambda: None,
        since: float | None = None,
    ) -> None:
        self.timeout = timeout
        self._progress = progress
        self._requests_left = requests_left
        self.requests_per_poll = 1
        """The cost of one poll. Expensive polls have a longer interval."""
        self.budget_share = 1.0
        """The part of the rate limit that polls may use. Other requests get the rest."""
        self.find_deadline: t.Callable[[], float] = lambda: math.inf
        """Returns when the wait for a resource ends, by the clock, if that may be before the end of the wait."""
        self._started = progress.clock() if since is None else since

    @property
    def seconds_left(self) -> float:
        return self._started + self.timeout - self._progress.clock()

    def until(
        self,
        last: State,
        fetch: t.Callable[[float], State],
        is_done: t.Callable[[State], bool],
        describe: t.Callable[[State], tuple[str, str]],
    ) -> State:
        """Calls ``fetch`` at once, then at growing intervals, until ``is_done`` is true for its result. Returns that.

        After a change the intervals start short again: a resource that moves is likely to arrive soon.
        ``last`` is the state known so far. ``fetch`` gets the seconds left. ``is_done`` may send what has become
        possible, and raise to give up early. ``describe`` returns name and condition. Temporary errors of the service
        do not end the wait: progress lines then say since when there is no answer, and why. Raises WaitTimeoutError
        on timeout. Every error has the last state as ``last_seen``.
        """
        interval = INITIAL_INTERVAL
        poll = _Poll(*describe(last), self._progress.clock())
        last_seen = LastSeen(last, poll.condition, self._now())
        try:
            while True:
                try:
                    state = fetch(max(self.seconds_left, 0.0))
                except TEMPORARY_ERRORS as error:
                    poll = poll._replace(error=error)
                else:
                    last_seen = LastSeen(state, describe(state)[1], self._now())
                    if is_done(state):
                        return state
                    # `is_done` may have changed what is waited for.
                    name, condition = describe(state)
                    if (name, condition) != (poll.name, poll.condition):
                        interval = min(interval, quick_interval(self.requests_per_poll))
                    poll = _Poll(name, condition, self._progress.clock())
                if self.seconds_left <= 0:
                    raise WaitTimeoutError("The time is over.", poll.error)
                delay = min(self._poll_interval(interval), self.seconds_left)
                # Without an answer, nothing that is waited for can end before the wait does.
                limit = self.timeout if poll.error else min(self.timeout, self.find_deadline() - self._started)
                self._progress.sleep(delay, poll.format_line, since=self._started, limit=limit)
                interval = min(interval * INTERVAL_MULTIPLIER, MAX_INTERVAL)
        except ClawHostersError as error:
            error.last_seen = last_seen
            raise

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._progress.now(), UTC)

    def _poll_interval(self, interval: float) -> float:
        remaining = self._requests_left()
        if remaining is not None and remaining < LOW_REMAINING:
            interval = MAX_INTERVAL
        return max(interval, self.requests_per_poll * SECONDS_PER_REQUEST / self.budget_share)
