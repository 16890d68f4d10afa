# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the planner of restores, over random accounts: what it chooses and refuses, for all callers alike."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.backup import (
    is_before,
    is_usable,
    taken_at,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import RestoreEntry
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.ownership import parse_owner
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.account_reader import AccountReader
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import (
    CLOCK_TOLERANCE,
    RestoreHistory,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan import (
    Account,
    NextStep,
    ObstacleKind,
    Plan,
    Rules,
    Target,
    check_again,
    plan_restores,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.settings import build_target
from support.accounts import NOW, SERVICE, AccountClient, World, cases, fleets

WEB = {"id": 1, "name": "web-bot", "status": "running"}
NEW = {"id": 12, "instance_id": 1, "created_at": (NOW - timedelta(hours=2)).isoformat()}


CLEAR = ("id", "id+name")
"""Backups that show the id of their instance, as a filter of the service reads it."""
MOSTLY_CLEAR = ("id", "both", "both", "name")
"""Most backups show their instance, so that most accounts have one to send."""


def choose(world: World, target: Target) -> Plan:
    """Returns the plan from the whole account."""
    (plan,) = plan_restores([target], Account(InstanceIndex(world.instances), world.backups), *past(world))
    return plan


def past(world: World) -> tuple[RestoreHistory, Rules, t.Any]:
    return world.history, world.rules, NOW


def read(world: World, *wanted: Target, server_filters: bool = False) -> list[Plan]:
    """Returns the plans from what is read for these targets."""
    client = AccountClient(world, server_filters=server_filters)
    account = AccountReader(t.cast("t.Any", client), world.rules).read(wanted, world.history)
    assert max(client.requests.values(), default=0) <= 2, client.requests
    return plan_restores(wanted, account, *past(world))


def decision(plan: Plan) -> tuple[ObstacleKind | None, NextStep | None, object]:
    """Returns the kind of the obstacle, or what is done with which backup."""
    if plan.obstacle:
        return plan.obstacle.kind, None, None
    return None, plan.step, (plan.backup or {}).get("id")


# One account, one answer


@given(fleets())
def test_both_modules_and_the_role_choose_the_same(fleet: tuple[World, list[Target]]) -> None:
    world, wanted = fleet
    entries = [RestoreEntry(number, one.instance_id, one.name, one.backup_id) for number, one in enumerate(wanted, 1)]
    listed = [Target(entry.instance_id, entry.name, entry.backup_id) for entry in entries]
    together = [decision(plan) for plan in read(world, *listed)]
    for one, among in zip(wanted, together, strict=True):
        module = Target(one.instance_id, one.name, one.backup_id)
        backup = "latest" if one.backup_id is None else str(one.backup_id)
        role = build_target({"id": one.instance_id, "name": one.name}, {"restore_backup": backup})
        whole = decision(choose(world, one))
        assert decision(read(world, module)[0]) == decision(read(world, role)[0]) == whole
        # In a list, it may also be one that was listed before.
        assert among == whole or among[0] in (ObstacleKind.DUPLICATE, ObstacleKind.BACKUP_TWICE)


# Of a backup that shows its instance in another way, the service knows more than its filter.
@given(cases(CLEAR))
def test_filters_of_the_service_change_no_choice(case: tuple[World, Target]) -> None:
    world, target = case
    assert decision(read(world, target, server_filters=True)[0]) == decision(choose(world, target))


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_lists_changes_no_choice(case: tuple[World, Target], chance: t.Any) -> None:
    world, target = case
    before = choose(world, target)
    instances, backups = world.instances[:], world.backups[:]
    chance.shuffle(instances)
    chance.shuffle(backups)
    assert decision(choose(replace(world, instances=instances, backups=backups), target)) == decision(before)


# Whose backup


@given(cases())
def test_no_backup_of_another_instance_is_sent(case: tuple[World, Target]) -> None:
    world, target = case
    plan = choose(world, target)
    assume(plan.sends)
    assert plan.instance is not None
    assert plan.backup is not None
    owner = parse_owner(plan.backup)
    if owner.id is not None:
        assert owner.id == str(plan.instance["id"])
    elif owner.name is not None:
        assert [one["id"] for one in world.instances if one["name"] == owner.name] == [plan.instance["id"]]
    else:
        assert target.backup_id == plan.backup["id"]


@given(cases())
def test_the_newest_is_sent_only_if_no_newer_one_may_be_of_the_instance(case: tuple[World, Target]) -> None:
    world, target = case
    plan = choose(world, replace(target, backup_id=None))
    assume(plan.sends)
    assert plan.backup is not None
    chosen = taken_at(plan.backup)
    assert chosen is not None
    for backup in world.backups:
        owner, taken = parse_owner(backup), taken_at(backup)
        may_be_own = owner.id is None and owner.name in (None, (plan.instance or {})["name"])
        is_own = owner.id == str((plan.instance or {})["id"])
        is_fit = is_usable(backup) and is_before(backup, world.rules.before)
        if (is_own or may_be_own) and is_fit and taken and taken <= NOW + CLOCK_TOLERANCE:
            assert taken <= chosen


@given(cases())
def test_an_unusable_backup_changes_no_choice_whoever_s_it_is(case: tuple[World, Target]) -> None:
    world, target = case
    target = replace(target, backup_id=None)
    usable = replace(world, backups=[backup for backup in world.backups if is_usable(backup)])
    assert decision(choose(world, target)) == decision(choose(usable, target))


@given(cases(MOSTLY_CLEAR), st.sampled_from([{}, {"instance_id": 1}, {"instance_id": 2}, {"instance_name": "web-bot"}]))
def test_an_older_backup_changes_no_choice(case: tuple[World, Target], owner: dict[str, t.Any]) -> None:
    world, target = case
    plan = choose(world, replace(target, backup_id=None))
    assume(plan.sends)
    older = {"id": 99, "created_at": "2025-01-01T00:00:00Z", **owner}
    more = replace(world, backups=[older, *world.backups])
    assert decision(choose(more, replace(target, backup_id=None))) == decision(plan)


@given(cases(MOSTLY_CLEAR))
def test_no_backup_of_the_future_is_the_newest(case: tuple[World, Target]) -> None:
    world, target = case
    plan = choose(world, replace(target, backup_id=None))
    assume(plan.sends)
    taken = taken_at(plan.backup or {})
    assert taken is not None
    assert taken <= NOW + CLOCK_TOLERANCE


# Rules


@given(cases(MOSTLY_CLEAR))
def test_force_overrules_neither_age_nor_interval(case: tuple[World, Target]) -> None:
    world, target = case
    max_age = world.rules.max_age or timedelta(hours=50)
    interval = world.rules.min_interval or timedelta(hours=1)
    plan = choose(replace(world, rules=Rules(world.rules.before, max_age, interval, force=True)), target)
    assume(plan.sends)
    taken = taken_at(plan.backup or {})
    assert taken is not None
    assert -CLOCK_TOLERANCE <= NOW - taken <= max_age
    for key, state in world.history.states.items():
        if key.name != "INC-1" and key.instance_id == str((plan.instance or {})["id"]):
            assert state.sent_at < (NOW - interval).isoformat()


@given(cases())
def test_without_force_nothing_is_sent_twice_for_an_incident(case: tuple[World, Target]) -> None:
    world, target = case
    plan = choose(replace(world, rules=replace(world.rules, force=False)), target)
    if plan.instance and world.history.find_own(plan.instance["id"]):
        assert not plan.sends
        assert plan.obstacle is None or plan.obstacle.kind in (ObstacleKind.FAILED, ObstacleKind.UNKNOWN)


# The last look before the request


def sent(incident: str = "INC-1", seconds: int = 0, event: OperationEvent = OperationEvent.ACCEPTED) -> RestoreHistory:
    """Returns a journal with one restore of web-bot, so many seconds after NOW."""
    at = (NOW + timedelta(seconds=seconds)).isoformat()
    key = OperationKey("restore", SERVICE, incident, "1")
    states = {key: OperationState(event, at, at, {"backup_id": 11})}
    return RestoreHistory(SERVICE, "INC-1", states, read_at=NOW + timedelta(minutes=1))


def look(history: RestoreHistory, **plan: t.Any) -> Plan:
    """Returns the plan to restore the newest backup of web-bot, decided once more."""
    return look_at(WEB, history, **plan)


def look_at(instance: dict[str, t.Any] | None, history: RestoreHistory, *, force: bool = False, **plan: t.Any) -> Plan:
    """Returns the same plan, decided once more for ``instance``."""
    planned = Plan(Target(1, None), WEB, NEW, **plan)
    check_again(planned, instance, history, Rules(force=force), NOW)
    return planned


NOTHING = RestoreHistory(SERVICE, "INC-1", read_at=NOW)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("seconds", "kind"), [(-1, None), (0, ObstacleKind.OVERTAKEN), (30, ObstacleKind.OVERTAKEN)])
def test_what_another_incident_sent_since_the_plan_stops_it(
    seconds: int, kind: ObstacleKind | None, force: bool
) -> None:
    overtaken = look(sent("INC-2", seconds), force=force)
    assert decision(overtaken)[0] is kind
    assert overtaken.obstacle is None or (overtaken.obstacle.other and overtaken.obstacle.other.incident == "INC-2")


# A refused one is no state: nothing was done.
@pytest.mark.parametrize("event", [event for event in OperationEvent if event is not OperationEvent.REFUSED])
@pytest.mark.parametrize("force", [False, True])
def test_what_this_incident_sent_since_the_plan_is_not_sent_again(event: OperationEvent, force: bool) -> None:
    continued = look(sent(event=event), force=force)
    assert not continued.sends
    assert (continued.backup or {})["id"] == 11


def test_force_repeats_only_the_attempt_that_was_planned() -> None:
    known = sent(event=OperationEvent.FAILED)
    state = next(iter(known.states.values()))
    assert look(known, force=True, earlier=state).sends
    later = sent(seconds=20, event=OperationEvent.COMPLETED)
    assert look(later, force=True, earlier=state).step is NextStep.NONE


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_sent_where_the_attempt_that_was_planned_is_gone(force: bool) -> None:
    """The other run that was waited for has sent nothing, or was refused."""
    state = next(iter(sent().states.values()))
    waited = look(NOTHING, force=force, step=NextStep.WAIT, earlier=state)
    assert decision(waited)[0] is ObstacleKind.NOT_SENT
    # With force, what was confirmed is a restore after all.
    assert look(NOTHING, force=force, earlier=state).sends


@pytest.mark.parametrize(
    ("instance", "kind"),
    [
        (WEB, None),
        ({**WEB, "status": "stopped"}, None),
        (None, ObstacleKind.DELETED),
        ({**WEB, "name": "other"}, ObstacleKind.RENAMED),
        ({**WEB, "status": "deploying"}, ObstacleKind.WRONG_STATUS),
    ],
)
def test_an_instance_that_has_changed_since_the_plan_is_left_alone(
    instance: dict[str, t.Any] | None, kind: ObstacleKind | None
) -> None:
    assert decision(look_at(instance, NOTHING))[0] is kind
