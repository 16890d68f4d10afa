# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Combines the pages of a list, and detects an incomplete or changing list. Pure.

The service documents neither the parameters of its lists nor their order, and may return a list without pages.
"""

from __future__ import annotations

import json
import typing as t

from .._model.resource import Resource
from .._text import is_number, one_line

Pagination = t.Mapping[str, t.Any]
PageContent: t.TypeAlias = "tuple[list[Resource], Pagination | None]"

MAX_PAGES = 10_000
"""Pages of a list, which are 100 minutes at 100 requests a minute. 14 backups of each of 10 000 instances are 5600."""
MAX_LIST_CHARACTERS = 1 << 26
"""Characters of all pages of a list together: 260 for each of 250 000 entries."""


class Page(t.NamedTuple):
    """One page of a list. ``characters``: the length of its body."""

    items: list[Resource]
    pagination: Pagination | None
    characters: int = 0


class ListChangedError(Exception):
    """The list changed, or contradicted itself, while it was read. ``str(error)`` says how."""


class ListTooLongError(Exception):
    """The list exceeds MAX_PAGES or MAX_LIST_CHARACTERS. ``str(error)`` says which."""


class Paginator:
    """Collects pages in order, from page 1, and returns the number of the next one to request.

    Without a ``pagination`` object the first page is the whole list. With one, the list is complete when it has
    ``total_count`` ids. Any sign of a change between two pages raises ListChangedError: a duplicate id, another count,
    a page of another length.

    Entries without an id are compared by their content. If ``max_pages`` is not 0, the list ends there. A list above
    the limits raises ListTooLongError, before its second page if it has a count.
    """

    def __init__(self, max_pages: int = 0) -> None:
        self.items: list[Resource] = []
        self.next_page: int | None = 1
        self._max_pages = max_pages
        self._keys: set[str] = set()
        self._page_length = 0
        self._characters = 0
        self._total_pages: int | None = None
        self._total_count: int | None = None

    def add(self, page: list[Resource], pagination: Pagination | None, characters: int = 0) -> None:
        """Adds the page with the number ``next_page``. Raises ListChangedError and ListTooLongError."""
        number = self.next_page or 1
        self._characters += characters
        if self._characters > MAX_LIST_CHARACTERS:
            raise ListTooLongError(f"the first {number} pages have more than {MAX_LIST_CHARACTERS >> 20} MiB")
        if number == 1:
            self._page_length = len(page)
            self._total_pages = _parse_count((pagination or {}).get("total_pages"))
            self._total_count = _parse_count((pagination or {}).get("total_count"))
        else:
            self._check_unchanged(number, page, pagination or {})
        if not page and number < (self._total_pages or 0):
            # Without this check, a wrong total_pages would cause thousands of requests for empty pages.
            raise ListChangedError(f"page {number} of {self._total_pages} is empty")
        duplicates = self._add_items(page)
        if pagination is None and number == 1:
            # Duplicates within a single response do not show a change.
            self.next_page = None
            return
        if duplicates:
            raise ListChangedError(f"{duplicates[0]} appears twice, the second time on page {number}")
        self.next_page = number + 1 if self._expects_more(number, page) else None
        if self.next_page is None and self._total_count not in (None, len(self.items)):
            raise ListChangedError(f"total_count is {self._total_count}, but {len(self.items)} entries were returned")
        if number == self._max_pages:
            self.next_page = None
        if self.next_page and not self._max_pages:
            self._check_page_limit(self.next_page)

    def remaining_pages(self) -> range:
        """Returns the numbers of the pages after the first. Empty if the first page has no total_pages."""
        if self.next_page is None or self._total_pages is None:
            return range(0)
        return range(2, 1 + (self._last_page() or 0))

    def count_pages(self) -> int | None:
        """Returns the number of pages, or None if the list has no counts. The first page has been added."""
        return 1 if self.next_page is None else self._last_page()

    def _last_page(self) -> int | None:
        """Returns the number of the last page to request, or None if the list has no counts."""
        limits = [self._total_pages] if self._total_pages is not None else []
        if self._total_count is not None and self._page_length:
            # Rounded up. total_count is decisive: the list is complete with as many entries.
            limits.append(-(-self._total_count // self._page_length))
        if limits and self._max_pages:
            limits.append(self._max_pages)
        return min(limits, default=None)

    def _check_page_limit(self, next_page: int) -> None:
        last = self._last_page()
        if max(next_page, last or 0) > MAX_PAGES:
            says = "" if last is None else f", {one_line(last, 20)} by its own count"
            raise ListTooLongError(f"it has more than {MAX_PAGES} pages{says}")

    def _check_unchanged(self, number: int, page: list[Resource], pagination: Pagination) -> None:
        count = _parse_count(pagination.get("total_count"))
        if count != self._total_count:
            raise ListChangedError(f"total_count changed from {self._total_count} to {count} on page {number}")
        current = _parse_count(pagination.get("current_page"))
        if current not in (None, number):
            raise ListChangedError(f"page {number} was requested, but page {current} was returned")
        is_last = self._total_pages is None or number >= self._total_pages
        if len(page) > self._page_length or (len(page) < self._page_length and not is_last):
            raise ListChangedError(f"page {number} has {len(page)} entries, the first one {self._page_length}")

    def _add_items(self, page: list[Resource]) -> list[str]:
        """Adds the new items and returns descriptions of the duplicates. Ids are compared as text."""
        duplicates = []
        keys: set[str] = set()
        for item in page:
            has_id = item.get("id") is not None
            key = f"id {item['id']}" if has_id else f"an entry without id {json.dumps(item, sort_keys=True)}"
            # Equal entries without ids are duplicates only if they are on different pages.
            if key in self._keys or (has_id and key in keys):
                duplicates.append(one_line(key))
            else:
                keys.add(key)
                self.items.append(item)
        self._keys |= keys
        return duplicates

    def _expects_more(self, number: int, page: list[Resource]) -> bool:
        if self._total_count is not None and len(self.items) >= self._total_count:
            return False
        if self._total_pages is not None:
            return number < self._total_pages
        # Without counts, only an empty page shows that the list has ended.
        return bool(page)


def parse_pagination(body: t.Mapping[str, t.Any]) -> Pagination | None:
    """Returns the pagination object, beside ``data`` or under ``meta``, or None."""
    meta = body.get("meta")
    candidates = [body.get("pagination"), meta.get("pagination") if isinstance(meta, dict) else None, meta]
    for candidate in candidates:
        if isinstance(candidate, dict) and (
            "total_pages" in candidate or "total_count" in candidate or candidate is not meta
        ):
            return candidate
    return None


def _parse_count(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return int(value) if is_number(value) else None
