# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists instances, and finds them in the list."""

from __future__ import annotations

import typing as t

from .._concurrency import map_ordered
from .._http.lists import fetch_all
from .._model.instance_index import InstanceIndex
from .instance_requests import fetch_instance
from .list_search import Search, search

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource


def list_instances(client: Client) -> list[Resource]:
    """Returns all instances, sorted by id."""
    return fetch_all(client, "/instances")


def stream_details(client: Client, instances: list[Resource]) -> t.Iterator[tuple[Resource, Resource | None]]:
    """Yields each instance with its detail, None if it was deleted, as soon as it is read."""
    details = map_ordered(lambda instance: fetch_instance(client, instance["id"]), instances)
    return zip(instances, details, strict=True)


def search_name(name: str) -> Search:
    """Returns the search for the instances of exactly this name."""
    return Search({"name": name}, lambda instances: InstanceIndex(instances).by_name.get(name, []))


def list_owners(client: Client, instance_id: object, instance_name: str | None) -> list[Resource]:
    """Returns the instances that decide whose an item is: with a name alone, all of that name are enough."""
    if instance_id is not None or not instance_name:
        return list_instances(client)
    return search(client, "/instances", search_name(instance_name)).items


def find_named(client: Client, name: str) -> tuple[Resource | None, str | None]:
    """Returns the instance of this name as it is listed, or else the name of one that is probably meant.

    Raises RefusedError if several have the name.
    """
    index = InstanceIndex(search(client, "/instances", search_name(name)).items)
    listed = index.resolve(None, name)
    return listed, None if listed else index.find_similar_name(name)


def is_listed(client: Client, instance: Resource) -> bool:
    """Returns True if the list has the instance. Sends one request, without a retry."""
    params = {} if instance.get("name") is None else {"name": str(instance["name"])}
    same_id = Search(params, lambda items: [item for item in items if str(item["id"]) == str(instance["id"])])
    return bool(search(client, "/instances", same_id, time_left=0.0).found)
