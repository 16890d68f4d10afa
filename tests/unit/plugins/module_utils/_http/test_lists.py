# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any sequence of pages gives the complete list or an error (contract 4.4)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import (
    ListChangedError,
    Paginator,
    parse_pagination,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.resource import id_sort_key

HUGE = 10**12


def collect(pages: list[tuple[list[dict], dict | None]]) -> tuple[list[dict], int]:
    """Returns the items of all pages, and the number of pages requested."""
    collector = Paginator()
    asked = 0
    while not collector.is_complete:
        items, pagination = pages[collector.count]
        asked += 1
        collector.add(items, pagination)
    return collector.items, asked


def split(ids: list[int], size: int) -> list[tuple[list[dict], dict | None]]:
    chunks = [ids[start : start + size] for start in range(0, len(ids), size)] or [[]]
    return [
        (
            [{"id": number} for number in chunk],
            {"current_page": page, "total_pages": len(chunks), "total_count": len(ids), "per_page": size},
        )
        for page, chunk in enumerate(chunks, start=1)
    ]


@given(count=st.integers(0, 120), size=st.integers(1, 40), seed=st.randoms())
def test_every_split_and_order_gives_the_whole_list_at_one_request_a_page(count, size, seed):
    ids = list(range(1, count + 1))
    seed.shuffle(ids)
    pages = split(ids, size)
    items, asked = collect(pages)
    assert [item["id"] for item in items] == ids
    assert asked == len(pages)


def with_counts(total_pages: object, total_count: object, *pages: list[dict]) -> list[tuple[list[dict], dict | None]]:
    return [(page, {"total_pages": total_pages, "total_count": total_count}) for page in pages]


def of(name: str, *values: int) -> list[dict]:
    """Returns an entry for each value, with that field alone."""
    return [{name: value} for value in values]


@pytest.mark.parametrize(
    ("pages", "shown", "asked"),
    [
        pytest.param([(of("id", 1, 2), None)], of("id", 1, 2), 1, id="no pagination"),
        pytest.param([([*of("id", 1, 2), {"id": "1"}], None)], of("id", 1, 2), 1, id="an id twice in one answer"),
        pytest.param(with_counts(3, 60, of("id", *range(60))), of("id", *range(60)), 1, id="all on one page"),
        pytest.param([(of("id", 1), {}), (of("id", 2), {}), ([], {})], of("id", 1, 2), 3, id="up to an empty page"),
        pytest.param(with_counts("2", "2", of("id", 1), of("id", 2)), of("id", 1, 2), 2, id="counts as text"),
        pytest.param(
            with_counts(3, 5, of("amount", 5, 5), of("amount", 1, 1), of("amount", 2)),
            of("amount", 5, 5, 1, 1, 2),
            3,
            id="entries without an id",
        ),
    ],
)
def test_what_pages_are_read_as_a_whole_list(pages, shown, asked):
    assert collect(pages) == (shown, asked)


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([(of("id", 1), {"current_page": 1, "total_pages": 3})] * 3, "page 2 was requested, but page 1 was returned"),
        (with_counts(2, 4, of("id", 1, 2), of("id", 2, 1)), "id 1 appears twice"),
        (with_counts(3, 6, of("id", 1, 2), of("id", 3)), "page 2 has 1 entries, the first one 2"),
        (with_counts(2, 4, of("id", 1, 2), of("id", 3)), "total_count is 4, but 3 entries were returned"),
        (with_counts(HUGE, 3, of("id", 1, 2), of("id", 3, 4)), "total_count is 3, but 4 entries were returned"),
        (with_counts(2, 2, [{"amount": 5, "day": 1}], [{"day": 1, "amount": 5}]), "appears twice"),
    ],
)
def test_pages_that_do_not_fit_each_other_are_refused(pages, words):
    with pytest.raises(ListChangedError, match=words):
        collect(pages)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": []}, None),
        ({"data": [], "pagination": {"total_pages": 2}}, {"total_pages": 2}),
        ({"data": [], "meta": {"pagination": {"total_count": 2}}}, {"total_count": 2}),
        ({"data": [], "meta": {"total_pages": 2}}, {"total_pages": 2}),
        ({"data": [], "meta": {"version": 1}}, None),
        # An empty pagination object still shows that there are pages.
        ({"data": [], "pagination": {}}, {}),
    ],
)
def test_where_pagination_may_stand(body, expected):
    assert parse_pagination(body) == expected


def test_ids_sort_as_numbers_and_other_ids_behind_them():
    largest, beyond = 2**63 - 1, "1" + 19 * "0"
    items = [{"id": "b"}, {"id": beyond}, {"id": largest}, {"id": 10}, {"id": "9"}, {"id": "a"}]
    assert [item["id"] for item in sorted(items, key=id_sort_key)] == ["9", 10, largest, beyond, "a", "b"]


@given(count=st.integers(0, 60), size=st.integers(1, 20), limit=st.integers(0, 5))
def test_the_pages_to_expect_are_those_that_are_asked_for_one_by_one(count, size, limit):
    pages = split(list(range(count)), size)
    collector = Paginator(limit)
    collector.add(*pages[0])
    expected = collector.last_page
    while not collector.is_complete:
        collector.add(*pages[collector.count])
    assert expected == collector.count == min(limit or len(pages), len(pages))


@given(
    count=st.integers(1, 30),
    size=st.integers(1, 10),
    changes=st.lists(st.integers(-3, 3), min_size=30, max_size=30),
    chance=st.randoms(use_true_random=False),
)
def test_a_list_that_grows_and_shrinks_is_whole_or_an_error_at_every_length(count, size, changes, chance):
    ids = list(range(count))
    fresh = iter(range(1000, 2000))
    collector = Paginator()
    lengths = set()
    try:
        for change in changes:
            if collector.is_complete:
                break
            lengths.add(len(ids))
            pages = split(ids, size)
            collector.add(*pages[collector.count] if collector.count < len(pages) else ([], pages[-1][1]))
            for _one in range(abs(change)):
                if change > 0:
                    ids.insert(chance.randint(0, len(ids)), next(fresh))
                elif ids:
                    ids.remove(chance.choice(ids))
    except ListChangedError:
        return
    assert collector.is_complete
    # total_count was the same on every page, so that no entry is missing.
    assert len(lengths) == 1
    assert len({item["id"] for item in collector.items}) == len(collector.items) == lengths.pop()


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 200), st.floats(), st.text(max_size=5), st.just("9" * 30)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(
    pagination=st.none()
    | st.dictionaries(st.sampled_from(["current_page", "total_pages", "total_count", "per_page", "x"]), json_values),
    page=st.lists(st.fixed_dictionaries({"id": json_values}, optional={"name": json_values}), max_size=5),
)
@example(pagination={"total_pages": 1e16}, page=[{"id": 1}])
def test_a_service_that_always_sends_the_same_response_is_given_up(pagination, page):
    collector = Paginator()
    try:
        for _turn in range(5):
            if not collector.is_complete:
                collector.add(page, pagination)
    except ListChangedError:
        return
    assert collector.is_complete


@pytest.mark.parametrize(("max_pages", "total_count"), [(0, 4), (2, None)])
def test_a_list_ends_at_its_count_or_after_the_pages_that_are_wanted(max_pages, total_count):
    collector = Paginator(max_pages)
    for page in with_counts(HUGE, total_count, of("id", 1, 2), of("id", 3, 4)):
        assert not collector.is_complete
        collector.add(*page)
        assert collector.last_page == 2
    assert collector.is_complete
