# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds one instance by its id or its name."""

from __future__ import annotations

import typing as t

from .._errors import NotFoundError
from .._model.instance_index import InstanceIndex
from .._names import require_names
from .instance_requests import fetch_existing_instance, list_instances
from .list_search import Search, search

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource


def search_name(name: str) -> Search:
    """Returns the search for the instances of exactly this name."""
    return Search({"name": name}, lambda instances: InstanceIndex(instances).by_name.get(name, []))


def list_owners(client: Client, instance_id: object, instance_name: str | None) -> list[Resource]:
    """Returns the instances that decide whose an item is: with a name alone, all of that name are enough."""
    if instance_id is not None or not instance_name:
        return list_instances(client)
    return search(client, "/instances", search_name(instance_name)).items


class Found(t.NamedTuple):
    """An instance with its detail fields, or None.

    ``similar``: the name that a missing one is probably meant to be. ``missing``: the response for an id without one.
    """

    instance: Resource | None
    similar: str | None = None
    missing: NotFoundError | None = None


def find_instance(client: Client, instance_id: int | None, name: str | None) -> Found:
    """Returns the instance with its detail fields. For a name that no instance has, it looks for a very similar one.

    Raises what :meth:`InstanceIndex.resolve` raises, also for one that was renamed since it was listed.
    """
    require_names(name=name)
    wanted_id: object = instance_id
    if instance_id is None:
        index = InstanceIndex(search(client, "/instances", search_name(str(name))).items)
        listed = index.resolve(None, name)
        if listed is None:
            return Found(None, index.find_similar_name(name))
        wanted_id = listed["id"]
    try:
        instance = fetch_existing_instance(client, wanted_id)
    except NotFoundError as missing:
        return Found(None, missing=None if instance_id is None else missing)
    return Found(InstanceIndex([instance]).resolve(wanted_id, name))
