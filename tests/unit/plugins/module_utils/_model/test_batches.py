# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches: sizes as a play's ``serial`` has them (interface 3)."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.batches import (
    BatchSize,
    parse_serial,
    split_batches,
)

SIZES = st.lists(st.builds(BatchSize, st.integers(1, 300), st.booleans()), min_size=1, max_size=5)
ITEMS = st.lists(st.integers(), max_size=120)


@pytest.mark.parametrize(
    ("serial", "total", "lengths"),
    [
        ([1, 5, "100%"], 40, [1, 5, 34]),
        ([1, 5, "100%"], 4, [1, 3]),
        (["30%"], 10, [3, 3, 3, 1]),
        (["10%"], 3, [1, 1, 1]),
        (["67%"], 3, [2, 1]),
        (" 2 ", 5, [2, 2, 1]),
        (7, 4, [4]),
        ([1], 0, []),
    ],
)
def test_batches_of_a_serial(serial: t.Any, total: int, lengths: list[int]) -> None:
    assert [len(batch) for batch in split_batches(range(total), parse_serial("serial", serial))] == lengths


@pytest.mark.parametrize(
    "value", [0, -1, "0", "0%", "-5%", "", "%", "5%%", "1.5", 1.5, True, None, "all", [1], {}, "٣", "9" * 5000]
)
def test_any_other_size_is_refused(value: t.Any) -> None:
    with pytest.raises(SettingsError, match=r"^restore_serial has the batch size '.*must be a number from 1") as error:
        parse_serial("restore_serial", [1, value])
    assert str(error.value).endswith("Nothing was sent.")


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(SettingsError, match="serial is empty"):
        parse_serial("serial", [])


@given(ITEMS, SIZES)
def test_batches_hold_each_item_once_in_order(items: list[int], sizes: list[BatchSize]) -> None:
    batches = split_batches(items, sizes)
    assert [item for batch in batches for item in batch] == items
    assert all(batches)
