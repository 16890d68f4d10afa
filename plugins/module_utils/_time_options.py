# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses times and durations in options. Pure, but for the time zone of this machine."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from ._errors import RefusedError, SettingsError
from ._text import one_line
from ._times import format_duration, parse_time

_ISO_8601 = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?", re.ASCII | re.IGNORECASE
)
_LONGEST = timedelta(days=36_525)
_MAX_AHEAD = timedelta(minutes=1)
"""How far ahead a limit may lie that is meant to be now: the clocks of the service and of this machine differ."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_timestamp(option: str, text: str | None) -> datetime | None:
    """Returns the time in a user's option, in UTC, or None without one.

    Without an offset it is UTC where the clocks of this machine show UTC then; elsewhere it could mean two moments, or
    three. Raises SettingsError for these, and for an invalid time.
    """
    if text is None:
        return None
    moment = parse_time(text) if _ISO_8601.fullmatch(text.strip()) else None
    if moment is None:
        raise SettingsError(
            f"{option} is '{one_line(text)}', but must be a time in ISO 8601 with its offset, such as "
            "2026-02-01T10:00:00Z."
        )
    if datetime.fromisoformat(text.strip().upper()).tzinfo is None:
        local = _find_local(moment.replace(tzinfo=None))
        if local != [moment]:
            raise SettingsError(f"{option}: {one_line(text)} has no UTC offset. {_format_readings(moment, local)}")
    return moment


def require_past(option: str, limit: datetime | None, now: datetime) -> None:
    """Raises RefusedError for a limit that lies ahead: it would exclude nothing."""
    if limit is not None and limit - now > _MAX_AHEAD:
        raise RefusedError(
            f"{option} is {limit:%Y-%m-%d %H:%M} UTC, which is {format_duration(limit - now)} ahead: it is "
            f"{now:%Y-%m-%d %H:%M} UTC now, and a limit in the future excludes nothing."
        )


def _find_local(shown: datetime) -> list[datetime]:
    """Returns the moments at which the clocks of this machine show a time.

    These are two where an hour comes twice, and none where it is left out.
    """
    # The task's environment may have another TZ than the one that this process began with.
    time.tzset()
    found: list[datetime] = []
    for fold in (0, 1):
        try:
            moment = shown.replace(fold=fold).astimezone()
        except (ValueError, OverflowError, OSError):
            continue
        if moment.replace(tzinfo=None) == shown and moment not in found:
            found.append(moment)
    return found


def _format_readings(utc: datetime, local: list[datetime]) -> str:
    """Returns what a time without an offset may mean, each reading as an option takes it."""
    in_utc = f"{_format_reading(utc.replace(tzinfo=None))}Z"
    match [_format_reading(one) for one in local]:
        case [one]:
            return f"In this controller's time zone it is {one}, in UTC {in_utc}."
        case [first, second]:
            return f"In this controller's time zone it comes twice, {first} and {second}; in UTC it is {in_utc}."
    return f"In this controller's time zone it does not exist; in UTC it is {in_utc}."


def _format_reading(moment: datetime) -> str:
    return moment.isoformat(timespec="auto" if moment.second or moment.microsecond else "minutes")


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
