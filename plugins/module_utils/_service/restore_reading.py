# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what the restores of several instances need, by the lists or one by one, whichever takes fewer requests."""

from __future__ import annotations

import functools
import typing as t

from .._http.client import Client
from .._http.list_reader import ListFilter
from .._model.instance_index import shown_params
from .._model.ownership import owner_params, owner_values
from .._model.resource import Resource
from .backups import find_backup
from .instances import fetch_instance
from .list_or_one import Reading, read_by_ids, read_filtered


def read_instances(client: Client, ids: t.Collection[object], names: t.Collection[str]) -> Reading:
    """Returns the instances with one of these ids or names, and perhaps others. Those that don't exist are missing."""
    fetch = functools.partial(fetch_instance, client)
    if not names:
        return read_by_ids(client, "/instances", ids, fetch)
    named = read_filtered(client, "/instances", [ListFilter({"name": name}, shown_params) for name in names])
    if named.is_whole_list:
        return named
    rest = read_by_ids(client, "/instances", ids, fetch)
    items = {str(item["id"]): item for item in (*rest.items, *named.items)}
    return Reading(list(items.values()), rest.is_whole_list, rest.pages or named.pages)


def read_backups(client: Client, ids: t.Collection[object]) -> list[Resource]:
    """Returns the backups with these ids, and perhaps others. Those that don't exist are missing."""
    return read_by_ids(client, "/backups", ids, functools.partial(find_backup, client)).items


def read_backups_of(client: Client, instance_ids: t.Collection[object]) -> list[Resource]:
    """Returns the backups of these instances, and perhaps others. Sends nothing if there are no instances."""
    filters = [ListFilter(owner_params(instance_id, None), owner_values) for instance_id in instance_ids]
    return read_filtered(client, "/backups", filters).items if filters else []
