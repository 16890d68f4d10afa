# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads some of the resources of a list: from the list, from a part of it, or one by one.

Whichever takes fewer requests.
"""

from __future__ import annotations

import contextlib
import itertools
import typing as t

from ..._concurrency import map_ordered
from ..._errors import ResponseError
from ..._http.lists import ListAbandonedError, fetch_all, fetch_filtered

if t.TYPE_CHECKING:
    from ..._http.client import Client
    from ..._model.resource import Resource
    from ..list_search import Search


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


def search_each(client: Client, path: str, searches: t.Sequence[Search]) -> Reading:
    """Like ``search``, for several at once: returns the items among which each search can find what it seeks.

    With ``server_filters``, each query takes one request or more. The whole list is read once if a search finds
    nothing, or if that takes fewer requests.
    """
    if not client.settings.server_filters:
        return read_list_counted(client, path)
    pages: int | None = None

    def is_worth_reading(_items: list[Resource], count: int) -> bool:
        nonlocal pages
        pages = count
        return count - 1 <= len(searches)

    def ask(wanted: Search) -> list[Resource] | None:
        answer = fetch_filtered(client, path, wanted.params)
        return answer if answer is not None and wanted.is_answered_by(answer) else None

    if len(searches) > 1:
        with contextlib.suppress(ListAbandonedError):
            return Reading(fetch_all(client, path, on_first_page=is_worth_reading), True, pages)
    first = ask(searches[0])
    # A service that ignores queries has answered all of them.
    others = [wanted for wanted in searches[1:] if first is not None and not wanted.is_answered_by(first)]
    found: dict[str, Resource] = {}
    for answer in itertools.chain([first], map_ordered(ask, others)):
        if answer is None:
            return read_list_counted(client, path)
        found.update((str(item["id"]), item) for item in answer)
    return Reading(list(found.values()), False, pages)
