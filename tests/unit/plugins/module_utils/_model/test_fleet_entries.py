# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of entries: their faults, what is protected, and the limits of a fleet."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import (
    ChangeLimits,
    FaultyListError,
    FleetEntry,
    gather_entries,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_plan import (
    explain_excess,
    find_excess,
    plan,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_job import Protection


def test_all_entries_that_name_no_instance_are_told_at_once():
    params = {"instances": [{"id": 7, "name": " "}, {"id": None, "name": None}], "ids": [1], "names": ["", "a"]}
    with pytest.raises(FaultyListError, match="has 3 faults, and nothing was changed") as caught:
        gather_entries(params, "state")
    assert caught.value.result == {
        "report": ["entry 1, id 7: name is empty", "entry 2: it has neither id nor name", "entry 4: name is empty"]
    }


def test_an_entry_that_is_listed_twice_is_a_fault_also_if_it_does_not_exist():
    entries = [FleetEntry(1, None, "nobody", "absent"), FleetEntry(2, 2, None, "absent")]
    with pytest.raises(FaultyListError) as caught:
        plan([*entries, FleetEntry(3, None, "nobody", "started"), FleetEntry(4, None, "bot-2", "absent")], LISTING)
    assert caught.value.result["report"] == [
        "entry 3, nobody: it is listed already, in entry 1",
        "entry 4, bot-2: bot-2 (id 2) is listed already, in entry 2",
    ]


def parse(listed: list[object], variable: str) -> Protection:
    return Protection.parse({"CLAWHOSTERS_PROTECTED": variable.split(","), "protected": listed})


CAFE = {"id": 7, "name": "caf\u00e9-bot"}


@pytest.mark.parametrize(
    ("listed", "variable"),
    [([" cafe\u0301-bot\n"], ""), (["caf\u00e9\u200b-bot"], ""), ([7], ""), ([], "other, 7 ,"), ([], "caf\u00e9-bot")],
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
    told = parse(["7"], "7").find_fault(CAFE, "absent")
    assert told == "caf\u00e9-bot (id 7) is listed in protected and must not be deleted"
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


def explain(*limits):
    return [explain_excess(**one) for one in find_excess(plan(ENTRIES, LISTING), ChangeLimits(*limits))]


def test_limits_count_what_would_change():
    assert explain(4, 1) == []
    assert explain(3, 1) == [
        "4 instances would change, more than max_changes (3) allows: 2 to start, 1 to stop, 1 to delete."
    ]
    told = "1 instance would be deleted, more than max_deletions (0) allows: bot-1 (id 1). Its backups may be deleted"
    assert explain(None, 0) == [f"{told} too."]


def test_a_negative_limit_is_refused():
    with pytest.raises(SettingsError, match=r"max_deletions is -1, but must be 0 or more\. Nothing was sent\."):
        ChangeLimits(None, -1)
