# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses the rate limit headers of a response. Pure: no clock, no sleep."""

from __future__ import annotations

import math
import typing as t
from datetime import UTC
from email.utils import parsedate_to_datetime

MIN_DELAY = 1.0
MAX_DELAY = 65.0
"""Seconds. The window is a minute: no single wait is longer, whatever a header says."""

_MAX_REQUESTS = 1e9
_MIN_UNIX_TIME = 1e9
_MIN_UNIX_MILLISECONDS = 1e12


class Window(t.NamedTuple):
    """The current rate limit window of a key."""

    remaining: int
    resets_in: float
    """Seconds until it ends. The clock of the service is cut to whole seconds, so that this is up to one too many."""
    limit: int | None = None
    ends: float = 0.0
    """When it ends, by the clock of the service."""


def parse_delay(headers: t.Mapping[str, str], now: float, *, is_429: bool) -> float | None:
    """Returns the seconds that the service asks to wait, between MIN_DELAY and MAX_DELAY, or None.

    ``Retry-After`` comes first; after a 429, ``X-RateLimit-Reset`` comes next. Times are compared with the ``Date`` of
    the response, so that a wrong local clock does not matter; ``now`` (Unix time) is for responses without it.
    """
    delay = parse_retry_after(headers, now)
    if delay is None and is_429:
        delay = _parse_seconds(headers.get("X-RateLimit-Reset"), parse_http_date(headers.get("Date")) or now)
    return None if delay is None else min(max(delay, MIN_DELAY), MAX_DELAY)


def parse_retry_after(headers: t.Mapping[str, str], now: float) -> float | None:
    """Returns the seconds in ``Retry-After``, however many, or None."""
    return _parse_seconds(headers.get("Retry-After"), parse_http_date(headers.get("Date")) or now)


def default_delay(rejections: float) -> float:
    """Returns the seconds to wait after a 429 that names no delay, and that follows so many others."""
    return 2.0 ** min(rejections, 5)


def parse_window(headers: t.Mapping[str, str], now: float) -> Window | None:
    """Returns the window in the headers, or None unless they have both ``Remaining`` and ``Reset``."""
    remaining = parse_remaining(headers)
    server_now = parse_http_date(headers.get("Date")) or now
    seconds = _parse_seconds(headers.get("X-RateLimit-Reset"), server_now)
    if remaining is None or seconds is None or seconds <= -1.0:
        return None
    resets_in = min(max(seconds, 0.0), MAX_DELAY)  # cut to whole seconds, the end may be now
    return Window(remaining, resets_in, _parse_count(headers.get("X-RateLimit-Limit")), server_now + seconds)


def parse_remaining(headers: t.Mapping[str, str]) -> int | None:
    """Returns ``X-RateLimit-Remaining``, or None if it is absent or invalid."""
    return _parse_count(headers.get("X-RateLimit-Remaining"))


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


def _parse_count(text: str | None) -> int | None:
    """Returns a number of requests, or None if it is absent, invalid, or more than any window has."""
    number = parse_finite(text)
    return None if number is None or not 0 <= number <= _MAX_REQUESTS else int(number)


def _parse_seconds(text: str | None, server_now: float) -> float | None:
    """Returns the seconds until a time in a header: a delta, a date, or Unix time in seconds or milliseconds."""
    number = parse_finite(text)
    if number is not None and number < _MIN_UNIX_TIME:
        return number
    moment = parse_http_date(text) if number is None else number
    return None if moment is None else moment / (1000 if moment > _MIN_UNIX_MILLISECONDS else 1) - server_now
