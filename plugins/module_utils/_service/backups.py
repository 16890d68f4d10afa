# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches backups."""

from __future__ import annotations

import functools
import typing as t

from .._errors import NotFoundError
from .._http.client import Client
from .._http.responses import require_id, resource_path
from .._model.ownership import filter_by_instance, owner_params, require_names
from .._model.resource import Resource
from .instances import list_owners
from .list_search import Search, search


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
    return client.fetch_all("/backups")


def fetch_backups(
    client: Client,
    backup_id: int | None,
    instance_id: object,
    instance_name: str | None,
    is_wanted: t.Callable[[Resource], bool] = lambda _backup: True,
) -> list[Resource]:
    """Returns the backups of an instance, or all. Costs one request with an id, otherwise one per page.

    With ``server_filters``, some may be missing if one of the others ``is_wanted``.
    """
    require_names(instance_name=instance_name)
    if backup_id is not None:
        found = find_backup(client, backup_id)
        return select_backups(client, [] if found is None else [found], instance_id, instance_name)
    owners = functools.cache(lambda: list_owners(client, instance_id, instance_name))
    own = Search(
        owner_params(instance_id, instance_name),
        lambda backups: filter_by_instance(backups, instance_id, instance_name, "backup", owners),
        is_wanted,
    )
    return search(client, "/backups", own).found


def select_backups(
    client: Client, backups: list[Resource], instance_id: object, instance_name: str | None = None
) -> list[Resource]:
    """Returns those of the backups that are of the instance. Lists the instances if a backup shows too little."""
    return filter_by_instance(
        backups,
        instance_id,
        instance_name,
        "backup",
        lambda: list_owners(client, instance_id, instance_name),
    )
