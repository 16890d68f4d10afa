# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads all pages of a list, several at a time, and starts over if the list changes (contract 4.4)."""

from __future__ import annotations

import typing as t

from .._concurrency import map_ordered
from .._errors import IncompleteListError, ResponseError
from .._model.resource import Resource
from .pagination import ListChangedError, ListTooLongError, Page, Paginator

MAX_ATTEMPTS = 3
"""Attempts to read a list that changes while it is read."""

ItemsHandler = t.Callable[[list[Resource]], None]


def read_list(
    request: str,
    fetch_page: t.Callable[[int], Page],
    max_pages: int = 0,
    on_items: ItemsHandler = lambda _items: None,
) -> list[Resource]:
    """Returns the items of all pages, or of the first ``max_pages`` if that is not 0, in the order of the service.

    ``request`` names the list in messages. ``on_items`` is called with the items of each page while the next pages are
    on their way, and again from the first page if the list changes: nothing is final before this returns. Raises
    IncompleteListError instead of returning a part of a list that keeps changing, ResponseError for a list above the
    limits of :class:`Paginator`, and the errors of ``fetch_page``.
    """
    change: ListChangedError | None = None
    for _attempt in range(MAX_ATTEMPTS):
        try:
            return _read_pages(fetch_page, max_pages, on_items)
        except ListChangedError as error:
            change = error
        except ListTooLongError as error:
            raise ResponseError(f"{request}: the list was not read to its end: {error}.") from None
    raise IncompleteListError(
        f"{request}: the list could not be read completely, {MAX_ATTEMPTS} times in a row: {change}. "
        "An incomplete list is never used. Try again when nothing changes in the account."
    )


def _read_pages(fetch_page: t.Callable[[int], Page], max_pages: int, on_items: ItemsHandler) -> list[Resource]:
    pages = Paginator(max_pages)

    def add(page: Page) -> None:
        count = len(pages.items)
        pages.add(*page)
        on_items(pages.items[count:])

    add(fetch_page(1))
    for page in map_ordered(fetch_page, pages.remaining_pages()):
        add(page)
        if not pages.next_page:
            break
    while pages.next_page:
        add(fetch_page(pages.next_page))
    return pages.items
