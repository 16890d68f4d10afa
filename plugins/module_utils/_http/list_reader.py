# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads all pages of a list, several at a time, and starts over if the list changes (contract 4.4)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import IncompleteListError, ResponseError
from .._model.resource import Resource
from .pagination import ListChangedError, ListTooLongError, Page, Paginator

MAX_ATTEMPTS = 3
"""Attempts to read a list that changes while it is read."""
MAX_VALUE_LENGTH = 255
"""Characters of a value in the query."""

ItemsHandler = t.Callable[[list[Resource]], None]


class FirstPage(t.NamedTuple):
    """The first page of a list. ``pages_left``: how many follow, by its own count; None without one."""

    page: Page
    pages_left: int | None

    @property
    def items(self) -> list[Resource]:
        return self.page.items


class Listing(t.NamedTuple):
    """Items of a list, sorted by id. ``is_whole``: True if they are surely all of it.

    ``pages`` are those of the whole list, None if that is not known.
    """

    items: list[Resource]
    is_whole: bool
    pages: int | None = None


@dataclass(frozen=True)
class ListFilter:
    """Query parameters that may shorten a list: the service may ignore them, or match in a way of its own (U31).

    ``find_values`` returns the values of an item by parameter, None for one that the item does not show.
    """

    params: t.Mapping[str, str]
    find_values: t.Callable[[Resource], t.Mapping[str, str | None]]

    @property
    def is_sendable(self) -> bool:
        """True if there is a query, and it fits into any URL."""
        return bool(self.params) and all(
            value.isprintable() and len(value) <= MAX_VALUE_LENGTH for value in self.params.values()
        )

    def is_answered_by(self, items: t.Iterable[Resource]) -> bool:
        """Returns True if the items may be used: one matches, or the service ignored each parameter.

        Otherwise only the whole list shows that nothing matches.
        """
        items = list(items)
        return any(map(self._matches, items)) or self.is_ignored_by(items)

    def is_ignored_by(self, items: t.Iterable[Resource]) -> bool:
        """Returns True if the service ignored each parameter, so that the items are the whole list.

        An ignored parameter shows in an item whose value does not even contain the wanted one.
        """
        ignored: set[str] = set()
        for item in items:
            values = self.find_values(item)
            ignored.update(
                name
                for name, wanted in self.params.items()
                if (value := values[name]) is not None and wanted.casefold() not in value.casefold()
            )
        return ignored == set(self.params)

    def _matches(self, item: Resource) -> bool:
        values = self.find_values(item)
        return all(values[name] in (None, wanted) for name, wanted in self.params.items())


def read_list(
    request: str,
    fetch_page: t.Callable[[int], Page],
    max_pages: int = 0,
    *,
    on_items: ItemsHandler | None = None,
    max_attempts: int = MAX_ATTEMPTS,
    first: Page | None = None,
) -> list[Resource]:
    """Returns the items of all pages, or of the first ``max_pages`` if that is not 0, in the order of the service.

    ``request`` names the list in messages. ``on_items`` is called with the items of each page while the next pages are
    on their way, and again from the first page if the list changes: nothing is final before this returns. Raises
    IncompleteListError instead of returning a part of a list that keeps changing, ResponseError for a list above the
    limits of :class:`Paginator`, and the errors of ``fetch_page``.
    """
    change: ListChangedError | None = None
    for _attempt in range(max_attempts):
        try:
            return _read_pages(fetch_page, max_pages, on_items, first)
        except ListChangedError as error:
            change, first = error, None
        except ListTooLongError as error:
            raise ResponseError(f"{request}: the list was not read to its end: {error}.") from None
    raise IncompleteListError(
        f"{request}: the list could not be read completely, {max_attempts} times in a row: {change}. "
        "An incomplete list is never used. Try again when nothing changes in the account."
    )


def count_pages_left(first: Page) -> int | None:
    """Returns how many pages follow the first one, None if it does not say."""
    pages = Paginator()
    try:
        pages.add(*first)
    except (ListChangedError, ListTooLongError):
        return None
    return len(pages.remaining_pages()) if pages.remaining_pages() or not pages.next_page else None


def _read_pages(
    fetch_page: t.Callable[[int], Page], max_pages: int, on_items: ItemsHandler | None, first: Page | None
) -> list[Resource]:
    pages = Paginator(max_pages)

    def add(page: Page) -> None:
        count = len(pages.items)
        pages.add(*page)
        if on_items:
            on_items(pages.items[count:])

    add(first or fetch_page(1))
    for page in map_ordered(fetch_page, pages.remaining_pages()):
        add(page)
        if not pages.next_page:
            break
    while pages.next_page:
        add(fetch_page(pages.next_page))
    return pages.items
