# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans restores: for each target the backup that will be sent, or the reason that prevents it. Pure.

Both modules and the role plan with it (and with the role the playbooks of rulebooks and drills), so that one account
gives one answer; under the lock of an instance, ``restore_job.py`` decides once more.
"""

from __future__ import annotations

import enum
import functools
import typing as t
from dataclasses import dataclass, field

from ..._model.backup import TIME_FIELDS, explain_future, explain_unusable, is_before, newest_first, taken_at
from ..._model.instance import find_name_fault, find_state, is_busy
from ..._model.ownership import find_owner, has_owner, parse_owner
from ..._model.resource import parse_id
from ..._state.journal import OperationEvent
from .history import is_recent
from .reason import Reason, ReasonKind

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import ClawHostersError
    from ..._model.instance_index import InstanceIndex
    from ..._model.resource import Resource
    from ..._state.journal import OperationState
    from .history import RecordedRestore, RestoreHistory
    from .options import Rules

RESTORABLE = ("running", "stopped")
"""Statuses from which a restore is sent without ``force``."""


class RestoreAction(enum.Enum):
    """The next action for a target that nothing prevents."""

    SEND = "send"
    WAIT = "wait"  # an earlier run of the incident has sent it
    NONE = "none"  # it was restored for the incident


@dataclass(frozen=True)
class Target:
    """One instance that the user wants restored: by id or name, from one backup or from the newest usable one."""

    instance_id: int | None
    name: str | None
    backup_id: int | None = None


@dataclass
class TargetPlan:
    """The restore of one target, or the reason that prevents it."""

    target: Target
    instance: Resource | None = None
    backup: Resource | None = None
    """With an earlier restore of the incident, the one that it used."""
    action: RestoreAction = RestoreAction.SEND
    reason: Reason | None = None
    cause: ClawHostersError | None = None
    """The error behind the reason, in the run that got it."""
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
    unfinished: RecordedRestore | None = None
    """A restore for another incident whose end is still to come."""

    @property
    def sends(self) -> bool:
        """True if a restore will be sent."""
        return self.reason is None and self.action is RestoreAction.SEND

    @property
    def backup_id(self) -> t.Any:
        return (self.backup or {}).get("id")

    @property
    def backup_facts(self) -> dict[str, t.Any]:
        """Id and time of the backup, as the journal, reasons and diffs hold them."""
        taken = taken_at(self.backup or {})
        return {"backup_id": self.backup_id, "taken_at": taken.isoformat() if taken else None}

    def stop(self, kind: ReasonKind, cause: ClawHostersError | None = None, **facts: t.Any) -> None:
        """Sets the reason for which nothing is sent."""
        self.reason, self.cause = self.build_reason(kind, cause, **facts), cause

    def build_reason(self, kind: ReasonKind, cause: ClawHostersError | None = None, **facts: t.Any) -> Reason:
        """Returns a reason. Its facts are these, those of the error behind it, and what the plan shows."""
        target, instance = self.target, self.instance or {}
        shown = {
            "given_id": target.instance_id,
            "given_name": target.name,
            "given_backup": target.backup_id,
            **self.backup_facts,
            "status": instance.get("status"),
            **(cause.facts if cause else {}),
            **facts,
        }
        return Reason(kind, {name: value for name, value in shown.items() if value not in (None, [])})


# The account


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

    def find_newer(self, instance: Resource, than: datetime | None, now: datetime) -> list[Resource]:
        """Returns the usable backups of the instance that were taken after a time, newest first; none after None."""
        own, _possible = self.find_backups(instance)
        return [one for one in own if is_eligible(one, None, now) and than and (taken_at(one) or than) > than]

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


def plan_restores(
    targets: t.Sequence[Target], account: AccountView, history: RestoreHistory, rules: Rules, now: datetime
) -> list[TargetPlan]:
    """Returns a plan for each target, in order. ``now`` is by the clock of the service."""
    plans = [TargetPlan(target) for target in targets]
    by_id = account.index.by_id
    listed = {one.name or by_id.get(str(one.instance_id), {}).get("name") for one in targets}
    for plan in plans:
        _find_instance(plan, account, listed)
    _stop_repeated(plans, lambda one: None if one.reason or not one.instance else str(one.instance["id"]))
    for plan in plans:
        if plan.reason is None:
            _choose(plan, account, history, rules, now)
    _stop_repeated(plans, lambda one: one.target.backup_id if one.sends else None)
    return plans


def _find_instance(plan: TargetPlan, account: AccountView, listed: t.Collection[object]) -> None:
    target, index = plan.target, account.index
    if target.instance_id is None:
        named = index.by_name.get(str(target.name), [])
        if len(named) > 1:
            plan.stop(ReasonKind.AMBIGUOUS, ids=[one["id"] for one in named])
        elif named:
            plan.instance = named[0]
        else:
            plan.stop(ReasonKind.NO_INSTANCE, similar=index.find_similar_name(target.name, listed))
        return
    plan.instance = index.by_id.get(str(target.instance_id))
    if plan.instance is None:
        plan.stop(ReasonKind.NO_INSTANCE, account.missing.get(f"/instances/{target.instance_id}"))
    elif find_name_fault(plan.instance, target.name):
        plan.stop(ReasonKind.OTHER_NAME, name=plan.instance.get("name"))


def _stop_repeated(plans: t.Sequence[TargetPlan], describe: t.Callable[[TargetPlan], object]) -> None:
    """Stops each plan whose description equals that of an earlier one. Plans without one are skipped."""
    first: dict[object, int] = {}
    for number, plan in enumerate(plans, start=1):
        described = describe(plan)
        if described is not None and (earlier := first.setdefault(described, number)) != number:
            plan.stop(ReasonKind.DUPLICATE, first=earlier)


def _choose(plan: TargetPlan, account: AccountView, history: RestoreHistory, rules: Rules, now: datetime) -> None:
    instance = t.cast("Resource", plan.instance)
    own, possible = account.find_backups(instance)
    plan.unfinished, plan.known_position = history.find_unfinished(instance), history.known_position(instance["id"])
    is_earlier = continue_earlier(plan, history, rules, own, was_busy=is_busy(instance))
    if not is_earlier and plan.target.backup_id is None:
        _choose_newest(plan, own, possible, rules.before, now)
    elif not is_earlier:
        _use_given(plan, account, own, possible)
    plan.older = next((one for one in own if _is_older(one, plan.backup) and is_eligible(one, None, now)), None)
    if plan.sends:
        check_condition(plan, instance, history, rules)
    if plan.sends:
        _check_times(plan, instance, history, rules, now)


# Backups


def _choose_newest(
    plan: TargetPlan, own: list[Resource], possible: list[Resource], before: datetime | None, now: datetime
) -> None:
    """Sets the newest usable backup, or the reason why there is none.

    A backup that can't be restored never matters, whoever's it is. One of ``possible`` that could be, and is not older
    than the chosen one, prevents the restore.
    """
    plan.backup = next((backup for backup in own if is_eligible(backup, before, now)), None)
    newer = [backup for backup in own if not _is_older(backup, plan.backup)] if plan.backup else own
    may_count = [backup for backup in newer if taken_at(backup) is None or is_before(backup, before)]
    plan.left_out = [backup for backup in may_count if explain_left_out(backup, now)]
    plan.skipped = [backup for backup in newer if taken_at(backup) and not is_before(backup, before)]
    unclear = [one for one in possible if is_eligible(one, before, now) and not _is_older(one, plan.backup)]
    if unclear:
        plan.stop(ReasonKind.UNCLEAR_BACKUP, backup_ids=[one["id"] for one in unclear])
    elif plan.backup is None:
        left_out = [
            {name: one[name] for name in ("id", "status", *TIME_FIELDS) if name in one} for one in plan.left_out
        ]
        other = plan.unfinished.facts if plan.unfinished else None
        skipped = len(plan.skipped)
        plan.stop(
            ReasonKind.NO_BACKUP, before=before and before.isoformat(), left_out=left_out, other=other, skipped=skipped
        )


def is_eligible(backup: Resource, before: datetime | None, now: datetime) -> bool:
    """Returns True if the backup can be chosen as the newest one."""
    return not explain_left_out(backup, now) and is_before(backup, before)


def _is_older(backup: Resource, other: Resource | None) -> bool:
    """Returns True if the backup is older than ``other``, by their times."""
    taken = taken_at(other) if other else None
    return taken is not None and taken_at(backup) is not None and is_before(backup, taken)


def _use_given(plan: TargetPlan, account: AccountView, own: list[Resource], possible: list[Resource]) -> None:
    """Sets the backup that the target names, whatever its status, or the reason. One that shows no owner is sent."""
    wanted = str(plan.target.backup_id)
    given = next((backup for backup in account.backups if str(backup["id"]) == wanted), None)
    if given is None:
        plan.stop(ReasonKind.BACKUP_GONE, account.missing.get(f"/backups/{wanted}"))
        return
    plan.backup = given
    if not has_owner(given) or given in own:
        return
    if given in possible:
        plan.stop(ReasonKind.UNCLEAR_BACKUP, backup_ids=[given["id"]])
    else:
        plan.stop(ReasonKind.OTHER_BACKUP, owner=parse_owner(given)._asdict())


def explain_left_out(backup: Resource, now: datetime, unfinished: RecordedRestore | None = None) -> str:
    """Returns the reason why a newest backup is not chosen, apart from ``before``; empty if there is none.

    ``unfinished``: the restore that may be the reason of its status.
    """
    if future := explain_future(backup, now):
        return future
    reason = explain_unusable(backup)
    return unfinished.describe() if reason and unfinished and unfinished.uses(backup) else reason


# Rules


def check_condition(plan: TargetPlan, instance: Resource, history: RestoreHistory, rules: Rules) -> None:
    """Stops a plan if the journal may be another one, or the status of the instance is wrong."""
    earlier_report = None if plan.earlier or rules.force else history.earlier_report
    if earlier_report and str(instance["id"]) in earlier_report.sent_at:
        path, place = earlier_report.path, earlier_report.journal
        sent_at = earlier_report.sent_at[str(instance["id"])]
        plan.stop(ReasonKind.ONLY_IN_REPORT, path=path, journal=place, sent_at=sent_at)
    elif not rules.force and find_state(instance) not in RESTORABLE:
        # One that was sent since the task began may have ended since the status was read.
        since = history.find_others(instance["id"], after=plan.known_position)
        other = history.find_unfinished(instance) or next(iter(since), None)
        plan.stop(ReasonKind.WRONG_STATUS, status=instance.get("status"), other=other and other.facts)


def _check_times(plan: TargetPlan, instance: Resource, history: RestoreHistory, rules: Rules, now: datetime) -> None:
    """Stops a plan if the backup is too old, or the last restore too recent."""
    taken = taken_at(plan.backup or {})
    # One dated in the future has no known age.
    age = now - taken if taken and not explain_future(plan.backup or {}, now) else None
    if rules.max_age is not None and (age is None or age > rules.max_age):
        plan.stop(ReasonKind.TOO_OLD, max_age=rules.max_age.total_seconds())
    elif rules.min_interval is not None and (others := history.find_recent(instance["id"], rules.min_interval)):
        plan.stop(ReasonKind.TOO_SOON, other=others[0].facts, min_interval=rules.min_interval.total_seconds())


# Earlier restores of the incident


def continue_earlier(
    plan: TargetPlan, history: RestoreHistory, rules: Rules, backups: t.Iterable[Resource], *, was_busy: bool
) -> bool:
    """Continues from the restore that the incident already has. Returns False if none counts.

    With ``force``, one that failed or is unknown is sent again; but not one that has completed, so that a command from
    the shell's history does no harm, nor one that was sent since the task began. ``was_busy``: the instance looks, or
    looked a moment ago, as during a restore.
    """
    instance_id = t.cast("Resource", plan.instance)["id"]
    plan.earlier = state = history.find_own(instance_id)
    if state is None:
        return False
    used = state.facts.get("backup_id")
    # Another backup needs another incident, forced or not, unless the outcome of this one is unknown, or it has failed.
    is_other = plan.target.backup_id not in (None, parse_id(used))
    stays = state.event is OperationEvent.COMPLETED or (is_other and state.event is OperationEvent.ACCEPTED)
    if rules.force and state.position <= plan.known_position and not stays:
        return False
    gone = {"id": used, "created_at": state.facts.get("taken_at")}
    plan.backup = next((one for one in backups if str(one["id"]) == str(used)), gone)
    if state.event is OperationEvent.COMPLETED:
        plan.action = RestoreAction.NONE
    elif state.event is OperationEvent.FAILED:
        plan.stop(ReasonKind.FAILED)
    elif state.event is OperationEvent.ACCEPTED or history.is_held(instance_id):
        # Of what a run works on now, the outcome is not known yet.
        plan.action = RestoreAction.WAIT
    elif was_busy and is_recent(state.sent_at, history.read_at):
        # It has begun. A request that is dated in the future is not recent, unless the clock was only corrected.
        plan.action = RestoreAction.WAIT
    else:
        plan.stop(ReasonKind.UNKNOWN)
    if plan.reason is None and is_other:
        plan.stop(ReasonKind.OTHER_USED, sent_at=state.sent_at)
    return True
