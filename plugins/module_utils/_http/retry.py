# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After which errors a request is sent again, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import ClawHostersError, MalformedResponseError, RateLimitedError, ServerError, TransportError
from .._rate import headers as rate_headers

TRANSIENT_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before the second, third... try after a fault other than 429; the fifth fault is reported."""
BACKOFF_MULTIPLIER = 1.2
"""A limit that is not open when the service said it would be is asked ever more rarely, by this factor."""
JITTER = 0.25
"""A wait is longer by up to this share of itself, so that those who wait together do not wake together."""


@dataclass(frozen=True)
class RetryPolicy:
    """The errors after which a request is sent again (contract, end of section 11). Nothing else decides on it."""

    # A class and no enum: up to Python 3.11.3 the enum member of an empty tuple is a bare object.
    retry_on: tuple[type[ClawHostersError], ...]


IDEMPOTENT = RetryPolicy((TransportError, RateLimitedError, ServerError, MalformedResponseError))
"""GET: reading twice changes nothing."""
UNSAFE = RetryPolicy((RateLimitedError,))
"""Retry on 429 only: it guarantees that nothing was executed. For any other error the caller re-reads the resource."""
NEVER = RetryPolicy(())
"""Purchases: they spend real money, so nothing is sent again, not even after a 429."""


def pause_after(error: ClawHostersError, tries: int) -> float | None:
    """Seconds to wait before the next try, None when there should be none."""
    asked = getattr(error, "wait", None)
    if isinstance(error, RateLimitedError):
        if asked is None:
            return rate_headers.DEFAULT_DELAYS[min(tries, len(rate_headers.DEFAULT_DELAYS)) - 1]
        return min(asked * BACKOFF_MULTIPLIER ** (tries - 1), rate_headers.MAX_DELAY)
    if tries > len(TRANSIENT_PAUSES):
        return None
    return TRANSIENT_PAUSES[tries - 1] if asked is None else asked
