# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of restores in the words of the role ``restore``, and what the engine needs of those confirmed. Pure."""

from __future__ import annotations

import functools
import typing as t
from datetime import datetime, timedelta

from ...module_utils._model.backup import NO_TIME, explain_unusable, taken_at
from ...module_utils._model.instance import get_status, is_healthy, label
from ...module_utils._model.ownership import has_owner, may_belong, parse_owner
from ...module_utils._model.resource import Resource
from ...module_utils._service.restore import messages
from ...module_utils._service.restore.history import CLOCK_TOLERANCE, RestoreHistory, RestoreRecord
from ...module_utils._service.restore.plan import NextStep, Plan, Rules, Target, explain_left_out
from ...module_utils._service.restore.restore import PLANNED
from ...module_utils._state.journal import OperationEvent, OperationState
from ...module_utils._text import MESSAGE_LIMIT, format_count, format_list, one_line
from ...module_utils._times import format_duration
from .._formatting import format_clock, format_label
from .failures import translate_options
from .model import Data, RestorePlan
from .screen import format_sent_and_completed

RECENT = timedelta(days=7)
"""Age up to which the plan shows a restore for another incident."""

_LISTED = 5
"""Restores for other incidents that a plan names."""
_PASSED_OVER = 40
"""Backups that ``restore_before`` passes over, and that a note names."""
_NEXT_AND_LAST = {
    PLANNED: (NextStep.SEND, OperationEvent.INTENDED),
    "in_flight": (NextStep.WAIT, OperationEvent.ACCEPTED),
    "completed": (NextStep.NONE, OperationEvent.COMPLETED),
}
"""For each outcome in a confirmed plan: the next step, and the last event of the earlier restore, if there was one."""


def build_plan(plan: Plan, history: RestoreHistory, rules: Rules, now: datetime) -> RestorePlan:
    """Returns a plan as the role shows and records it, without its confirmation."""
    instance, backup, earlier = plan.instance, plan.backup, plan.earlier
    taken = taken_at(backup) if backup else None
    # As in the modules, a backup of the future has no known age.
    age = max(now - taken, timedelta(0)) if taken and taken - now <= CLOCK_TOLERANCE else None
    name = plan.target.name if plan.target.name is not None else (instance or {}).get("name")
    kind = plan.obstacle.kind.value if plan.obstacle else ""
    return RestorePlan(
        name=str(name if name is not None else plan.target.instance_id),
        given_id=plan.target.instance_id,
        label=format_label(name, instance["id"] if instance else plan.target.instance_id),
        instance={key: instance.get(key) for key in ("id", "name", "status", "health_status")} if instance else None,
        backup=_summarize(backup),
        unusable=explain_unusable(backup) if backup else "",
        age=format_duration(age) if age is not None else None,
        age_seconds=age.total_seconds() if age is not None else None,
        outcome=_find_outcome(plan),
        sent_at=earlier.sent_at if earlier else None,
        completed_at=earlier.completed_at if earlier else None,
        known_step=plan.known_step,
        kind=kind,
        message=format_obstacle(plan, history.incident, rules, now) if kind else "",
        ids=list(plan.obstacle.ids) if plan.obstacle else [],
        similar=plan.obstacle.similar if plan.obstacle else None,
        older_backup=_summarize(plan.older),
        notes=_build_notes(plan, history, rules, now),
    )


def read_plan(plan: RestorePlan) -> Plan:
    """Returns the plan that was confirmed, as the engine needs it. Only that is sent."""
    backup: Data | None = None
    if plan.backup:
        backup = {"id": plan.backup["id"], "created_at": plan.backup["taken_at"]}
    step, event = _NEXT_AND_LAST[str(plan.outcome)]
    earlier = OperationState(event, plan.sent_at, plan.completed_at or plan.sent_at, {}) if plan.sent_at else None
    target = Target(plan.given_id, None if plan.given_id is not None else plan.name)
    return Plan(target, plan.instance, backup, step, earlier=earlier, known_step=plan.known_step)


def explain_changed_backup(plan: RestorePlan, now: Resource | None) -> str:
    """Returns how a backup differs from what its plan shows; empty if it does not. ``now``: None if it is gone.

    A field that it does not show now is no difference: list and detail may show different ones.
    """
    backup = f"Backup {(plan.backup or {}).get('id')} of {plan.label}"
    if now is None:
        return f"{backup} does not exist any more"
    taken = taken_at(now)
    if taken is not None and taken != plan.taken_at:
        return f"{backup} is of {format_clock(taken)} now"
    if has_owner(now) and not may_belong(now, plan.instance or {}):
        return f"{backup} belongs to {one_line(parse_owner(now))} now"
    reason = explain_unusable({"status": now.get("status"), "created_at": (plan.backup or {}).get("taken_at")})
    return "" if reason in ("", NO_TIME, plan.unusable) else f"{backup} can't be used any more: {reason}"


def _find_outcome(plan: Plan) -> str | None:
    """Returns ``planned``, or how far an earlier run of the incident came."""
    if plan.sends:
        return PLANNED
    if plan.step is NextStep.WAIT:
        return "in_flight"
    is_earlier = plan.step is NextStep.NONE or (plan.obstacle is not None and not plan.obstacle.is_final)
    return plan.earlier.outcome if plan.earlier and is_earlier else None


def _summarize(backup: Resource | None) -> Data | None:
    taken = taken_at(backup) if backup else None
    return {"id": backup["id"], "taken_at": taken.isoformat() if taken else None} if backup else None


def format_obstacle(plan: Plan, incident: str, rules: Rules, now: datetime) -> str:
    """Returns the obstacle of a plan in the words of the role, which names the instance beside it."""
    fact = messages.explain(plan, incident, rules, now, functools.partial(messages.format_moment, now=now)).fact
    fact = one_line(translate_options(fact), MESSAGE_LIMIT)
    own = f"{label(plan.instance or {})} "
    return f"It {fact.removeprefix(own)}" if fact.startswith(own) else fact


def _build_notes(plan: Plan, history: RestoreHistory, rules: Rules, now: datetime) -> list[str]:
    """Returns what the user must know besides the backup and the loss, or the obstacle."""
    instance, backup = plan.instance or {}, plan.backup or {}
    choice = messages.describe_choice(plan, history.incident, rules, now)
    if plan.obstacle:
        return choice
    others = history.find_recent(instance["id"], RECENT)
    holder = history.find_holder(instance["id"])
    notes = [f"Another run works on it: {holder.format(history.read_at.timestamp())}."] if holder else []
    format_sent_at = functools.partial(messages.format_moment, now=now)
    sentences = (f"{messages.format_other(other, format_sent_at)}." for other in others[:_LISTED])
    notes += [f"{sentence[:1].upper()}{sentence[1:]}" for sentence in sentences]
    if len(others) > _LISTED:
        notes.append(f"And {len(others) - _LISTED} more restores for other incidents within 7 days.")
    if plan.sends and plan.earlier is None and (record := history.record):
        notes += _describe_record(record, instance, history.incident, format_sent_at)
    if plan.sends and plan.earlier:
        when = format_sent_and_completed(plan.earlier.sent_at, plan.earlier.completed_at)
        notes.append(f"This incident already has a restore{when}. With restore_force it is sent again.")
    notes += choice
    if plan.sends and plan.skipped:
        named = (f"id {one['id']} of {format_clock(taken_at(one))}" for one in plan.skipped)
        count = format_count(len(plan.skipped), "newer backup")
        notes.append(f"restore_before passes over {count}: {format_list(named, _PASSED_OVER)}.")
    if plan.sends and plan.target.backup_id is not None and (reason := explain_left_out(backup, now)):
        notes.append(f"The service may refuse backup {backup.get('id')}: {reason}.")
    if get_status(instance) == "stopped":
        notes.append("It will be started, and costs Claws if it is billed daily.")
    if plan.sends and get_status(instance) == "running" and is_healthy(instance):
        notes.append("It is running and healthy now.")
    return notes


def _describe_record(
    record: RestoreRecord, instance: Resource, incident: str, format_sent_at: t.Callable[[str], str]
) -> list[str]:
    """Returns what the record says, or may say, of a restore that will be sent and that the journal does not know."""
    if str(instance["id"]) in record.sent_at:
        said = messages.describe_record(record, instance, incident, format_sent_at)
        return [f"{said}. With restore_force it is sent again."]
    if record.unreadable:
        return [f"The record {one_line(record.unreadable)} can't be read: it may say that this was sent already."]
    return []
