# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads several instances, and their backups, by list or one by one: whichever takes fewer requests.

The first page of a list says how many follow, so that the choice never costs more requests than the list.
"""

from __future__ import annotations

import typing as t
from itertools import chain

from .._concurrency import map_ordered
from .._http.client import Client
from .._http.list_reader import FirstPage, ListFilter, Listing
from .._model.instance_index import shown_params
from .._model.ownership import owner_params, owner_values
from .._model.resource import Resource, id_sort_key
from .instances import fetch_instance


def read_instances_by_id(client: Client, ids: t.Iterable[object]) -> Listing:
    """Returns the instances with these ids, and perhaps others. One that does not exist is left out."""
    wanted = list(dict.fromkeys(map(str, ids)))
    if len(wanted) == 1:
        return Listing(_fetch_each(client, wanted), False)
    first = client.fetch_first_page("/instances")
    listed = {str(instance["id"]) for instance in first.items}
    missing = [instance_id for instance_id in wanted if instance_id not in listed]
    if _is_list_cheaper(first, len(missing)):
        return _read_whole(client, "/instances", first)
    return _join([first.items, _fetch_each(client, missing)], first)


def read_instances_by_name(client: Client, names: t.Iterable[str]) -> Listing:
    """Returns all instances with these names, and perhaps others."""
    filters = [ListFilter({"name": name}, shown_params) for name in dict.fromkeys(names)]
    return _read_filtered(client, "/instances", filters)


def read_backups_of(client: Client, instance_ids: t.Iterable[object]) -> list[Resource]:
    """Returns all backups of these instances, and perhaps others."""
    ids = dict.fromkeys(map(str, instance_ids))
    filters = [ListFilter(owner_params(instance_id, None), owner_values) for instance_id in ids]
    return _read_filtered(client, "/backups", filters).items if filters else []


def _fetch_each(client: Client, ids: t.Iterable[str]) -> list[Resource]:
    found = map_ordered(lambda instance_id: fetch_instance(client, instance_id), ids)
    return [instance for instance in found if instance is not None]


def _read_filtered(client: Client, path: str, filters: list[ListFilter]) -> Listing:
    """Returns the items that match one of the filters, and perhaps others."""
    first = None
    is_filtered = all(client.may_filter(path, one) for one in filters)
    if is_filtered and len(filters) > 1:
        first = client.fetch_first_page(path)
        is_filtered = not _is_list_cheaper(first, len(filters))
    if is_filtered:
        found: list[list[Resource]] = []
        # The first answer shows whether the service filters at all.
        answers = chain(
            (client.fetch_filtered(path, one) for one in filters[:1]),
            map_ordered(lambda one: client.fetch_filtered(path, one), filters[1:]),
        )
        for answer in answers:
            if answer is None:
                break
            if answer.is_whole:
                return answer
            found.append(answer.items)
        else:
            return _join(found, first)
    return _read_whole(client, path, first)


def _read_whole(client: Client, path: str, first: FirstPage | None = None) -> Listing:
    pages = 0

    def count(_items: list[Resource]) -> None:
        nonlocal pages
        pages += 1

    return Listing(client.fetch_all(path, first=first, on_items=count), True, pages)


def _is_list_cheaper(first: FirstPage, requests: int) -> bool:
    """Returns True if the rest of the list takes no more requests, or an unknown number of them."""
    return first.pages_left is None or first.pages_left <= requests


def _join(parts: t.Iterable[list[Resource]], first: FirstPage | None) -> Listing:
    by_id = {str(item["id"]): item for item in chain.from_iterable(parts)}
    pages = None if first is None or first.pages_left is None else 1 + first.pages_left
    return Listing(sorted(by_id.values(), key=id_sort_key), False, pages)
