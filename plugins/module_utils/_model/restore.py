# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores: which backup is chosen, and when it may be restored. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .._errors import RefusedError
from .._text import one_line
from .._times import format_duration
from .backup import format_left_out, is_before, is_usable, newest_first, taken_at
from .instance import StateReached, get_status, is_busy, label
from .resource import Resource

RESTORABLE = ("running", "stopped")
END_STATUSES = ("running", "stopped", "pending_configuration")
CLOCK_TOLERANCE = timedelta(minutes=5)
"""Clock skew: how far in the future the time of a backup may be."""
RESTORE_POLL_SHARE = 0.25
"""Part of each window that the polls of a batch may use. The rest is left to other batches, and to other runs."""
SHORTEST_RESTORE = 10.0
"""Seconds before an instance that never looked busy counts as restored: the status may not show a restore."""


@dataclass(frozen=True)
class RestoreQuery:
    """Conditions for the instance and the backup of a restore."""

    instance_id: int | None
    instance_name: str | None
    backup_id: int | None
    before: datetime | None
    max_age: timedelta | None
    expected_sent_at: str | None = None
    """Time of the journal entry that the user has seen; empty for no entry, None for any."""

    @property
    def names_instance(self) -> bool:
        return self.instance_id is not None or self.instance_name is not None

    def accepts(self, backup: Resource) -> bool:
        """Returns True if the backup is usable and taken in time."""
        return is_usable(backup) and is_before(backup, self.before)

    def choose_newest(self, backups: list[Resource], instance: Resource) -> tuple[Resource, list[Resource]]:
        """Returns the newest usable one of the instance's backups, and the unusable ones that are newer.

        Raises RefusedError if none is usable.
        """
        in_time = [backup for backup in newest_first(backups) if is_before(backup, self.before)]
        usable = [backup for backup in in_time if is_usable(backup)]
        if not usable:
            when = f" from before {self.before.isoformat()}" if self.before else ""
            found = f"{label(instance)} has no usable backup{when}: {len(backups)} in all."
            raise RefusedError(" ".join([*filter(None, (found, format_left_out(in_time))), "Nothing was sent."]))
        return usable[0], in_time[: in_time.index(usable[0])]

    def require_max_age(self, backup: Resource, instance: Resource) -> None:
        """Raises RefusedError if the backup is older than ``max_age``, or its age is unknown."""
        if self.max_age is None:
            return
        taken = taken_at(backup)
        if taken is None:
            raise RefusedError(f"The age of backup {backup['id']} is unknown, and max_age is set: nothing was sent.")
        age = datetime.now(UTC) - taken
        if age < -CLOCK_TOLERANCE:
            raise RefusedError(
                f"Backup {backup['id']} of {label(instance)} is dated {taken.isoformat()}, which is "
                f"{format_duration(-age)} in the future by the local clock. Its age is unknown, and max_age is set: "
                "nothing was sent. Correct the clock, or omit max_age."
            )
        if age > self.max_age:
            raise RefusedError(
                f"Backup {backup['id']} of {label(instance)} was taken at {taken.isoformat()}, {format_duration(age)} "
                f"ago, which is more than max_age ({format_duration(self.max_age)}): nothing was sent."
            )


def explain_obstacle(instance: Resource) -> str:
    """Returns what to do before anything is sent to an instance of this status; empty if it can be restored.

    ``force`` is no answer to these: what works on the instance may be a restore, and the others have no server.
    """
    if is_busy(instance):
        return "Something works on it: look at it in the dashboard first."
    return {
        "paused": "Buy Claws and resume it in the dashboard first.",
        "deleting": "It is being deleted, so nothing can be done.",
    }.get(get_status(instance), "")


def require_restorable(instance: Resource) -> None:
    """Raises RefusedError unless the instance is running or stopped."""
    status = get_status(instance)
    if status in RESTORABLE:
        return
    advice = explain_obstacle(instance) or "force: true tries it."
    if status == "pending_configuration":
        advice = "Give it an LLM key in the dashboard first."
    raise RefusedError(
        f"The status of {label(instance)} is {instance.get('status')}, and only a running or stopped instance "
        f"can be restored: nothing was sent. {advice}"
    )


def require_same_name(before: Resource, now: Resource) -> None:
    """Raises RefusedError if the id now belongs to an instance of another name."""
    if now.get("name") != before.get("name"):
        raise RefusedError(f"{label(before)} is now named {one_line(now.get('name'))}: nothing was sent.")


def restore_finished(instance: Resource, clock: t.Callable[[], float], seconds_since: float) -> StateReached:
    """Returns the predicate for an instance whose restore was sent ``seconds_since`` ago.

    How a restore shows in the status is unknown; it may not show at all.
    """
    return StateReached(
        "restored",
        get_status(instance),
        END_STATUSES,
        wait_healthy=False,
        earliest=clock() + SHORTEST_RESTORE - seconds_since,
        clock=clock,
    )
