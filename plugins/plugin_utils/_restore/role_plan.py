# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of restores in the words of the role ``restore``, and what the engine needs of those confirmed. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from ...module_utils._model.backup import explain_unusable, is_before, taken_at
from ...module_utils._model.instance import get_status, is_busy, is_healthy, label
from ...module_utils._model.resource import Resource
from ...module_utils._service.at_most_once import explain_unclear
from ...module_utils._service.restore import messages
from ...module_utils._service.restore.history import CLOCK_TOLERANCE, LONGEST_RESTORE, EarlierRestore, RestoreHistory
from ...module_utils._service.restore.plan import (
    NextStep,
    Obstacle,
    ObstacleKind,
    Plan,
    Rules,
    Target,
    explain_left_out,
)
from ...module_utils._service.restore.restore import PLANNED
from ...module_utils._state.journal import OperationEvent, OperationState
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._times import format_duration, parse_time
from .._formatting import format_clock, format_label, format_value
from .model import Data, RestorePlan
from .wording import (
    format_moment,
    format_sent_and_completed,
    omit_nothing_sent,
    translate_options,
)

RECENT = timedelta(days=7)
"""Age up to which the plan shows a restore for another incident."""

_LISTED = 5
"""Ids, and restores for other incidents, that a message names."""
_PASSED_OVER = 40
"""Backups that ``restore_before`` passes over, and that a note names."""
_STEPS = {
    PLANNED: (NextStep.SEND, OperationEvent.INTENDED),
    "in_flight": (NextStep.WAIT, OperationEvent.ACCEPTED),
    "completed": (NextStep.NONE, OperationEvent.COMPLETED),
}
"""For each outcome in a confirmed plan: the next step, and the last event of the earlier restore, if there was one."""


def build_plan(plan: Plan, history: RestoreHistory, rules: Rules, now: datetime) -> RestorePlan:
    """Returns a plan as the role shows and records it, without its confirmation."""
    instance, backup, earlier = plan.instance, plan.backup, plan.earlier
    taken = taken_at(backup) if backup else None
    # As in the modules, a backup of the future by the local clock has no known age.
    age = max(now - taken, timedelta(0)) if taken and taken - now <= CLOCK_TOLERANCE else None
    name = plan.target.name if plan.target.name is not None else (instance or {}).get("name")
    kind = plan.obstacle.kind.value if plan.obstacle else ""
    return RestorePlan(
        name=str(name if name is not None else plan.target.instance_id),
        given_id=plan.target.instance_id,
        label=format_label(name, instance["id"] if instance else plan.target.instance_id),
        instance={key: instance.get(key) for key in ("id", "name", "status", "health_status")} if instance else None,
        backup={"id": backup["id"], "taken_at": taken.isoformat() if taken else None} if backup else None,
        age=format_duration(age) if age is not None else None,
        age_seconds=age.total_seconds() if age is not None else None,
        outcome=_find_outcome(plan),
        sent_at=earlier.sent_at if earlier else None,
        completed_at=earlier.completed_at if earlier else None,
        kind=kind,
        message=format_obstacle(plan, history.incident, rules, now) if kind else "",
        ids=list(plan.obstacle.ids) if plan.obstacle else [],
        similar=plan.obstacle.similar if plan.obstacle else None,
        older_backup=_summarize_older(plan.older),
        notes=_build_notes(plan, history, rules, now),
    )


def read_plan(plan: RestorePlan) -> Plan:
    """Returns the plan that was confirmed, as the engine needs it. Only that is sent."""
    backup: Data | None = None
    if plan.backup:
        backup = {"id": plan.backup["id"], "created_at": plan.backup["taken_at"]}
    step, event = _STEPS[str(plan.outcome)]
    earlier = OperationState(event, plan.sent_at, plan.completed_at or plan.sent_at, {}) if plan.sent_at else None
    target = Target(plan.given_id, None if plan.given_id is not None else plan.name)
    return Plan(target, plan.instance, backup, step, earlier=earlier)


def explain_changed_backup(plan: RestorePlan, now: Resource | None) -> str:
    """Returns how a backup differs from what its plan shows; empty if it does not. ``now``: None if it is gone."""
    shown = plan.backup or {}
    backup = f"Backup {shown.get('id')} of {plan.label}"
    if now is None:
        return f"{backup} does not exist any more"
    taken = taken_at(now)
    if taken is not None and taken != parse_time(shown.get("taken_at")):
        return f"{backup} is of {format_clock(taken)} now"
    reason = explain_unusable({"status": now.get("status"), "created_at": shown.get("taken_at")})
    is_shown = any(reason in note for note in plan.notes)
    return "" if not reason or is_shown else f"{backup} can't be used any more: {reason}"


def _find_outcome(plan: Plan) -> str | None:
    """Returns ``planned``, or how far an earlier run of the incident came."""
    if plan.sends:
        return PLANNED
    if plan.step is NextStep.WAIT:
        return "in_flight"
    is_earlier = plan.step is NextStep.NONE or (plan.obstacle is not None and not plan.obstacle.is_final)
    return plan.earlier.outcome if plan.earlier and is_earlier else None


def _summarize_older(older: Resource | None) -> Data | None:
    taken = taken_at(older) if older else None
    return {"id": older["id"], "taken_at": taken.isoformat()} if older and taken else None


def format_obstacle(plan: Plan, incident: str, rules: Rules, now: datetime) -> str:
    """Returns the obstacle of a plan in the words of the role, which says beside it that nothing was sent."""
    obstacle, instance = t.cast(Obstacle, plan.obstacle), plan.instance or {}
    kind, status = obstacle.kind, format_value(instance.get("status"), 40)
    if kind is ObstacleKind.NO_INSTANCE:
        similar = f"; did you mean {format_value(obstacle.similar, 80)}?" if obstacle.similar else ""
        return f"There is no such instance{similar}"
    if kind is ObstacleKind.AMBIGUOUS:
        ids = ", ".join(map(str, obstacle.ids))
        return f"{len(obstacle.ids)} instances have this name (ids {ids})"
    if kind is ObstacleKind.NO_BACKUP and plan.target.backup_id is None:
        when = f" from before {format_clock(rules.before)}" if rules.before else ""
        return f"It has no usable backup{when}. {messages.format_left_out(plan.left_out, now)}".strip()
    if kind is ObstacleKind.UNCLEAR_BACKUP:
        ids = format_list((format_value(backup.get("id"), 20) for backup in obstacle.backups), _LISTED)
        count = format_count(len(obstacle.backups), "backup")
        return f"The service does not show the instance of {count} (id {ids}), so the newest one can't be chosen"
    if kind is ObstacleKind.WRONG_STATUS:
        if obstacle.other:
            return _format_other(obstacle.other, now, instance)
        return f"Its status is {status}; to restore, it must be running or stopped"
    if kind is ObstacleKind.TOO_OLD:
        return _format_too_old(plan, rules, now)
    if kind is ObstacleKind.TOO_SOON and obstacle.other and rules.min_interval:
        limit = format_duration(rules.min_interval)
        return f"{_format_other(obstacle.other, now, instance)}, and restore_min_interval is {limit}"
    if kind is ObstacleKind.OVERTAKEN and obstacle.other:
        return f"Since the plan was made, {messages.format_other(obstacle.other)}"
    if plan.earlier and kind in (ObstacleKind.FAILED, ObstacleKind.UNKNOWN):
        return _format_earlier(plan, now)
    message = omit_nothing_sent(translate_options(str(messages.build_error(plan, incident, rules))))
    # The role names the instance itself.
    own = f"{label(instance)} "
    return f"It {message.removeprefix(own)}" if instance and message.startswith(own) else message


def _format_earlier(plan: Plan, now: datetime) -> str:
    """Returns how an earlier run of the incident ended."""
    state, status = t.cast(OperationState, plan.earlier), format_value((plan.instance or {}).get("status"), 40)
    sent = format_moment(state.sent_at, now)
    if state.event is OperationEvent.FAILED:
        return f"The restore sent at {sent} failed. Its status is {status} now"
    reason = explain_unclear(state) if state.event is OperationEvent.UNCLEAR else "the run ended there"
    verb = "was sent" if state.event is OperationEvent.UNCLEAR else "was to be sent"
    return f"A restore {verb} at {sent}, and {reason}. Its status is {status} now"


def _format_too_old(plan: Plan, rules: Rules, now: datetime) -> str:
    backup = plan.backup or {}
    taken = taken_at(backup)
    if taken is None or taken - now > CLOCK_TOLERANCE:
        dated = f": by the local clock, its date {format_clock(taken)} is in the future" if taken else ""
        return f"The age of backup {backup.get('id')} is unknown, and restore_max_age is set{dated}"
    age, limit = format_duration(now - taken), format_duration(rules.max_age or timedelta(0))
    return f"Backup {backup.get('id')} was taken {age} ago, which is more than restore_max_age ({limit})"


def _build_notes(plan: Plan, history: RestoreHistory, rules: Rules, now: datetime) -> list[str]:
    """Returns what the user must know besides the backup and the loss, or the obstacle."""
    instance, backup = plan.instance or {}, plan.backup or {}
    if plan.obstacle:
        return _build_ignored_note(plan, rules)
    others = history.find_others(instance["id"], history.read_at - RECENT)
    holder = history.find_holder(instance["id"])
    notes = [f"Another run works on it: {holder.format(now.timestamp())}."] if holder else []
    notes += [f"{_format_other(other, now, instance)}." for other in others[:_LISTED]]
    if len(others) > _LISTED:
        notes.append(f"And {len(others) - _LISTED} more restores for other incidents within 7 days.")
    if plan.sends and plan.earlier:
        when = format_sent_and_completed(plan.earlier.sent_at, plan.earlier.completed_at)
        notes.append(f"This incident already has a restore{when}. With restore_force it is sent again.")
    notes += _build_ignored_note(plan, rules)
    if plan.sends and plan.skipped:
        named = (f"id {one['id']} of {format_clock(taken_at(one))}" for one in plan.skipped)
        count = format_count(len(plan.skipped), "newer backup")
        notes.append(f"restore_before passes over {count}: {format_list(named, _PASSED_OVER)}.")
    if plan.sends and plan.left_out:
        left_out = messages.format_left_out(plan.left_out, now)
        notes.append(f"{left_out} The newest usable is {backup.get('id')}.")
    if plan.sends and plan.target.backup_id is not None and (reason := explain_left_out(backup, now)):
        notes.append(f"The service may refuse backup {backup.get('id')}: {reason}.")
    if get_status(instance) == "stopped":
        notes.append("It will be started, and costs Claws if it is billed daily.")
    if plan.sends and get_status(instance) == "running" and is_healthy(instance):
        notes.append("It is running and healthy now.")
    return notes


def _build_ignored_note(plan: Plan, rules: Rules) -> list[str]:
    """Returns that the incident's earlier restore used another backup than the one that the user asks for now."""
    backup, given = plan.backup or {}, plan.target.backup_id
    if plan.earlier is None or plan.sends or "id" not in backup:
        return []
    used = f"needs another restore_incident: this one has used backup {backup['id']}"
    if given is not None and str(given) != str(backup["id"]):
        return [f"Backup {given} {used}."]
    if rules.before and not is_before(backup, rules.before):
        return [f"restore_before={rules.before:%Y-%m-%dT%H:%MZ} {used} of {format_clock(taken_at(backup))}."]
    return []


def _format_other(other: EarlierRestore, now: datetime, instance: Resource) -> str:
    """Returns a sentence about a restore for another incident."""
    incident, state = one_line(other.incident, 60), other.state
    sent = format_moment(state.sent_at, now)
    if state.event is OperationEvent.COMPLETED:
        ago = format_duration(now - (parse_time(state.at) or now))
        return f"Restored {ago} ago for {incident}"
    if state.event is OperationEvent.ACCEPTED:
        if is_busy(instance) or now - (parse_time(state.sent_at) or now) < LONGEST_RESTORE:
            return f"A restore for {incident} is under way since {sent}"
        return f"A restore for {incident} was accepted at {sent}, and its end was not seen"
    if state.event is OperationEvent.FAILED:
        return f"A restore for {incident}, sent at {sent}, failed"
    return f"A restore for {incident} was to be sent at {sent}, and its outcome is unknown"
