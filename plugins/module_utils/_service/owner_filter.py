# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selects backups and add-ons for the modules that list them: those of an instance, and the newest backup of each."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._errors import RefusedError, ResponseError
from .._http.lists import fetch_all
from .._model.backup import explain_future, is_before, is_usable, newest_first, taken_at
from .._model.instance import describe_namesakes
from .._model.instance_index import InstanceIndex
from .._model.ownership import FIELDS, Owner, first_text, has_owner, parse_owner
from .._model.resource import advise_id
from .._names import require_names
from .._text import format_list
from .backups import find_backup, list_backups

if t.TYPE_CHECKING:
    from datetime import datetime

    from .._http.client import Client
    from .._model.resource import Resource


# Backups


def fetch_backups(
    client: Client, backup_id: int | None, instance_id: object, instance_name: str | None
) -> list[Resource]:
    """Returns the backups of an instance, or all. Costs one request with an id, otherwise one per page.

    Lists the instances if a backup shows too little of its own.
    """
    require_names(instance_name=instance_name)
    if backup_id is None:
        backups = list_backups(client)
    else:
        found = find_backup(client, backup_id)
        backups = [] if found is None else [found]
    return filter_by_instance(backups, instance_id, instance_name, "backup", lambda: _read_index(client))


def _read_index(client: Client) -> InstanceIndex:
    return InstanceIndex(fetch_all(client, "/instances"))


def require_distinct_instances(client: Client, backups: t.Iterable[Resource]) -> None:
    """Raises RefusedError if two of the backups show only a name that several instances have.

    The newest backup of each can't be told then. Lists the instances if two backups show a name alone.
    """
    counts = Counter(owner.name for owner in map(parse_owner, backups) if owner.id is None and owner.name is not None)
    names = [name for name, count in counts.items() if count > 1]
    if not names:
        return
    index = _read_index(client)
    for name in names:
        if len(named := index.by_name.get(name, [])) > 1:
            raise RefusedError(
                f"{describe_namesakes(name, [one['id'] for one in named])}, and the service shows the instance of each "
                "backup by name only, so the newest backup of each can't be told. Omit newest, or see the dashboard."
            )


def select(
    backups: list[Resource], before: datetime | None, now: datetime, *, usable: bool, newest: bool
) -> tuple[list[Resource], list[Resource]]:
    """Returns the backups older than ``before``, newest first, only usable ones if asked for; and those left out
    because they may or may not match.

    One that is dated in the future is not usable: a restore would pass over it. Backups without a valid time are left
    out where time matters, as it does for the ``newest``.
    """
    needs_time = newest or before is not None
    in_time = [backup for backup in newest_first(backups) if taken_at(backup) is None or is_before(backup, before)]

    def is_doubtful(backup: Resource) -> bool:
        is_passed_over = usable and (explain_future(backup, now) != "" or not is_usable(backup))
        return is_passed_over or (needs_time and taken_at(backup) is None)

    left_out = [backup for backup in in_time if is_doubtful(backup)]
    return [backup for backup in in_time if not is_doubtful(backup)], left_out


def keep_newest(chosen: list[Resource], left_out: list[Resource]) -> tuple[list[Resource], list[Resource]]:
    """Returns the newest backup of each instance, and those left out that might have been newer."""
    chosen = newest_per_instance(chosen)
    times = {owner_key(backup): taken_at(backup) for backup in chosen}

    def may_be_newest(backup: Resource) -> bool:
        newest_time = times.get(owner_key(backup))
        return newest_time is None or not is_before(backup, newest_time)

    return chosen, list(filter(may_be_newest, left_out))


def newest_per_instance(backups: list[Resource]) -> list[Resource]:
    """Returns the newest backup of each instance, newest first. Ignores backups without a valid time.

    Raises ResponseError if a backup does not show its instance.
    """
    require_owners(backups, "backup")
    newest: dict[Owner, Resource] = {}
    for backup in newest_first(backups):
        if taken_at(backup):
            newest.setdefault(owner_key(backup), backup)
    return list(newest.values())


def owner_key(backup: Resource) -> Owner:
    """Returns the owner by which backups are grouped: the id alone where it is shown, since names may repeat."""
    owner = parse_owner(backup)
    return owner if owner.id is None else Owner(owner.id, None)


# Owners


def require_owners(items: list[Resource], kind: str) -> None:
    """Raises ResponseError if an item does not show its instance."""
    if unowned := [item for item in items if not has_owner(item)]:
        ids = format_list((str(item.get("id")) for item in unowned), 5)
        by_id = f"Look it up in the dashboard, and name the {kind} by its id alone"
        advice = advise_id((item.get("id") for item in unowned), by_id, "Use the dashboard")
        raise ResponseError(
            f"The service does not show the instance of this {kind} (id {ids}; fields read: {FIELDS}), and the "
            f"collection does not guess. {advice}."
        )


def filter_by_instance(
    items: list[Resource],
    instance_id: object,
    instance_name: str | None,
    kind: str,
    read_index: t.Callable[[], InstanceIndex],
) -> list[Resource]:
    """Returns the items of the instance, in their order; all items if neither id nor name is given.

    With both an id and a name, both must match. Calls ``read_index`` at most once, and only if items do not show what
    was given: several instances may share a name. Raises ResponseError and RefusedError rather than guess.
    """
    wanted = Owner(None if instance_id is None else str(instance_id), instance_name)
    if wanted == (None, None):
        return items
    require_owners(items, kind)
    owners = [parse_owner(item) for item in items]
    if any(_lacks(wanted, owner) for owner in owners):
        index = read_index()
        owners = [_complete(owner, index, wanted.id, kind) if _lacks(wanted, owner) else owner for owner in owners]
    return [item for item, owner in zip(items, owners, strict=True) if _matches(wanted, owner)]


def _lacks(wanted: Owner, owner: Owner) -> bool:
    return any(given is not None and shown is None for given, shown in zip(wanted, owner, strict=True))


def _matches(wanted: Owner, owner: Owner) -> bool:
    return all(given in (None, shown) for given, shown in zip(wanted, owner, strict=True))


def _complete(owner: Owner, index: InstanceIndex, wanted_id: str | None, kind: str) -> Owner:
    """Returns ``owner`` with the id and the name of the one instance that it can mean."""
    if owner.id is not None:
        return Owner(owner.id, first_text(index.by_id.get(owner.id, {}).get("name")))
    ids = [str(instance["id"]) for instance in index.by_name.get(str(owner.name), [])]
    if len(ids) > 1 and wanted_id in ids:
        raise RefusedError(
            f"{describe_namesakes(owner.name, ids)}, and the service shows the instance of each {kind} by name only, "
            f"so it is ambiguous. See the dashboard, and give the id of the {kind}."
        )
    if not ids and wanted_id not in index.by_id:
        raise RefusedError(
            f"There is no instance with id {wanted_id}, and the service shows the instance of each {kind} by name "
            "only: use instance_name."
        )
    return Owner(ids[0] if len(ids) == 1 else None, owner.name)
