# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long to wait, read from an answer's headers (contract 1, "Rate limit", and U10). Pure: no clock, no sleep."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

MIN_DELAY = 1.0
MAX_DELAY = 65.0
"""Seconds. The window is a minute; whatever a header says, no single wait is longer."""

DEFAULT_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds to wait after a 429 that says nothing of time, one after the other; the last one repeats."""
MIN_WINDOW = 0.05
"""Seconds that are left of a window at least: told in whole seconds, its end may be told as now."""
CLOCK_TOLERANCE = 2.0
"""Seconds within which two clocks count as the same: one of them is told in whole seconds."""

_LOWEST_UNIX_TIME = 1e9
_LOWEST_UNIX_MILLISECONDS = 1e12


@dataclass(frozen=True)
class Window:
    """What an answer tells of the present window of its key. ``resets_at`` is Unix time by the clock here."""

    remaining: int
    resets_at: float
    limit: int | None


def requested_delay(headers: t.Mapping[str, str], now: float, *, limited: bool) -> float | None:
    """Seconds the service asks to wait for, between MIN_DELAY and MAX_DELAY; None when no header says so.

    ``Retry-After`` wins, as seconds or as a date; then, when the request was ``limited`` (429), ``X-RateLimit-Reset``,
    as Unix time, as milliseconds or as a delta. Moments are held against
    the server's own ``Date``: a wrong clock here must not matter. ``now`` (Unix time) serves only without a ``Date``.
    """
    server_now = parse_http_date(headers.get("Date"))
    if server_now is None:
        server_now = now
    wait = parse_retry_after(headers.get("Retry-After"), server_now)
    if wait is None and limited:
        wait = _until_reset(headers.get("X-RateLimit-Reset"), server_now)
    return None if wait is None else min(max(wait, MIN_DELAY), MAX_DELAY)


def parse_window(headers: t.Mapping[str, str], now: float) -> Window | None:
    """The rate limit's headers, None when they don't tell both how much is left and until when."""
    left = parse_remaining(headers)
    reset = parse_finite(headers.get("X-RateLimit-Reset"))
    if left is None or reset is None:
        return None
    server_now = parse_http_date(headers.get("Date"))
    if server_now is None or abs(server_now - now) < CLOCK_TOLERANCE:
        # To go by the server's clock, told in whole seconds, would be less exact.
        server_now = now
    until = _until(reset, server_now)
    if left < 0 or until <= -1.0:
        return None
    limit = parse_finite(headers.get("X-RateLimit-Limit"))
    return Window(left, now + min(max(until, MIN_WINDOW), MAX_DELAY), None if limit is None else int(limit))


def parse_retry_after(text: str | None, server_now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for, in either of its forms; None when it is absent or unreadable."""
    seconds = parse_finite(text)
    if seconds is not None:
        return seconds
    moment = parse_http_date(text)
    return None if moment is None else moment - server_now


def parse_remaining(headers: t.Mapping[str, str]) -> int | None:
    """``X-RateLimit-Remaining`` as a whole number, None when it is absent or unreadable."""
    number = parse_finite(headers.get("X-RateLimit-Remaining"))
    return None if number is None else int(number)


def parse_http_date(text: str | None) -> float | None:
    """An HTTP date as Unix time, None when it is absent or unreadable."""
    try:
        moment = parsedate_to_datetime(text or "")
        # HTTP dates are in GMT, said or not.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_finite(text: str | None) -> float | None:
    """``text`` as a finite number, None when it is absent, unreadable or infinite."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until_reset(text: str | None, server_now: float) -> float | None:
    reset = parse_finite(text)
    return None if reset is None else _until(reset, server_now)


def _until(reset: float, server_now: float) -> float:
    """Seconds until ``reset``: Unix time, milliseconds of it, or a delta (U10)."""
    if reset < _LOWEST_UNIX_TIME:
        return reset
    if reset > _LOWEST_UNIX_MILLISECONDS:
        reset /= 1000
    return reset - server_now
