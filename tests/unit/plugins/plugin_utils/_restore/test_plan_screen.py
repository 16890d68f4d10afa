# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the batches that the plan of the role restore shows. roles/test_restore_batches.py has more."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import text_width
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan_screen import (
    estimate_batches,
    find_batches,
    schedule_lines,
)
from support.restores import history, named, plan

READY = plan()
DONE = plan(history(OperationEvent.INTENDED, OperationEvent.COMPLETED))
NONE = plan(backups=[])


def each(*names, of=READY):
    return [named(of, name) for name in names]


def variables(*serial, allowed=0):
    return {"restore_serial": list(serial), "restore_max_failures": allowed}


def test_unrestorable_entries_are_in_no_batch_and_finished_ones_take_no_time():
    plans = [*each("a", "b"), *each("c", of=NONE), *each("d", "e", of=DONE)]
    batches = find_batches(plans, variables("50%"))
    assert [[one.name for one in batch] for batch in batches] == [["a", "b"], ["d", "e"]]
    assert estimate_batches(batches, 1) == estimate_batches(batches[:1], 1)


def test_nothing_is_shown_where_nothing_is_sent():
    assert schedule_lines(each("d", of=DONE), variables(1), 1) == []


def test_batches_of_one_size_are_one_line():
    plans = each(*(f"bot-{number}" for number in range(1, 41)))
    lines = schedule_lines(plans, variables(1, 3), 3)
    assert lines[:2] == [
        "Batch 1 of 14: bot-1 (canary)",
        "Batches 2 to 14 of 14, 3 each: 39 instances, bot-2 to bot-40",
    ]


def test_batches_show_the_ids_of_instances_of_one_name():
    plans = [replace(named(READY, "twin", one), id_reason="Its name is shared") for one in (3, 4)]
    assert schedule_lines(plans, variables(1), 1)[:2] == ["Batch 1 of 2: twin (id 3)", "Batch 2 of 2: twin (id 4)"]


@given(
    st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=60),
    st.lists(st.one_of(st.integers(1, 70), st.sampled_from(["10%", "100%"])), min_size=1, max_size=3),
    st.one_of(st.none(), st.integers(1, 400)),
)
def test_each_line_fits_into_the_screen(names, serial, list_pages):
    lines = schedule_lines(each(*names), variables(*serial, allowed=99), list_pages)
    assert all(text_width(line) <= 68 for line in lines), lines
