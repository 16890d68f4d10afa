# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of the modules that restore: obstacles, and waits that ended early. Pure."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from ..._errors import ClawHostersError, RefusedError, UnauthorizedError, WaitTimeoutError
from ..._model.backup import taken_at
from ..._model.instance import NAME_LIMIT, get_status, is_busy, label, short_name
from ..._model.ownership import FIELDS, parse_owner
from ..._model.resource import Resource
from ..._state.journal import OperationEvent, OperationState
from ..._state.store import Holder
from ..._text import format_count, format_list, one_line
from ..._times import format_duration
from ..._waiter import format_last_seen
from ..at_most_once import explain_unknown as explain_state
from ..at_most_once import format_at
from .history import CLOCK_TOLERANCE, EarlierRestore
from .plan import Obstacle, ObstacleKind, Plan, Rules, explain_left_out
from .restore import COMPLETED, Restore

RUN_AGAIN = "Run the same task again: it continues waiting, and sends nothing."
RUN_ALL_AGAIN = "Run the same task again: it waits for what is under way, and goes on with the rest."
NOTHING_SENT = "Nothing was sent."
_NOTHING = "nothing was sent."
_LISTED = 5
_IDS_LISTED = 40
"""Backups of which each was left out for the same reason, and that a message names."""
"""Backups that a message lists."""


def advise_on_status(instance: Resource) -> str:
    """Returns what to do about a status from which nothing can be restored; empty for any other.

    ``force`` is no answer to these: what works on the instance may be a restore, and the others have no server.
    """
    if is_busy(instance):
        return "Something works on it: look at it in the dashboard first."
    return {
        "paused": "Buy Claws and resume it in the dashboard first.",
        "deleting": "It is being deleted, so nothing can be done.",
    }.get(get_status(instance), "")


def build_error(plan: Plan, incident: str, rules: Rules) -> RefusedError:
    """Returns the error of a plan with an obstacle. Its message says what it is, and what to do."""
    obstacle = t.cast("Obstacle", plan.obstacle)
    explanations = (explain(plan, obstacle, incident, rules) for explain in _EXPLANATIONS)
    return RefusedError(next(filter(None, explanations)), obstacle.cause)


def format_left_out(backups: t.Sequence[Resource], now: datetime) -> str:
    """Returns one sentence with the backups that were passed over, and why; empty if there are none."""
    if not backups:
        return ""
    reasons: dict[str, list[str]] = {}
    for backup in backups:
        reasons.setdefault(explain_left_out(backup, now), []).append(one_line(backup.get("id"), 20))
    each = (
        f"id {ids[0]} ({reason})" if len(ids) == 1 else f"ids {format_list(ids, _IDS_LISTED)} (each: {reason})"
        for reason, ids in reasons.items()
    )
    return f"{format_count(len(backups), 'backup')} left out: {format_list(each, _LISTED)}."


def format_other(other: EarlierRestore) -> str:
    """Returns a clause about a restore for another incident, with when and by whom it was sent."""
    by = other.state.notes.get("by")
    who = f" by {one_line(by.get('user'))}@{one_line(by.get('host'))}" if isinstance(by, dict) else ""
    return f"incident {one_line(other.incident)} sent a restore of it at {other.state.sent_at}{who}"


# Obstacles


def _explain_target(plan: Plan, obstacle: Obstacle, incident: str, _rules: Rules) -> str:
    """Returns the message if it can't be told which instance is meant, or that has changed since the plan."""
    target, instance = plan.target, plan.instance or {}
    name = one_line(target.name, NAME_LIMIT)
    match obstacle.kind:
        case ObstacleKind.NO_INSTANCE if obstacle.similar:
            similar = one_line(obstacle.similar, NAME_LIMIT)
            return f"There is no instance {name}; did you mean {similar}? {NOTHING_SENT}"
        case ObstacleKind.NO_INSTANCE:
            sought = name if target.instance_id is None else f"with id {target.instance_id}"
            return f"There is no instance {sought}: {_NOTHING}"
        case ObstacleKind.AMBIGUOUS:
            ids = one_line(", ".join(map(str, obstacle.ids)))
            return f"{len(obstacle.ids)} instances are named {name} (ids {ids}): choose one with its id. {NOTHING_SENT}"
        case ObstacleKind.OTHER_NAME:
            return f"The instance with id {target.instance_id} is named {short_name(instance)}, not {name}: {_NOTHING}"
        case ObstacleKind.DUPLICATE:
            return f"{label(instance)} is listed already, in entry {obstacle.duplicate_of}: {_NOTHING}"
        case ObstacleKind.OTHER_MEMORY:
            return str(obstacle.cause)
        case ObstacleKind.DELETED:
            return f"{label(instance)} does not exist any more: {_NOTHING}"
        case ObstacleKind.RENAMED:
            now = one_line((obstacle.seen or {}).get("name"), NAME_LIMIT)
            return f"{label(instance)} is now named {now}: {_NOTHING}"
        case ObstacleKind.CHANGED:
            before, now = (_describe_condition(one or {}) for one in (instance, obstacle.seen))
            return f"{label(instance)} was {before} in the plan that was confirmed, and is {now} now: {_NOTHING}"
        case ObstacleKind.NOT_SENT:
            return (
                f"Incident {incident}: another run was to send the restore of {label(instance)}, but it was not "
                f"executed, and this run only waited for it. {NOTHING_SENT} Check the plan again."
            )
    return ""


def _describe_condition(instance: Resource) -> str:
    values = (instance.get("status"), instance.get("health_status"))
    return ", ".join(one_line(value, NAME_LIMIT) for value in values if value)


def _explain_backup(plan: Plan, obstacle: Obstacle, _incident: str, rules: Rules) -> str:
    """Returns the message if no backup can be chosen, or the given one does not fit."""
    target, backup, instance = plan.target, plan.backup or {}, plan.instance or {}
    match obstacle.kind:
        case ObstacleKind.NO_BACKUP if target.backup_id is not None:
            reason = f" ({obstacle.cause.reason})" if obstacle.cause else ""
            return f"There is no backup with id {target.backup_id}{reason}: {_NOTHING}"
        case ObstacleKind.NO_BACKUP:
            when = f" from before {rules.before.isoformat()}" if rules.before else ""
            left_out = format_left_out(plan.left_out, datetime.now(UTC))
            return " ".join(filter(None, (f"{label(instance)} has no usable backup{when}.", left_out, NOTHING_SENT)))
        case ObstacleKind.UNCLEAR_BACKUP:
            ids = format_list((str(one.get("id")) for one in obstacle.backups), _LISTED)
            return (
                f"The service does not show whether a backup (id {ids}; fields read: {FIELDS}) is of "
                f"{label(instance)}, and the collection does not guess. See the dashboard, and give the id of the "
                f"backup. {NOTHING_SENT}"
            )
        case ObstacleKind.OTHER_BACKUP:
            return (
                f"Backup {backup.get('id')} is of {one_line(parse_owner(backup))}, not of {label(instance)}: {_NOTHING}"
            )
        case ObstacleKind.BACKUP_TWICE:
            return (
                f"Backup {target.backup_id} is listed for another entry already ({obstacle.duplicate_of}), and a "
                f"backup is of one instance: {_NOTHING}"
            )
    return ""


def _explain_earlier(plan: Plan, obstacle: Obstacle, incident: str, _rules: Rules) -> str:
    """Returns the message if an earlier restore for the incident failed, or its outcome is unknown."""
    instance, state = plan.instance or {}, t.cast(OperationState, plan.earlier)
    if obstacle.kind is ObstacleKind.UNKNOWN:
        return explain_unknown(f"Incident {incident}: {explain_state('a restore', state)}", instance)
    if obstacle.kind is not ObstacleKind.FAILED:
        return ""
    advice = advise_on_status(instance) or "Nothing was sent again; force: true would send it."
    return (
        f"Incident {incident}: the restore of {label(instance)}, sent at {state.sent_at}, failed. "
        f"Its status is {instance.get('status')} now. {advice}"
    )


def explain_unknown(reason: str, instance: Resource) -> str:
    """Returns the message for a restore that was sent, and may have been executed. ``reason`` is a sentence."""
    advice = advise_on_status(instance)
    known = f"{reason} It is unknown whether the restore of {label(instance)} was executed: its status is "
    if advice:
        return f"{known}{instance.get('status')} now. {advice} Nothing is sent again for this incident."
    again = "Check it; nothing is sent again for this incident without force: true."
    return f"{known}{instance.get('status')} now. {again}"


def _explain_rule(plan: Plan, obstacle: Obstacle, _incident: str, rules: Rules) -> str:
    """Returns the message if a rule forbids the restore now, or another incident was faster."""
    instance = plan.instance or {}
    other = format_other(obstacle.other) if obstacle.other else ""
    match obstacle.kind:
        case ObstacleKind.TOO_OLD:
            return _explain_age(plan, rules)
        case ObstacleKind.TOO_SOON:
            interval = format_duration(rules.min_interval) if rules.min_interval else ""
            return f"{label(instance)}: {other}, which is less than min_interval ({interval}) ago: {_NOTHING}"
        case ObstacleKind.OVERTAKEN:
            return (
                f"{label(instance)}: since this task began, {other}. {NOTHING_SENT} Check the instance, and run this "
                "again if it must be restored all the same."
            )
        case ObstacleKind.WRONG_STATUS:
            advice = advise_on_status(instance) or "force: true tries it."
            if get_status(instance) == "pending_configuration":
                advice = "Give it an LLM key in the dashboard first."
            reason = f" {other[:1].upper()}{other[1:]}." if other else ""
            return (
                f"The status of {label(instance)} is {instance.get('status')}, and only a running or stopped instance "
                f"can be restored: {_NOTHING}{reason} {advice}"
            )
    return ""


def _explain_age(plan: Plan, rules: Rules) -> str:
    backup = plan.backup or {}
    taken, of = taken_at(backup), f"Backup {backup.get('id')} of {label(plan.instance or {})}"
    if taken is None:
        return f"The age of backup {backup.get('id')} is unknown, and max_age is set: {_NOTHING}"
    age = datetime.now(UTC) - taken
    if age < -CLOCK_TOLERANCE:
        return (
            f"{of} is dated {taken.isoformat()}, which is {format_duration(-age)} in the future by the local clock. "
            f"Its age is unknown, and max_age is set: {_NOTHING} Correct the clock, or omit max_age."
        )
    limit = format_duration(rules.max_age) if rules.max_age else ""
    return (
        f"{of} was taken at {taken.isoformat()}, {format_duration(age)} ago, which is more than max_age ({limit}): "
        f"{_NOTHING}"
    )


_EXPLANATIONS = (_explain_target, _explain_backup, _explain_earlier, _explain_rule)
"""Each explains some kinds of obstacles, and returns an empty text for the others."""


# Waits


def format_interruption(incident: str, sent: t.Sequence[Restore], total: int, next_step: str) -> str:
    """Returns what Ctrl-C shows of a run that has ``sent`` some of its restores."""
    if not sent:
        return f"This run has sent nothing for incident {incident}. {next_step}"
    completed = sum(restore.outcome == COMPLETED for restore in sent)
    return (
        f"Incident {incident}: this run has sent {len(sent)} of {format_count(total, 'restore')}, and {completed} "
        f"completed; what the service has accepted goes on. {next_step}"
    )


def describe_lock(instance: Resource, holder: Holder | None, now: datetime) -> tuple[str, str]:
    """Returns the name, and who holds its lock, for progress lines; ``holder`` is None if the store names nobody."""
    held = f"held by {holder.format(now.timestamp())}" if holder else "another run is restoring it"
    return short_name(instance), held


def explain_failure(restore: Restore) -> str:
    """Returns the message of a restore that was accepted, and ended in a failure status."""
    now = restore.current
    return (
        f"The restore of backup {(restore.plan.backup or {}).get('id')} was accepted, but the status of {label(now)} "
        f"is {now.get('status')} now. See the dashboard. To restore another backup, use backup_id and another incident."
    )


def explain_unfinished(error: ClawHostersError, restore: Restore, next_step: str) -> str:
    """Returns the message of a wait for a restore that ended with ``error`` before the restore did."""
    state = restore.state
    if state is None or state.event is OperationEvent.ACCEPTED:
        accepted = f"The restore was accepted at {format_at(state.at if state else None)}"
    else:
        # After a lost response nothing but the time of the request is known.
        accepted = f"The restore was sent at {format_at(state.sent_at)}"
    again = go_on(error, next_step)
    if isinstance(error, WaitTimeoutError):
        return f"{error} {accepted}. {again}"
    seen = ""
    if error.last_seen:
        condition = format_last_seen(error.last_seen.condition, error.last_seen.at)
        seen = f"; {short_name(restore.instance)} was {condition}"
    if isinstance(error, UnauthorizedError):
        return f"The API key is no longer accepted: {error} {accepted} and goes on{seen}. {again}"
    return f"{error} {accepted}, but its outcome can't be read now{seen}. {again}"


def go_on(error: ClawHostersError, next_step: str) -> str:
    """Returns the sentence that says how to go on after ``error``."""
    if isinstance(error, UnauthorizedError):
        return f"With a valid key, {next_step[:1].lower()}{next_step[1:]}"
    return next_step
