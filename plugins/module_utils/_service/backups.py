# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups: when they were taken, whose they are, which are fit for a restore, which is the newest (contract 7).

Their object is documented nowhere, so each field is looked for under several names, and nothing but ``id`` is
surely there. Everything is pure but ``fetch`` and ``read``.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from .._errors import NotFoundError, format_list, one_line
from .._http.client import Client
from .._http.pagination import Resource, id_sort_key
from .._http.responses import require_id, resource_path
from .._times import parse_time
from .instances import normalize
from .ownership import Owner, belonging, instance_of, owner_label, require_instances, require_names, shows_instance

TIME_FIELDS = ("created_at", "completed_at", "taken_at", "timestamp")
"""Where the time may stand; the first that is there counts."""

GOOD_STATUSES = frozenset(
    ("completed", "complete", "available", "ready", "succeeded", "success", "ok", "finished", "active")
)
"""Words for a backup that can be restored; any other word, known or not, is none (contract 7)."""

_SHOWN_AT_MOST = 5
_NO_TIME = "its time can't be read"


def path_of(backup_id: object) -> str:
    """Where a backup lives under the API's URL."""
    return resource_path("backups", backup_id)


def fetch(client: Client, backup_id: object) -> Resource:
    """The backup with this id. Raises NotFoundError."""
    return require_id(client.fetch(path_of(backup_id)), backup_id, "Backup")


def taken_at(backup: Resource) -> datetime | None:
    """When it was taken, in UTC; None when it does not say, or not so that it can be read."""
    value = next((backup[field] for field in TIME_FIELDS if backup.get(field) not in (None, "")), None)
    return parse_time(value)


def unfit_because(backup: Resource) -> str:
    """Why a backup is not fit for a restore that nobody chose it for; empty when it is."""
    status = backup.get("status")
    if status not in (None, "") and normalize(status) not in GOOD_STATUSES:
        return f"its status is {one_line(status)}"
    return "" if taken_at(backup) else _NO_TIME


def is_usable(backup: Resource) -> bool:
    """Whether it is fit for a restore: a good status or none at all, and a time that can be read."""
    return not unfit_because(backup)


def is_before(backup: Resource, before: datetime | None) -> bool:
    """Whether it was taken before that moment; one without a readable time surely not, unless none was given."""
    taken = taken_at(backup)
    return before is None or (taken is not None and taken < before)


def newest_first(backups: t.Iterable[Resource]) -> list[Resource]:
    """Sorted, the newest first; those without a readable time are last. Of one time, the higher id comes first."""
    beginning = datetime.min.replace(tzinfo=UTC)
    return sorted(
        backups,
        key=lambda backup: (taken_at(backup) is not None, taken_at(backup) or beginning, id_sort_key(backup)),
        reverse=True,
    )


def read(client: Client, backup_id: int | None, instance_id: int | None, instance_name: str | None) -> list[Resource]:
    """The backups of an instance, or all: one by its id costs one request, others the pages of the list."""
    require_names(instance_name=instance_name)
    if backup_id is None:
        backups = client.fetch_all("/backups")
    else:
        try:
            backups = [fetch(client, backup_id)]
        except NotFoundError:
            backups = []
    return belonging(client, backups, instance_id, instance_name, "backup")


class Selection(t.NamedTuple):
    """The backups that were asked for, newest first, and those that nobody can say whether they were."""

    chosen: list[Resource]
    left_out: list[Resource]


def select(backups: list[Resource], before: datetime | None, *, usable: bool, newest: bool) -> Selection:
    """Those taken before that moment; only those fit for a restore, only the newest of each instance, where asked.

    What has no readable time is left out where time matters. Of the newest only what might have been newer is told.
    """
    needs_time = newest or before is not None
    in_time = [backup for backup in newest_first(backups) if taken_at(backup) is None or is_before(backup, before)]

    def is_doubtful(backup: Resource) -> bool:
        return (usable and not is_usable(backup)) or (needs_time and taken_at(backup) is None)

    left_out = [backup for backup in in_time if is_doubtful(backup)]
    chosen = [backup for backup in in_time if not is_doubtful(backup)]
    if not newest:
        return Selection(chosen, left_out)
    chosen = newest_per_instance(chosen)
    times = {_owner_key(backup): taken_at(backup) for backup in chosen}
    return Selection(chosen, [it for it in left_out if not _is_older(it, times.get(_owner_key(it)))])


def newest_per_instance(backups: list[Resource]) -> list[Resource]:
    """The newest of each instance, the newest of all first; one without a readable time is nobody's newest.

    Raises ResponseError when a backup does not say whose it is.
    """
    require_instances(backups, "backup")
    newest: dict[Owner, Resource] = {}
    for backup in newest_first(backups):
        if taken_at(backup):
            newest.setdefault(_owner_key(backup), backup)
    return list(newest.values())


def left_out_text(left_out: list[Resource], *, usable: bool = True, whose: bool = False) -> str:
    """Says what was left out, and why, in a line; empty when nothing was. ``usable``: its status was a reason;
    ``whose``: they may be of several instances."""
    if not left_out:
        return ""
    each = (
        f"id {backup.get('id')}{_of(backup) if whose else ''} ({unfit_because(backup) if usable else _NO_TIME})"
        for backup in left_out
    )
    return f"{len(left_out)} backup{'s' if len(left_out) > 1 else ''} left out: {format_list(each, _SHOWN_AT_MOST)}."


def _of(backup: Resource) -> str:
    return f" of {one_line(owner_label(backup))}" if shows_instance(backup) else ""


def _owner_key(backup: Resource) -> Owner:
    """By id where it is shown: a name may be several's, or have been changed."""
    instance_id, name = instance_of(backup)
    return (None, name) if instance_id is None else (instance_id, None)


def _is_older(backup: Resource, than: datetime | None) -> bool:
    taken = taken_at(backup)
    return taken is not None and than is not None and taken < than
