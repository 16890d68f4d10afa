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
from .restore import Restore

RUN_AGAIN = "Run the same task again: it continues waiting, and sends nothing."
RUN_ALL_AGAIN = "Run the same task again: it waits for what is under way, and goes on with the rest."
NOTHING_SENT = "Nothing was sent."
_LISTED = 5
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
    return RefusedError(_TEXTS[obstacle.kind](plan, obstacle, incident, rules), obstacle.cause)


def format_left_out(backups: t.Sequence[Resource], now: datetime) -> str:
    """Returns one sentence with the backups that were passed over, and why; empty if there are none."""
    if not backups:
        return ""
    each = (f"id {backup.get('id')} ({explain_left_out(backup, now)})" for backup in backups)
    return f"{format_count(len(backups), 'backup')} left out: {format_list(each, _LISTED)}."


def format_other(other: EarlierRestore) -> str:
    """Returns a clause about a restore for another incident, with when and by whom it was sent."""
    by = other.state.notes.get("by")
    who = f" by {one_line(by.get('user'))}@{one_line(by.get('host'))}" if isinstance(by, dict) else ""
    return f"incident {one_line(other.incident)} sent a restore of it at {other.state.sent_at}{who}"


# Obstacles


def _explain_no_instance(plan: Plan, obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    target = plan.target
    if obstacle.similar:
        similar = one_line(obstacle.similar, NAME_LIMIT)
        return f"There is no instance {one_line(target.name, NAME_LIMIT)}; did you mean {similar}? {NOTHING_SENT}"
    sought = one_line(target.name, NAME_LIMIT) if target.instance_id is None else f"with id {target.instance_id}"
    return f"There is no instance {sought}: nothing was sent."


def _explain_ambiguous(plan: Plan, obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    ids = ", ".join(map(str, obstacle.ids))
    return (
        f"{len(obstacle.ids)} instances are named {one_line(plan.target.name, NAME_LIMIT)} (ids {one_line(ids)}): "
        f"choose one with its id. {NOTHING_SENT}"
    )


def _explain_other_name(plan: Plan, _obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    name = one_line((plan.instance or {}).get("name"), NAME_LIMIT)
    return (
        f"The instance with id {plan.target.instance_id} is named {name}, not "
        f"{one_line(plan.target.name, NAME_LIMIT)}: nothing was sent."
    )


def _explain_duplicate(plan: Plan, obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    return f"{label(plan.instance or {})} is listed already, in entry {obstacle.duplicate_of}: nothing was sent."


def _explain_failed(plan: Plan, _obstacle: Obstacle, incident: str, _rules: Rules) -> str:
    instance, state = plan.instance or {}, t.cast("OperationState", plan.earlier)
    advice = advise_on_status(instance) or "Nothing was sent again; force: true would send it."
    return (
        f"Incident {incident}: the restore of {label(instance)}, sent at {state.sent_at}, failed. "
        f"Its status is {instance.get('status')} now. {advice}"
    )


def _explain_unknown_outcome(plan: Plan, _obstacle: Obstacle, incident: str, _rules: Rules) -> str:
    earlier = explain_state("a restore", t.cast("OperationState", plan.earlier))
    return explain_unknown(f"Incident {incident}: {earlier}", plan.instance or {})


def explain_unknown(reason: str, instance: Resource) -> str:
    """Returns the message for a restore that was sent, and may have been executed. ``reason`` is a sentence."""
    again = "nothing is sent again for this incident"
    advice = advise_on_status(instance)
    advice = f"{advice} {again[:1].upper()}{again[1:]}." if advice else f"Check it; {again} without force: true."
    return (
        f"{reason} It is unknown whether the restore of {label(instance)} was executed: its status is "
        f"{instance.get('status')} now. {advice}"
    )


def _explain_no_backup(plan: Plan, obstacle: Obstacle, _incident: str, rules: Rules) -> str:
    if plan.target.backup_id is not None:
        reason = f" ({obstacle.cause.reason})" if obstacle.cause else ""
        return f"There is no backup with id {plan.target.backup_id}{reason}: nothing was sent."
    when = f" from before {rules.before.isoformat()}" if rules.before else ""
    left_out = format_left_out(plan.left_out, datetime.now(UTC))
    found = f"{label(plan.instance or {})} has no usable backup{when}."
    return " ".join(filter(None, (found, left_out, NOTHING_SENT)))


def _explain_unclear_backup(plan: Plan, obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    ids = format_list((str(backup.get("id")) for backup in obstacle.backups), _LISTED)
    return (
        f"The service does not show whether a backup (id {ids}; fields read: {FIELDS}) is of "
        f"{label(plan.instance or {})}, and the collection does not guess. See the dashboard, and give the id of the "
        f"backup. {NOTHING_SENT}"
    )


def _explain_other_backup(plan: Plan, _obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    backup = plan.backup or {}
    return (
        f"Backup {backup.get('id')} is of {one_line(parse_owner(backup))}, not of {label(plan.instance or {})}: "
        "nothing was sent."
    )


def _explain_backup_twice(plan: Plan, obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    return (
        f"Backup {plan.target.backup_id} is listed for another entry already ({obstacle.duplicate_of}), and a backup "
        "is of one instance: nothing was sent."
    )


def _explain_wrong_status(plan: Plan, obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    instance = plan.instance or {}
    advice = advise_on_status(instance) or "force: true tries it."
    if get_status(instance) == "pending_configuration":
        advice = "Give it an LLM key in the dashboard first."
    reason = f" {format_other(obstacle.other)[:1].upper()}{format_other(obstacle.other)[1:]}." if obstacle.other else ""
    return (
        f"The status of {label(instance)} is {instance.get('status')}, and only a running or stopped instance can be "
        f"restored: nothing was sent.{reason} {advice}"
    )


def _explain_too_old(plan: Plan, _obstacle: Obstacle, _incident: str, rules: Rules) -> str:
    backup = plan.backup or {}
    taken = taken_at(backup)
    if taken is None:
        return f"The age of backup {backup.get('id')} is unknown, and max_age is set: nothing was sent."
    age, of = datetime.now(UTC) - taken, label(plan.instance or {})
    if age < -CLOCK_TOLERANCE:
        return (
            f"Backup {backup.get('id')} of {of} is dated {taken.isoformat()}, which is {format_duration(-age)} in the "
            "future by the local clock. Its age is unknown, and max_age is set: nothing was sent. Correct the clock, "
            "or omit max_age."
        )
    limit = format_duration(rules.max_age) if rules.max_age else ""
    return (
        f"Backup {backup.get('id')} of {of} was taken at {taken.isoformat()}, {format_duration(age)} ago, which is "
        f"more than max_age ({limit}): nothing was sent."
    )


def _explain_too_soon(plan: Plan, obstacle: Obstacle, _incident: str, rules: Rules) -> str:
    interval = format_duration(rules.min_interval) if rules.min_interval else ""
    return (
        f"{label(plan.instance or {})}: {format_other(t.cast('EarlierRestore', obstacle.other))}, which is less than "
        f"min_interval ({interval}) ago: nothing was sent."
    )


def _explain_gone(plan: Plan, _obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    return f"{label(plan.instance or {})} does not exist any more: nothing was sent."


def _explain_renamed(plan: Plan, _obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    return f"{label(plan.instance or {})} has another name than when it was planned: nothing was sent."


def _explain_not_sent(plan: Plan, _obstacle: Obstacle, incident: str, _rules: Rules) -> str:
    return (
        f"Incident {incident}: another run was to send the restore of {label(plan.instance or {})}, but it was not "
        "executed, and this run only waited for it. Nothing was sent. Check the plan again."
    )


def _explain_overtaken(plan: Plan, obstacle: Obstacle, _incident: str, _rules: Rules) -> str:
    return (
        f"{label(plan.instance or {})}: since this task began, "
        f"{format_other(t.cast('EarlierRestore', obstacle.other))}. Nothing was sent, so that it is not overwritten. "
        "Check the instance, and run this again if it must be restored all the same."
    )


_TEXTS: dict[ObstacleKind, t.Callable[[Plan, Obstacle, str, Rules], str]] = {
    ObstacleKind.NO_INSTANCE: _explain_no_instance,
    ObstacleKind.AMBIGUOUS: _explain_ambiguous,
    ObstacleKind.OTHER_NAME: _explain_other_name,
    ObstacleKind.DUPLICATE: _explain_duplicate,
    ObstacleKind.FAILED: _explain_failed,
    ObstacleKind.UNKNOWN: _explain_unknown_outcome,
    ObstacleKind.NO_BACKUP: _explain_no_backup,
    ObstacleKind.UNCLEAR_BACKUP: _explain_unclear_backup,
    ObstacleKind.OTHER_BACKUP: _explain_other_backup,
    ObstacleKind.BACKUP_TWICE: _explain_backup_twice,
    ObstacleKind.WRONG_STATUS: _explain_wrong_status,
    ObstacleKind.TOO_OLD: _explain_too_old,
    ObstacleKind.TOO_SOON: _explain_too_soon,
    ObstacleKind.GONE: _explain_gone,
    ObstacleKind.RENAMED: _explain_renamed,
    ObstacleKind.NOT_SENT: _explain_not_sent,
    ObstacleKind.OVERTAKEN: _explain_overtaken,
}


# Waits


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
