# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses times of the service, and formats times and durations. Pure, but for the time zone of this machine."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far in the future a time may be: the clocks of the service, of the journal and of this machine differ."""
_MIN_UNIX_MILLISECONDS = 1e12


def parse_time(value: object) -> datetime | None:
    """Returns a time of the service in UTC, or None if it is invalid. It is ISO 8601 or Unix time.

    A time without an offset is UTC, like all samples.
    """
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _MIN_UNIX_MILLISECONDS else value, UTC)
        moment = datetime.fromisoformat(str(value).strip().upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def format_iso(moment: datetime) -> str:
    """Returns the format of journals and reports: ISO 8601 in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def format_time(moment: datetime, now: datetime | None = None, *, seconds: bool = False) -> str:
    """Returns a time for people, by the clocks of this machine and in UTC: ``2026-02-01 14:00 CET (13:00 UTC)``.

    Where they do not differ, ``2026-02-01 13:00 UTC``. The date is left out if it is that of ``now``.
    """
    local, utc = to_local(moment), moment.astimezone(UTC)
    shown = _format_clock(local, now and to_local(now).date(), seconds=seconds)
    return f"{shown} ({_format_clock(utc, local.date(), seconds=seconds)})" if local.utcoffset() else shown


def to_local(moment: datetime) -> datetime:
    """Returns a moment by the clocks of this machine; in UTC if they do not differ, or can't show it."""
    # The task's environment may have another TZ than the one that this process began with.
    time.tzset()
    try:
        local = moment.astimezone()
    except (ValueError, OverflowError, OSError):
        return moment.astimezone(UTC)
    return local if local.utcoffset() else moment.astimezone(UTC)


def _format_clock(moment: datetime, today: date | None, *, seconds: bool) -> str:
    day = "" if moment.date() == today else f"{moment:%Y-%m-%d} "
    return f"{day}{moment:{'%H:%M:%S' if seconds else '%H:%M'}} {moment.tzname()}"


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
