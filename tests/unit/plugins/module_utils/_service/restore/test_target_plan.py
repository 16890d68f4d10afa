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

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.backup import is_before, is_usable, taken_at
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.ownership import parse_owner
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.account_reader import AccountReader
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import RestoreHistory
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import Rules
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import Reason, ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import RestoreJob
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import (
    AccountView,
    RestoreAction,
    Target,
    TargetPlan,
    plan_restores,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_store import Holder
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import CLOCK_TOLERANCE
from support.accounts import NOW, SERVICE, AccountClient, World, cases, fleets

WEB = {"id": 1, "name": "web-bot", "status": "running"}
NEW = {"id": 12, "instance_id": 1, "created_at": (NOW - timedelta(hours=2)).isoformat()}

MOSTLY_CLEAR = ("id", "both", "both", "name")
"""Most backups show their instance, so that most accounts have one to send."""


def choose(world: World, target: Target) -> TargetPlan:
    """Returns the plan from the whole account."""
    account = AccountView(InstanceIndex(world.instances), world.backups)
    return plan_restores([target], account, world.history, world.rules, NOW)[0]


def read(world: World, *wanted: Target) -> list[TargetPlan]:
    client = AccountClient(world)
    account = AccountReader(t.cast("t.Any", client)).read(wanted)
    assert max(client.requests.values(), default=0) <= 2, client.requests
    return plan_restores(wanted, account, world.history, world.rules, NOW)


def decision(plan: TargetPlan) -> tuple[ReasonKind | None, RestoreAction | None, object]:
    """Returns the kind of the reason, or what is done with which backup."""
    if plan.reason:
        return plan.reason.kind, None, None
    return None, plan.action, (plan.backup or {}).get("id")


# One account, one answer


@given(fleets())
def test_a_task_for_one_and_one_for_many_choose_the_same(fleet: tuple[World, list[Target]]) -> None:
    world, wanted = fleet
    together = [decision(plan) for plan in read(world, *wanted)]
    for one, among in zip(wanted, together, strict=True):
        whole = decision(choose(world, one))
        assert decision(*read(world, one)) == whole
        # In a list, it may also be one that was listed before.
        assert among == whole or among[0] is ReasonKind.DUPLICATE


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
    chosen = taken_at(plan.backup or {})
    assert chosen is not None
    for backup in world.backups:
        owner, taken = parse_owner(backup), taken_at(backup)
        may_be_own = owner.id is None and owner.name in (None, (plan.instance or {})["name"])
        is_own = owner.id == str((plan.instance or {})["id"])
        is_eligible = is_usable(backup) and is_before(backup, world.rules.before)
        if (is_own or may_be_own) and is_eligible and taken and taken <= NOW + CLOCK_TOLERANCE:
            assert taken <= chosen


@given(cases())
def test_an_unusable_backup_changes_no_choice_whoever_s_it_is(case: tuple[World, Target]) -> None:
    world, target = case
    target = replace(target, backup_id=None)
    usable = replace(world, backups=[backup for backup in world.backups if is_usable(backup)])
    assert decision(choose(world, target)) == decision(choose(usable, target))


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
        prevented = (ReasonKind.FAILED, ReasonKind.UNKNOWN, ReasonKind.OTHER_USED)
        assert plan.reason is None or plan.reason.kind in prevented


# Each reason, and what a plan shows beside its choice


def backup(number: int, hours: float | None, **fields: t.Any) -> dict[str, t.Any]:
    """A backup of web-bot, taken so many hours before NOW."""
    taken = None if hours is None else (NOW - timedelta(hours=hours)).isoformat()
    return {"id": number, "instance_id": 1, "created_at": taken, **fields}


DB = {"id": 2, "name": "db-bot", "status": "running"}
BY_ID, BY_NAME = Target(1, None), Target(None, "web-bot")


def plan_in(
    wanted: t.Sequence[Target],
    *instances: dict[str, t.Any],
    backups: t.Sequence[dict[str, t.Any]] = (NEW,),
    history: RestoreHistory | None = None,
    missing: t.Mapping[str, t.Any] | None = None,
    **rules: t.Any,
) -> list[TargetPlan]:
    account = AccountView(InstanceIndex(instances or (WEB, DB)), backups, missing or {})
    return plan_restores(wanted, account, history or NOTHING, Rules(**rules), NOW)


def stopped(plan: TargetPlan) -> Reason:
    assert plan.reason
    return plan.reason


def test_a_second_target_of_an_instance_names_the_first() -> None:
    unknown = Target(None, "no-bot")
    plans = plan_in([unknown, BY_ID, Target(2, None, 12), BY_NAME, Target(1, "db-bot"), unknown])
    assert [decision(plan)[0] for plan in plans] == [
        ReasonKind.NO_INSTANCE,
        None,
        ReasonKind.OTHER_BACKUP,
        ReasonKind.DUPLICATE,
        ReasonKind.OTHER_NAME,
        ReasonKind.NO_INSTANCE,
    ]
    assert stopped(plans[3]).facts["first"] == 2


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        ({"max_age": timedelta(hours=2)}, None),
        ({"max_age": timedelta(hours=1)}, ReasonKind.TOO_OLD),
        ({"min_interval": timedelta(hours=3)}, ReasonKind.TOO_SOON),
        ({"min_interval": timedelta(hours=2)}, None),
        ({"max_age": timedelta(hours=1), "min_interval": timedelta(hours=3), "force": True}, ReasonKind.TOO_OLD),
    ],
)
def test_age_and_interval_count_to_the_limit(rules: dict[str, t.Any], kind: ReasonKind | None) -> None:
    old, newest = sent("INC-2", -9000).states, sent("INC-3", -8000, position=4).states
    history = RestoreHistory(SERVICE, "INC-1", {**old, **newest}, read_at=NOW)
    (plan,) = plan_in([BY_ID], history=history, **rules)
    assert decision(plan)[0] is kind
    if kind is ReasonKind.TOO_SOON:
        assert stopped(plan).facts["other"]["incident"] == "INC-3"


def test_a_given_backup_that_names_several_instances_is_sent_to_none() -> None:
    named = {"id": 12, "instance_name": "web-bot", "created_at": NEW["created_at"]}
    (unclear,) = plan_in([Target(1, None, 12)], WEB, {**WEB, "id": 3}, backups=[named])
    assert (stopped(unclear).kind, stopped(unclear).facts["backup_ids"]) == (ReasonKind.UNCLEAR_BACKUP, [12])


def test_an_unknown_restore_is_waited_for_while_a_run_holds_the_instance() -> None:
    history = sent(seconds=-60, event=OperationEvent.INTENDED)
    assert decision(*plan_in([BY_ID], history=history))[0] is ReasonKind.UNKNOWN
    for incident, expected in (("INC-1", (None, RestoreAction.WAIT, 11)), ("INC-2", (ReasonKind.UNKNOWN, None, None))):
        # A run of another incident does not know of it.
        held = replace(history, holders={history.key(1).subject: Holder("", name=incident)})
        assert decision(*plan_in([BY_ID], history=held)) == expected


@pytest.mark.parametrize("event", [OperationEvent.INTENDED, OperationEvent.UNCLEAR])
def test_an_unknown_restore_has_begun_if_it_is_recent_and_the_instance_busy(event: OperationEvent) -> None:
    busy, waits, unknown = {**WEB, "status": "deploying"}, (None, RestoreAction.WAIT, 11), ReasonKind.UNKNOWN
    recent, old = sent(seconds=-60, event=event), sent(seconds=-900, event=event)
    assert decision(*plan_in([BY_ID], busy, history=recent)) == waits
    assert decision(*plan_in([BY_ID], WEB, history=recent))[0] is unknown
    assert decision(*plan_in([BY_ID], busy, history=old))[0] is unknown


def test_a_busy_instance_is_told_with_the_restore_that_keeps_it_busy() -> None:
    busy = {**WEB, "status": "deploying"}
    ended = sent("INC-2", -60, OperationEvent.COMPLETED)
    known = replace(ended, positions={ended.key(1).subject: 2})
    for history, incident in ((NOTHING, None), (sent("INC-2", -60), "INC-2"), (ended, "INC-2"), (known, None)):
        (plan,) = plan_in([BY_ID], busy, history=replace(history, read_at=NOW))
        assert stopped(plan).kind is ReasonKind.WRONG_STATUS
        assert stopped(plan).facts.get("other", {}).get("incident") == incident
    assert plan_in([BY_ID], busy, force=True)[0].sends


def test_a_plan_shows_what_was_left_out_and_what_it_could_be_instead() -> None:
    future, failed, undated = backup(31, -2), backup(32, 1, status="failed"), backup(33, None)
    late, chosen, older, oldest = backup(34, 3), backup(35, 5), backup(36, 7), backup(37, 9)
    broken = backup(38, 6, status="failed")
    account = [oldest, broken, chosen, future, failed, undated, older, late]
    (plan,) = plan_in([BY_ID], backups=account)
    assert (plan.backup, plan.older, plan.skipped) == (late, chosen, [])
    assert {one["id"] for one in plan.left_out} == {31, 32, 33}
    (plan,) = plan_in([BY_ID], backups=account, before=NOW - timedelta(hours=4))
    assert (plan.backup, plan.older) == (chosen, older)
    assert [one["id"] for one in plan.skipped] == [31, 32, 34]
    assert [one["id"] for one in plan.left_out] == [33]
    (plan,) = plan_in([BY_ID], backups=[failed, undated])
    assert stopped(plan).kind is ReasonKind.NO_BACKUP
    assert {one["id"] for one in plan.left_out} == {32, 33}


def test_an_earlier_restore_of_the_incident_is_shown_with_the_backup_it_used() -> None:
    used = backup(11, 4)
    history = replace(sent(seconds=-60), read_at=NOW)
    (plan,) = plan_in([BY_ID], backups=[NEW, used], history=history)
    assert (plan.action, plan.backup) == (RestoreAction.WAIT, used)
    (plan,) = plan_in([BY_ID], backups=[NEW], history=history)
    assert plan.backup == {"id": 11, "created_at": None}
    for position, expected in ((2, (None, RestoreAction.SEND, 12)), (0, (None, RestoreAction.WAIT, 11))):
        # With force, what was sent since the task began is still waited for.
        known = replace(history, positions={history.key(1).subject: position})
        assert decision(*plan_in([BY_ID], backups=[NEW, used], history=known, force=True)) == expected


# The last look before the request


def sent(
    incident: str = "INC-1", seconds: int = 0, event: OperationEvent = OperationEvent.ACCEPTED, position: int = 1
) -> RestoreHistory:
    """Returns a journal with one restore of web-bot, so many seconds after NOW."""
    at = (NOW + timedelta(seconds=seconds)).isoformat()
    key = OperationKey("restore", SERVICE, incident, "1")
    states = {key: OperationState(event, at, at, {"backup_id": 11}, position=position)}
    return RestoreHistory(SERVICE, "INC-1", states, read_at=NOW + timedelta(minutes=1))


NO_RULES = Rules()


def look(
    history: RestoreHistory, now: dict[str, t.Any] | None = None, rules: Rules = NO_RULES, **plan: t.Any
) -> TargetPlan:
    """Returns the plan to restore the newest backup of web-bot, decided once more for what it is ``now``."""
    planned = TargetPlan(Target(1, None), WEB, NEW, **plan)
    RestoreJob(planned).check_again(WEB if now is None else now, history, rules)
    return planned


NOTHING = RestoreHistory(SERVICE, "INC-1", read_at=NOW)


def test_a_recorded_backup_that_was_planned_keeps_its_fields() -> None:
    known = sent()
    next(iter(known.states.values())).facts["backup_id"] = NEW["id"]
    assert look(known).backup == NEW


# A refused one is no state: nothing was done.
@pytest.mark.parametrize("event", [event for event in OperationEvent if event is not OperationEvent.REFUSED])
@pytest.mark.parametrize("force", [False, True])
def test_what_this_incident_sent_since_the_plan_is_not_sent_again(event: OperationEvent, force: bool) -> None:
    continued = look(sent(event=event), rules=Rules(force=force))
    assert not continued.sends
    assert (continued.backup or {})["id"] == 11


def test_force_repeats_only_the_attempt_that_was_planned() -> None:
    known, forced = sent(event=OperationEvent.FAILED), Rules(force=True)
    state = next(iter(known.states.values()))
    assert look(known, rules=forced, earlier=state, known_position=3).sends
    later = sent(seconds=-20, event=OperationEvent.COMPLETED, position=4)
    assert look(later, rules=forced, earlier=state, known_position=3).action is RestoreAction.NONE


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_sent_where_the_attempt_that_was_planned_is_gone(force: bool) -> None:
    """The other run that was waited for has sent nothing, or was refused."""
    state = next(iter(sent().states.values()))
    rules = Rules(force=force)
    waited = look(NOTHING, rules=rules, action=RestoreAction.WAIT, earlier=state)
    assert decision(waited)[0] is ReasonKind.NOT_SENT
    # With force, what was confirmed is a restore after all.
    assert look(NOTHING, rules=rules, earlier=state).sends


@pytest.mark.parametrize("now", [{}, {"status": "stopped"}, {"health_status": "unhealthy"}, {"plan": "large"}])
def test_what_was_confirmed_must_still_be_the_condition_of_the_instance(now: dict[str, t.Any]) -> None:
    instance = {**WEB, **now}
    again = look(NOTHING, instance, Rules(is_confirmed=True))
    if now.keys() & {"status", "health_status"}:
        assert stopped(again).kind is ReasonKind.CHANGED
        assert stopped(again).facts["seen"] == {name: value for name, value in instance.items() if name != "id"}
    else:
        assert again.sends
    # Without a confirmation, it is restored in any condition that can be.
    free = look(NOTHING, instance)
    assert (free.sends, free.instance) == (True, instance)
