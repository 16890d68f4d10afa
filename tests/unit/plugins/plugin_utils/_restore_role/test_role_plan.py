# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of the role restore. roles/test_restore.py has more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan_remarks import format_moment
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import (
    RestoreAction,
    Target,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_store import Holder
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role import role_executor
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.plan_texts import format_group
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.variables import parse_targets
from support.restores import BACKUPS, BY, history, kind, plan

pytestmark = pytest.mark.usefixtures("zone")
INTENDED, ACCEPTED, UNCLEAR = OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.UNCLEAR
COMPLETED, FAILED = OperationEvent.COMPLETED, OperationEvent.FAILED


def texts(planned):
    """Returns the remarks on a plan as they are shown."""
    return [remark.text for remark in planned.remarks]


def test_parsing_of_targets():
    assert parse_targets("a, b", None) == parse_targets(["a", "b"], []) == [Target(None, "a"), Target(None, "b")]
    assert parse_targets([" a, b "], None) == [Target(None, " a, b ")]
    assert parse_targets(None, [" 7"]) == parse_targets(None, "7") == [Target(7, None)]


@pytest.mark.parametrize(
    ("names", "ids"),
    [(None, None), (["a"], [1]), (["a", "a"], None), (None, ["x"]), (None, "1,01"), ([""], []), (" , ", [])],
)
def test_invalid_targets_are_rejected(names, ids):
    with pytest.raises(RefusedError):
        parse_targets(names, ids)


def test_a_plan_shows_the_data_loss():
    assert plan().sends is True
    first, loss = format_group([plan()])
    assert first == "web-bot (id 1), running, health not shown: restore backup 12, 1 d 0 h old."
    assert loss.strip().startswith("DATA LOSS: all changes since 2026-02-02 10:00 UTC")
    assert plan().older["id"] == 11


def test_the_age_limit_applies_only_to_restores_that_would_be_sent():
    assert kind(plan(restore_max_age="23h")) == "too_old"
    assert kind(plan(restore_max_age="25h")) == ""
    assert kind(plan(history(INTENDED, ACCEPTED), restore_max_age="23h")) == ""


def test_a_backup_of_the_future_has_no_known_age():
    """The local clock is slow, or the backup's date is wrong. Five minutes are allowed for."""
    for created_at, expected in (("2026-02-03T10:04:00Z", ""), ("2026-02-03T10:06:00Z", "too_old")):
        backups = [{**BACKUPS[0], "id": 13, "created_at": created_at}]
        assert kind(plan(backups=backups, restore_backup="13", restore_max_age="23h")) == expected
    future = plan(backups=backups, restore_backup="13")
    assert format_group([future])[0] == "web-bot (id 1), running, health not shown: restore backup 13, of unknown age."
    assert "DATA LOSS: all changes since 2026-02-03 10:06 UTC" in format_group([future])[1]
    limited = plan(backups=backups, restore_backup="13", restore_max_age="23h")
    assert "taken 2026-02-03 10:06 UTC, is dated 6 min in the future" in limited.told.sentence


def test_the_plan_names_each_newer_backup_that_it_passes_over():
    failed = {**BACKUPS[0], "created_at": "2026-02-03T09:00:00Z", "status": "failed"}
    broken = [{**failed, "id": number} for number in range(20, 43)]
    foreign = {**BACKUPS[2], "id": 23, "created_at": "2026-02-03T09:30:00Z", "status": "failed"}
    future = {**BACKUPS[0], "id": 50, "created_at": "2026-02-03T13:00:00Z"}
    (note,) = texts(plan(backups=[*BACKUPS, *broken, foreign, future]))
    ids = ", ".join(map(str, range(42, 19, -1)))
    assert note == (
        "24 backups left out: id 50 (it is dated in the future, 2026-02-03 13:00 UTC), "
        f"ids {ids} (each: its status is failed). Backup 12 is the newest usable one."
    )
    (before,) = texts(plan(backups=[*BACKUPS, *broken[:2], future], restore_before="2026-02-03T08:00:00Z"))
    assert before == (
        "restore_before passes over 3 newer backups: id 50 of 2026-02-03 13:00 UTC, id 21 of 2026-02-03 09:00 UTC, "
        "id 20 of 2026-02-03 09:00 UTC."
    )


@pytest.mark.parametrize("events", [(INTENDED,), (INTENDED, UNCLEAR)])
def test_a_restore_that_another_run_works_on_is_not_unknown_yet(events):
    past = history(*events)
    (key,) = past.states
    holder = Holder(key.subject, "alice", "node2", 4711, "2026-02-03T09:59:20+00:00")
    held = plan(replace(past, holders={key.subject: holder}))
    assert (held.action, kind(held)) == (RestoreAction.WAIT, "")
    assert texts(held) == ["Another run works on it: alice@node2, process 4711, for 40 s."]
    others = {replace(key, instance_id="2").subject: holder}
    assert kind(plan(replace(past, holders=others))) == "unknown"


def test_the_backup_of_an_earlier_run_may_not_exist_any_more():
    past = history(INTENDED, COMPLETED, backup_id=9, taken_at="2026-01-30T10:00:00+00:00")
    assert (plan(past).backup_id, plan(past).taken_at) == (9, datetime(2026, 1, 30, 10, tzinfo=UTC))
    assert [kind(plan(past, restore_backup="12", restore_force=force)) for force in (False, True)] == ["other_used"] * 2
    assert texts(plan(past, restore_force=True)) == [
        "Incident INC-1 has already used backup 9, and sends no other restore. Use another incident for that."
    ]
    assert texts(plan(past)) == []


@pytest.mark.parametrize(
    ("events", "sent", "end"),
    [
        ((INTENDED, COMPLETED), "sent", "it has completed"),
        ((INTENDED, ACCEPTED), "sent", "its end was not seen yet"),
        ((INTENDED, FAILED), "sent", "it has failed"),
        ((INTENDED,), "was about to send", "its outcome is unknown"),
    ],
)
def test_a_plan_knows_restores_for_other_incidents(events, sent, end):
    past = history(*events, incident="inc-1", by=BY)
    told = f"Incident inc-1 {sent} a restore of it at 2026-02-03 08:00 UTC by ann@node2; {end}."
    assert texts(plan(past)) == [f"{told} It is the same backup."]
    assert plan(past).sends is True
    assert texts(plan(history(*events, incident="inc-1", by=BY, backup_id=11))) == [told]


@pytest.mark.parametrize(("backup_id", "sent"), [(12, "it is sent again."), (11, "another backup is sent, 12.")])
def test_a_restore_is_sent_again_only_where_the_same_backup_is_sent(backup_id, sent):
    (note,) = texts(plan(history(INTENDED, FAILED, backup_id=backup_id), restore_force=True))
    assert note.endswith(f"With restore_force {sent}")


def test_a_given_backup_that_looks_unusable_is_remarked_on():
    given = plan(backups=[*BACKUPS, {**BACKUPS[0], "id": 14, "status": "failed"}], restore_backup="14")
    assert given.sends is True
    assert "The service may refuse backup 14: its status is failed." in texts(given)


@pytest.mark.parametrize(
    ("now", "change"),
    [
        ({"status": "completed", "created_at": None}, ""),
        ({"instance_id": None, "instance_name": None}, ""),
        ({"instance_id": None}, ""),
        ({"status": "failed"}, "can't be used any more: its status is failed"),
        ({"created_at": "2026-02-02T11:00:00Z"}, "is of 2026-02-02 11:00 UTC now"),
        ({"instance_id": 2, "instance_name": "mail-bot"}, "belongs to mail-bot (id 2) now"),
        ({"instance_id": None, "instance_name": "mail-bot"}, "belongs to mail-bot now"),
    ],
)
def test_a_backup_that_differs_from_its_plan_has_changed(now, change):
    backup = {"instance_name": "web-bot", **BACKUPS[0], **now}
    assert role_executor.explain_changed_backup(plan(), backup) == (
        f"Backup 12 of web-bot (id 1) {change}" if change else ""
    )


def test_an_unusable_backup_that_was_confirmed_has_not_changed():
    given = {**BACKUPS[0], "status": "failed", "created_at": "2026-02-03T10:06:00Z"}
    planned = plan(backups=[given], restore_backup="12")
    assert role_executor.explain_changed_backup(planned, given) == ""
    assert "its status is expired" in role_executor.explain_changed_backup(planned, {**given, "status": "expired"})
    assert role_executor.explain_changed_backup(planned, None) == "Backup 12 of web-bot (id 1) does not exist any more"


def test_a_time_has_its_date_also_today():
    assert format_moment("2026-02-03T00:26:10+02:00") == "2026-02-02 22:26 UTC"
    assert format_moment(None) == "an unknown time"
