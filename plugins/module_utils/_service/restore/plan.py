# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans restores: for each target the backup that will be sent, or the obstacle that prevents it. Pure.

Both modules and the role plan with it (and with the role the playbooks of rulebooks and drills), so that one account
gives one answer. ``messages.py`` puts an obstacle into words.
"""

from __future__ import annotations

import enum
import functools
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..._errors import ClawHostersError
from ..._model.backup import explain_unusable, is_before, newest_first, taken_at
from ..._model.instance import get_status, is_busy
from ..._model.instance_index import InstanceIndex
from ..._model.ownership import find_owner, has_owner, parse_owner
from ..._model.resource import Resource, normalize
from ..._state.journal import OperationEvent, OperationState
from ..._state.journal_store import Holder
from ..._times import format_time
from .history import CLOCK_TOLERANCE, EarlierRestore, RestoreHistory, RestoreRecord, is_under_way

RESTORABLE = ("running", "stopped")
"""Statuses from which a restore is sent without ``force``."""


class RestoreAction(enum.Enum):
    """The next action for a target without an obstacle."""

    SEND = "send"
    WAIT = "wait"  # an earlier run of the incident has sent it
    NONE = "none"  # it was restored for the incident


class ObstacleKind(enum.Enum):
    """Why nothing is sent for a target."""

    NO_INSTANCE = "no_instance"
    AMBIGUOUS = "ambiguous"  # several instances bear the name
    OTHER_NAME = "other_name"  # the id and the name are of two instances
    DUPLICATE = "duplicate"  # another target is the same instance
    FAILED = "failed"  # the earlier restore for the incident failed
    UNKNOWN = "unknown"  # the outcome of the earlier restore for the incident is unknown
    NO_BACKUP = "no_backup"
    UNCLEAR_BACKUP = "unclear_backup"  # it can't be told whose a newer backup is
    OTHER_BACKUP = "other_backup"  # the given backup is of another instance
    BACKUP_TWICE = "backup_twice"  # two targets name the same backup
    WRONG_STATUS = "wrong_status"
    TOO_OLD = "too_old"
    TOO_SOON = "too_soon"  # another incident restored it within min_interval
    OTHER_MEMORY = "other_memory"  # the folder of this machine knows it, and the database does not
    ONLY_IN_RECORD = "only_in_record"  # the role's record says that it was sent, and the journal does not know it
    # Found under the lock, since the plan was made:
    DELETED = "deleted"
    RENAMED = "renamed"
    CHANGED = "changed"  # its status or health is not what was confirmed
    NOT_SENT = "not_sent"  # the run that was to send it has not
    OVERTAKEN = "overtaken"  # another incident has sent a restore
    HELD = "held"  # another run works on the instance, and this one does not wait for it


@dataclass(frozen=True)
class Obstacle:
    """Why nothing is sent for a target, with the facts that the plan does not hold."""

    kind: ObstacleKind
    ids: tuple[object, ...] = ()
    """AMBIGUOUS: the instances of that name."""
    similar: str | None = None
    """NO_INSTANCE: the name that was probably meant."""
    seen: Resource | None = None
    """RENAMED, CHANGED: the instance as it is now."""
    backups: tuple[Resource, ...] = ()
    """UNCLEAR_BACKUP: those whose instance can't be told."""
    other: EarlierRestore | None = None
    """TOO_SOON, OVERTAKEN, WRONG_STATUS: the restore for another incident that is the reason."""
    record: RestoreRecord | None = None
    """ONLY_IN_RECORD: the record that knows more than the journal."""
    holder: Holder | None = None
    """HELD: the run that works on it, as far as that is known."""
    duplicate_of: int = 0
    """DUPLICATE, BACKUP_TWICE: the number of the first such target, from 1."""
    cause: ClawHostersError | None = None
    """NO_INSTANCE, NO_BACKUP: the answer of the service to a request by id. OTHER_MEMORY: what the folder knows."""

    @property
    def is_final(self) -> bool:
        """False for an earlier outcome: it is read again under the lock, and stops no other target."""
        return self.kind not in (ObstacleKind.FAILED, ObstacleKind.UNKNOWN)


@dataclass(frozen=True)
class Target:
    """One instance that the user wants restored: by id or name, from one backup or from the newest usable one."""

    instance_id: int | None
    name: str | None
    backup_id: int | None = None


@dataclass(frozen=True)
class Rules:
    """Conditions of the task. ``force`` sends again, and from any status; it never overrules the others.

    ``is_confirmed``: a user has confirmed the status and the health that the plan shows, and nothing else is sent.
    """

    before: datetime | None = None
    max_age: timedelta | None = None
    min_interval: timedelta | None = None
    force: bool = False
    is_confirmed: bool = False


@dataclass
class AccountView:
    """The part of the account that was read."""

    index: InstanceIndex
    backups: t.Sequence[Resource] = ()
    missing: t.Mapping[str, ClawHostersError] = field(default_factory=dict)
    """The answers of the service for what does not exist, by path."""

    def find_backups(self, instance: Resource) -> tuple[list[Resource], list[Resource]]:
        """Returns the backups of the instance, newest first, and those that may be its own: they name no instance, or
        one name of several."""
        owned, unclear = self._grouped_backups
        own = owned.get(str(instance["id"]), [])
        return own, newest_first((*unclear.get(None, ()), *unclear.get(str(instance.get("name")), ())))

    @functools.cached_property
    def _grouped_backups(self) -> tuple[dict[str, list[Resource]], dict[str | None, list[Resource]]]:
        """The backups by the id of their instance, newest first, and those whose instance is unclear by its name."""
        owned: dict[str, list[Resource]] = {}
        unclear: dict[str | None, list[Resource]] = {}
        for backup in newest_first(self.backups):
            owner, shown = find_owner(backup, self.index), parse_owner(backup)
            if owner is not None:
                owned.setdefault(str(owner["id"]), []).append(backup)
            elif shown.id is None:
                # It shows no instance, or a name alone that several instances bear.
                unclear.setdefault(shown.name, []).append(backup)
        return owned, unclear


@dataclass
class RestorePlan:
    """The restore of one target, or the obstacle to it."""

    target: Target
    instance: Resource | None = None
    backup: Resource | None = None
    """With an earlier restore of the incident, the one that it used."""
    action: RestoreAction = RestoreAction.SEND
    obstacle: Obstacle | None = None
    earlier: OperationState | None = None
    """The restore of this incident that the journal holds; with ``force``, it is sent again."""
    left_out: list[Resource] = field(default_factory=list)
    """Backups of the instance that may be newer than the chosen one, and can't be restored or are of the future."""
    skipped: list[Resource] = field(default_factory=list)
    """Backups of the instance that ``before`` excludes, newest first."""
    older: Resource | None = None
    """The newest usable backup that is older than the chosen one."""
    known_position: int = 0
    """The last position of the instance that the journal had when the task began. What has a later one is newer."""
    ahead: EarlierRestore | None = None
    """A restore for another incident that ``min_interval`` does not count: its times lie ahead."""
    unfinished: EarlierRestore | None = None
    """A restore for another incident whose end is still to come."""

    @property
    def sends(self) -> bool:
        """True if a restore will be sent."""
        return self.obstacle is None and self.action is RestoreAction.SEND

    @property
    def backup_id(self) -> t.Any:
        return (self.backup or {}).get("id")

    def stop(self, kind: ObstacleKind, **facts: t.Any) -> None:
        """Sets the obstacle."""
        self.obstacle = Obstacle(kind, **facts)


def plan_restores(
    targets: t.Sequence[Target], account: AccountView, history: RestoreHistory, rules: Rules, now: datetime
) -> list[RestorePlan]:
    """Returns a plan for each target, in order. ``now`` is by the clock of the service."""
    plans = [RestorePlan(target) for target in targets]
    by_id = account.index.by_id
    listed = {one.name or by_id.get(str(one.instance_id), {}).get("name") for one in targets}
    for plan in plans:
        _find_instance(plan, account, listed)
    _find_repeated(
        plans,
        ObstacleKind.DUPLICATE,
        lambda one: None if one.obstacle or not one.instance else str(one.instance["id"]),
    )
    for plan in plans:
        if plan.obstacle is None:
            _choose(plan, account, history, rules, now)
    _find_repeated(plans, ObstacleKind.BACKUP_TWICE, lambda one: one.target.backup_id if one.sends else None)
    return plans


def _find_instance(plan: RestorePlan, account: AccountView, listed: t.Collection[object]) -> None:
    target, index = plan.target, account.index
    if target.instance_id is None:
        named = index.by_name.get(str(target.name), [])
        if len(named) > 1:
            plan.stop(ObstacleKind.AMBIGUOUS, ids=tuple(one["id"] for one in named))
        elif named:
            plan.instance = named[0]
        else:
            plan.stop(ObstacleKind.NO_INSTANCE, similar=index.find_similar_name(target.name, listed))
        return
    plan.instance = index.by_id.get(str(target.instance_id))
    if plan.instance is None:
        plan.stop(ObstacleKind.NO_INSTANCE, cause=account.missing.get(f"/instances/{target.instance_id}"))
    elif target.name not in (None, str(plan.instance.get("name"))):
        plan.stop(ObstacleKind.OTHER_NAME)


def _find_repeated(
    plans: t.Sequence[RestorePlan], kind: ObstacleKind, describe: t.Callable[[RestorePlan], object]
) -> None:
    """Stops each plan whose description equals that of an earlier one. Plans without one are skipped."""
    first: dict[object, int] = {}
    for number, plan in enumerate(plans, start=1):
        described = describe(plan)
        if described is not None and (earlier := first.setdefault(described, number)) != number:
            plan.stop(kind, duplicate_of=earlier)


def _choose(plan: RestorePlan, account: AccountView, history: RestoreHistory, rules: Rules, now: datetime) -> None:
    instance = t.cast("Resource", plan.instance)
    own, possible = account.find_backups(instance)
    plan.unfinished = history.find_unfinished(instance)
    plan.earlier, plan.known_position = history.find_own(instance["id"]), history.known_position(instance["id"])
    if plan.earlier is not None and not rules.force:
        plan.backup = _find_recorded(plan.earlier, own)
        is_held = history.is_held(instance["id"])
        continue_earlier(plan, history.read_at, is_held=is_held, was_busy=is_busy(instance))
    elif plan.target.backup_id is None:
        _choose_newest(plan, own, possible, rules.before, now)
    else:
        _use_given(plan, account, own, possible)
    plan.older = next((one for one in own if _is_older(one, plan.backup) and _is_fit(one, None, now)), None)
    if plan.sends and _is_only_in_record(plan, instance, history, rules):
        plan.stop(ObstacleKind.ONLY_IN_RECORD, record=history.record)
    elif plan.sends:
        _check_rules(plan, instance, history, rules, now)


# Earlier restores of the incident


def continue_earlier(plan: RestorePlan, now: datetime, *, is_held: bool, was_busy: bool) -> None:
    """Decides how a plan goes on after the ``earlier`` restore of its incident.

    ``now`` is by the clock of the journal. ``is_held``: a run works on the instance now, so that the outcome is not
    known yet. ``was_busy``: the instance looks, or looked a moment ago, as during a restore.
    """
    state = t.cast("OperationState", plan.earlier)
    if state.event is OperationEvent.COMPLETED:
        plan.action = RestoreAction.NONE
    elif state.event is OperationEvent.FAILED:
        plan.stop(ObstacleKind.FAILED)
    elif is_held or is_under_way(state, now, was_busy=was_busy):
        plan.action = RestoreAction.WAIT
    else:
        plan.stop(ObstacleKind.UNKNOWN)


def _is_only_in_record(plan: RestorePlan, instance: Resource, history: RestoreHistory, rules: Rules) -> bool:
    """Returns True if the record says that a restore was sent, the journal does not know it, and ``force`` is unset."""
    record = history.record if plan.earlier is None and not rules.force else None
    return record is not None and str(instance["id"]) in record.sent_at


def _find_recorded(state: OperationState, known: t.Iterable[Resource]) -> Resource:
    """Returns the backup that the journal names: its id and its time if it does not exist any more."""
    backup_id = state.facts.get("backup_id")
    named = (backup for backup in known if str(backup["id"]) == str(backup_id))
    return next(named, {"id": backup_id, "created_at": state.facts.get("taken_at")})


# Backups


def _choose_newest(
    plan: RestorePlan, own: list[Resource], possible: list[Resource], before: datetime | None, now: datetime
) -> None:
    """Sets the newest usable backup, or the obstacle.

    A backup that can't be restored never matters, whoever's it is. One of ``possible`` that could be, and is not older
    than the chosen one, is an obstacle.
    """
    plan.backup = next((backup for backup in own if _is_fit(backup, before, now)), None)
    newer = [backup for backup in own if not _is_older(backup, plan.backup)] if plan.backup else own
    may_count = [backup for backup in newer if taken_at(backup) is None or is_before(backup, before)]
    plan.left_out = [backup for backup in may_count if explain_left_out(backup, now)]
    plan.skipped = [backup for backup in newer if taken_at(backup) and not is_before(backup, before)]
    unclear = [one for one in possible if _is_fit(one, before, now) and not _is_older(one, plan.backup)]
    if unclear:
        plan.stop(ObstacleKind.UNCLEAR_BACKUP, backups=tuple(unclear))
    elif plan.backup is None:
        plan.stop(ObstacleKind.NO_BACKUP)


def explain_left_out(backup: Resource, now: datetime, unfinished: EarlierRestore | None = None) -> str:
    """Returns the reason why a newest backup is not chosen, apart from ``before``; empty if there is none.

    ``unfinished``: the restore that may be the reason of its status.
    """
    taken = taken_at(backup)
    if taken is not None and taken - now > CLOCK_TOLERANCE:
        return f"it is dated in the future, {format_time(taken)}"
    reason = explain_unusable(backup)
    return unfinished.describe() if reason and unfinished and unfinished.uses(backup) else reason


def _is_fit(backup: Resource, before: datetime | None, now: datetime) -> bool:
    return not explain_left_out(backup, now) and is_before(backup, before)


def _is_older(backup: Resource, other: Resource | None) -> bool:
    """Returns True if the backup is older than ``other``, by their times."""
    taken = taken_at(other) if other else None
    return taken is not None and taken_at(backup) is not None and is_before(backup, taken)


def _use_given(plan: RestorePlan, account: AccountView, own: list[Resource], possible: list[Resource]) -> None:
    """Sets the backup that the target names, whatever its status, or the obstacle. One that shows no owner is sent."""
    wanted = str(plan.target.backup_id)
    given = next((backup for backup in account.backups if str(backup["id"]) == wanted), None)
    if given is None:
        plan.stop(ObstacleKind.NO_BACKUP, cause=account.missing.get(f"/backups/{wanted}"))
        return
    plan.backup = given
    if not has_owner(given) or given in own:
        return
    if given in possible:
        plan.stop(ObstacleKind.UNCLEAR_BACKUP, backups=(given,))
    else:
        plan.stop(ObstacleKind.OTHER_BACKUP)


# Rules


def _check_rules(plan: RestorePlan, instance: Resource, history: RestoreHistory, rules: Rules, now: datetime) -> None:
    """Sets the obstacle if a rule forbids to send the plan."""
    if not _is_restorable(instance, rules):
        since = history.find_others(instance["id"], after=plan.known_position)
        # One that was sent since the task began may have ended since the status was read.
        plan.stop(ObstacleKind.WRONG_STATUS, other=plan.unfinished or next(iter(since), None))
    elif rules.max_age is not None and not _is_young(plan.backup, rules.max_age, now):
        plan.stop(ObstacleKind.TOO_OLD)
    elif rules.min_interval is not None:
        plan.ahead = history.find_ahead(instance["id"])
        if others := history.find_recent(instance["id"], rules.min_interval):
            plan.stop(ObstacleKind.TOO_SOON, other=others[0])


def _is_restorable(instance: Resource, rules: Rules) -> bool:
    return rules.force or get_status(instance) in RESTORABLE


def _is_young(backup: Resource | None, max_age: timedelta, now: datetime) -> bool:
    """Returns True for a backup of a known age, up to ``max_age``. One dated in the future has no known age."""
    taken = taken_at(backup) if backup else None
    return taken is not None and -CLOCK_TOLERANCE <= now - taken <= max_age


def check_again(plan: RestorePlan, instance: Resource | None, history: RestoreHistory, rules: Rules) -> None:
    """Decides a plan once more under the lock of its instance, from what journal and service say then.

    ``instance`` is as read now, None if it does not exist. What another incident has sent since the task began is not
    overwritten. Age and ``min_interval`` are not checked again: what a user has confirmed stays allowed while the
    restore waits for its turn.
    """
    if instance is None:
        plan.stop(ObstacleKind.DELETED)
        return
    before = t.cast("Resource", plan.instance)
    is_sent, plan.obstacle = plan.sends, None
    plan.earlier = state = history.find_own(instance["id"])
    if state is not None and not (rules.force and state.position <= plan.known_position):
        plan.instance, plan.backup = instance, _find_recorded(state, [plan.backup] if plan.backup else [])
        continue_earlier(plan, history.read_at, is_held=False, was_busy=is_busy(before) or is_busy(instance))
        return
    others = history.find_others(instance["id"], after=plan.known_position)
    if not is_sent:
        plan.stop(ObstacleKind.NOT_SENT)
    elif _is_only_in_record(plan, instance, history, rules):
        plan.stop(ObstacleKind.ONLY_IN_RECORD, record=history.record)
    elif instance.get("name") != before.get("name"):
        plan.stop(ObstacleKind.RENAMED, seen=instance)
        return
    elif others:
        plan.stop(ObstacleKind.OVERTAKEN, other=others[0])
    elif not _is_restorable(instance, rules):
        plan.stop(ObstacleKind.WRONG_STATUS, other=history.find_unfinished(instance))
    elif rules.is_confirmed and _condition(instance) != _condition(before):
        plan.stop(ObstacleKind.CHANGED, seen=instance)
        return
    plan.instance = instance


def check_held(plan: RestorePlan, history: RestoreHistory, rules: Rules) -> None:
    """Decides a plan whose instance another run works on, of a task that does not wait for it: nothing is sent.

    Only what this incident has sent is under way for it.
    """
    instance = t.cast("Resource", plan.instance)
    plan.obstacle, plan.earlier = None, history.find_own(instance["id"])
    state = plan.earlier
    if state is None or (rules.force and state.position <= plan.known_position):
        plan.stop(ObstacleKind.HELD, holder=history.find_holder(instance["id"]))
        return
    plan.backup = _find_recorded(state, [plan.backup] if plan.backup else [])
    # What keeps the instance busy may be the other run.
    continue_earlier(plan, history.read_at, is_held=history.is_held(instance["id"]), was_busy=False)


def _condition(instance: Resource) -> tuple[str, str]:
    return get_status(instance), normalize(instance.get("health_status"))
