# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses times of the service, and formats times and durations. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MIN_UNIX_MILLISECONDS = 1e12


def parse_time(value: object) -> datetime | None:
    """Returns a time of the service in UTC, or None if it is invalid. It is ISO 8601 or Unix time.

    A time without an offset is UTC, like all samples.
    """
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MIN_UNIX_MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(str(value).strip().upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def format_iso(moment: datetime) -> str:
    """Returns the format of journals and reports: ISO 8601 in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def format_time_of_day(moment: datetime, now: datetime | None = None) -> str:
    """Returns the time of day for messages: ``16:26:03 UTC``, with the date if it is not today."""
    moment, today = moment.astimezone(UTC), (now or datetime.now(UTC)).astimezone(UTC).date()
    return f"{moment:%H:%M:%S} UTC" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


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
