# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches backups (contract 7)."""

from __future__ import annotations

from .._errors import NotFoundError
from .._http.client import Client
from .._http.list_reader import ListFilter
from .._http.responses import require_id, resource_path
from .._model.ownership import filter_by_instance, owner_params, owner_values, require_names
from .._model.resource import Resource
from .instances import list_owners


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


def list_backups(client: Client, instance_id: object = None, instance_name: str | None = None) -> list[Resource]:
    """Returns all backups, sorted by id. With an instance, those of others may be left out (``server_filters``)."""
    list_filter = ListFilter(owner_params(instance_id, instance_name), owner_values)
    return client.fetch_all("/backups", list_filter=list_filter)


def fetch_backups(
    client: Client, backup_id: int | None, instance_id: object, instance_name: str | None
) -> list[Resource]:
    """Returns the backups of an instance, or all. Costs one request with an id, otherwise one per page."""
    require_names(instance_name=instance_name)
    if backup_id is None:
        backups = list_backups(client, instance_id, instance_name)
    else:
        found = find_backup(client, backup_id)
        backups = [] if found is None else [found]
    return select_backups(client, backups, instance_id, instance_name)


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
