# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances that are never deleted, by one task, by a list, and by the playbook."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_instance
from simulator.handle import Simulator
from support.worker import result_of

VARIABLE = "CLAWHOSTERS_PROTECTED"


@pytest.fixture(autouse=True)
def four_instances(simulator: Simulator) -> None:
    """Four instances, one of which has a number for a name."""
    names = ["web-bot", "shop-bot", "7", "caf\u00e9-bot"]
    bots = [{"id": number, "name": name, "billing_mode": "daily"} for number, name in enumerate(names, start=6)]
    simulator.reset(state={"instances": bots})


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("target", [{"id": 6}, {"name": "web-bot"}, {"id": 6, "name": "web-bot"}], ids=str)
@pytest.mark.parametrize("entry", ["6", "web-bot", " web-bot "])
def test_a_protected_instance_stays(simulator: Simulator, target: dict[str, t.Any], entry: str, check: bool) -> None:
    result = result_of(claw_instance, simulator, check=check, **target, state="absent", protected=["nobody", entry])
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == (
        "web-bot (id 6) is listed in protected and must not be deleted. Nothing was sent. "
        "To delete it, remove it from that list first."
    )
    assert simulator.calls("DELETE *") == []


def test_others_are_deleted_and_protected_ones_stopped(simulator: Simulator) -> None:
    assert result_of(claw_instance, simulator, id=7, state="absent", protected=["web-bot", "17"])["changed"] is True
    assert result_of(claw_instance, simulator, id=6, state="stopped", protected=["web-bot"])["changed"] is True
    gone = result_of(claw_instance, simulator, name="nobody", state="absent", protected=["nobody"])
    assert (gone["failed"], gone["changed"]) == (False, False)
    assert simulator.effects() == {"deletes": 1, "stops": 1}


def test_a_list_names_protected_ones_and_changes_nothing(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "cafe\u0301-bot,nobody,")
    entries = [
        {"name": "web-bot", "state": "stopped"},
        {"id": 7, "state": "absent"},
        {"name": "7", "state": "absent"},
        {"id": 9, "state": "absent"},
    ]
    for check in (True, False):
        result = result_of(claw_fleet, simulator, check=check, instances=entries, protected=[" 7"])
        assert result["report"] == [
            "entry 2, id 7: shop-bot (id 7) is listed in protected and must not be deleted",
            "entry 3, 7: 7 (id 8) is listed in protected and must not be deleted",
            "entry 4, id 9: caf\u00e9-bot (id 9) is listed in CLAWHOSTERS_PROTECTED and must not be deleted",
        ]
        assert result["msg"].startswith("The list of instances has 3 faults, and nothing was changed: entry 2, id 7: ")
    assert simulator.effects() == {}
    result = result_of(claw_fleet, simulator, instances=entries[:2], protected=["web-bot"])
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 0}
