# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook restore_unhealthy restores an instance only if each of its limits allows it."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.action.internal_restore_unhealthy import find_reason, parse_variables
from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import RestoreHistory
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import format_iso
from support.restores import SERVICE

NOW = datetime(2026, 2, 10, 0, 5, tzinfo=UTC)
NOT_LISTED = "The instance is not in restore_unhealthy_names."


def bot(number: int, name: str, health: str = "unhealthy", status: str = "running") -> dict[str, t.Any]:
    return {"id": number, "name": name, "status": status, "health_status": health}


FLEET = [bot(7, "web-bot"), bot(8, "shop-bot", "healthy"), bot(9, "news-bot", "healthy")]


def reason(
    instance_id: object = 7,
    fleet: t.Sequence[dict[str, t.Any]] = tuple(FLEET),
    minutes_ago: float | None = None,
    **given: t.Any,
) -> str:
    limits = {"names": None, "ids": None, "cooldown": "24h"}
    history = RestoreHistory(SERVICE, "INC-8", read_at=NOW)
    if minutes_ago is not None:
        sent_at = format_iso(NOW - timedelta(minutes=minutes_ago))
        state = OperationState(OperationEvent.COMPLETED, sent_at, sent_at, {}, position=1)
        history.states[OperationKey("restore", SERVICE, "INC-7", str(instance_id))] = state
    permission, _incident = parse_variables({"incident": "INC-8", **limits, **given})
    return find_reason(instance_id, list(fleet), history, permission)


@pytest.mark.parametrize(
    "given",
    [
        {"names": "all"},
        {"names": ["all"]},
        {"names": " all\n"},
        {"names": "shop-bot, web-bot"},
        {"names": "shop-bot\nweb-bot\n"},
        {"names": '["web-bot"]'},
        {"ids": "12, 7"},
        {"ids": 7, "names": ["shop-bot"]},
    ],
)
def test_a_listed_instance_that_is_unhealthy_is_restored(given: dict[str, t.Any]) -> None:
    assert reason(**given) == ""


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, NOT_LISTED),
        ({"names": "my-web-bot,shop-bot"}, NOT_LISTED),
        ({"names": ["ALL"]}, NOT_LISTED),
        ({"names": ["all", "shop-bot"]}, NOT_LISTED),
        (
            {"names": "all", "instance_id": 8},
            "shop-bot (id 8) is not running and unhealthy: it is running, healthy. There is",
        ),
        ({"names": "all", "instance_id": 70}, "There is no instance with id 70. There is nothing to do."),
        (
            {"names": "all", "fleet": [bot(7, "web-bot", status="stopped")]},
            "web-bot (id 7) is not running and unhealthy: it is stopped, unhealthy. There",
        ),
    ],
)
def test_the_reason_is_told_for_an_instance_that_is_not_restored(given: dict[str, t.Any], why: str) -> None:
    assert reason(**given).startswith(why)


def test_a_name_that_two_instances_bear_allows_none_of_them() -> None:
    fleet = [bot(7, "web-bot"), bot(9, "web-bot", "unknown", "stopped")]
    assert reason(fleet=fleet, names=["web-bot"]) == (
        "2 instances are named web-bot, so restore_unhealthy_names allows none of them. Add the id 7 to "
        "restore_unhealthy_ids."
    )
    assert reason(fleet=fleet, names=["web-bot"], ids=[7]) == ""
    assert reason(fleet=fleet, names="all") == ""


def test_a_restore_of_another_incident_within_the_cooldown_is_told() -> None:
    assert reason(minutes_ago=10, ids=[7]) == (
        "A restore for INC-7 was sent 10 min ago, which is less than restore_unhealthy_cooldown (1 d 0 h). If it did "
        "not help, another is unlikely to."
    )
    assert reason(minutes_ago=24 * 60, ids=[7]) != ""
    assert reason(minutes_ago=24 * 60 + 1, ids=[7]) == ""


def test_a_restore_that_is_dated_ahead_begins_no_cooldown() -> None:
    assert reason(minutes_ago=-5, ids=[7]) != ""
    assert reason(minutes_ago=-6, ids=[7]) == ""
    assert reason(minutes_ago=-365 * 24 * 60, ids=[7]) == ""


@pytest.mark.parametrize("text", ["a day", "-1h"])
def test_a_cooldown_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=rf"^restore_unhealthy_cooldown is '{text}'.* Nothing was sent\.$"):
        reason(cooldown=text)


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(SettingsError, match=r"_cooldown is 'x'.*_incident is empty.* Nothing was sent\.$"):
        reason(cooldown="x", incident=" ")


def test_an_empty_cooldown_is_the_default() -> None:
    given = {"names": None, "ids": None, "incident": "INC-1"}
    assert parse_variables({**given, "cooldown": " "})[0].cooldown == timedelta(hours=24)
    assert parse_variables({**given, "cooldown": "0s"})[0].cooldown == timedelta(0)
