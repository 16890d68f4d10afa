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
FirstPageHandler = t.Callable[[list[Resource], int], bool]
"""Gets the items of the first page and the number of pages. Returns False to leave the other pages unread."""


class ListAbandonedError(Exception):
    """The handler of the first page has decided not to read the others."""


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

    def matches(self, item: Resource) -> bool:
        """Returns True if the item shows no other value than the wanted ones."""
        values = self.find_values(item)
        return all(values[name] in (None, wanted) for name, wanted in self.params.items())

    def is_answered_by(self, items: t.Iterable[Resource]) -> bool:
        """Returns True if the items may be used: one matches, or the service ignored each parameter.

        Otherwise only the whole list shows that nothing matches.
        """
        items = list(items)
        return any(map(self.matches, items)) or self.is_ignored_by(items)

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
