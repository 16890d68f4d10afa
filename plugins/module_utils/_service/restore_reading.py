# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the restores of several instances need, by the lists or one by one, whichever takes fewer requests."""

from __future__ import annotations

import functools
import typing as t

from .._http.client import Client
from .._model.ownership import may_belong, owner_params
from .._model.resource import Resource
from .backups import find_backup
from .instances import fetch_instance, search_name
from .list_or_one import Reading, Search, read_by_ids, search_each


def read_instances(client: Client, ids: t.Collection[object], names: t.Collection[str]) -> Reading:
    """Returns the instances with one of these ids or names, and perhaps others. Those that don't exist are missing."""
    fetch = functools.partial(fetch_instance, client)
    if not names:
        return read_by_ids(client, "/instances", ids, fetch)
    named = search_each(client, "/instances", [search_name(name) for name in names])
    if named.is_whole_list:
        return named
    rest = read_by_ids(client, "/instances", ids, fetch)
    items = {str(item["id"]): item for item in (*rest.items, *named.items)}
    return Reading(list(items.values()), rest.is_whole_list, rest.pages or named.pages)


def read_backups(client: Client, ids: t.Collection[object]) -> list[Resource]:
    """Returns the backups with these ids, and perhaps others. Those that don't exist are missing."""
    return read_by_ids(client, "/backups", ids, functools.partial(find_backup, client)).items


def read_backups_of(
    client: Client, instances: t.Collection[Resource], is_wanted: t.Callable[[Resource], bool]
) -> list[Resource]:
    """Returns the backups of these instances, and perhaps others. Sends nothing if there are no instances.

    ``instances`` need not show more than an id. With ``server_filters``, some backups of an instance may be missing if
    one of the others ``is_wanted``.
    """

    def build_search(instance: Resource) -> Search:
        params = owner_params(instance["id"], None)
        return Search(params, lambda backups: [one for one in backups if may_belong(one, instance)], is_wanted)

    return search_each(client, "/backups", list(map(build_search, instances))).items if instances else []
