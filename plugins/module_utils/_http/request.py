# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request before it is sent, the hooks around sending it, and when it is sent again. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ApiError, ClawHostersError, MalformedResponseError, RateLimitedError, ServerError, TransportError
from .._rate import headers as rate_headers

BACKOFF_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before the second, third... attempt after an error other than 429. The fifth error is raised."""
BACKOFF_MULTIPLIER = 1.2
"""Each further 429 that names a delay multiplies it by this factor."""
JITTER = 0.25
"""Each delay grows by up to this fraction, so that waiting processes spread out."""


@dataclass(frozen=True)
class RetryPolicy:
    """The errors after which a request is sent again."""

    # A class and no enum: up to Python 3.11.3 the enum member of an empty tuple is a bare object.
    retry_on: tuple[type[ClawHostersError], ...]


IDEMPOTENT = RetryPolicy((TransportError, RateLimitedError, ServerError, MalformedResponseError))
"""For GET."""
UNSAFE = RetryPolicy((RateLimitedError,))
"""Retry on 429 only: it guarantees that nothing was executed. For any other error the caller re-reads the resource."""
NEVER = RetryPolicy(())
"""For purchases: they spend money, so they are not sent again even after a 429."""


class RequestHooks:
    """Hooks called when a change is sent, after any wait for the rate limit. By default they do nothing."""

    needs_new_connection = False
    """True for a request of which it must be known whether it was executed: the service may close a pooled (keep-alive)
    connection at any moment."""

    def before_send(self) -> None:
        """Called just before the request is sent. An exception cancels it."""

    def on_rejected(self) -> None:
        """Called after a 429: nothing was executed, and the request may be sent again."""


@dataclass(frozen=True)
class Request:
    """One request to the API. ``timeout`` (seconds) is set before each attempt."""

    method: str
    path: str
    params: t.Mapping[str, str] = field(default_factory=dict)
    body: object = None
    retry: RetryPolicy = IDEMPOTENT
    hooks: RequestHooks | None = None
    timeout: float = 30.0

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def key(self) -> str:
        """Tells it from other requests of a task."""
        return f"{self} {sorted(self.params.items())}"


def retry_delay(error: ClawHostersError, attempt: int) -> float | None:
    """Returns the seconds to wait after the failed ``attempt`` (from 1), or None to give up."""
    retry_after = error.retry_after if isinstance(error, ApiError) else None
    if isinstance(error, RateLimitedError):
        if retry_after is None:
            return rate_headers.DEFAULT_DELAYS[min(attempt, len(rate_headers.DEFAULT_DELAYS)) - 1]
        return min(retry_after * BACKOFF_MULTIPLIER ** (attempt - 1), rate_headers.MAX_DELAY)
    if attempt > len(BACKOFF_DELAYS):
        return None
    return BACKOFF_DELAYS[attempt - 1] if retry_after is None else retry_after
