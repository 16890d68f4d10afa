# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses and formats times and durations. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ._errors import SettingsError
from ._text import one_line

_ISO_8601 = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?", re.ASCII | re.IGNORECASE
)
_MIN_UNIX_MILLISECONDS = 1e12
_LONGEST = timedelta(days=36_525)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_time(value: object) -> datetime | None:
    """Returns a time of the service in UTC, or None if it is invalid. It is ISO 8601 or Unix time.

    A time without an offset is UTC, like all samples.
    """
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MIN_UNIX_MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
        time = datetime.fromisoformat(str(value).strip().upper())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def parse_timestamp(option: str, text: str | None) -> datetime | None:
    """Returns the time in a user's option, in UTC, or None without one. Raises SettingsError for an invalid time."""
    if text is None:
        return None
    time = parse_time(text) if _ISO_8601.fullmatch(text.strip()) else None
    if time is None:
        raise SettingsError(
            f"{option} is '{one_line(text)}', but must be a time in ISO 8601, such as 2026-02-01T10:00:00Z; "
            "without an offset it is UTC."
        )
    return time


def parse_duration(option: str, text: str | None) -> timedelta | None:
    """Returns a duration such as ``36h`` or ``7d``, or None without one. Raises SettingsError for an invalid one."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})\s*([smhdw])", text.strip())
    if match is None:
        raise SettingsError(
            f"{option} is '{one_line(text)}', but must be a number and a unit: s, m, h, d or w, such as 36h or 7d."
        )
    duration = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if duration > _LONGEST:
        raise SettingsError(f"{option} is {match[0]}, but must be at most 100 years.")
    return duration


def format_iso(time: datetime) -> str:
    """Returns the format of journals and reports: ISO 8601 in UTC, with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def format_time_of_day(time: datetime, now: datetime | None = None) -> str:
    """Returns the time of day for messages: ``16:26:03 UTC``, with the date if it is not today."""
    time, today = time.astimezone(UTC), (now or datetime.now(UTC)).astimezone(UTC).date()
    return f"{time:%H:%M:%S} UTC" if time.date() == today else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def format_duration(duration: timedelta) -> str:
    """Returns a readable duration: ``3 d 4 h``, ``5 h 20 min``, ``12 min``, ``40 s``."""
    seconds = max(int(duration.total_seconds()), 0)
    minutes = seconds // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
