# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the pages of a list together, and knows when they are not the whole list (contract 4.4, U8, U9). Pure."""

from __future__ import annotations

import json
import typing as t

from .._errors import one_line
from .._model.resource import Resource

Pagination = t.Mapping[str, t.Any]

MAX_PAGES = 4000
"""Pages of a list that are read: 100 000 entries at 25 a page, and 40 minutes at 100 requests a minute."""
MAX_LIST_CHARACTERS = 1 << 26
"""Characters of all pages of a list together: 600 for each of 100 000 entries. In memory they take more."""


class ListChangedError(Exception):
    """The list changed, or contradicted itself, while it was read; ``str()`` says how."""


class ListTooLongError(Exception):
    """The list has more pages, or more in them, than are ever read; ``str()`` says so. No use in reading it again."""


class Paginator:
    """Takes pages in order, page 1 first, and says which one to ask for next.

    Without a ``pagination`` object the first page is the whole list. With one, the list is whole when as many ids
    are held as ``total_count`` says. Whatever shows that the list moved between two pages - an id twice, a count
    that changed, a page of another length - raises ListChangedError: read it again.

    An entry without an id is known by all that it holds. ``max_pages``, if not 0, ends it there, whatever is left.
    A list that would not end raises ListTooLongError: before its second page where it says how long it is.
    """

    def __init__(self, max_pages: int = 0) -> None:
        self.items: list[Resource] = []
        self.next_page: int | None = 1
        self._max_pages = max_pages
        self._seen: set[str] = set()
        self._page_length = 0
        self._characters = 0
        self._total_pages: int | None = None
        self._total_count: int | None = None

    def add(self, page: list[Resource], pagination: Pagination | None, characters: int = 0) -> None:
        """Adds the page that ``next_page`` named. Raises ListChangedError and ListTooLongError."""
        number = self.next_page or 1
        self._characters += characters
        if self._characters > MAX_LIST_CHARACTERS:
            raise ListTooLongError(f"its first {number} pages have more than {MAX_LIST_CHARACTERS >> 20} MiB")
        if number == 1:
            self._page_length = len(page)
            self._total_pages = _whole_number((pagination or {}).get("total_pages"))
            self._total_count = _whole_number((pagination or {}).get("total_count"))
        else:
            self._check_same_list(number, page, pagination or {})
        if not page and number < (self._total_pages or 0):
            # A service that counts pages without end, with nothing in them, would be asked without end.
            raise ListChangedError(f"page {number} of {self._total_pages} is empty")
        twice = self._hold(page)
        if pagination is None and number == 1:
            # One answer is one moment: an id twice in it is a repetition, not a shift.
            self.next_page = None
            return
        if twice:
            raise ListChangedError(f"{twice[0]} came twice, the second time on page {number}")
        self.next_page = number + 1 if self._expects_more(number, page) else None
        if self.next_page is None and self._total_count not in (None, len(self.items)):
            raise ListChangedError(f"{len(self.items)} of {self._total_count} came")
        if number == self._max_pages:
            self.next_page = None
        if self.next_page and not self._max_pages:
            self._check_length(self.next_page)

    def expected(self) -> range:
        """The numbers of the pages after the first, as far as it told them; none when it did not."""
        if self.next_page is None or self._total_pages is None:
            return range(0)
        return range(2, 1 + (self._last_page() or 0))

    def _last_page(self) -> int | None:
        """Returns the number of the last page that will be asked for, None where the list does not tell."""
        told = [self._total_pages] if self._total_pages is not None else []
        if self._total_count is not None and self._page_length:
            # Rounded up. Reading ends when all are there, whatever the count of pages says.
            told.append(-(-self._total_count // self._page_length))
        if told and self._max_pages:
            told.append(self._max_pages)
        return min(told, default=None)

    def _check_length(self, next_page: int) -> None:
        last = self._last_page()
        if max(next_page, last or 0) > MAX_PAGES:
            says = "" if last is None else f", {one_line(last, 20)} by its own count"
            raise ListTooLongError(f"it has more than {MAX_PAGES} pages{says}")

    def _check_same_list(self, number: int, page: list[Resource], pagination: Pagination) -> None:
        count = _whole_number(pagination.get("total_count"))
        if count != self._total_count:
            raise ListChangedError(f"the count moved from {self._total_count} to {count} on page {number}")
        current = _whole_number(pagination.get("current_page"))
        if current not in (None, number):
            raise ListChangedError(f"page {number} was asked for and page {current} came")
        is_last = self._total_pages is None or number >= self._total_pages
        if len(page) > self._page_length or (len(page) < self._page_length and not is_last):
            raise ListChangedError(f"page {number} has {len(page)} entries, the first one {self._page_length}")

    def _hold(self, page: list[Resource]) -> list[str]:
        """Keeps what is new, and returns what was held already. Ids are compared as text (U24)."""
        twice = []
        earlier = set(self._seen)
        for item in page:
            has_id = item.get("id") is not None
            key = f"id {item['id']}" if has_id else f"an entry without id {json.dumps(item, sort_keys=True)}"
            # Two alike without ids are two entries; but not where the page before showed the same.
            if key in (self._seen if has_id else earlier):
                twice.append(one_line(key))
            else:
                self._seen.add(key)
                self.items.append(item)
        return twice

    def _expects_more(self, number: int, page: list[Resource]) -> bool:
        if self._total_count is not None and len(self.items) >= self._total_count:
            return False
        if self._total_pages is not None:
            return number < self._total_pages
        # A pagination object that counts nothing: only a page with nothing in it is surely behind the last.
        return bool(page)


def parse_pagination(body: t.Mapping[str, t.Any]) -> Pagination | None:
    """The pagination object of an answer, beside ``data`` or under ``meta``, or None (contract 1, "Envelopes")."""
    meta = body.get("meta")
    candidates = [body.get("pagination"), meta.get("pagination") if isinstance(meta, dict) else None, meta]
    for candidate in candidates:
        if isinstance(candidate, dict) and (
            "total_pages" in candidate or "total_count" in candidate or candidate is not meta
        ):
            return candidate
    return None


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return None
