# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of what is not restored: of obstacles, for the modules and the role alike, and of restores that failed.

Pure. Only a task that needs them imports them.
"""

from __future__ import annotations

import copy
import typing as t
from datetime import timedelta

from ..._errors import NOTHING_SENT, PartialError, RefusedError, WaitTimeoutError
from ..._model.backup import is_in_future, taken_at
from ..._model.instance import (
    NAME_LIMIT,
    describe_namesakes,
    describe_status,
    find_name_fault,
    get_status,
    has_name,
    is_busy,
    label,
    short_name,
)
from ..._model.ownership import FIELDS, parse_owner
from ..._state.journal import OperationEvent
from ..._text import format_list, one_line
from ..._times import format_duration, format_time
from ..._waiter import explain_ended_wait, go_on
from ..at_most_once import explain_recorded, format_at
from ..at_most_once import explain_unknown as explain_state
from .notes import describe_left_out, describe_record, format_other
from .plan import ObstacleKind
from .restore import Stage
from .surfaces import MODULE

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import ClawHostersError
    from ..._model.resource import Resource
    from ..._state.journal import OperationState
    from ..._state.journal_store import Holder
    from .history import EarlierRestore, RestoreRecord
    from .plan import Obstacle, RestorePlan, Rules, Target
    from .recovery import Recovery
    from .restore import Restore
    from .surfaces import RestoreOptions, Surface

_LISTED = 5
"""Backups that a message lists."""
_CHECK_OTHER = "Check the instance, and run this again if it must be restored all the same."
_NOT_EXECUTED = "but it was not executed, and this run only waited for it."
_AWAIT = "Run the same task again when that run has ended, or with wait: true."


class Explanation(t.NamedTuple):
    """An obstacle in words, and what the user of a module can do. ``names_status``: it has the current status."""

    fact: str
    advice: str = ""
    names_status: bool = False


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


def build_error(plan: RestorePlan, incident: str, rules: Rules, now: datetime) -> RefusedError:
    """Returns the error of a plan with an obstacle. Its message says what it is, and what to do."""
    obstacle, explained = t.cast("Obstacle", plan.obstacle), explain(plan, incident, rules, now)
    # An earlier run may have sent it.
    unsent = NOTHING_SENT if obstacle.is_final else ""
    return RefusedError(" ".join(filter(None, (explained.fact, unsent, explained.advice))), obstacle.cause)


def _format_holder(holder: Holder | None, now: datetime, surface: Surface) -> str:
    """Returns who works on an instance, for which incident and since when, as far as that is known."""
    if holder is None:
        return "another run"
    incident = f" for incident {holder.name}" if holder.name else ""
    since = f" since {surface.format_time(holder.since, now)}" if holder.since else ""
    return one_line(f"{holder.who}{incident}{since}")


# Obstacles


def explain(plan: RestorePlan, incident: str, rules: Rules, now: datetime, surface: Surface = MODULE) -> Explanation:
    """Returns why nothing is sent for a target, in the words of the surface."""
    obstacle, instance, backup = t.cast("Obstacle", plan.obstacle), plan.instance or {}, plan.backup or {}
    shown, told = surface.show_instance(instance), _tell_other(obstacle.other, now, surface)
    match obstacle.kind:
        case ObstacleKind.NO_INSTANCE:
            return _explain_no_instance(plan.target, obstacle.similar)
        case ObstacleKind.AMBIGUOUS:
            return Explanation(f"{describe_namesakes(plan.target.name, obstacle.ids)}.", "Choose one with its id.")
        case ObstacleKind.OTHER_NAME:
            return Explanation(f"{find_name_fault(instance, plan.target.name)}.")
        case ObstacleKind.DUPLICATE:
            return Explanation(f"{shown} is listed already, in entry {obstacle.duplicate_of}.")
        case ObstacleKind.FAILED | ObstacleKind.UNKNOWN:
            return _explain_earlier(instance, t.cast("OperationState", plan.earlier), incident, now, surface)
        case ObstacleKind.NO_BACKUP:
            return _explain_no_backup(plan, obstacle, rules, now, shown)
        case ObstacleKind.UNCLEAR_BACKUP:
            return _explain_unclear(obstacle.backups, label(instance))
        case ObstacleKind.OTHER_BACKUP:
            return _explain_owner(backup, label(instance))
        case ObstacleKind.BACKUP_TWICE:
            listed = f"Backup {plan.target.backup_id} is listed for another entry already ({obstacle.duplicate_of})"
            return Explanation(f"{listed}, and a backup is of one instance.")
        case ObstacleKind.TOO_OLD:
            return _explain_age(backup, label(instance), rules, now, surface.max_age)
        case ObstacleKind.WRONG_STATUS:
            return _explain_status(instance, shown, told)
        case ObstacleKind.TOO_SOON:
            interval = f"{surface.min_interval} ({format_duration(rules.min_interval or timedelta(0))})"
            return Explanation(f"{shown} is within {interval} of another restore: {told}.")
        case ObstacleKind.OVERTAKEN:
            return Explanation(f"{shown} is left alone: since this run began, {told}.", _CHECK_OTHER)
        case ObstacleKind.OTHER_MEMORY:
            return Explanation(obstacle.cause.text if obstacle.cause else "")
        case ObstacleKind.ONLY_IN_RECORD:
            return _explain_record(instance, t.cast("RestoreRecord", obstacle.record), incident, now, surface)
        case ObstacleKind.DELETED | ObstacleKind.RENAMED | ObstacleKind.CHANGED:
            return _explain_since(instance, obstacle, shown)
        case ObstacleKind.NOT_SENT:
            awaited = f"Incident {incident}: another run was to send the restore of {label(instance)}"
            return Explanation(f"{awaited}, {_NOT_EXECUTED}", "Check the plan again.")
        case ObstacleKind.HELD:
            return Explanation(f"{shown} is held by {_format_holder(obstacle.holder, now, surface)}.", _AWAIT)
    t.assert_never(obstacle.kind)


def _tell_other(other: EarlierRestore | None, now: datetime, surface: Surface) -> str:
    """Returns a clause about the restore for another incident that is the reason, if there is one."""
    return format_other(other, surface.format_time(other.state.sent_at, now)) if other else ""


def _explain_no_instance(target: Target, similar: str | None) -> Explanation:
    name = one_line(target.name, NAME_LIMIT)
    sought = name if target.instance_id is None else f"with id {target.instance_id}"
    meant = f"; did you mean {one_line(similar, NAME_LIMIT)}?" if similar else "."
    return Explanation(f"There is no instance {sought}{meant}")


def _explain_earlier(
    instance: Resource, state: OperationState, incident: str, now: datetime, surface: Surface
) -> Explanation:
    """Returns how an earlier restore for the incident failed, or why its outcome is unknown."""
    if state.event is not OperationEvent.FAILED:
        return Explanation(f"Incident {incident}: {explain_state('a restore', state)}", explain_unknown(instance))
    return Explanation(
        f"Incident {incident}: the restore of {label(instance)}, sent at {surface.format_time(state.sent_at, now)}, "
        f"failed. Its status is {_status(instance)} now.",
        advise_on_status(instance) or "Nothing was sent again; with force: true, a restore is sent.",
        names_status=True,
    )


def explain_unknown(instance: Resource) -> str:
    """Returns what to do about a restore that was sent, and may have been executed."""
    advice = advise_on_status(instance)
    again = "Check it; nothing is sent again for this incident without force: true."
    return (
        f"It is unknown whether the restore of {label(instance)} was executed: its status is "
        f"{_status(instance)} now. {f'{advice} Nothing is sent again for this incident.' if advice else again}"
    )


def _explain_no_backup(plan: RestorePlan, obstacle: Obstacle, rules: Rules, now: datetime, shown: str) -> Explanation:
    if plan.target.backup_id is not None:
        reason = f" ({obstacle.cause.reason})" if obstacle.cause else ""
        return Explanation(f"There is no backup with id {plan.target.backup_id}{reason}.")
    when = f" from before {format_time(rules.before)}" if rules.before else ""
    left_out = describe_left_out(plan, now)
    own = f"{shown} has no usable backup{when}."
    return Explanation(f"{own} {left_out}" if left_out else own)


def _explain_owner(backup: Resource, instance: str) -> Explanation:
    which, owner = one_line(backup.get("id"), 20), one_line(parse_owner(backup))
    return Explanation(f"Backup {which} is of {owner}, not of {instance}.")


def _explain_unclear(backups: tuple[Resource, ...], instance: str) -> Explanation:
    ids = format_list((one_line(one.get("id"), 20) for one in backups), _LISTED)
    return Explanation(
        f"The service does not show whether a backup (id {ids}) is of {instance}, and the collection does not guess.",
        f"Of a backup, the fields {FIELDS} are read. See the dashboard, and give the id of the backup.",
    )


def _explain_age(backup: Resource, instance: str, rules: Rules, now: datetime, max_age: str) -> Explanation:
    taken, backup_id = taken_at(backup), one_line(backup.get("id"), 20)
    if taken is None:
        return Explanation(f"The age of backup {backup_id} is unknown, and {max_age} is set.")
    which = f"Backup {backup_id} of {instance}"
    if is_in_future(taken, now):
        return Explanation(
            f"{which} is dated {format_time(taken)}, which is {format_duration(taken - now)} in the future. "
            f"Its age is unknown, and {max_age} is set.",
            "Omit max_age to restore it all the same.",
        )
    limit = format_duration(rules.max_age or timedelta(0))
    return Explanation(
        f"{which} was taken at {format_time(taken)}, {format_duration(now - taken)} ago, which is more than "
        f"{max_age} ({limit})."
    )


def _explain_status(instance: Resource, shown: str, told: str) -> Explanation:
    advice = advise_on_status(instance) or "force: true tries it."
    if get_status(instance) == "pending_configuration":
        advice = "Give it an LLM key in the dashboard first."
    reason = f" {told[:1].upper()}{told[1:]}." if told else ""
    status = f"{shown} has the status {_status(instance)}"
    return Explanation(
        f"{status}, and only a running or stopped instance can be restored.{reason}",
        advice,
        names_status=True,
    )


def _explain_since(instance: Resource, obstacle: Obstacle, shown: str) -> Explanation:
    """Returns what has changed since the plan."""
    seen = obstacle.seen or {}
    if obstacle.kind is ObstacleKind.DELETED:
        return Explanation(f"{shown} does not exist any more: it was deleted.")
    if obstacle.kind is ObstacleKind.RENAMED:
        return Explanation(f"{shown} is now {f'named {short_name(seen)}' if has_name(seen) else 'without a name'}.")
    before, after = map(_describe_condition, (instance, seen))
    changed = f"{shown} was {before} in the plan that was confirmed, and is {after} now."
    return Explanation(changed, names_status=True)


def _explain_record(
    instance: Resource, record: RestoreRecord, incident: str, now: datetime, surface: Surface
) -> Explanation:
    sent_at = surface.format_time(record.sent_at[str(instance["id"])], now)
    return Explanation(describe_record(record, instance, incident, sent_at))


def _status(instance: Resource) -> str:
    return describe_status(instance, 40)


def _describe_condition(instance: Resource) -> str:
    values = (instance.get("status"), instance.get("health_status"))
    return ", ".join(one_line(value, NAME_LIMIT) for value in values if value) or "of unknown status"


# Restores that failed


def explain_unread(error: ClawHostersError, restore: Restore, surface: Surface) -> str:
    """Returns what the journal holds of a restore, for a run that ``error`` kept from reading the service."""
    state = t.cast("OperationState", restore.state)
    known = explain_recorded(f"the restore of {short_name(restore.instance)}", state)
    again = "" if state.event is OperationEvent.COMPLETED else go_on(error, surface.advice)
    return f"{error} {known} {again}"


def build_lost_error(error: ClawHostersError, instance: Resource) -> PartialError:
    """Returns the error of a restore whose response was lost, and that does not show in the instance."""
    return PartialError(f"{error} {explain_unknown(instance)}", {}, error)


def build_status_error(restore: Restore) -> PartialError:
    """Returns the error of a restore that was accepted, and ended in a failure status."""
    now = restore.current
    return PartialError(
        f"The restore of backup {restore.plan.backup_id} was accepted, but the status of {label(now)} "
        f"is {describe_status(now)} now. Check it in the dashboard, and rebuild it there if it has failed. To restore "
        "the same backup again, use backup_id and force: true.",
        {},
    )


def build_wait_error(
    restore: Restore,
    error: ClawHostersError,
    options: RestoreOptions,
    recovery: Recovery | None,
    holder: Holder | None,
    *,
    is_one: bool,
) -> PartialError:
    """Returns the error of a restore whose wait ended with ``error``. ``last_seen`` of the restore is set.

    ``recovery``: how far the instance is, if it is restored. ``holder``: the run that works on it, if it is held.
    ``is_one``: the message says how to go on; of many, that of the task does at its end.
    """
    surface, own, is_held = options.surface, copy.copy(error), restore.stage is Stage.LOCKED
    own.last_seen = restore.last_seen
    if recovery is not None:
        known, limit = "It was restored.", options.healthy_timeout or options.timeout
        reason = recovery.explain_unfinished(own, limit, surface.healthy_timeout)
    else:
        known = f"This run sent nothing for {short_name(restore.instance)}." if is_held else _format_sent(restore)
        goal, condition = "free" if is_held else "restored", own.last_seen.condition if own.last_seen else ""
        reason = explain_ended_wait(own, condition, goal, options.timeout, option=surface.wait_timeout)
    own.replace(reason)
    own.names_status = isinstance(own, WaitTimeoutError) and own.cause is None and not is_held
    again = f" {go_on(own, surface.advice)}" if is_one else ""
    other = f" It is held for incident {one_line(holder.name)}." if holder and holder.name else ""
    return PartialError(f"{known} {reason}{again}{other}", {}, own)


def _format_sent(restore: Restore) -> str:
    """Returns that a restore was accepted; after a lost response nothing but the time of the request is known."""
    state = restore.state
    if state is None or state.event is OperationEvent.ACCEPTED:
        sent = f"accepted at {format_at(state.at if state else None)}"
    else:
        sent = f"sent at {format_at(state.sent_at)}"
    return f"The restore of {short_name(restore.instance)} was {sent}."
