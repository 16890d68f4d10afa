# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses the rate limit headers of a response. Pure: no clock, no sleep."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

MIN_DELAY = 1.0
MAX_DELAY = 65.0
"""Seconds. The window is a minute: no single wait is longer, whatever a header says."""

DEFAULT_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds to wait after a first, second... 429 without a delay. The last one repeats."""
MIN_WINDOW = 0.05
"""Seconds that a window lasts at least: rounded down to whole seconds, its end may be now."""
CLOCK_TOLERANCE = 2.0
"""Seconds within which two clocks count as equal: that of the service is rounded to whole seconds."""

_MIN_UNIX_TIME = 1e9
_MIN_UNIX_MILLISECONDS = 1e12


@dataclass(frozen=True)
class Window:
    """The current rate limit window of a key. ``resets_at`` is Unix time by the local clock."""

    remaining: int
    resets_at: float
    limit: int | None


def parse_delay(headers: t.Mapping[str, str], now: float, *, is_429: bool) -> float | None:
    """Returns the seconds that the service asks to wait, between MIN_DELAY and MAX_DELAY, or None.

    ``Retry-After`` comes first, as seconds or as a date. After a 429, ``X-RateLimit-Reset`` comes next, as Unix time,
    milliseconds or a delta. Times are compared with the ``Date`` of the response, so that a wrong local clock does not
    matter; ``now`` (Unix time) is for responses without it.
    """
    server_now = parse_http_date(headers.get("Date"))
    if server_now is None:
        server_now = now
    delay = parse_retry_after(headers.get("Retry-After"), server_now)
    if delay is None and is_429:
        delay = _until_reset(headers.get("X-RateLimit-Reset"), server_now)
    return None if delay is None else min(max(delay, MIN_DELAY), MAX_DELAY)


def parse_window(headers: t.Mapping[str, str], now: float) -> Window | None:
    """Returns the window in the headers, or None unless they have both ``Remaining`` and ``Reset``."""
    remaining = parse_remaining(headers)
    reset = parse_finite(headers.get("X-RateLimit-Reset"))
    if remaining is None or reset is None:
        return None
    server_now = parse_http_date(headers.get("Date"))
    if server_now is None or abs(server_now - now) < CLOCK_TOLERANCE:
        # The clock of the service is less exact: it is rounded to whole seconds.
        server_now = now
    seconds = _seconds_until(reset, server_now)
    if remaining < 0 or seconds <= -1.0:
        return None
    limit = parse_finite(headers.get("X-RateLimit-Limit"))
    return Window(remaining, now + min(max(seconds, MIN_WINDOW), MAX_DELAY), None if limit is None else int(limit))


def parse_retry_after(text: str | None, server_now: float) -> float | None:
    """Returns the seconds in ``Retry-After``, a number or a date, or None if it is absent or invalid."""
    seconds = parse_finite(text)
    if seconds is not None:
        return seconds
    moment = parse_http_date(text)
    return None if moment is None else moment - server_now


def parse_remaining(headers: t.Mapping[str, str]) -> int | None:
    """Returns ``X-RateLimit-Remaining``, or None if it is absent or invalid."""
    number = parse_finite(headers.get("X-RateLimit-Remaining"))
    return None if number is None else int(number)


def parse_http_date(text: str | None) -> float | None:
    """Returns an HTTP date as Unix time, or None if it is absent or invalid."""
    try:
        moment = parsedate_to_datetime(text or "")
        # HTTP dates are in GMT, even without a time zone.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_finite(text: str | None) -> float | None:
    """Returns ``text`` as a number, or None if it is absent, invalid or infinite."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until_reset(text: str | None, server_now: float) -> float | None:
    reset = parse_finite(text)
    return None if reset is None else _seconds_until(reset, server_now)


def _seconds_until(reset: float, server_now: float) -> float:
    """Returns the seconds until ``reset``: Unix time, as documented, or Unix milliseconds or a delta."""
    if reset < _MIN_UNIX_TIME:
        return reset
    if reset > _MIN_UNIX_MILLISECONDS:
        reset /= 1000
    return reset - server_now
