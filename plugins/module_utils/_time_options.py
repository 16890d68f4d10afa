# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses times and durations in options. Pure, but for the time zone of this machine."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ._errors import RefusedError, SettingsError
from ._text import one_line
from ._times import format_duration, format_time, parse_time

_ISO_8601 = re.compile(
    r"(?P<shown>\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?)"
    r"( ?(?P<offset>Z|[+-]\d{2}(:?\d{2})?)| +(?P<zone>[A-Z]\w*(/[\w+-]+)*))?",
    re.ASCII | re.IGNORECASE,
)
_LONGEST = timedelta(days=36_525)
_MAX_AHEAD = timedelta(minutes=1)
"""How far ahead a limit may lie that is meant to be now: the clocks of the service and of this machine differ."""
_ABBREVIATIONS = {"GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
"""Hours ahead of UTC of zones in Europe. Others are known where the clocks of this machine show them."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_timestamp(option: str, text: str | None) -> datetime | None:
    """Returns the time in a user's option, in UTC, or None without one.

    It has an offset, Z or UTC. Without one it is UTC where the clocks of this machine show UTC; elsewhere it could mean
    two moments, or three. The name of a zone is never read, only shown with its offset. Raises SettingsError for these,
    and for an invalid time.
    """
    if text is None:
        return None
    match = _ISO_8601.fullmatch(text.strip())
    moment = parse_time(f"{match['shown']}{match['offset'] or ''}") if match else None
    if match is None or moment is None:
        raise SettingsError(
            f"{option} is '{one_line(text)}', but must be a time in ISO 8601 with its offset, such as "
            "2026-02-01T10:00:00Z."
        )
    zone = match["zone"] or ""
    if match["offset"] or zone.upper() == "UTC":
        return moment
    readings = _find_readings(option, moment.replace(tzinfo=None), zone)
    if readings == [moment] and not zone:
        return moment
    raise SettingsError(f"{option}: {one_line(text)} has no UTC offset. {_format_readings(moment, readings, zone)}")


def require_past(option: str, limit: datetime | None, now: datetime, *, is_unsent: bool = False) -> None:
    """Raises RefusedError for a limit that lies ahead: it would exclude nothing."""
    if limit is not None and limit - now > _MAX_AHEAD:
        raise RefusedError(
            f"{option} is {format_time(limit)}, which is {format_duration(limit - now)} ahead: it is "
            f"{format_time(now)} now, and a limit in the future excludes nothing.",
            is_unsent=is_unsent,
        )


def _find_readings(option: str, shown: datetime, zone: str) -> list[datetime]:
    """Returns the moments at which the clocks of a zone, or of this machine without one, show a time.

    These are two where an hour comes twice, and none where it is left out.
    """
    local = _read_clocks(shown, None)
    if named := [moment for moment in local if not zone or (moment.tzname() or "").upper() == zone.upper()]:
        return named
    if not zone:
        return []
    if (hours := _ABBREVIATIONS.get(zone.upper())) is not None:
        return [shown.replace(tzinfo=timezone(timedelta(hours=hours)))]
    try:
        return _read_clocks(shown, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"{option}: this machine does not know the time zone {one_line(zone)}.") from None


def _read_clocks(shown: datetime, zone: ZoneInfo | None) -> list[datetime]:
    time.tzset()
    found: list[datetime] = []
    for fold in (0, 1):
        try:
            local = shown.replace(fold=fold, tzinfo=zone).astimezone(UTC).astimezone(zone)
        except (ValueError, OverflowError, OSError):
            continue
        if local.replace(tzinfo=None) == shown and local.astimezone(UTC) not in found:
            found.append(local)
    return found


def _format_readings(utc: datetime, local: list[datetime], zone: str) -> str:
    """Returns what a time may mean, each reading as an option takes it."""
    where = zone or "this controller's time zone"
    in_utc = "" if zone else f"; in UTC it is {utc.replace(tzinfo=None).isoformat()}Z"
    match [moment.isoformat() for moment in local]:
        case [one]:
            return f"In {where} it is {one}{in_utc}."
        case [first, second]:
            return f"In {where} it comes twice, {first} and {second}{in_utc}."
    return f"In {where} it does not exist{in_utc}."


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
