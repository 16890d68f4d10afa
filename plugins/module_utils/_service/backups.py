# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches backups."""

from __future__ import annotations

from .._errors import NotFoundError
from .._http.client import Client
from .._http.lists import fetch_all
from .._http.responses import require_id, resource_path
from .._model.resource import Resource


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
