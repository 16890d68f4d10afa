# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of a list of entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import (
    FLEET,
    RESTORES,
    FaultyListError,
    RestoreEntry,
    find_duplicates,
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
        FLEET.require_valid({"instances": [entry]})
    assert caught.value.result == {"report": [fault]}
    assert str(caught.value) == f"The list of instances has a fault, and nothing was changed: {fault}"


def test_all_faults_are_told_at_once():
    entries = [{"name": "a"}, {"nam": "b", "state": "on"}, {"id": 1}, {"name": "a"}, {"id": "1", "state": "stopped"}]
    with pytest.raises(FaultyListError, match="has 5 faults") as caught:
        FLEET.require_valid({"instances": entries})
    assert caught.value.result["report"][-2:] == [
        "entry 4, a: it is listed already, in entry 1",
        "entry 5, id 1: it is listed already, in entry 3",
    ]


@pytest.mark.parametrize(
    "entries", [None, [], "name=a", [1, "name=a"], [{"id": "1", "name": "a"}, {"name": "a", "state": None}, {"id": 2}]]
)
def test_other_entries_are_left_to_validation_and_the_instance_list(entries):
    FLEET.require_valid({"instances": entries})


@given(st.lists(st.dictionaries(st.text(max_size=3) | st.sampled_from(["id", "name", "state"]), st.none() | st.text())))
def test_any_entry_is_explained_on_one_line(entries):
    report: list[str] = []
    try:
        FLEET.require_valid({"instances": entries})
    except FaultyListError as error:
        report = [str(error), *error.result["report"]]
    assert all(line.isprintable() for line in report)


def test_entries_of_restores_have_own_keys_and_may_repeat_until_found():
    with pytest.raises(FaultyListError) as caught:
        RESTORES.require_valid({"instances": [{"id": 1, "state": "started"}, {"id": 1, "backup_id": "new"}]})
    assert caught.value.result["report"] == [
        "entry 1, id 1: unknown key state (known: id, name, backup_id)",
        "entry 2, id 1: backup_id must be a number, not new",
    ]
    RESTORES.require_valid({"instances": [{"id": 1}, {"id": 1, "backup_id": 7}]})


def test_the_second_entry_of_an_instance_is_found():
    entries = [RestoreEntry(1, 7, None), RestoreEntry(2, None, "nobody"), RestoreEntry(3, None, "a")]
    found = [{"id": 7, "name": "a"}, None, {"id": 7, "name": "a"}]
    assert list(find_duplicates(entries, found)) == [(2, "a (id 7) is listed already, in entry 1")]
