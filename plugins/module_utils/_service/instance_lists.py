# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads all instances, and the details of several."""

from __future__ import annotations

import typing as t

from .._concurrency import map_ordered
from .._http.lists import fetch_all
from .instance_requests import fetch_instance

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._http.lists import ItemsHandler
    from .._model.resource import Resource


def list_instances(client: Client, on_items: ItemsHandler | None = None) -> list[Resource]:
    """Returns all instances, sorted by id. ``on_items``: see :func:`fetch_all`."""
    return fetch_all(client, "/instances", on_items=on_items)


def stream_details(client: Client, instances: list[Resource]) -> t.Iterator[tuple[Resource, Resource | None]]:
    """Yields each instance with its detail, None if it was deleted, as soon as it is read."""
    details = map_ordered(lambda instance: fetch_instance(client, instance["id"]), instances)
    return zip(instances, details, strict=True)
