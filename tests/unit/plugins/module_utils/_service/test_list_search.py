# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searches in lists: what is missing in the answer to a query is sought in the whole list."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.list_search import Search, search
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.account_reader import search_each

NAMES = ("web", "web-2", "shop")
lists = st.lists(st.sampled_from(NAMES), max_size=5).map(
    lambda names: [{"id": number, "name": name} for number, name in enumerate(names)]
)


@dataclass
class AnyService:
    """Answers each query with some items of its list, or rejects it."""

    items: list[dict[str, t.Any]]
    choose: t.Callable[[dict[str, t.Any]], bool]
    calls: list[str] = field(default_factory=list)
    settings: t.Any = field(default_factory=lambda: SimpleNamespace(server_filters=True, page_size=None))
    unfiltered: set[str] = field(default_factory=set)

    def get(self, _path: str, params: dict[str, str], *, parse: t.Callable[..., t.Any], **_options: object) -> t.Any:
        if "name" in params:
            self.calls.append(params["name"])
            return parse("GET /x", answer(list(filter(self.choose, self.items))))
        number = int(params.get("page", 1))
        if number >= len(self.items):
            self.calls.append("all")
        return parse("GET /x", answer(self.items[number - 1 : number], total_pages=max(len(self.items), 1)))

    def end_of_wait(self, time_left: float | None) -> float | None:
        return time_left


def answer(items: list[dict[str, t.Any]], **pagination: int) -> Response:
    body = {"data": items} | ({"pagination": pagination} if pagination else {})
    return Response(200, {}, json.dumps(body))


def by_name(name: str) -> Search:
    return Search({"name": name}, lambda items: [item for item in items if item["name"] == name])


@given(lists, st.sets(st.integers(0, 4)), st.sampled_from(NAMES))
def test_nothing_is_missing_unless_the_whole_list_lacks_it(
    items: list[dict[str, t.Any]], answered: set[int], name: str
) -> None:
    service = AnyService(items, lambda item: item["id"] in answered)
    found = search(t.cast(Client, service), "/x", by_name(name)).found
    assert bool(found) is any(item["name"] == name for item in items)
    is_answered = any(item["name"] == name and item["id"] in answered for item in items)
    assert service.calls == ([name] if is_answered else [name, "all"])


@given(lists, st.sets(st.integers(0, 4)), st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
def test_several_searches_share_one_reading_of_the_whole_list(
    items: list[dict[str, t.Any]], answered: set[int], names: list[str]
) -> None:
    service = AnyService(items, lambda item: item["id"] in answered)
    reading = search_each(t.cast(Client, service), "/x", list(map(by_name, names)))
    for name in names:
        assert any(item["name"] == name for item in reading.items) is any(item["name"] == name for item in items)
    assert service.calls.count("all") <= 1
    assert reading.is_whole_list is (service.calls.count("all") == 1)


def test_an_item_that_is_not_wanted_is_no_answer() -> None:
    service = AnyService([{"id": 1, "name": "web"}, {"id": 2, "name": "web"}], lambda item: item["id"] == 1)
    newer = by_name("web")._replace(is_wanted=lambda item: item["id"] > 1)
    assert len(search(t.cast(Client, service), "/x", newer).found) == 2
    assert service.calls == ["web", "all"]
