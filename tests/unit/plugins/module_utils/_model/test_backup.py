# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times in any form, which backups are fit for a restore, and which is the newest (contract 7)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.backup import (
    GOOD_STATUSES,
    format_left_out,
    is_before,
    is_usable,
    newest_first,
    taken_at,
)

TEN = datetime(2026, 2, 1, 10, tzinfo=UTC)


def backup(number: int, hour: int | None = None, instance: int | None = 7, **more: object) -> dict:
    """A backup taken at that hour of 1 February 2026, or at an unknown time."""
    time = "once" if hour is None else f"2026-02-01T{hour:02}:00:00Z"
    return {"id": number, "created_at": time, **({} if instance is None else {"instance_id": instance}), **more}


def test_the_first_field_that_is_there_counts():
    assert taken_at({"completed_at": "2026-02-01T10:00:00Z", "timestamp": "x"}) == TEN
    assert taken_at({"created_at": None, "completed_at": "", "taken_at": "2026-02-01T10:00:00Z"}) == TEN
    assert taken_at({"created_at": "x", "completed_at": "2026-02-01T10:00:00Z"}) is None
    assert taken_at({}) is None


@pytest.mark.parametrize("status", [*sorted(GOOD_STATUSES), "Completed", " READY ", None, ""])
def test_a_good_status_or_none_is_fit_for_a_restore(status):
    assert is_usable(backup(1, 10, status=status))
    assert not is_usable(backup(1, None, status=status))


def test_before_is_before_and_not_at():
    assert is_before(backup(1, 9), TEN)
    assert not is_before(backup(1, 10), TEN)
    assert not is_before(backup(1, None), TEN)
    assert is_before(backup(1, None), None)


@given(st.permutations([backup(1, 3), backup(2, 9), backup(10, 9), backup(9, 9), backup(3, None), backup("x", None)]))
def test_the_newest_comes_first_whatever_the_order(backups):
    assert [item["id"] for item in newest_first(backups)] == [10, 9, 2, 1, "x", 3]


def test_what_is_left_out_is_one_line_however_many():
    assert format_left_out([]) == ""
    many = format_left_out([backup(number, 1, status="bro\nken") for number in range(9)])
    assert many == "9 backups left out: ids 0, 1, 2, 3, 4, 5, 6, 7, 8 (each: its status is bro ken)."
    named = [{**backup(number, 1, status="broken"), "instance_name": f"bot-{number}"} for number in range(9)]
    assert format_left_out(named, with_owner=True).endswith(" and 4 more (each: its status is broken).")
