# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the lists of the service: all pages, several at a time. Starts over if a list changes."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._concurrency import map_ordered
from .._errors import ApiError, IncompleteListError, ResponseError
from .._model.resource import Resource, id_sort_key, parse_keys
from .pagination import ListChangedError, ListTooLongError, Page, Paginator, parse_pagination
from .responses import NOT_THE_API, describe_id, describe_type, parse_envelope

if t.TYPE_CHECKING:
    from .client import Client
    from .pagination import PageContent
    from .transport import Response

    PageParser = t.Callable[[str, Response], PageContent]

REFUSED_PAGE_SIZE = (400, 422)
"""Statuses that may mean that the service does not accept ``per_page``."""
UNSET_PAGE_SIZE = "unset page_size (the option, or CLAWHOSTERS_PAGE_SIZE)"
MAX_ATTEMPTS = 3
"""Attempts to read a list that changes while it is read."""

ItemsHandler = t.Callable[[list[Resource]], None]
FirstPageHandler = t.Callable[[list[Resource], int], bool]
"""Gets the items of the first page and the number of pages. Returns False to leave the other pages unread."""


def fetch_all(
    client: Client,
    path: str,
    *,
    time_left: float | None = None,
    on_items: ItemsHandler | None = None,
    on_first_page: FirstPageHandler | None = None,
) -> list[Resource]:
    """Returns every item of the list at ``path``, sorted by id. ``time_left``: see :meth:`Client.fetch`.

    ``on_items``, ``on_first_page``: see :func:`read_list`. Raises ListAbandonedError if ``on_first_page`` returns
    False, and ResponseError instead of returning a part of the list: IncompleteListError if it changes.
    """
    requests = _ListRequests(client, path, parse_resource_list, client.end_of_wait(time_left))
    items = read_list(f"GET {path}", requests.fetch, on_items=on_items, on_first_page=on_first_page)
    return sorted(items, key=id_sort_key)


def fetch_list(client: Client, path: str, max_pages: int = 0) -> list[Resource]:
    """Like ``fetch_all``, for objects without ids: in the order of the service, up to ``max_pages`` if not 0."""
    return read_list(f"GET {path}", _ListRequests(client, path, parse_object_list).fetch, max_pages)


@dataclass
class _ListRequests:
    """Requests the pages of a list. A request that is sent again counts as a repeat."""

    client: Client
    path: str
    parse: PageParser
    end_of_wait: float | None = None
    _sent: set[frozenset[tuple[str, str]]] = field(default_factory=set)
    """The query parameters of each request."""

    def fetch(self, number: int) -> Page:
        """Returns a page. Raises ResponseError for a first page that may be a part of a list without counts."""
        page_size = self.client.settings.page_size
        query = {} if number == 1 else {"page": str(number)}
        if page_size is not None:
            query["per_page"] = str(page_size)
        try:
            page = self._send(query)
        except ApiError as error:
            if number == 1 and page_size is not None and error.status in REFUSED_PAGE_SIZE:
                error.hint = f"Perhaps the service does not accept per_page={page_size}: {UNSET_PAGE_SIZE}."
            raise
        if number == 1 and page.pagination is None and len(page.items) == page_size:
            raise ResponseError(
                f"GET {self.path}: the response has exactly {page_size} entries, as many as page_size asks for, and no "
                f"`pagination`. It may be a part of the list, so it is not used: {UNSET_PAGE_SIZE}."
            )
        return page

    def _send(self, query: dict[str, str]) -> Page:
        def parse_page(request: str, response: Response) -> Page:
            return Page(*self.parse(request, response), len(response.text))

        sent = frozenset(query.items())
        if sent in self._sent:
            self.client.count_next_as_repeat(self.path, query)
        self._sent.add(sent)
        return self.client.get(self.path, query, parse=parse_page, end_of_wait=self.end_of_wait)


def parse_resource_list(request: str, response: Response) -> PageContent:
    """Returns the objects in ``{"data": [...]}`` and the pagination object, or None."""
    data, pagination = parse_object_list(request, response)
    items = list(map(parse_keys, data))
    if faulty := [shown for item, shown in zip(items, data, strict=True) if item.get("id") is None]:
        raise ResponseError(
            f"{request}: expected a list of objects with ids in `data`, got {describe_id(faulty[0])}. {NOT_THE_API}"
        )
    return items, pagination


def parse_object_list(request: str, response: Response) -> PageContent:
    """Like ``parse_resource_list``, for objects without ids."""
    body = parse_envelope(request, response)
    data = body["data"]
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        found = "a list with entries that are not objects" if isinstance(data, list) else describe_type(data)
        raise ResponseError(f"{request}: expected a list of objects in `data`, got {found}. {NOT_THE_API}")
    return data, parse_pagination(body)


class ListAbandonedError(Exception):
    """The handler of the first page has decided not to read the others."""


def read_list(
    request: str,
    fetch_page: t.Callable[[int], Page],
    max_pages: int = 0,
    *,
    on_items: ItemsHandler | None = None,
    on_first_page: FirstPageHandler | None = None,
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
    for _attempt in range(MAX_ATTEMPTS):
        try:
            return _read_pages(fetch_page, max_pages, on_items, on_first_page)
        except ListChangedError as error:
            change = error
        except ListTooLongError as error:
            raise ResponseError(f"{request}: the list was not read to its end: {error}.") from None
    raise IncompleteListError(
        f"{request}: the list could not be read completely, {MAX_ATTEMPTS} times in a row: {change}. "
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
