# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists instances, and finds one of them by its name or id."""

from __future__ import annotations

import typing as t

from .._http.lists import fetch_all
from .._model.instance_index import InstanceIndex

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource


def list_instances(client: Client) -> list[Resource]:
    """Returns all instances, sorted by id."""
    return fetch_all(client, "/instances")


def find_named(client: Client, name: str) -> tuple[Resource | None, str | None]:
    """Returns the instance of this name as it is listed, or else the name of one that is probably meant.

    Raises RefusedError if several have the name.
    """
    index = InstanceIndex(list_instances(client))
    listed = index.resolve(None, name)
    return listed, None if listed else index.find_similar_name(name)


def is_listed(client: Client, instance: Resource) -> bool:
    """Returns True if the list has the instance. No failed request is retried. Raises the error of one that fails."""
    listed = fetch_all(client, "/instances", time_left=0.0)
    return any(str(item["id"]) == str(instance["id"]) for item in listed)
