# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches backups (contract 7)."""

from __future__ import annotations

from .._errors import NotFoundError
from .._http.client import Client
from .._http.responses import require_id, resource_path
from .._model.ownership import filter_by_instance, require_names
from .._model.resource import Resource


def backup_path(backup_id: object) -> str:
    """Returns the path of a backup."""
    return resource_path("backups", backup_id)


def fetch_backup(client: Client, backup_id: object) -> Resource:
    """Returns the backup with this id. Raises NotFoundError."""
    return require_id(client.fetch(backup_path(backup_id)), backup_id, "Backup")


def fetch_backups(
    client: Client, backup_id: int | None, instance_id: object, instance_name: str | None
) -> list[Resource]:
    """Returns the backups of an instance, or all. Costs one request with an id, otherwise one per page."""
    require_names(instance_name=instance_name)
    if backup_id is None:
        backups = client.fetch_all("/backups")
    else:
        try:
            backups = [fetch_backup(client, backup_id)]
        except NotFoundError:
            backups = []
    return filter_by_instance(backups, instance_id, instance_name, "backup", lambda: client.fetch_all("/instances"))
