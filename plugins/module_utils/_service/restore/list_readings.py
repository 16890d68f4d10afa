# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the resources of a list, with its number of pages, or some of them in as few requests as possible."""

from __future__ import annotations

import typing as t

from ..._concurrency import map_ordered
from ..._errors import ResponseError
from ..._http.lists import ListAbandonedError, fetch_all

if t.TYPE_CHECKING:
    from ..._http.client import Client
    from ..._model.resource import Resource


class Reading(t.NamedTuple):
    """Items that were read. ``pages``: the number of pages of the list; None if it is not known."""

    items: list[Resource]
    is_whole_list: bool
    pages: int | None


def read_list_counted(client: Client, path: str) -> Reading:
    """Returns the whole list."""
    pages: list[int] = []

    def keep(_items: list[Resource], count: int) -> bool:
        pages.append(count)
        return True

    items = fetch_all(client, path, on_first_page=keep)
    return Reading(items, True, pages[-1] if pages else None)


def read_by_ids(
    client: Client,
    path: str,
    ids: t.Collection[object],
    fetch_one: t.Callable[[object], Resource | None],
    *,
    is_list_known: bool = False,
) -> Reading:
    """Returns the resources with these ids, and perhaps others. Those that don't exist are missing.

    The first page of the list says what the list costs. It is not asked for if there is one id only, or if the caller
    has read the list and these ids were not in it.
    """
    wanted = {str(one): one for one in ids}
    found: dict[str, Resource] = {}
    pages: int | None = None

    def is_worth_reading(items: list[Resource], count: int) -> bool:
        nonlocal pages
        pages = count
        found.update((str(item["id"]), item) for item in items)
        return count - 1 <= len(wanted.keys() - found.keys())

    if len(wanted) > 1 and not is_list_known:
        try:
            return Reading(fetch_all(client, path, on_first_page=is_worth_reading), True, pages)
        except (ListAbandonedError, ResponseError):
            pass  # a list that can't be read to its end is no obstacle here
    rest = [one for key, one in wanted.items() if key not in found]
    items = [*found.values(), *(item for item in map_ordered(fetch_one, rest) if item is not None)]
    return Reading(items, False, pages)
