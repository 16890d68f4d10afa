# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads some of the resources of a list: from the list or one by one, whichever takes fewer requests."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

from .._concurrency import map_ordered
from .._errors import ResponseError
from .._http.client import Client
from .._http.list_reader import ListAbandonedError, ListFilter
from .._model.resource import Resource


class Reading(t.NamedTuple):
    """What was read. ``pages``: the number of pages of the list; None if it is not known."""

    items: list[Resource]
    is_whole_list: bool
    pages: int | None


def read_list_counted(client: Client, path: str) -> Reading:
    """Returns the whole list."""
    pages: list[int] = []

    def keep(_items: list[Resource], count: int) -> bool:
        pages.append(count)
        return True

    items = client.fetch_all(path, on_first_page=keep)
    return Reading(items, True, pages[-1] if pages else None)


def read_by_ids(
    client: Client, path: str, ids: t.Collection[object], fetch_one: t.Callable[[object], Resource | None]
) -> Reading:
    """Returns the resources with these ids, and perhaps others. Those that don't exist are missing.

    The first page of the list says what the list costs. It is not asked for if there is one id only.
    """
    wanted = {str(one): one for one in ids}
    found: dict[str, Resource] = {}
    pages: int | None = None

    def is_worth_reading(items: list[Resource], count: int) -> bool:
        nonlocal pages
        pages = count
        found.update((str(item["id"]), item) for item in items)
        return count - 1 <= len(wanted.keys() - found.keys())

    if len(wanted) > 1:
        try:
            return Reading(client.fetch_all(path, on_first_page=is_worth_reading), True, pages)
        except (ListAbandonedError, ResponseError):
            pass  # a list that can't be read to its end is no obstacle here
    rest = [one for key, one in wanted.items() if key not in found]
    items = [*found.values(), *(item for item in map_ordered(fetch_one, rest) if item is not None)]
    return Reading(items, False, pages)


def read_filtered(client: Client, path: str, filters: t.Sequence[ListFilter]) -> Reading:
    """Returns the resources that match one of the filters, and perhaps others.

    Without the setting ``server_filters`` that is the whole list. With it, each filter takes one request or more. What
    the service answers to a filter that it ignores is the whole list. That is read once if a filter finds nothing.
    """
    if not client.settings.server_filters:
        return read_list_counted(client, path)
    pages: int | None = None

    def is_worth_reading(_items: list[Resource], count: int) -> bool:
        nonlocal pages
        pages = count
        return count - 1 <= len(filters)

    if len(filters) > 1:
        with contextlib.suppress(ListAbandonedError):
            return Reading(client.fetch_all(path, on_first_page=is_worth_reading), True, pages)
    found: dict[str, Resource] = {}
    # The first answer shows whether the service filters at all.
    answers = itertools.chain(
        (client.fetch_filtered(path, one) for one in filters[:1]),
        map_ordered(lambda one: client.fetch_filtered(path, one), filters[1:]),
    )
    for one, answer in zip(filters, answers, strict=True):
        if answer is None:
            return read_list_counted(client, path)
        if one.is_ignored_by(answer):
            return Reading(answer, True, pages)
        found.update((str(item["id"]), item) for item in answer)
    return Reading(list(found.values()), False, pages)
