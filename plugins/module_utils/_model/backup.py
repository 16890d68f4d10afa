# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups: their time, their owner, which can be restored, which is the newest. Pure.

The backup object is undocumented. Each value is looked up under several field names; only ``id`` is sure to be there.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from .._text import format_count, format_list, one_line
from .._times import CLOCK_TOLERANCE, format_time, parse_time
from .ownership import has_owner, parse_owner
from .resource import Resource, id_sort_key, normalize

TIME_FIELDS = ("created_at", "completed_at", "taken_at", "timestamp")
"""Fields that may hold the time; the first that is not empty counts."""

GOOD_STATUSES = frozenset(
    ("completed", "complete", "available", "ready", "succeeded", "success", "ok", "finished", "active")
)
"""Statuses of a backup that can be restored, all undocumented. Any other status is not usable."""
BAD_STATUSES = frozenset(
    ("failed", "error", "pending", "creating", "in_progress", "restoring", "deleting", "deleted", "expired")
)
"""Statuses of a backup that can't be restored. Any other may be a word for a good one."""

_LISTED = 5
"""Reasons that a message lists, and backups with their owners."""
_IDS_LISTED = 40
"""Ids of backups that a message lists for one reason."""

NO_TIME = f"it has no valid time (fields read: {', '.join(TIME_FIELDS)})"


def taken_at(backup: Resource) -> datetime | None:
    """Returns the time of the backup, in UTC; None without a valid one."""
    return parse_time(next((backup[field] for field in TIME_FIELDS if backup.get(field) not in (None, "")), None))


def explain_unusable(backup: Resource) -> str:
    """Returns the reason why the backup is not usable; empty if it is."""
    if not has_good_status(backup):
        return f"its status is {one_line(backup.get('status'))}"
    return "" if taken_at(backup) else NO_TIME


def explain_future(backup: Resource, now: datetime) -> str:
    """Returns that the backup is dated in the future, empty if it is not. Its age is not known then."""
    taken = taken_at(backup)
    return f"it is dated in the future, {format_time(taken)}" if taken and is_in_future(taken, now) else ""


def is_in_future(taken: datetime, now: datetime) -> bool:
    """Returns True if a backup is dated in the future, more than clocks differ."""
    return taken - now > CLOCK_TOLERANCE


def has_good_status(backup: Resource) -> bool:
    """Returns True if the backup has a good status, or none."""
    status = backup.get("status")
    return status in (None, "") or normalize(status) in GOOD_STATUSES


def find_unread(backup: Resource) -> str:
    """Returns what can't be read of a backup that may be usable: ``status`` or ``time``; empty for any other."""
    if not has_good_status(backup):
        return "" if normalize(backup["status"]) in BAD_STATUSES else "status"
    return "" if taken_at(backup) else "time"


def is_usable(backup: Resource) -> bool:
    """Returns True if the backup has a good status or none, and a valid time."""
    return not explain_unusable(backup)


def is_before(backup: Resource, before: datetime | None) -> bool:
    """Returns True if the backup is older than ``before``. A backup without a valid time matches only None."""
    taken = taken_at(backup)
    return before is None or (taken is not None and taken < before)


def newest_first(backups: t.Iterable[Resource]) -> list[Resource]:
    """Returns the backups sorted by time, newest first; equal times by id, those without a valid time last."""
    beginning = datetime.min.replace(tzinfo=UTC)
    return sorted(
        backups,
        key=lambda backup: (taken_at(backup) is not None, taken_at(backup) or beginning, id_sort_key(backup)),
        reverse=True,
    )


def format_left_out(
    left_out: t.Collection[Resource],
    explain: t.Callable[[Resource], str] = explain_unusable,
    *,
    with_owner: bool = False,
) -> str:
    """Returns one line with the backups that were left out and why; empty if none were.

    ``explain`` returns the reason. ``with_owner``: names the instance of each.
    """
    if not left_out:
        return ""
    reasons: dict[str, list[str]] = {}
    for backup in left_out:
        owner = f" of {one_line(parse_owner(backup))}" if with_owner and has_owner(backup) else ""
        reasons.setdefault(explain(backup), []).append(f"{one_line(backup.get('id'), 20)}{owner}")
    limit = _LISTED if with_owner else _IDS_LISTED
    each = (
        f"id {ids[0]} ({reason})" if len(ids) == 1 else f"ids {format_list(ids, limit)} (each: {reason})"
        for reason, ids in reasons.items()
    )
    return f"{format_count(len(left_out), 'backup')} left out: {format_list(each, _LISTED)}."
