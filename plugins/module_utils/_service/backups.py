# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches backups."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._errors import NotFoundError, RefusedError
from .._http.client import Client
from .._http.lists import fetch_all
from .._http.responses import require_id, resource_path
from .._model.instance import describe_namesakes
from .._model.instance_index import InstanceIndex
from .._model.ownership import filter_by_instance, parse_owner
from .._model.resource import Resource
from .._names import require_names


def backup_path(backup_id: object) -> str:
    """Returns the path of a backup."""
    return resource_path("backups", backup_id)


def fetch_backup(client: Client, backup_id: object) -> Resource:
    """Returns the backup with this id. Raises NotFoundError."""
    return require_id(client.fetch(backup_path(backup_id)), backup_id, "Backup")


def find_backup(client: Client, backup_id: object) -> Resource | None:
    """Returns the backup with this id, None if it does not exist."""
    try:
        return fetch_backup(client, backup_id)
    except NotFoundError:
        return None


def list_backups(client: Client) -> list[Resource]:
    """Returns all backups, sorted by id."""
    return fetch_all(client, "/backups")


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
    owners = map(parse_owner, backups)
    counts = Counter(owner.name for owner in owners if owner.id is None and owner.name is not None)
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
