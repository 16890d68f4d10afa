# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches instances by their fields, for ``claw_instance_info``, and their details, for the inventory plugin too."""

from __future__ import annotations

import typing as t

from .._concurrency import map_ordered
from .._http.lists import fetch_all
from .._model.instance_fields import matches_filter, require_known_values
from .._names import require_names
from .find_instance import find_instance

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.instance_fields import FieldFilter
    from .._model.resource import Resource


def fetch_instances(
    client: Client, instance_id: int | None, name: str | None, field_filter: FieldFilter, *, details: bool
) -> list[Resource]:
    """Returns the matching instances, sorted by id.

    An instance asked for by id comes with its detail fields; others only with ``details``, at one request each.
    Raises SettingsError for an empty name, and for a value in ``field_filter`` that nobody knows.
    """
    require_names(name=name)
    if instance_id is None:
        instances = fetch_all(client, "/instances")
    else:
        found = find_instance(client, instance_id)
        instances = [] if found is None else [found]
    require_known_values(field_filter, instances)
    named = (instance for instance in instances if name in (None, instance.get("name")))
    matching = [instance for instance in named if matches_filter(instance, field_filter)]
    if not details or instance_id is not None:
        return matching
    return [instance for instance in fetch_details(client, matching) if matches_filter(instance, field_filter)]


def fetch_details(client: Client, instances: list[Resource]) -> list[Resource]:
    """Returns the instances with their detail fields, without those deleted since they were listed.

    Fields that the detail lacks keep the value of the list.
    """
    details = map_ordered(lambda instance: find_instance(client, instance["id"]), instances)
    return [{**listed, **detail} for listed, detail in zip(instances, details, strict=True) if detail is not None]
