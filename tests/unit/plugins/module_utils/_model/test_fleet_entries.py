# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of a list of entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import (
    FaultyListError,
    require_valid_entries,
)


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"name": "a", "state": "stoped"}, "entry 1, a: unknown state stoped; did you mean stopped?"),
        (
            {"name": "a", "state": "present"},
            "entry 1, a: unknown state present (known: started, stopped, restarted, absent)",
        ),
        ({"id": 7, "sate": "stopped"}, "entry 1, id 7: unknown key sate; did you mean state?"),
        ({"id": 7, "name": "a", "tier": "x"}, "entry 1, a: unknown key tier (known: id, name, state)"),
        ({"state": "stopped"}, "entry 1: it has neither id nor name"),
        ({"name": None}, "entry 1: it has neither id nor name"),
        ({"name": " "}, "entry 1: name is empty"),
        ({"id": "seven"}, "entry 1, id seven: id must be a number, not seven"),
    ],
)
def test_a_fault_names_its_entry(entry, fault):
    with pytest.raises(FaultyListError) as caught:
        require_valid_entries([entry])
    assert caught.value.result == {"report": [fault]}
    assert str(caught.value) == f"The list of instances has a fault, and nothing was changed: {fault}"


def test_all_faults_are_told_at_once():
    entries = [{"name": "a"}, {"nam": "b", "state": "on"}, {"id": 1}, {"name": "a"}, {"id": "1", "state": "stopped"}]
    with pytest.raises(FaultyListError, match="has 5 faults") as caught:
        require_valid_entries(entries)
    assert caught.value.result["report"][-2:] == [
        "entry 4, a: it is declared already, in entry 1",
        "entry 5, id 1: it is declared already, in entry 3",
    ]


@pytest.mark.parametrize(
    "entries", [None, [], "name=a", [1, "name=a"], [{"id": "1", "name": "a"}, {"name": "a", "state": None}, {"id": 2}]]
)
def test_other_entries_are_left_to_the_validation_and_to_the_list_of_instances(entries):
    require_valid_entries(entries)


@given(st.lists(st.dictionaries(st.text(max_size=3) | st.sampled_from(["id", "name", "state"]), st.none() | st.text())))
def test_any_entry_is_explained_on_one_line(entries):
    report: list[str] = []
    try:
        require_valid_entries(entries)
    except FaultyListError as error:
        report = [str(error), *error.result["report"]]
    assert all(line.isprintable() for line in report)
