# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of restores: obstacles, for the modules and the role alike, and what was sent before a wait ended. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..._errors import NOTHING_SENT, RefusedError
from ..._model.backup import format_left_out, is_before, taken_at
from ..._model.instance import NAME_LIMIT, describe_namesakes, get_status, is_busy, label, short_name
from ..._model.ownership import FIELDS, has_owner, parse_owner
from ..._model.resource import Resource, normalize
from ..._state.journal import OperationEvent, OperationState
from ..._state.journal_store import Holder
from ..._text import format_count, format_list, one_line
from ..._times import format_duration, format_time, parse_time
from ..at_most_once import explain_unknown as explain_state
from ..at_most_once import format_at
from .history import CLOCK_TOLERANCE, EarlierRestore, RestoreRecord
from .plan import Obstacle, ObstacleKind, RestorePlan, Rules, explain_left_out
from .restore import Restore

RUN_AGAIN = "Run the same task again: it continues waiting, and sends nothing."
RUN_ALL_AGAIN = "Run the same task again: it waits for what is under way, and goes on with the rest."
_LISTED = 5
"""Backups that a message lists."""
_MAX_LEAD = timedelta(minutes=1)
"""Difference of the clocks up to which nothing is said."""
_OTHER_ENDS = {
    OperationEvent.ACCEPTED: "its end was not seen yet",
    OperationEvent.COMPLETED: "it has completed",
    OperationEvent.FAILED: "it has failed",
}
"""What the journal knows of the end of a restore for another incident; of any other, the outcome is unknown."""


@dataclass(frozen=True)
class Surface:
    """The words in which the surfaces differ: options, times, and how to go on. The defaults are those of a module."""

    wait_timeout: str = "wait_timeout"
    healthy_timeout: str = "wait_timeout"
    max_age: str = "max_age"
    min_interval: str = "min_interval"
    advice: str = RUN_AGAIN
    """How to go on after a wait that ended early."""
    retry_hint: str = "Nothing was restored; you can run the same incident again."
    """Added to the failure of a request that was not executed."""
    names_instance: bool = True
    """False if the instance is named beside each message."""
    format_time: t.Callable[[str, datetime], str] = lambda at, _now: at
    """Formats the time of an earlier restore, which results of modules have as the journal does."""

    def show_instance(self, instance: Resource) -> str:
        """Returns the beginning of a sentence about the instance."""
        return label(instance) if self.names_instance else "It"


MODULE, FLEET = Surface(), Surface(advice=RUN_ALL_AGAIN)


class Explanation(t.NamedTuple):
    """An obstacle in words, and what the user of a module can do. ``names_status``: it has the current status."""

    fact: str
    advice: str = ""
    names_status: bool = False


class Note(t.NamedTuple):
    """A sentence about a plan, ``plural`` about several. ``about`` is equal in notes that differ in numbers alone."""

    text: str
    about: tuple[object, ...]
    plural: str = ""


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


def format_moment(text: object, now: datetime) -> str:
    """Returns a time of a record or of the service as :func:`format_time` does."""
    moment = parse_time(text)
    return format_time(moment, now) if moment else "an unknown time"


def describe_clock(lead: timedelta) -> str:
    """Returns that this machine's clock differs from that of the service; empty for a minute or less."""
    if abs(lead) <= _MAX_LEAD:
        return ""
    minutes = timedelta(minutes=round(abs(lead) / timedelta(minutes=1)))
    side = "ahead" if lead > timedelta(0) else "behind"
    return f"Ages are by the service's clock: this machine's is {format_duration(minutes)} {side}."


def note_other(other: EarlierRestore, now: datetime, backup: Resource | None = None) -> Note:
    """Returns the note about a restore for another incident, and whether it is of the ``backup`` to be restored."""
    text = format_other(other, format_moment(other.state.sent_at, now))
    is_same = backup is not None and other.uses(backup)
    same = " It is the same backup." if is_same else ""
    about = ("other", other.incident, other.state.event, other.state.by, is_same)
    return Note(f"{text[:1].upper()}{text[1:]}.{same}", about)


def format_other(other: EarlierRestore, sent_at: str) -> str:
    """Returns a clause about a restore for another incident: when and by whom it was sent, and how it ended."""
    state = other.state
    who = f" by {state.by}" if state.by else ""
    sent = "was about to send" if state.event is OperationEvent.INTENDED else "sent"
    end = _OTHER_ENDS.get(state.event, "its outcome is unknown")
    return f"incident {one_line(other.incident)} {sent} a restore of it at {sent_at}{who}; {end}"


def format_holder(holder: Holder | None, now: datetime, surface: Surface) -> str:
    """Returns who works on an instance, for which incident and since when, as far as that is known."""
    if holder is None:
        return "another run"
    incident = f" for incident {holder.name}" if holder.name else ""
    since = f" since {surface.format_time(holder.since, now)}" if holder.since else ""
    return one_line(f"{holder.who}{incident}{since}")


def describe_choice(plan: RestorePlan, incident: str, rules: Rules, now: datetime) -> list[Note]:
    """Returns notes on what the choice of the backup passes over, and what can't be told of it."""
    backup, given = plan.backup or {}, plan.target.backup_id
    if plan.sends:
        notes = []
        if plan.ahead:
            ahead = note_other(plan.ahead, now)
            text = f"{ahead.text} That time lies ahead, so no interval is counted from it."
            notes.append(Note(text, ("ahead", *ahead.about)))
        if not has_owner(backup):
            which = f"Backup {backup.get('id')} does not show its instance"
            notes.append(Note(f"{which}, so it may not be a backup of this instance.", ("unowned",)))
        if plan.left_out:
            left_out = _format_left_out(plan, now)
            about = {(normalize(one.get("status")), taken_at(one) is None) for one in plan.left_out}
            newest = f"Backup {backup.get('id')} is the newest usable one."
            notes.append(Note(f"{left_out} {newest}", ("left_out", *sorted(about))))
        return notes
    if plan.earlier is None or "id" not in backup:
        return []
    used = f"Incident {incident} has already used backup {one_line(backup['id'], 20)}"
    if given is not None and str(given) != str(backup["id"]):
        return [Note(f"{used}, so backup {given} is not restored. Use another incident for it.", ("used",))]
    if rules.before and not is_before(backup, rules.before):
        which = f"{used}, which is not from before {format_time(rules.before)}"
        return [Note(f"{which}. Use another incident for that.", ("used_before",))]
    return []


def _format_left_out(plan: RestorePlan, now: datetime) -> str:
    return format_left_out(plan.left_out, lambda backup: explain_left_out(backup, now, plan.unfinished))


def describe_record(record: RestoreRecord, instance: Resource, incident: str, sent_at: str) -> str:
    """Returns what the role's record says of a restore that the journal does not know."""
    return (
        f"{one_line(record.path)} says that a restore of {label(instance)} was sent for incident {incident} at "
        f"{sent_at}, and the journal in {one_line(record.journal)} does not know it."
    )


# Obstacles


def explain(plan: RestorePlan, incident: str, rules: Rules, now: datetime, surface: Surface = MODULE) -> Explanation:
    """Returns why nothing is sent for a target, in the words of the surface."""
    obstacle, target, instance = t.cast("Obstacle", plan.obstacle), plan.target, plan.instance or {}
    name, shown = one_line(target.name, NAME_LIMIT), surface.show_instance(instance)
    match obstacle.kind:
        case ObstacleKind.NO_INSTANCE:
            sought = name if target.instance_id is None else f"with id {target.instance_id}"
            similar = f"; did you mean {one_line(obstacle.similar, NAME_LIMIT)}?" if obstacle.similar else "."
            return Explanation(f"There is no instance {sought}{similar}")
        case ObstacleKind.AMBIGUOUS:
            return Explanation(f"{describe_namesakes(target.name, obstacle.ids)}.", "Choose one with its id.")
        case ObstacleKind.OTHER_NAME:
            named = short_name(instance)
            return Explanation(f"The instance with id {target.instance_id} is named {named}, not {name}.")
        case ObstacleKind.DUPLICATE:
            return Explanation(f"{shown} is listed already, in entry {obstacle.duplicate_of}.")
        case ObstacleKind.OTHER_MEMORY:
            return Explanation(obstacle.cause.text if obstacle.cause else "")
        case ObstacleKind.ONLY_IN_RECORD:
            record = t.cast("RestoreRecord", obstacle.record)
            sent_at = surface.format_time(record.sent_at[str(instance["id"])], now)
            return Explanation(describe_record(record, instance, incident, sent_at))
        case ObstacleKind.DELETED:
            return Explanation(f"{shown} does not exist any more: it was deleted.")
        case ObstacleKind.RENAMED:
            named = one_line((obstacle.seen or {}).get("name"), NAME_LIMIT)
            return Explanation(f"{shown} is now named {named}.")
        case ObstacleKind.CHANGED:
            before, after = (_describe_condition(one or {}) for one in (instance, obstacle.seen))
            changed = f"{shown} was {before} in the plan that was confirmed, and is {after} now."
            return Explanation(changed, names_status=True)
        case ObstacleKind.NOT_SENT:
            return Explanation(
                f"Incident {incident}: another run was to send the restore of {label(instance)}, but it was not "
                "executed, and this run only waited for it.",
                "Check the plan again.",
            )
        case ObstacleKind.HELD:
            return Explanation(
                f"{shown} is held by {format_holder(obstacle.holder, now, surface)}.",
                "Run the same task again when that run has ended, or with wait: true.",
            )
        case ObstacleKind.FAILED | ObstacleKind.UNKNOWN:
            return _explain_earlier(instance, t.cast("OperationState", plan.earlier), incident, now, surface)
        case ObstacleKind.TOO_SOON | ObstacleKind.OVERTAKEN | ObstacleKind.WRONG_STATUS:
            return _explain_rule(instance, obstacle, rules, now, surface)
    return _explain_backup(plan, obstacle, rules, now, surface)


def _status(instance: Resource) -> str:
    return one_line(instance.get("status"), 40)


def _describe_condition(instance: Resource) -> str:
    values = (instance.get("status"), instance.get("health_status"))
    return ", ".join(one_line(value, NAME_LIMIT) for value in values if value)


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


def _explain_backup(
    plan: RestorePlan, obstacle: Obstacle, rules: Rules, now: datetime, surface: Surface
) -> Explanation:
    """Returns why no backup can be chosen, the given one does not fit, or is too old."""
    target, backup, instance = plan.target, plan.backup or {}, plan.instance or {}
    which = f"Backup {one_line(backup.get('id'), 20)}"
    match obstacle.kind:
        case ObstacleKind.NO_BACKUP if target.backup_id is not None:
            reason = f" ({obstacle.cause.reason})" if obstacle.cause else ""
            return Explanation(f"There is no backup with id {target.backup_id}{reason}.")
        case ObstacleKind.NO_BACKUP:
            when = f" from before {format_time(rules.before)}" if rules.before else ""
            left_out = _format_left_out(plan, now)
            own = f"{surface.show_instance(instance)} has no usable backup{when}."
            return Explanation(f"{own} {left_out}" if left_out else own)
        case ObstacleKind.UNCLEAR_BACKUP:
            ids = format_list((one_line(one.get("id"), 20) for one in obstacle.backups), _LISTED)
            return Explanation(
                f"The service does not show whether a backup (id {ids}) is of {label(instance)}, and the collection "
                "does not guess.",
                f"Of a backup, the fields {FIELDS} are read. See the dashboard, and give the id of the backup.",
            )
        case ObstacleKind.OTHER_BACKUP:
            return Explanation(f"{which} is of {one_line(parse_owner(backup))}, not of {label(instance)}.")
        case ObstacleKind.BACKUP_TWICE:
            return Explanation(
                f"Backup {target.backup_id} is listed for another entry already ({obstacle.duplicate_of}), and a "
                "backup is of one instance."
            )
    return _explain_age(backup, f"{which} of {label(instance)}", rules, now, surface.max_age)


def _explain_age(backup: Resource, which: str, rules: Rules, now: datetime, max_age: str) -> Explanation:
    taken = taken_at(backup)
    if taken is None:
        return Explanation(f"The age of backup {one_line(backup.get('id'), 20)} is unknown, and {max_age} is set.")
    if taken - now > CLOCK_TOLERANCE:
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


def _explain_rule(instance: Resource, obstacle: Obstacle, rules: Rules, now: datetime, surface: Surface) -> Explanation:
    """Returns why the restore is not allowed now."""
    shown, other = surface.show_instance(instance), obstacle.other
    told = format_other(other, surface.format_time(other.state.sent_at, now)) if other else ""
    if obstacle.kind is ObstacleKind.TOO_SOON:
        interval = f"{surface.min_interval} ({format_duration(rules.min_interval) if rules.min_interval else ''})"
        return Explanation(f"{shown} is within {interval} of another restore: {told}.")
    if obstacle.kind is ObstacleKind.OVERTAKEN:
        return Explanation(
            f"{shown} is left alone: since this run began, {told}.",
            "Check the instance, and run this again if it must be restored all the same.",
        )
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


# Waits


def format_interruption(incident: str, sent: int, completed: int, total: int, advice: str) -> str:
    """Returns what Ctrl-C shows of a run that has ``sent`` some of its restores."""
    if not sent:
        return f"This run has sent nothing for incident {incident}. {advice}"
    return (
        f"Incident {incident}: this run has sent {sent} of {format_count(total, 'restore')}, and {completed} "
        f"completed; what the service has accepted goes on. {advice}"
    )


def explain_failure(restore: Restore) -> str:
    """Returns the message of a restore that was accepted, and ended in a failure status."""
    now = restore.current
    return (
        f"The restore of backup {restore.plan.backup_id} was accepted, but the status of {label(now)} "
        f"is {now.get('status')} now. Check it in the dashboard, and rebuild it there if it has failed. To restore the "
        "same backup again, use backup_id and force: true."
    )


def format_sent(restore: Restore) -> str:
    """Returns that a restore was accepted; after a lost response nothing but the time of the request is known."""
    state = restore.state
    if state is None or state.event is OperationEvent.ACCEPTED:
        sent = f"accepted at {format_at(state.at if state else None)}"
    else:
        sent = f"sent at {format_at(state.sent_at)}"
    return f"The restore of {short_name(restore.instance)} was {sent}."
