# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of lists: which responses may be used without reading the whole list."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.list_reader import (
    ListAbandonedError,
    ListFilter,
    read_list,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.pagination import Page

WEB, OTHER_CASE, LONGER, OTHER, UNNAMED = "web", "Web", "web-2", "shop", None


@pytest.mark.parametrize(
    ("names", "is_answered"),
    [
        ([], False),
        ([WEB], True),
        ([WEB, WEB], True),
        ([LONGER, WEB], True),
        ([OTHER, WEB], True),
        ([LONGER], False),
        ([OTHER_CASE], False),
        ([OTHER], True),
        ([LONGER, OTHER], True),
        ([UNNAMED], True),
    ],
)
def test_a_response_is_used_if_something_matches_or_the_filter_was_ignored(names, is_answered):
    name_filter = ListFilter({"name": WEB}, lambda item: {"name": item["name"], "status": None})
    assert name_filter.is_answered_by({"name": name} for name in names) is is_answered


@pytest.mark.parametrize(
    ("items", "is_answered"),
    [
        ([(WEB, "llm")], True),
        ([(WEB, "backup"), (LONGER, "llm")], False),
        ([(OTHER, "backup")], True),
        ([(OTHER, "llm"), (WEB, "backup")], True),
        ([(OTHER, "llm")], False),
    ],
)
def test_of_several_parameters_all_must_match_or_each_was_ignored(items, is_answered):
    both = ListFilter({"name": WEB, "type": "llm"}, lambda item: dict(zip(("name", "type"), item, strict=True)))
    assert both.is_answered_by(items) is is_answered


def pages(*pages_of_ids: list[int]) -> t.Callable[[int], Page]:
    total = sum(map(len, pages_of_ids))
    counts = {"total_pages": len(pages_of_ids), "total_count": total}
    return lambda number: Page([{"id": one} for one in pages_of_ids[number - 1]], counts)


@pytest.mark.parametrize(("listed", "count"), [(([1, 2], [3, 4], [5]), 3), (([1],), 1)])
def test_the_first_page_decides_whether_the_others_are_read(listed: tuple[list[int], ...], count: int) -> None:
    seen: list[tuple[int, int]] = []

    def decide(answer: bool) -> t.Callable[[list[dict[str, t.Any]], int], bool]:
        return lambda items, number: seen.append((len(items), number)) or answer

    assert len(read_list("GET /x", pages(*listed), on_first_page=decide(True))) == sum(map(len, listed))
    with pytest.raises(ListAbandonedError):
        read_list("GET /x", pages(*listed), on_first_page=decide(False))
    assert seen == [(len(listed[0]), count)] * 2


def test_without_counts_the_first_page_decides_nothing() -> None:
    answers = [[{"id": 1}], [{"id": 2}], []]
    items = read_list(
        "GET /x", lambda number: Page(answers[number - 1], {}), on_first_page=lambda _items, _count: False
    )
    assert [item["id"] for item in items] == [1, 2]
