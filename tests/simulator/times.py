# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as text: ISO 8601 in UTC with whole seconds, as in the samples of contract 4.1."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from simulator.errors import BadControl

MINUTE, DAY = 60.0, 86400.0
_UNITS = {"s": 1.0, "m": MINUTE, "h": 3600.0, "d": DAY}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])(?:\s+ago)?")


def iso(moment: float) -> str:
    """Formats Unix time as the service does."""
    return _format(int(moment))


# A reset formats and parses hundreds of times, and tests reset the service thousands of times.
@functools.lru_cache(maxsize=10_000)
def _format(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.lru_cache(maxsize=10_000)
def unix(text: str) -> float:
    """Parses a time formatted by `iso`."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def seed_time(value: Any, now: float) -> Any:
    """Converts a time of a state file: ISO 8601, a YAML timestamp, or an age such as `36h ago`."""
    if isinstance(value, datetime):
        return iso(value.replace(tzinfo=value.tzinfo or UTC).timestamp())
    if isinstance(value, str):
        age = _AGO.fullmatch(value.strip())
        if age:
            return iso(now - float(age[1]) * _UNITS[age[2]])
        try:
            unix(value)
        except ValueError as error:
            raise BadControl(f"{value!r} is not a time; write it as 2026-02-10T08:00:00Z or 36h ago") from error
    return value


def in_style(text: str, style: str) -> str:
    """Returns the same time in another format (contract 11, U25)."""
    if style == "fraction":
        return text.replace("Z", ".123Z")
    if style == "offset":
        shifted = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone(timedelta(hours=1)))
        return shifted.isoformat()
    if style == "no_zone":
        return text.removesuffix("Z")
    return text
