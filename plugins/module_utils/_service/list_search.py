# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeks resources in a list, instances above all: in a part of it that the service answers, or in the whole."""

from __future__ import annotations

import typing as t

from .._http.lists import fetch_all, fetch_filtered
from .._model.instance_index import InstanceIndex

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource


class Search(t.NamedTuple):
    """A search in a list: ``select`` returns what is sought from the items that were read.

    ``params``: a query that may shorten the list. ``is_wanted`` of what is found shows that it is enough.
    """

    params: t.Mapping[str, str]
    select: t.Callable[[list[Resource]], list[Resource]]
    is_wanted: t.Callable[[Resource], bool] = lambda _item: True

    def is_answered_by(self, items: list[Resource]) -> bool:
        """Returns True if what is sought is among the items."""
        return any(map(self.is_wanted, self.select(items)))


class SearchResult(t.NamedTuple):
    """The items that were found, and all that were read for it: the whole list, unless enough was found without."""

    found: list[Resource]
    items: list[Resource]


def search(client: Client, path: str, wanted: Search, time_left: float | None = None) -> SearchResult:
    """Seeks in what the service answers to the query, with ``server_filters``, and else in the whole list.

    What is not found in the answer is sought in the whole list: only that shows that it is missing.
    """
    items = fetch_filtered(client, path, wanted.params, time_left=time_left)
    if items is None or not wanted.is_answered_by(items):
        items = fetch_all(client, path, time_left=time_left)
    return SearchResult(wanted.select(items), items)


def list_instances(client: Client) -> list[Resource]:
    """Returns all instances, sorted by id."""
    return fetch_all(client, "/instances")


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
    """Returns True if the list has the instance. No failed request is retried. Raises the error of one that fails."""
    params = {} if instance.get("name") is None else {"name": str(instance["name"])}
    same_id = Search(params, lambda items: [item for item in items if str(item["id"]) == str(instance["id"])])
    return bool(search(client, "/instances", same_id, time_left=0.0).found)
