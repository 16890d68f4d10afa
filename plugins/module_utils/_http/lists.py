# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the lists of the service: all pages, several at a time. A list is complete, or an error.

The service documents neither the parameters of its lists nor their order, and may return a list without pages.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import ApiError, IncompleteListError, ResponseError
from .._model.resource import IDS_ARE, Resource, id_sort_key, parse_keys
from .._text import is_number, one_line
from .responses import describe_type, parse_envelope

if t.TYPE_CHECKING:
    from .client import Client
    from .transport import Response

Pagination = t.Mapping[str, t.Any]
PageContent: t.TypeAlias = "tuple[list[Resource], Pagination | None]"
PageParser: t.TypeAlias = "t.Callable[[str, Response], PageContent]"
FirstPageHandler = t.Callable[[list[Resource], int], bool]
"""Gets the items of the first page and the number of pages. Returns False to leave the other pages unread."""

REFUSED_PAGE_SIZE = (400, 422)
"""Statuses that may mean that the service does not accept ``per_page``."""
UNSET_PAGE_SIZE = "unset page_size (the option, or CLAWHOSTERS_PAGE_SIZE)"
MAX_ATTEMPTS = 3
"""Attempts to read a list that changes while it is read."""
MAX_PAGES = 10_000
"""Pages of a list, which are 100 minutes at 100 requests a minute. 14 backups of each of 10 000 instances are 5600."""


class ListAbandonedError(Exception):
    """The handler of the first page has decided not to read the others."""


class ListChangedError(Exception):
    """The list changed, or contradicted itself, while it was read. ``str(error)`` says how."""


def fetch_all(
    client: Client, path: str, *, time_left: float | None = None, on_first_page: FirstPageHandler | None = None
) -> list[Resource]:
    """Returns every item of the list at ``path``, sorted by id. ``time_left``: see :meth:`Client.fetch`.

    ``on_first_page`` is called if the service says how many pages there are.

    Raises ListAbandonedError if ``on_first_page`` returns False, and ResponseError instead of returning a part of the
    list: IncompleteListError if it keeps changing.
    """
    end_of_wait = client.end_of_wait(time_left)
    reader = _ListReader(client, path, parse_resource_list, end_of_wait, on_first_page=on_first_page)
    return sorted(reader.read(), key=id_sort_key)


def fetch_list(client: Client, path: str, max_pages: int = 0) -> object:
    """Like ``fetch_all``, for entries of any type: in the order of the service, up to ``max_pages`` if not 0.

    Returns what is no list as it is.
    """
    others = []

    def parse(request: str, response: Response) -> tuple[list[t.Any], Pagination | None]:
        body = parse_envelope(request, response)
        if isinstance(body["data"], list):
            return body["data"], parse_pagination(body)
        others.append(body["data"])
        return [], None

    entries = _ListReader(client, path, parse, max_pages=max_pages).read()
    return entries if entries or not others else others[0]


@dataclass(eq=False, repr=False)
class _ListReader:
    """Reads one list. A request that is sent again counts as a repeat."""

    client: Client
    path: str
    parse: PageParser
    end_of_wait: float | None = None
    max_pages: int = 0
    on_first_page: FirstPageHandler | None = None
    _is_repeat: bool = False

    def read(self) -> list[Resource]:
        """Returns the items of all pages in the order of the service. Starts over if the list changes."""
        change: ListChangedError | None = None
        for _attempt in range(MAX_ATTEMPTS):
            try:
                return self._read_pages()
            except ListChangedError as error:
                change, self._is_repeat = error, True
        raise IncompleteListError(
            f"GET {self.path}: the list could not be read completely, {MAX_ATTEMPTS} times in a row: {change}. "
            "An incomplete list is never used. Try again when nothing changes in the account."
        )

    def _read_pages(self) -> list[Resource]:
        pages = Paginator(self.max_pages)
        pages.add(*self._fetch_page(1))
        self._require_few_pages(pages)
        if self.on_first_page and pages.last_page and not self.on_first_page(list(pages.items), pages.last_page):
            raise ListAbandonedError
        for page in map_ordered(self._fetch_page, range(2, 1 + (pages.last_page or 1))):
            pages.add(*page)
            if pages.is_complete:
                break
        while not pages.is_complete:
            self._require_few_pages(pages)
            pages.add(*self._fetch_page(pages.count + 1))
        return pages.items

    def _require_few_pages(self, pages: Paginator) -> None:
        if not self.max_pages and max(pages.count + 1, pages.last_page or 0) > MAX_PAGES:
            raise ResponseError(
                f"GET {self.path}: the list was not read to its end: it has more than {MAX_PAGES} pages."
            )

    def _fetch_page(self, number: int) -> PageContent:
        """Raises ResponseError for a first page that may be a part of a list without counts."""
        page_size = self.client.settings.page_size
        query = {} if number == 1 else {"page": str(number)}
        if page_size is not None:
            query["per_page"] = str(page_size)
        try:
            items, pagination = self.client.get(
                self.path, query, parse=self.parse, end_of_wait=self.end_of_wait, is_repeat=self._is_repeat
            )
        except ApiError as error:
            if number == 1 and page_size is not None and error.status in REFUSED_PAGE_SIZE:
                error.hint = f"Perhaps the service does not accept per_page={page_size}: {UNSET_PAGE_SIZE}."
            raise
        if number == 1 and pagination is None and len(items) == page_size:
            raise ResponseError(
                f"GET {self.path}: the response has exactly {page_size} entries, as many as page_size asks for, and no "
                f"`pagination`. It may be a part of the list, so it is not used: {UNSET_PAGE_SIZE}."
            )
        return items, pagination


class Paginator:
    """Collects the pages of a list in order, and detects an incomplete or changing list. Pure.

    Without a ``pagination`` object the first page is the whole list. With one, the list is complete when it has
    ``total_count`` ids. Any sign of a change between two pages raises ListChangedError: a duplicate id, another count,
    a page of another length.

    Entries without an id are compared by their content. If ``max_pages`` is not 0, the list ends there.
    """

    def __init__(self, max_pages: int = 0) -> None:
        self.items: list[Resource] = []
        self.count = 0
        """Pages that were added."""
        self.is_complete = False
        self._max_pages = max_pages
        self._keys: set[str] = set()
        self._page_length = 0
        self._total_pages: int | None = None
        self._total_count: int | None = None

    def add(self, page: list[t.Any], pagination: Pagination | None) -> None:
        """Adds the next page. Raises ListChangedError."""
        self.count += 1
        counts = pagination or {}
        if self.count == 1:
            self._page_length = len(page)
            self._total_pages, self._total_count = map(_parse_count, map(counts.get, ("total_pages", "total_count")))
        else:
            self._require_unchanged(page, counts)
        duplicate = self._add_items(page)
        if pagination is None and self.count == 1:
            # Duplicates within a single response do not show a change.
            self.is_complete = True
            return
        if duplicate:
            raise ListChangedError(f"{duplicate} appears twice, the second time on page {self.count}")
        if not page and self.count < (self._total_pages or 0):
            # Without this check, a wrong total_pages would cause thousands of requests for empty pages.
            raise ListChangedError(f"page {self.count} of {self._total_pages} is empty")
        self.is_complete = not self._expects_more(page)
        if self.is_complete and self._total_count not in (None, len(self.items)):
            raise ListChangedError(f"total_count is {self._total_count}, but {len(self.items)} entries were returned")
        self.is_complete = self.is_complete or self.count == self._max_pages

    @property
    def last_page(self) -> int | None:
        """The number of the last page to request; None if the list has no counts."""
        if self.is_complete:
            return self.count
        limits = [self._total_pages] if self._total_pages is not None else []
        if self._total_count is not None and self._page_length:
            # Rounded up. total_count is decisive: the list is complete with as many entries.
            limits.append(-(-self._total_count // self._page_length))
        if limits and self._max_pages:
            limits.append(self._max_pages)
        return min(limits, default=None)

    def _require_unchanged(self, page: list[t.Any], counts: Pagination) -> None:
        number, length = self.count, self._page_length
        total_count, current = _parse_count(counts.get("total_count")), _parse_count(counts.get("current_page"))
        if total_count != self._total_count:
            raise ListChangedError(f"total_count changed from {self._total_count} to {total_count} on page {number}")
        if current not in (None, number):
            raise ListChangedError(f"page {number} was requested, but page {current} was returned")
        is_last = self._total_pages is None or number >= self._total_pages
        if len(page) > length or (len(page) < length and not is_last):
            raise ListChangedError(f"page {number} has {len(page)} entries, the first one {length}")

    def _add_items(self, page: list[t.Any]) -> str:
        """Adds the new items, and returns a description of a duplicate, if there is one. Ids are compared as text."""
        duplicate = ""
        keys: set[str] = set()
        for item in page:
            has_id = isinstance(item, dict) and item.get("id") is not None
            key = f"id {item['id']}" if has_id else f"an entry without id {json.dumps(item, sort_keys=True)}"
            # Equal entries without ids are duplicates only if they are on different pages.
            if key in self._keys or (has_id and key in keys):
                duplicate = one_line(key)
            else:
                keys.add(key)
                self.items.append(item)
        self._keys |= keys
        return duplicate

    def _expects_more(self, page: list[Resource]) -> bool:
        if self._total_count is not None and len(self.items) >= self._total_count:
            return False
        # Without counts, only an empty page shows that the list has ended.
        return bool(page) if self._total_pages is None else self.count < self._total_pages


def parse_resource_list(request: str, response: Response) -> PageContent:
    """Returns the objects in ``{"data": [...]}`` and the pagination object, or None."""
    body = parse_envelope(request, response)
    data = body["data"]
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        found = "a list with entries that are not objects" if isinstance(data, list) else describe_type(data)
        raise ResponseError(f"{request}: expected a list of objects in `data`, got {found}.")
    items = list(map(parse_keys, data))
    if any(item.get("id") is None for item in items):
        raise ResponseError(f"{request}: expected a list of objects with ids in `data`; {IDS_ARE}.")
    return items, parse_pagination(body)


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
    text = str(value)
    return int(text) if is_number(text) else None
