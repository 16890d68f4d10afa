# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parallel calls: ordered results, and cancellation."""

from __future__ import annotations

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._concurrency import map_ordered, run_parallel
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Cancelled, raise_if_cancelled, sleep


@given(st.lists(st.integers(), max_size=30), st.integers(1, 8))
def test_results_come_in_the_order_of_what_was_given(given_numbers, max_workers):
    assert list(map_ordered(lambda number: -number, given_numbers, max_workers)) == [
        -number for number in given_numbers
    ]


def test_what_a_call_raises_comes_in_its_turn_and_no_more_are_begun():
    begun = []

    def call(number: int) -> int:
        begun.append(number)
        if number == 1:
            raise ValueError(number)
        return number

    results = map_ordered(call, range(100), max_workers=2)
    assert next(results) == 0
    with pytest.raises(ValueError, match="1"):
        next(results)
    assert len(begun) < 10


def check_after_sleep() -> None:
    with contextlib.suppress(Cancelled):
        sleep(600)
    raise_if_cancelled()


@pytest.mark.parametrize("wait", [lambda: sleep(600), check_after_sleep])
def test_who_stops_early_does_not_wait_for_those_that_sleep(wait):
    """Otherwise they would send their changes after the task has failed."""
    went_on = []

    def call(number: int) -> int:
        if number:
            wait()
            went_on.append(number)
        return number

    for _first in map_ordered(call, range(16)):
        break
    assert went_on == []


def test_calls_within_a_call_are_not_waited_for_either():
    went_on = []

    def call(number: int) -> None:
        sleep(600)
        went_on.append(number)

    def fail() -> None:
        under_way.wait(10)
        raise ValueError("first")

    def call_many() -> None:
        under_way.set()
        list(map_ordered(call, range(4)))

    under_way = threading.Event()
    with pytest.raises(ValueError, match="first"):
        run_parallel(fail, call_many)
    assert went_on == []
    assert run_parallel(lambda: 1, lambda: "2") == (1, "2")
