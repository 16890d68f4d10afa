# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of entries: their faults, what is protected, and the limits of a fleet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import (
    FLEET,
    RESTORES,
    ChangeLimits,
    FaultyListError,
    FleetEntry,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_plan import (
    explain_excess,
    find_excess,
    plan,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_job import Protection


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (
            {"name": "a", "state": "stoped"},
            "entry 1, a: unknown state stoped (known: started, stopped, restarted, absent)",
        ),
        ({"id": 7, "sate": "stopped"}, "entry 1, id 7: unknown key sate (known: id, name, state)"),
        ({"id": 7, "name": "a", "tier": "x"}, "entry 1, a: unknown key tier (known: id, name, state)"),
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


# Which instances a list of names and ids protects


def parse(listed: list[object], variable: str) -> Protection:
    return Protection.parse({"CLAWHOSTERS_PROTECTED": variable.split(","), "protected": listed})


CAFE = {"id": 7, "name": "caf\u00e9-bot"}


@pytest.mark.parametrize(
    ("listed", "variable"),
    [
        ([" cafe\u0301-bot\n"], ""),
        (["caf\u00e9\u200b-bot"], ""),
        ([7], ""),
        ([], "other, 7 ,"),
        ([], "caf\u00e9-bot"),
    ],
)
def test_an_entry_protects_by_name_or_id_in_any_spelling(listed, variable):
    assert parse(listed, variable).find_fault(CAFE, "absent")


@pytest.mark.parametrize("name", ["17", " 17 ", "1\x1b7"])
def test_a_name_that_looks_like_an_id_protects_both(name):
    protection = Protection.parse({"protected": [name]})
    assert bool(protection.find_fault({"id": 1, "name": name.replace("\x1b", "\ufffd")}, "absent"))
    assert bool(protection.find_fault({"id": 17, "name": "x"}, "absent")) is ("\x1b" not in name)


@pytest.mark.parametrize("listed", [["caf\u00e9"], ["CAF\u00c9-BOT"], ["70"], [" "]])
def test_what_fits_no_instance_protects_none(listed):
    assert parse(listed, ",, ,").find_fault(CAFE, "absent") == ""
    assert parse(listed, "").find_fault({"id": 70.5, "name": None}, "absent") == ""


def test_a_refusal_names_its_source_and_the_option_first():
    assert parse(["7"], "7").find_fault(CAFE, "absent") == (
        "caf\u00e9-bot (id 7) is listed in protected and must not be deleted"
    )
    assert "in CLAWHOSTERS_PROTECTED" in parse(["8"], "7").find_fault(CAFE, "absent")


# Limits of a fleet

LISTING = [
    {"id": number, "name": f"bot-{number}", "status": status}
    for number, status in enumerate(("running", "stopped", "stopped", "deploying", "running"), 1)
]
ENTRIES = [
    FleetEntry(1, 1, None, "absent"),
    FleetEntry(2, None, "bot-2", "started"),
    FleetEntry(3, 3, None, "started"),
    FleetEntry(4, 4, None, "stopped"),
    FleetEntry(5, 5, None, "started"),
    FleetEntry(6, None, "nobody", "started"),
]


@pytest.mark.parametrize(
    ("limits", "excess"),
    [
        (ChangeLimits(4, 1), ""),
        (
            ChangeLimits(3, 1),
            "4 instances would change, more than max_changes (3) allows: 2 to start, 1 to stop, 1 to delete.",
        ),
        (
            ChangeLimits(None, 0),
            (
                "1 instance would be deleted, more than max_deletions (0) allows: bot-1 (id 1). "
                "Its backups may be deleted too."
            ),
        ),
    ],
)
def test_limits_count_what_would_change(limits, excess):
    found = find_excess(plan(ENTRIES, LISTING), limits)
    assert " ".join(explain_excess(**one) for one in found) == excess


def test_a_negative_limit_is_refused():
    with pytest.raises(SettingsError, match=r"max_deletions is -1, but must be 0 or more\. Nothing was sent\."):
        ChangeLimits(None, -1)
