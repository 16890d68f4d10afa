# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of obstacles: the sentence and the advice of each, for the modules and the role alike; and restores that
failed.

Pure. Only a task that needs it imports it.
"""

from __future__ import annotations

import math
import typing as t
from datetime import timedelta

from ..._errors import NOTHING_SENT, PartialError, RefusedError
from ..._model.backup import is_in_future, taken_at
from ..._model.instance import (
    NAME_LIMIT,
    describe_namesakes,
    describe_status,
    find_name_fault,
    get_status,
    is_busy,
    label,
    short_name,
)
from ..._model.ownership import FIELDS, parse_owner
from ..._text import format_list, one_line
from ..._times import format_duration, format_time
from ..._waiter import explain_ended_wait, format_advice
from ..at_most_once import explain_unknown, format_at
from .plan_remarks import capitalize, describe_left_out, describe_report, format_moment, format_other, format_taken
from .restore_job import Stage
from .target_plan import ObstacleKind

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import ClawHostersError
    from ..._model.resource import Resource
    from ..._state.journal_store import Holder
    from .options import Rules, Wording
    from .restore_job import ExecutorOptions, RestoreJob
    from .target_plan import Obstacle, TargetPlan

_LISTED = 5
"""Backups that a message lists."""

_TABLE: dict[ObstacleKind, tuple[str, str]] = {
    ObstacleKind.NO_INSTANCE: (
        "There is no instance {target}{for_backup}{similar}",
        "Give the right id with {ids}, or the exact name.",
    ),
    ObstacleKind.AMBIGUOUS: ("{namesakes}.", "Give the id of the right one with {ids}."),
    ObstacleKind.OTHER_NAME: ("{name_fault}.", "Correct the name or the id."),
    ObstacleKind.DUPLICATE: (
        "{It} or its backup is listed already, in entry {first}.",
        "List each instance and each backup once.",
    ),
    ObstacleKind.FAILED: (
        "Incident {incident}: the restore of {it}, sent at {sent_at}, failed.",
        "{send_after_failure}",
    ),
    ObstacleKind.UNKNOWN: ("Incident {incident}: {unknown}", "{send_if_not_restored}"),
    ObstacleKind.NO_BACKUP: ("{It} has no usable backup{before}. {left_out}", "{without_before}"),
    ObstacleKind.BACKUP_GONE: (
        "There is no backup with id {given}{reason}.",
        "Correct {backup_option}, or leave it out to restore the newest one.",
    ),
    ObstacleKind.UNCLEAR_BACKUP: (
        f"The service does not show whether a backup (id {{unclear}}; fields read: {FIELDS}) belongs to {{it}}.",
        "Look up a backup in the dashboard, and restore it{alone} with its id as {backup_option}.",
    ),
    ObstacleKind.OTHER_BACKUP: (
        "Backup {backup} is of another instance, {owner}.",
        "Give the instance of this backup, or leave out {backup_option} to restore the newest one.",
    ),
    ObstacleKind.WRONG_STATUS: (
        "{It} has the status {status}, and only a running or stopped instance can be restored.{Other}",
        "{send_in_status}",
    ),
    ObstacleKind.TOO_OLD: ("Backup {backup}, {taken}, is {age}, and {max_age} is {limit}.", "{allow_age}"),
    ObstacleKind.TOO_SOON: (
        "{It} is within {min_interval} ({interval}) of another restore: {other}.",
        "Check it in the dashboard; without {min_interval}, the next run sends a restore again.",
    ),
    ObstacleKind.OTHER_MEMORY: ("{cause}", "When the folder is imported, {again}."),
    ObstacleKind.ONLY_IN_REPORT: (
        "{report}",
        "Set state_dir or state_database to the journal with which it was sent, or {send_again}.",
    ),
    ObstacleKind.DELETED: ("{It} does not exist any more: it was deleted.", "Check in the dashboard who deleted it."),
    ObstacleKind.CHANGED: (
        "{It} was {planned} in the plan, and is {seen} now.",
        "If it is still to be restored, {again}, with its id if it was renamed.",
    ),
    ObstacleKind.NOT_SENT: (
        "Incident {incident}: another run was to send the restore of {it}, and did not; this run only waited.",
        "{again} to send it.",
    ),
    ObstacleKind.OVERTAKEN: (
        "{It} is left alone: since this run began, {other}.",
        "Check it, then {again} if it must be restored all the same.",
    ),
    ObstacleKind.HELD: ("{It} is held by {holder}.", "{again} when that run has ended, or with wait: true."),
}
"""The sentence and the advice of each obstacle. Advice that names ``force`` says that this sends the restore again."""


def build_error(plan: TargetPlan, incident: str, rules: Rules, now: datetime, wording: Wording) -> RefusedError:
    """Returns the error of a plan with an obstacle. Its message says what it is, and what to do."""
    obstacle, (fact, advice) = t.cast("Obstacle", plan.obstacle), explain(plan, incident, rules, now, wording)
    sent = NOTHING_SENT if obstacle.is_final else f"Its status is {_status(plan.instance or {})} now."
    if obstacle.kind is ObstacleKind.UNKNOWN:
        sent = _explain_unknown(plan.instance or {})
    return RefusedError(f"{fact} {sent} {advice}", obstacle.cause)


def explain(plan: TargetPlan, incident: str, rules: Rules, now: datetime, wording: Wording) -> tuple[str, str]:
    """Returns why nothing is sent for a target, and what to do, in the words of the wording."""
    obstacle, instance = t.cast("Obstacle", plan.obstacle), plan.instance or {}
    target, state, seen = plan.target, plan.earlier, obstacle.seen or {}
    # The role has the name of the instance beside each message.
    it, again = "it" if wording.prefix else label(instance), wording.again
    other = format_other(obstacle.other, now) if obstacle.other else ""
    try_again = f"To try it in this status, {wording.restore_with(_force(wording))}; each such run sends it again."
    words = {
        "It": "It" if wording.prefix else it,
        "it": it,
        "again": again,
        "alone": wording.alone,
        "ids": wording.ids,
        "incident": incident,
        "target": one_line(target.name, NAME_LIMIT) if target.instance_id is None else f"with id {target.instance_id}",
        "for_backup": f", for backup {target.backup_id}" if target.backup_id else "",
        "similar": f"; did you mean {one_line(obstacle.similar, NAME_LIMIT)}?" if obstacle.similar else ".",
        "namesakes": describe_namesakes(target.name, obstacle.ids),
        "name_fault": find_name_fault(instance, target.name) if instance else "",
        "first": obstacle.duplicate_of,
        "sent_at": format_moment(state.sent_at, now) if state else "",
        "unknown": explain_unknown(f"a restore of {it}", state) if state else "",
        "status": _status(instance),
        "planned": _describe_facts(instance),
        "seen": _describe_facts(seen),
        "other": other,
        "Other": f" {capitalize(other)}." if other else "",
        "holder": format_holder(obstacle.holder, now),
        "cause": obstacle.cause.text if obstacle.cause else "",
        "report": describe_report(obstacle.earlier_report, instance, incident, now) if obstacle.earlier_report else "",
        "send_again": _send_again(wording),
        "send_after_failure": advise_failed(plan, instance, wording),
        "send_if_not_restored": advise_unknown(plan, instance, wording),
        "send_in_status": advise_on_status(instance, again) or try_again,
        "min_interval": wording.option("min_interval"),
        "interval": format_duration(rules.min_interval or timedelta(0)),
        **_find_backup_words(plan, rules, now, wording),
    }
    fact, advice = _TABLE[obstacle.kind]
    return fact.format_map(words).rstrip(), capitalize(advice.format_map(words))


def _force(wording: Wording) -> str:
    """Returns the option that sends a restore again, or from any status."""
    return wording.option("force", "true")


def _send_again(wording: Wording) -> str:
    """Returns the advice to send a restore again."""
    return f"{wording.restore_with(_force(wording))}, which sends it again"


def _find_backup_words(plan: TargetPlan, rules: Rules, now: datetime, wording: Wording) -> dict[str, object]:
    """Returns the words of a message that depend on backups."""
    obstacle, backup, max_age = t.cast("Obstacle", plan.obstacle), plan.backup or {}, wording.option("max_age")
    taken, age, allow = taken_at(backup), "of unknown age", f"Leave out {max_age} to restore it all the same."
    if taken and is_in_future(taken, now):
        age = f"dated {format_duration(taken - now)} in the future"
    elif taken:
        hours = math.ceil((now - taken) / timedelta(hours=1))
        age, allow = (
            f"{format_duration(now - taken)} old",
            f"Set {wording.option('max_age', f'{hours + 1}h')} to accept it.",
        )
    otherwise = "Without a backup, only a rebuild in the dashboard remains."
    if plan.skipped:
        without = wording.option("before")
        otherwise = f"If the newer ones do not hold the damage, restore it{wording.alone} without {without}."
    return {
        "backup": one_line(backup.get("id"), 20),
        "backup_option": wording.backup(),
        "given": plan.target.backup_id,
        "reason": f" ({obstacle.cause.reason})" if obstacle.cause else "",
        "owner": one_line(parse_owner(backup)),
        "unclear": format_list((one_line(one.get("id"), 20) for one in obstacle.backups), _LISTED),
        "before": f" from before {format_time(rules.before)}" if rules.before else "",
        "left_out": describe_left_out(plan, now),
        "without_before": _advise_on_busy(plan.instance or {}, wording.again) or otherwise,
        "taken": format_taken(backup),
        "age": age,
        "max_age": max_age,
        "limit": format_duration(rules.max_age or timedelta(0)),
        "allow_age": allow,
    }


def format_holder(holder: Holder | None, now: datetime) -> str:
    """Returns who works on an instance, how long and for which incident, as far as that is known."""
    if holder is None:
        return "another run"
    incident = f", for incident {one_line(holder.name)}" if holder.name else ""
    return f"{holder.format(now.timestamp())}{incident}"


def _status(instance: Resource) -> str:
    return describe_status(instance, 40)


def _describe_facts(instance: Resource) -> str:
    """Returns the name, the status and the health of an instance, as far as the service shows them."""
    values = (instance.get("name"), instance.get("status") or "of unknown status", instance.get("health_status"))
    return ", ".join(one_line(value, NAME_LIMIT) for value in values if value)


# Advice


def advise_on_status(instance: Resource, again: str) -> str:
    """Returns what to do about a status from which nothing can be restored; empty for any other.

    ``force`` is no answer to these: what works on the instance may be a restore, and the others have no server.
    """
    return _advise_on_busy(instance, again) or {
        "paused": f"Buy Claws and resume it in the dashboard, then {again}.",
        "pending_configuration": f"Give it an LLM key in the dashboard, then {again}.",
        "deleting": "It is being deleted, so nothing can be done.",
    }.get(get_status(instance), "")


def _advise_on_busy(instance: Resource, again: str) -> str:
    """Returns what to do about an instance that is busy, perhaps with a restore of its backup; empty for any other."""
    if instance.get("status") is None or not is_busy(instance):
        return ""
    return f"Something works on it: look at it in the dashboard first, then {again}."


def advise_failed(plan: TargetPlan, instance: Resource, wording: Wording) -> str:
    """Returns what to do after a restore that failed, perhaps by the fault of the instance: an older backup would lose
    more, and fail as well."""
    backup = [wording.backup(one_line(plan.backup_id, 20))] if plan.backup_id else []
    older = f"; the one before it is {one_line(plan.older['id'], 20)}, {format_taken(plan.older)}" if plan.older else ""
    sent = wording.restore_with(*backup, _force(wording))
    return advise_on_status(instance, wording.again) or (
        f"Check it in the dashboard, and rebuild it there if it has failed; then {sent}, which sends it again{older}."
    )


def advise_unknown(plan: TargetPlan, instance: Resource, wording: Wording) -> str:
    """Returns what to do about a restore that was sent, and may have been executed."""
    taken = taken_at(plan.backup or {})
    data = f" (it was not, if it has data from after {format_time(taken)})" if taken else ""
    return advise_on_status(instance, wording.again) or (
        f"Check whether it was restored{data}; if not, {_send_again(wording)}."
    )


# Restores that failed


def _explain_unknown(instance: Resource) -> str:
    """Returns what is known of a restore that was sent, and may have been executed."""
    status = _status(instance)
    return f"It is unknown whether the restore of {label(instance)} was executed: its status is {status} now."


def build_lost_error(error: ClawHostersError, restore: RestoreJob, wording: Wording) -> PartialError:
    """Returns the error of a restore whose response was lost, and that does not show in the instance."""
    now = restore.current
    return PartialError(f"{error} {_explain_unknown(now)} {advise_unknown(restore.plan, now, wording)}", {}, error)


def build_status_error(restore: RestoreJob, wording: Wording) -> PartialError:
    """Returns the error of a restore that was accepted, and ended in a failure status."""
    now, backup_id = restore.current, restore.plan.backup_id
    accepted = f"The restore of backup {backup_id} was accepted, but the status of {label(now)} is {_status(now)} now."
    return PartialError(f"{accepted} {advise_failed(restore.plan, now, wording)}", {})


def build_wait_error(
    restore: RestoreJob,
    error: ClawHostersError,
    options: ExecutorOptions,
    wording: Wording,
    explain: t.Callable[..., str],
) -> PartialError:
    """Returns the error of a restore whose wait ended with ``error``, which this changes.

    ``explain``: says how far an instance is that is restored. The message of one says how to go on; of many, that of
    the task does at its end.
    """
    is_held = restore.stage is Stage.HELD
    if restore.stage is Stage.RESTORED:
        known, limit = restore.ended, options.healthy_timeout or options.timeout
        option = wording.option("healthy_timeout" if options.healthy_timeout else "wait_timeout")
        reason = explain(error, limit, option=option)
    else:
        name, sent_at = short_name(restore.instance), format_at(restore.state.sent_at if restore.state else None)
        known = f"This run sent nothing for {name}." if is_held else f"The restore of {name} was sent at {sent_at}."
        goal, condition = "free" if is_held else "restored", error.last_seen.condition if error.last_seen else ""
        reason = explain_ended_wait(error, condition, goal, options.timeout, option=wording.option("wait_timeout"))
    error.replace(reason)
    again = "" if options.starts else f" {format_advice(error, wording.advice)}"
    return PartialError(f"{known} {reason}{again}", {}, error)
