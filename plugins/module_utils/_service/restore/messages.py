# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of what is not restored: of obstacles, for the modules and the role alike, and of restores that failed.

Pure. Only a task that needs them imports them.
"""

from __future__ import annotations

import copy
import math
import typing as t
from dataclasses import dataclass
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
from .notes import describe_left_out, describe_report, format_other
from .plan import ObstacleKind
from .restore import Stage

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import ClawHostersError
    from ..._model.resource import Resource
    from ..._state.journal import OperationState
    from ..._state.journal_store import Holder
    from .history import Witness
    from .plan import Obstacle, RestorePlan, Rules
    from .recovery import Recovery
    from .restore import Restore
    from .surfaces import RestoreOptions, Surface

_LISTED = 5
"""Backups that a message lists."""


class Explanation(t.NamedTuple):
    """An obstacle in words, and a sentence that says what to do. ``names_status``: it has the current status."""

    fact: str
    advice: str
    names_status: bool = False


@dataclass(frozen=True)
class _Case:
    """A plan with an obstacle, and what its words depend on."""

    plan: RestorePlan
    incident: str
    rules: Rules
    now: datetime
    surface: Surface

    @property
    def obstacle(self) -> Obstacle:
        return t.cast("Obstacle", self.plan.obstacle)

    @property
    def instance(self) -> Resource:
        return self.plan.instance or {}

    @property
    def backup(self) -> Resource:
        return self.plan.backup or {}

    @property
    def shown(self) -> str:
        """The beginning of a sentence about the instance."""
        return self.surface.show_instance(self.instance)

    @property
    def again(self) -> str:
        return self.surface.again

    def tell_other(self) -> str:
        """Returns a clause about the restore for another incident that is the reason, if there is one."""
        other = self.obstacle.other
        return format_other(other, self.surface.format_time(other.state.sent_at, self.now)) if other else ""


# Advice


def advise_on_status(instance: Resource, again: str) -> str:
    """Returns what to do about a status from which nothing can be restored; empty for any other.

    ``force`` is no answer to these: what works on the instance may be a restore, and the others have no server.
    """
    if is_busy(instance):
        return f"Something works on it: look at it in the dashboard first, then {again}."
    return {
        "paused": f"Buy Claws and resume it in the dashboard, then {again}.",
        "deleting": "It is being deleted, so nothing can be done.",
    }.get(get_status(instance), "")


def advise_failed(plan: RestorePlan, instance: Resource, surface: Surface, *, has_before: bool) -> str:
    """Returns what to do after a restore that failed, perhaps by the fault of the instance: an older backup would lose
    more, and fail as well."""
    if advice := advise_on_status(instance, surface.again):
        return advice
    backup = [name_backup(surface, plan.backup_id, ["before"] if has_before else [])] if plan.backup_id else []
    older = f"; the one before it is {one_line(plan.older['id'], 20)}, {format_taken(plan.older)}" if plan.older else ""
    return (
        "Check it in the dashboard, and rebuild it there if it has failed; then "
        f"{restore_with(surface, *backup, surface.force)}, which sends it again{older}."
    )


def advise_unknown(plan: RestorePlan, instance: Resource, surface: Surface) -> str:
    """Returns what to do about a restore that was sent, and may have been executed."""
    if advice := advise_on_status(instance, surface.again):
        return advice
    taken = taken_at(plan.backup or {})
    data = f" (it was not, if it has data from after {format_time(taken)})" if taken else ""
    sent = restore_with(surface, surface.force)
    return f"Check whether it was restored{data}; if not, {sent}, which sends it again."


def restore_with(surface: Surface, *options: str) -> str:
    """Returns ``restore it with OPTION and OPTION``."""
    return f"restore it{surface.alone} with {' and '.join(options)}"


def name_backup(surface: Surface, backup_id: object, excluded: t.Sequence[str]) -> str:
    """Returns the option that names a backup. ``excluded``: the options of the task with which it can't be given."""
    instead = f" instead of {' and '.join(map(surface.option, excluded))}" if excluded else ""
    return f"{surface.give(surface.backup, one_line(backup_id, 20))}{instead}"


def format_taken(backup: Resource) -> str:
    """Returns ``taken 2026-02-01 10:00 UTC``."""
    taken = taken_at(backup)
    return f"taken {format_time(taken)}" if taken else "taken at an unknown time"


# Obstacles


def build_error(plan: RestorePlan, incident: str, rules: Rules, now: datetime, surface: Surface) -> RefusedError:
    """Returns the error of a plan with an obstacle. Its message says what it is, and what to do."""
    obstacle, explained = t.cast("Obstacle", plan.obstacle), explain(plan, incident, rules, now, surface)
    sent = NOTHING_SENT if obstacle.is_final else ""
    if obstacle.kind is ObstacleKind.UNKNOWN:
        sent = _explain_unknown(plan.instance or {})
    return RefusedError(" ".join(filter(None, (explained.fact, sent, explained.advice))), obstacle.cause)


def explain(plan: RestorePlan, incident: str, rules: Rules, now: datetime, surface: Surface) -> Explanation:
    """Returns why nothing is sent for a target, and what to do, in the words of the surface."""
    case = _Case(plan, incident, rules, now, surface)
    match case.obstacle.kind:
        case ObstacleKind.NO_INSTANCE:
            return _explain_no_instance(case)
        case ObstacleKind.AMBIGUOUS:
            several = f"{describe_namesakes(plan.target.name, case.obstacle.ids)}."
            return Explanation(several, f"Give the id of the right one{surface.in_ids}.")
        case ObstacleKind.OTHER_NAME:
            return Explanation(f"{find_name_fault(case.instance, plan.target.name)}.", "Correct the name or the id.")
        case ObstacleKind.DUPLICATE | ObstacleKind.BACKUP_TWICE:
            return _explain_repeated(case)
        case ObstacleKind.FAILED | ObstacleKind.UNKNOWN:
            return _explain_earlier(case)
        case ObstacleKind.NO_BACKUP:
            return _explain_no_backup(case)
        case ObstacleKind.UNCLEAR_BACKUP | ObstacleKind.OTHER_BACKUP:
            return _explain_owner(case)
        case ObstacleKind.TOO_OLD:
            return _explain_age(case)
        case ObstacleKind.WRONG_STATUS:
            return _explain_status(case)
        case ObstacleKind.TOO_SOON | ObstacleKind.OVERTAKEN:
            return _explain_other(case)
        case ObstacleKind.OTHER_MEMORY:
            cause = case.obstacle.cause
            return Explanation(cause.text if cause else "", f"When the folder is imported, {case.again}.")
        case ObstacleKind.ONLY_IN_REPORT:
            return _explain_report(case)
        case ObstacleKind.DELETED | ObstacleKind.RENAMED | ObstacleKind.CHANGED:
            return _explain_since(case)
        case ObstacleKind.NOT_SENT | ObstacleKind.HELD:
            return _explain_run(case)
    t.assert_never(case.obstacle.kind)


def _explain_no_instance(case: _Case) -> Explanation:
    target, similar, surface = case.plan.target, case.obstacle.similar, case.surface
    if target.instance_id is not None:
        return Explanation(f"There is no instance with id {target.instance_id}.", f"Correct the id{surface.in_ids}.")
    meant = f"; did you mean {one_line(similar, NAME_LIMIT)}?" if similar else "."
    return Explanation(
        f"There is no instance {one_line(target.name, NAME_LIMIT)}{meant}",
        f"Correct the name{surface.in_names}, which must match exactly, or give the id{surface.in_ids}.",
    )


def _explain_repeated(case: _Case) -> Explanation:
    first = case.obstacle.duplicate_of
    if case.obstacle.kind is ObstacleKind.DUPLICATE:
        return Explanation(f"{case.shown} is listed already, in entry {first}.", "List each instance once.")
    listed = f"Backup {case.plan.target.backup_id} is listed for another entry already ({first})"
    return Explanation(f"{listed}, and a backup is of one instance.", f"Correct {case.surface.backup} of an entry.")


def _explain_earlier(case: _Case) -> Explanation:
    """Returns how an earlier restore for the incident failed, or why its outcome is unknown."""
    state, instance, surface = t.cast("OperationState", case.plan.earlier), case.instance, case.surface
    if state.event is not OperationEvent.FAILED:
        sent = f"Incident {case.incident}: {explain_state('a restore', state)}"
        return Explanation(sent, advise_unknown(case.plan, instance, surface))
    return Explanation(
        f"Incident {case.incident}: the restore of {label(instance)}, sent at "
        f"{surface.format_time(state.sent_at, case.now)}, failed. Its status is {_status(instance)} now.",
        advise_failed(case.plan, instance, surface, has_before=case.rules.before is not None),
        names_status=True,
    )


def _explain_unknown(instance: Resource) -> str:
    """Returns what is known of a restore that was sent, and may have been executed."""
    status = _status(instance)
    return f"It is unknown whether the restore of {label(instance)} was executed: its status is {status} now."


def _explain_no_backup(case: _Case) -> Explanation:
    given, before, surface = case.plan.target.backup_id, case.rules.before, case.surface
    if given is not None:
        reason = f" ({case.obstacle.cause.reason})" if case.obstacle.cause else ""
        newest = f"Correct {surface.backup}, or leave it out to restore the newest one."
        return Explanation(f"There is no backup with id {given}{reason}.", newest)
    when = f" from before {format_time(before)}" if before else ""
    left_out = describe_left_out(case.plan, case.now)
    fact = " ".join(filter(None, (f"{case.shown} has no usable backup{when}.", left_out)))
    if not case.plan.skipped:
        return Explanation(fact, "Without a backup, only a rebuild in the dashboard remains.")
    without = f"restore it{surface.alone} without {surface.option('before')}"
    return Explanation(fact, f"If the newer ones do not hold the damage, {without}.")


def _explain_owner(case: _Case) -> Explanation:
    """Returns that a backup is of another instance, or that it can't be told."""
    instance, surface = label(case.instance), case.surface
    if case.obstacle.kind is ObstacleKind.OTHER_BACKUP:
        return Explanation(
            f"Backup {one_line(case.backup.get('id'), 20)} is of {one_line(parse_owner(case.backup))}, not of "
            f"{instance}.",
            f"Give the instance of this backup, or leave out {surface.backup} to restore the newest one of {instance}.",
        )
    ids = format_list((one_line(one.get("id"), 20) for one in case.obstacle.backups), _LISTED)
    return Explanation(
        f"The service does not show whether a backup (id {ids}; fields read: {FIELDS}) is of {instance}, and the "
        "collection does not guess.",
        f"Look up a backup in the dashboard, and restore it{surface.alone} with its id as {surface.backup}.",
    )


def _explain_age(case: _Case) -> Explanation:
    max_age, backup, now = case.surface.option("max_age"), case.backup, case.now
    taken, which = taken_at(backup), f"Backup {one_line(backup.get('id'), 20)} of {label(case.instance)}"
    if taken is None:
        unknown = f"The age of backup {one_line(backup.get('id'), 20)} is unknown, and {max_age} is set."
        return Explanation(unknown, f"Leave out {max_age} to restore it all the same.")
    if is_in_future(taken, now):
        return Explanation(
            f"{which} is dated {format_time(taken)}, which is {format_duration(taken - now)} in the future. "
            f"Its age is unknown, and {max_age} is set.",
            f"Leave out {max_age} to restore it all the same.",
        )
    limit, hours = format_duration(case.rules.max_age or timedelta(0)), math.ceil((now - taken) / timedelta(hours=1))
    return Explanation(
        f"{which} was taken at {format_time(taken)}, {format_duration(now - taken)} ago, which is more than "
        f"{max_age} ({limit}).",
        f"Set {case.surface.give(max_age, f'{hours + 1}h')} to accept it.",
    )


def _explain_status(case: _Case) -> Explanation:
    told, status = case.tell_other(), f"{case.shown} has the status {_status(case.instance)}"
    sent = restore_with(case.surface, case.surface.force)
    advice = advise_on_status(case.instance, case.again)
    advice = advice or f"To try it in this status, {sent}; each such run sends it again."
    if get_status(case.instance) == "pending_configuration":
        advice = f"Give it an LLM key in the dashboard, then {case.again}."
    reason = f" {told[:1].upper()}{told[1:]}." if told else ""
    return Explanation(
        f"{status}, and only a running or stopped instance can be restored.{reason}", advice, names_status=True
    )


def _explain_other(case: _Case) -> Explanation:
    """Returns which restore for another incident is not overwritten."""
    told, min_interval = case.tell_other(), case.surface.option("min_interval")
    if case.obstacle.kind is ObstacleKind.OVERTAKEN:
        return Explanation(
            f"{case.shown} is left alone: since this run began, {told}.",
            f"Check it, then {case.again} if it must be restored all the same.",
        )
    interval = f"{min_interval} ({format_duration(case.rules.min_interval or timedelta(0))})"
    return Explanation(
        f"{case.shown} is within {interval} of another restore: {told}.",
        f"Check it in the dashboard; without {min_interval}, the next run sends a restore again.",
    )


def _explain_report(case: _Case) -> Explanation:
    witness, surface = t.cast("Witness", case.obstacle.witness), case.surface
    sent_at = surface.format_time(witness.sent_at[str(case.instance["id"])], case.now)
    return Explanation(
        describe_report(witness, case.instance, case.incident, sent_at),
        f"Set state_dir or state_database to the journal with which it was sent, or "
        f"{restore_with(surface, surface.force)}, which sends it again.",
    )


def _explain_since(case: _Case) -> Explanation:
    """Returns what has changed since the plan."""
    seen, kind, again = case.obstacle.seen or {}, case.obstacle.kind, case.again
    if kind is ObstacleKind.DELETED:
        gone = f"{case.shown} does not exist any more: it was deleted."
        return Explanation(gone, "Check in the dashboard who deleted it.")
    if kind is ObstacleKind.RENAMED:
        name = f"named {short_name(seen)}" if has_name(seen) else "without a name"
        is_by_name = case.plan.target.instance_id is None
        same = f"give its id{case.surface.in_ids}" if is_by_name else again
        return Explanation(f"{case.shown} is now {name}.", f"If it is the one that is meant, {same}.")
    before, after = map(_describe_condition, (case.instance, seen))
    changed = f"{case.shown} was {before} in the plan that was confirmed, and is {after} now."
    return Explanation(changed, f"{again[:1].upper()}{again[1:]} to confirm the current plan.", names_status=True)


def _explain_run(case: _Case) -> Explanation:
    """Returns what another run does with the instance, or was to do."""
    again = f"{case.again[:1].upper()}{case.again[1:]}"
    if case.obstacle.kind is ObstacleKind.HELD:
        held = f"{case.shown} is held by {_format_holder(case.obstacle.holder, case.now, case.surface)}."
        return Explanation(held, f"{again} when that run has ended, or with wait: true.")
    return Explanation(
        f"Incident {case.incident}: another run was to send the restore of {label(case.instance)}, but it was not "
        "executed, and this run only waited for it.",
        f"{again} to send it.",
    )


def _format_holder(holder: Holder | None, now: datetime, surface: Surface) -> str:
    """Returns who works on an instance, for which incident and since when, as far as that is known."""
    if holder is None:
        return "another run"
    incident = f" for incident {holder.name}" if holder.name else ""
    since = f" since {surface.format_time(holder.since, now)}" if holder.since else ""
    return one_line(f"{holder.who}{incident}{since}")


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


def build_lost_error(error: ClawHostersError, restore: Restore, surface: Surface) -> PartialError:
    """Returns the error of a restore whose response was lost, and that does not show in the instance."""
    now = restore.current
    return PartialError(f"{error} {_explain_unknown(now)} {advise_unknown(restore.plan, now, surface)}", {}, error)


def build_status_error(restore: Restore, rules: Rules, surface: Surface) -> PartialError:
    """Returns the error of a restore that was accepted, and ended in a failure status."""
    now = restore.current
    return PartialError(
        f"The restore of backup {restore.plan.backup_id} was accepted, but the status of {label(now)} is "
        f"{describe_status(now)} now. "
        f"{advise_failed(restore.plan, now, surface, has_before=rules.before is not None)}",
        {},
    )


def build_wait_error(
    restore: Restore,
    error: ClawHostersError,
    options: RestoreOptions,
    surface: Surface,
    recovery: Recovery | None,
    holder: Holder | None,
    *,
    is_one: bool,
) -> PartialError:
    """Returns the error of a restore whose wait ended with ``error``. ``last_seen`` of the restore is set.

    ``recovery``: how far the instance is, if it is restored. ``holder``: the run that works on it, if it is held.
    ``is_one``: the message says how to go on; of many, that of the task does at its end.
    """
    own, is_held = copy.copy(error), restore.stage is Stage.LOCKED
    own.last_seen = restore.last_seen
    if recovery is not None:
        known, limit = "It was restored.", options.healthy_timeout or options.timeout
        reason = recovery.explain_unfinished(own, limit, surface.healthy_timeout)
    else:
        known = f"This run sent nothing for {short_name(restore.instance)}." if is_held else _format_sent(restore)
        goal, condition = "free" if is_held else "restored", own.last_seen.condition if own.last_seen else ""
        reason = explain_ended_wait(own, condition, goal, options.timeout, option=surface.option("wait_timeout"))
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
