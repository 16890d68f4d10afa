# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches instances (contract 4)."""

from __future__ import annotations

import typing as t

from .._concurrency import map_ordered
from .._errors import ClawHostersError, NotFoundError
from .._http.client import Client
from .._http.responses import require_id, resource_path
from .._model.instance import label
from .._model.instance_index import FieldFilter, InstanceIndex, build_filter_warnings, collect_values, matches_filter
from .._model.ownership import require_names
from .._model.resource import Resource


def instance_path(instance_id: object) -> str:
    """Returns the path of an instance."""
    return resource_path("instances", instance_id)


def fetch_instance(client: Client, instance_id: object, retry_timeout: float | None = None) -> Resource | None:
    """Returns the instance with its detail fields, None if it does not exist."""
    try:
        return require_id(
            client.fetch(instance_path(instance_id), retry_timeout=retry_timeout), instance_id, "Instance"
        )
    except NotFoundError:
        return None


def refetch_instance(client: Client, instance: Resource, retry_timeout: float | None = None) -> Resource:
    """Returns the current state of the instance. Raises ClawHostersError if it was deleted."""
    now = fetch_instance(client, instance["id"], retry_timeout=retry_timeout)
    if now is None:
        raise ClawHostersError(f"{label(instance)} does not exist any more: it was deleted during this task.")
    return now


class Found(t.NamedTuple):
    """An instance with its detail fields, or None. ``similar``: the name that a missing one is probably meant to be."""

    instance: Resource | None
    similar: str | None = None


def find_instance(client: Client, instance_id: int | None, name: str | None) -> Resource | None:
    """Returns the instance with its detail fields. Raises what :meth:`InstanceIndex.resolve` raises."""
    return find_instance_or_similar(client, instance_id, name).instance


def find_instance_or_similar(client: Client, instance_id: int | None, name: str | None) -> Found:
    """Like ``find_instance``; for a name that no instance has, it looks for a very similar one."""
    require_names(name=name)
    if instance_id is not None:
        instance = fetch_instance(client, instance_id)
        return Found(InstanceIndex([] if instance is None else [instance]).resolve(instance_id, name))
    index = InstanceIndex(client.fetch_all("/instances"))
    listed = index.resolve(None, name)
    if listed is None:
        return Found(None, index.find_similar_name(name))
    return Found(fetch_instance(client, listed["id"]))


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
    if instance_id is None:
        instances = client.fetch_all("/instances")
    else:
        found = fetch_instance(client, instance_id)
        instances = [] if found is None else [found]
    for warning in build_filter_warnings(wanted, collect_values(instances, wanted)):
        warn(warning)
    matching = [
        instance for instance in instances if name in (None, instance.get("name")) and matches_filter(instance, wanted)
    ]
    if not details or instance_id is not None:
        return matching
    return [instance for instance in fetch_details(client, matching) if matches_filter(instance, wanted)]


def fetch_details(client: Client, instances: list[Resource]) -> list[Resource]:
    """Returns the instances with their detail fields, without those deleted since they were listed.

    Fields that the detail lacks keep the value of the list (contract U23).
    """
    return [{**listed, **detail} for listed, detail in stream_details(client, instances) if detail is not None]


def stream_details(client: Client, instances: list[Resource]) -> t.Iterator[tuple[Resource, Resource | None]]:
    """Yields each instance with its detail, None if it was deleted, as soon as it is read."""
    details = map_ordered(lambda instance: fetch_instance(client, instance["id"]), instances)
    return zip(instances, details, strict=True)
