# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_backup_info over HTTP: which backups, in which order, at what cost, and in every shape that they may have."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest
import requests

from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_info
from simulator.handle import Simulator
from support import KEY
from support.worker import result_of

WORLD = {
    "instances": [{"id": 7, "name": "web-bot"}, {"id": 8, "name": "shop-bot"}],
    "backups": [
        {"instance": "web-bot", "created_at": "2026-02-01T03:00:00Z"},
        {"instance": "shop-bot", "created_at": "2026-02-01T04:00:00Z"},
        {"instance": "web-bot", "created_at": "2026-02-02T03:00:00Z"},
        {"instance": "shop-bot", "created_at": "2026-02-02T04:00:00Z"},
        {"instance": "web-bot", "created_at": "2026-02-03T03:00:00Z", "status": "failed"},
    ],
}
OF_WEB = {"instance_name": "web-bot"}
LIST, INSTANCES = "GET /backups", "GET /instances"


@pytest.fixture(autouse=True)
def world(simulator: Simulator) -> None:
    """Two instances; the newest backup of web-bot failed."""
    simulator.reset(state=WORLD)


def read(simulator: Simulator, **options: t.Any) -> list[str]:
    """The ids that come, as text, in their order."""
    result = result_of(claw_backup_info, simulator, **options)
    assert result["failed"] is False, result
    return [str(backup["id"]) for backup in result["backups"]]


@pytest.mark.parametrize("options", [{"usable": True}, {"usable": True, "newest": True}], ids=str)
def test_a_backup_that_a_restore_passes_over_is_not_usable(simulator: Simulator, options: dict[str, t.Any]) -> None:
    """One that is dated in the future. A little ahead, the clocks differ."""
    for ahead, newest in ((6, "3"), (4, "5")):
        created_at = (datetime.now(UTC) + timedelta(minutes=ahead)).isoformat()
        simulator.set_backup(5, status="completed", created_at=created_at)
        result = result_of(claw_backup_info, simulator, **OF_WEB, **options)
        assert str(result["backups"][0]["id"]) == newest
        assert any("id 5 (it is dated in the future, " in text for text in result["warnings"]) is (newest == "3")


@pytest.mark.parametrize(
    ("options", "ids", "calls"),
    [
        ({}, "54321", [LIST]),
        ({"id": 3}, "3", ["GET /backups/3"]),
        ({"id": 99}, "", ["GET /backups/99"]),
        ({"id": 3, "instance_id": 8}, "", ["GET /backups/3"]),
        ({"instance_id": 7}, "531", [LIST]),
        (OF_WEB, "531", [LIST]),
        ({"instance_name": "nobody"}, "", [LIST]),
        ({**OF_WEB, "usable": True}, "31", [LIST]),
        ({**OF_WEB, "newest": True}, "5", [LIST]),
        ({"newest": True}, "54", [LIST]),
        ({"newest": True, "usable": True}, "43", [LIST]),
        ({"before": "2026-02-02T03:00:00Z"}, "21", [LIST]),
        ({"before": "2026-02-02T05:00:00+01:00", "newest": True}, "32", [LIST]),
        ({**OF_WEB, "before": "2026-02-02T00:00Z", "usable": True, "newest": True}, "1", [LIST]),
    ],
)
def test_what_is_read(simulator: Simulator, options: dict[str, t.Any], ids: str, calls: list[str]) -> None:
    for check in (True, False):
        simulator.clear_log()
        assert read(simulator, check=check, **options) == list(ids)
        assert simulator.calls() == calls


SHAPES: dict[str, dict[str, t.Any]] = {
    "as guessed": {},
    "ids as text": {"id_as_string": True},
    "nested instance": {
        "rename_fields": {"backup.instance_id": "instance.id", "backup.instance_name": "instance.name"}
    },
    "instance by id": {"drop_fields": ["backup.instance_name"]},
    "instance by name": {"drop_fields": ["backup.instance_id"]},
    "nested id": {"rename_fields": {"backup.instance_id": "instance.id"}, "drop_fields": ["instance_name"]},
    "taken_at": {"rename_fields": {"backup.created_at": "taken_at"}},
    "no status": {"drop_fields": ["backup.status"]},
    "more fields": {"add_fields": {"backup.region": "moon"}},
    "not in pages": {"pagination": "none"},
    "reversed": {"list_order": "reversed"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_object(simulator: Simulator, shape: str) -> None:
    simulator.switch(**SHAPES[shape])
    usable = ["5", "3", "1"] if shape == "no status" else ["3", "1"]
    # The instances are listed in shapes that do not show what was asked for.
    for options, listed in (({"instance_id": 7}, ["instance by name"]), (OF_WEB, ["instance by id", "nested id"])):
        simulator.clear_log()
        assert read(simulator, **options, usable=True) == usable
        assert simulator.calls() == [LIST] + [INSTANCES] * (shape in listed)
    assert read(simulator, newest=True, usable=True)[-1] == ("4" if shape == "no status" else "3")


def test_nothing_is_guessed_where_backups_do_not_show_whose_they_are(simulator: Simulator) -> None:
    simulator.switch(drop_fields=["backup.instance_id", "backup.instance_name"])
    for options in ({"instance_id": 7}, OF_WEB, {"newest": True}):
        result = result_of(claw_backup_info, simulator, **options)
        assert "does not show the instance of this backup (id" in result["msg"]
    assert read(simulator) == list("54321")


def test_twins_are_not_mixed_up(simulator: Simulator) -> None:
    simulator.set_instance(8, name="web-bot")
    simulator.control("PATCH", "/backups/2", {"instance_name": "web-bot"})
    simulator.control("PATCH", "/backups/4", {"instance_name": "web-bot"})
    assert read(simulator, **OF_WEB) == list("54321")
    assert read(simulator, **OF_WEB, newest=True) == list("54")
    assert read(simulator, **OF_WEB, instance_id=8) == list("42")
    simulator.switch(drop_fields=["backup.instance_id"])
    for options in ({"instance_id": 7}, {"newest": True}, {**OF_WEB, "newest": True}):
        result = result_of(claw_backup_info, simulator, **options)
        assert result["failed"] is True
        assert "2 instances are named web-bot (ids 7, 8)" in result["msg"]
    assert read(simulator) == list("54321")


def test_backups_that_outlived_their_instance(simulator: Simulator) -> None:
    simulator.switch(backups_after_delete="kept")
    requests.delete(f"{simulator.url}/instances/7", headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
    assert read(simulator, instance_id=7) == list("531")
    simulator.switch(drop_fields=["backup.instance_id"])
    assert read(simulator, **OF_WEB) == list("531")
    message = result_of(claw_backup_info, simulator, instance_id=7)["msg"]
    assert "There is no instance with id 7" in message
    assert "use instance_name" in message


def test_what_is_left_out_is_said(simulator: Simulator) -> None:
    result = result_of(claw_backup_info, simulator, usable=True)
    assert result["warnings"] == ["1 backup left out: id 5 of web-bot (id 7) (its status is failed)."]
    # Who names the instance needs no name of it.
    result = result_of(claw_backup_info, simulator, **OF_WEB, usable=True)
    assert result["warnings"] == ["1 backup left out: id 5 (its status is failed)."]


def test_wrong_options_are_refused_before_anything_is_sent(simulator: Simulator) -> None:
    for options, words in (
        ({"before": "yesterday"}, "before is 'yesterday', but must be a time in ISO 8601"),
        ({"before": ""}, "before is '', but must be a time in ISO 8601"),
        ({"instance_name": ""}, "instance_name is empty"),
    ):
        assert words in result_of(claw_backup_info, simulator, **options)["msg"]
    assert simulator.calls() == []
