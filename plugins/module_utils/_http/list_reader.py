# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads all pages of a list, several at a time, and starts over if the list changes."""

from __future__ import annotations

import typing as t

from .._concurrency import map_ordered
from .._errors import IncompleteListError, ResponseError
from .._model.resource import Resource
from .pagination import ListChangedError, ListTooLongError, Page, Paginator

MAX_ATTEMPTS = 3
"""Attempts to read a list that changes while it is read."""
MAX_VALUE_LENGTH = 255
"""Characters of a value in the query."""

ItemsHandler = t.Callable[[list[Resource]], None]
FirstPageHandler = t.Callable[[list[Resource], int], bool]
"""Gets the items of the first page and the number of pages. Returns False to leave the other pages unread."""


class ListAbandonedError(Exception):
    """The handler of the first page has decided not to read the others."""


def is_sendable(params: t.Mapping[str, str]) -> bool:
    """Returns True if there is a query, and it fits into any URL."""
    return bool(params) and all(value.isprintable() and len(value) <= MAX_VALUE_LENGTH for value in params.values())


def read_list(
    request: str,
    fetch_page: t.Callable[[int], Page],
    max_pages: int = 0,
    *,
    on_items: ItemsHandler | None = None,
    on_first_page: FirstPageHandler | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> list[Resource]:
    """Returns the items of all pages, or of the first ``max_pages`` if that is not 0, in the order of the service.

    ``request`` names the list in messages. ``on_items`` is called with the items of each page while the next pages are
    on their way, and again from the first page if the list changes: nothing is final before this returns.
    ``on_first_page`` is called if the service says how many pages there are.

    Raises ListAbandonedError if ``on_first_page`` returns False, IncompleteListError instead of returning a part of a
    list that keeps changing, ResponseError for a list above the limits of :class:`Paginator`, and the errors of
    ``fetch_page``.
    """
    change: ListChangedError | None = None
    for _attempt in range(max_attempts):
        try:
            return _read_pages(fetch_page, max_pages, on_items, on_first_page)
        except ListChangedError as error:
            change = error
        except ListTooLongError as error:
            raise ResponseError(f"{request}: the list was not read to its end: {error}.") from None
    raise IncompleteListError(
        f"{request}: the list could not be read completely, {max_attempts} times in a row: {change}. "
        "An incomplete list is never used. Try again when nothing changes in the account."
    )


def _read_pages(
    fetch_page: t.Callable[[int], Page],
    max_pages: int,
    on_items: ItemsHandler | None,
    on_first_page: FirstPageHandler | None,
) -> list[Resource]:
    pages = Paginator(max_pages)

    def add(page: Page) -> None:
        count = len(pages.items)
        pages.add(*page)
        if on_items:
            on_items(pages.items[count:])

    add(fetch_page(1))
    count = pages.count_pages()
    if on_first_page and count is not None and not on_first_page(list(pages.items), count):
        raise ListAbandonedError
    for page in map_ordered(fetch_page, pages.remaining_pages()):
        add(page)
        if not pages.next_page:
            break
    while pages.next_page:
        add(fetch_page(pages.next_page))
    return pages.items
