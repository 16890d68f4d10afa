# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading of lists: whether the pages after the first are worth reading."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import (
    ListAbandonedError,
    read_list,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.pagination import Page


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
