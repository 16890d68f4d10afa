# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches instances."""

from __future__ import annotations

import typing as t

from .._concurrency import map_ordered
from .._errors import NotFoundError, RefusedError
from .._http.client import Client
from .._http.list_reader import ItemsHandler
from .._http.lists import fetch_all
from .._http.responses import require_id, resource_path
from .._model.instance import label
from .._model.instance_index import (
    FieldFilter,
    InstanceIndex,
    build_filter_warnings,
    choose_params,
    collect_values,
    matches_filter,
)
from .._model.ownership import require_names
from .._model.resource import Resource
from .list_search import Search, search


def instance_path(instance_id: object) -> str:
    """Returns the path of an instance."""
    return resource_path("instances", instance_id)


def fetch_instance(client: Client, instance_id: object, time_left: float | None = None) -> Resource | None:
    """Returns the instance with its detail fields, None if it does not exist."""
    try:
        return fetch_existing_instance(client, instance_id, time_left)
    except NotFoundError:
        return None


def fetch_existing_instance(client: Client, instance_id: object, time_left: float | None = None) -> Resource:
    """Returns the instance with its detail fields. Raises NotFoundError."""
    return require_id(client.fetch(instance_path(instance_id), time_left=time_left), instance_id, "Instance")


class InstanceGoneError(RefusedError):
    """The instance was deleted during the task."""


def refetch_instance(client: Client, instance: Resource, time_left: float | None = None) -> Resource:
    """Returns the current state of the instance. Raises InstanceGoneError if it was deleted."""
    try:
        return fetch_existing_instance(client, instance["id"], time_left)
    except NotFoundError as missing:
        raise InstanceGoneError(
            f"{label(instance)} does not exist any more: it was deleted during this task.", missing
        ) from None


def list_instances(client: Client, on_items: ItemsHandler | None = None) -> list[Resource]:
    """Returns all instances, sorted by id. ``on_items``: see :func:`fetch_all`."""
    return fetch_all(client, "/instances", on_items=on_items)


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


def fetch_instances(
    client: Client,
    instance_id: int | None,
    name: str | None,
    wanted: FieldFilter,
    *,
    details: bool,
    warn: t.Callable[[str], None],
) -> list[Resource]:
    """Returns the matching instances, sorted by id. Warns of values in ``wanted`` that are unknown and match nothing.

    An instance asked for by id comes with its detail fields; others only with ``details``, at one request each.
    Raises SettingsError for an empty name.
    """
    require_names(name=name)

    def select(instances: list[Resource]) -> list[Resource]:
        named = (instance for instance in instances if name in (None, instance.get("name")))
        return [instance for instance in named if matches_filter(instance, wanted)]

    if instance_id is None:
        instances = search(client, "/instances", Search(choose_params(name, wanted), select)).items
    else:
        found = fetch_instance(client, instance_id)
        instances = [] if found is None else [found]
    for warning in build_filter_warnings(wanted, collect_values(instances, wanted)):
        warn(warning)
    matching = select(instances)
    if not details or instance_id is not None:
        return matching
    return [instance for instance in fetch_details(client, matching) if matches_filter(instance, wanted)]


def fetch_details(client: Client, instances: list[Resource]) -> list[Resource]:
    """Returns the instances with their detail fields, without those deleted since they were listed.

    Fields that the detail lacks keep the value of the list.
    """
    return [{**listed, **detail} for listed, detail in stream_details(client, instances) if detail is not None]


def stream_details(client: Client, instances: list[Resource]) -> t.Iterator[tuple[Resource, Resource | None]]:
    """Yields each instance with its detail, None if it was deleted, as soon as it is read."""
    details = map_ordered(lambda instance: fetch_instance(client, instance["id"]), instances)
    return zip(instances, details, strict=True)
