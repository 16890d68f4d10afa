# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which instances a list of names and ids protects."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_job import Protection


def parse(listed: list[object], variable: str) -> Protection:
    return Protection.parse({"CLAWHOSTERS_PROTECTED": variable.split(","), "protected": listed})


CAFE = {"id": 7, "name": "caf\u00e9-bot"}


@pytest.mark.parametrize(
    ("listed", "variable"),
    [
        (["caf\u00e9-bot"], ""),
        (["cafe\u0301-bot"], ""),
        ([" caf\u00e9-bot\n"], ""),
        (["caf\u00e9\u200b-bot"], ""),
        (["7"], ""),
        ([7], ""),
        ([], "other, 7 ,"),
        ([], "caf\u00e9-bot"),
        (["other"], "7"),
    ],
)
def test_an_entry_protects_by_name_or_id_in_any_spelling(listed, variable):
    assert parse(listed, variable).find_fault(CAFE, "absent")


@pytest.mark.parametrize("name", ["17", " 17 ", "1\x1b7"])
def test_a_name_that_looks_like_an_id_protects_both(name):
    protection = Protection.parse({"protected": [name]})
    assert bool(protection.find_fault({"id": 1, "name": name.replace("\x1b", "\ufffd")}, "absent"))
    assert bool(protection.find_fault({"id": 17, "name": "x"}, "absent")) is ("\x1b" not in name)


@pytest.mark.parametrize("listed", [["caf\u00e9"], ["CAF\u00c9-BOT"], ["70"], [""], [" "], []])
def test_what_fits_no_instance_protects_none(listed):
    assert parse(listed, ",, ,").find_fault(CAFE, "absent") == ""
    assert parse(listed, "").find_fault({"id": 70.5, "name": None}, "absent") == ""


@pytest.mark.parametrize("wanted", ["started", "stopped", "restarted"])
def test_only_deletions_are_refused(wanted):
    assert Protection.parse({"protected": ["7"]}).find_fault(CAFE, wanted) == ""


def test_a_refusal_names_its_source_and_the_option_first():
    assert parse(["7"], "7").find_fault(CAFE, "absent") == (
        "caf\u00e9-bot (id 7) is listed in protected and must not be deleted"
    )
    assert "in CLAWHOSTERS_PROTECTED" in parse(["8"], "7").find_fault(CAFE, "absent")
