# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeks resources in a list: in a part of it that the service answers, or in the whole."""

from __future__ import annotations

import typing as t

from .._http.lists import fetch_all, fetch_filtered

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource


class Search(t.NamedTuple):
    """A search in a list: ``select`` returns what is sought from the items that were read.

    ``params``: a query that may shorten the list. ``is_wanted`` of what is found shows that it is enough.
    """

    params: t.Mapping[str, str]
    select: t.Callable[[list[Resource]], list[Resource]]
    is_wanted: t.Callable[[Resource], bool] = lambda _item: True

    def is_answered_by(self, items: list[Resource]) -> bool:
        """Returns True if what is sought is among the items."""
        return any(map(self.is_wanted, self.select(items)))


class SearchResult(t.NamedTuple):
    """The items that were found, and all that were read for it: the whole list, unless enough was found without."""

    found: list[Resource]
    items: list[Resource]


def search(client: Client, path: str, wanted: Search, time_left: float | None = None) -> SearchResult:
    """Seeks in what the service answers to the query, with ``server_filters``, and else in the whole list.

    What is not found in the answer is sought in the whole list: only that shows that it is missing.
    """
    items = fetch_filtered(client, path, wanted.params, time_left=time_left)
    if items is None or not wanted.is_answered_by(items):
        items = fetch_all(client, path, time_left=time_left)
    return SearchResult(wanted.select(items), items)
