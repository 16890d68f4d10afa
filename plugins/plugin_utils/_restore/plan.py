# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans the restores of the role ``restore``: selects instances and backups, and finds obstacles. Pure."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from ...module_utils._errors import RefusedError
from ...module_utils._model.backup import format_left_out, is_before, select, taken_at
from ...module_utils._model.instance import get_status, is_busy
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.ownership import parse_owner
from ...module_utils._model.resource import Resource
from ...module_utils._model.restore import CLOCK_TOLERANCE, RESTORABLE
from ...module_utils._model.restore_item import PLANNED
from ...module_utils._service.restore_history import LONGEST_RESTORE, EarlierRestore, RestoreHistory, is_under_way
from ...module_utils._state.journal import OperationEvent, OperationState
from ...module_utils._state.store import Holder
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._times import format_duration, parse_duration, parse_time
from .._formatting import format_clock, format_label, format_value
from .confirmation import build_confirmation
from .model import Candidate, Data, RestorePlan

RECENT = timedelta(days=1)
"""Age up to which the plan shows a restore for another incident."""

_LISTED = 5
"""Ids that a message names."""


def parse_targets(names: t.Any, ids: t.Any) -> list[Data]:
    """Returns the targets that the user gave, each ``{name, id}`` with one of the two set.

    Both arguments may be lists or comma-separated text. Raises RefusedError if the targets are not valid.
    """
    wanted_names, wanted_ids = _parse_list(names), [text.strip() for text in _parse_list(ids)]
    if bool(wanted_names) == bool(wanted_ids):
        raise RefusedError("Set either restore_instances or restore_instance_ids.")
    if not all(map(is_id, wanted_ids)):
        raise RefusedError(f"restore_instance_ids must be numbers: {one_line(', '.join(wanted_ids))}.")
    wanted = wanted_names or [str(int(text)) for text in wanted_ids]
    if len(set(wanted)) != len(wanted):
        raise RefusedError(f"restore_instances or restore_instance_ids has duplicates: {one_line(', '.join(wanted))}.")
    if wanted_names:
        return [{"name": name, "id": None} for name in wanted_names]
    return [{"name": None, "id": int(text)} for text in wanted_ids]


def is_id(text: str) -> bool:
    """Returns True if ``text`` may be an id: a number of ASCII digits that is not absurdly long."""
    return text.isascii() and text.isdigit() and len(text) < 20


def _parse_list(value: t.Any) -> list[str]:
    """Returns the entries of a list unchanged, or of comma-separated text without surrounding white space."""
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        texts = [str(entry) for entry in value]
    else:
        texts = [part.strip() for part in str(value).split(",")]
    return [text for text in texts if text]


def find_instances(target: Data, index: InstanceIndex) -> list[Resource]:
    """Returns the instances that a target may mean: several if they share its name."""
    if target["id"] is None:
        return index.by_name.get(target["name"], [])
    instance = index.by_id.get(str(target["id"]))
    return [instance] if instance else []


def match_backups(
    targets: list[Data], instances: list[Resource], backups: list[Resource], before: datetime | None = None
) -> list[Candidate]:
    """Returns each target with its instance, and its newest usable backup from before that time."""
    index = InstanceIndex(instances)
    backups_by_owner: dict[str, list[Resource]] = {}
    unclear = []
    for backup in backups:
        if owner := index.find_owner(backup):
            backups_by_owner.setdefault(str(owner["id"]), []).append(backup)
        elif parse_owner(backup).id is None:
            unclear.append(backup)
    candidates = []
    for target in targets:
        candidate = Candidate(target["name"], target["id"])
        candidates.append(candidate)
        matches = find_instances(target, index)
        if len(matches) == 1:
            (candidate.instance,) = matches
            own = backups_by_owner.get(str(candidate.instance["id"]), [])
            names = (None, str(candidate.instance.get("name")))
            _choose_backup(candidate, own, [one for one in unclear if parse_owner(one).name in names], before)
        elif matches:
            candidate.ids = [instance["id"] for instance in matches]
            candidate.kind = "ambiguous"
            ids = ", ".join(map(str, candidate.ids))
            candidate.problem = f"{len(matches)} instances have this name (ids {ids})"
        else:
            candidate.kind, candidate.problem = "no_instance", "There is no such instance"
    return candidates


def _choose_backup(
    candidate: Candidate, backups: list[Resource], possible: list[Resource], before: datetime | None
) -> None:
    """Sets the backup, or why there is none. ``possible`` are backups that do not show whether they are its own."""
    candidate.backups = select(backups, before, usable=True, newest=False).chosen
    candidate.left_out = format_left_out(select(backups, before, usable=True, newest=True).left_out)
    newest = taken_at(candidate.backups[0]) if candidate.backups else None
    unclear = select(possible, before, usable=True, newest=False).chosen
    unclear = [backup for backup in unclear if newest is None or not is_before(backup, newest)]
    if unclear:
        candidate.kind = "unclear_backup"
        ids = format_list((format_value(backup.get("id"), 20) for backup in unclear), _LISTED)
        candidate.problem = (
            f"The service does not show the instance of {format_count(len(unclear), 'backup')} (id {ids}), so the "
            "newest one can't be chosen"
        )
    elif candidate.backups:
        candidate.backup = candidate.backups[0]
    else:
        candidate.kind = "no_backup"
        when = f" from before {format_clock(before)}" if before else ""
        candidate.problem = f"It has no usable backup{when}. {candidate.left_out}".strip()


def build_plans(
    candidates: list[Candidate],
    history: RestoreHistory,
    settings: Data,
    instances: list[Resource],
    now: datetime,
    *,
    is_whole: bool = True,
) -> list[RestorePlan]:
    """Returns a plan for each candidate.

    ``instances`` are those of the account, all of them if ``is_whole``: a name that could be taken for another's does
    not confirm a restore. Raises SettingsError if ``restore_max_age`` is not a duration.
    """
    max_age = parse_duration("restore_max_age", str(settings.get("restore_max_age") or "").strip() or None)
    plans = []
    for candidate in candidates:
        plan = _build_plan(candidate, history, max_age, now, force=bool(settings.get("restore_force")))
        if plan.instance:
            plan.answer, plan.id_reason = build_confirmation(
                plan.instance,
                instances,
                is_only_one=len(candidates) == 1,
                is_whole=is_whole,
                is_given_by_id=candidate.id is not None,
            )
        else:
            plan.answer = one_line(plan.name)
        plans.append(plan)
    return plans


def _build_plan(
    candidate: Candidate, history: RestoreHistory, max_age: timedelta | None, now: datetime, *, force: bool
) -> RestorePlan:
    """Returns the plan without its confirmation."""
    instance = candidate.instance
    own = history.find_own(instance["id"]) if instance else None
    holder = history.find_holder(instance["id"]) if instance else None
    others = history.find_others(instance["id"], now - RECENT) if instance else []
    is_continued = own is not None and not force
    backup = _find_recorded(own, candidate) if own is not None and is_continued else candidate.backup
    taken = taken_at(backup) if backup else None
    # As in the modules, a backup of the future by the local clock has no known age.
    age = max(now - taken, timedelta(0)) if taken and taken - now <= CLOCK_TOLERANCE else None
    name = candidate.name if candidate.name is not None else (instance or {}).get("name")
    outcome = None
    if own is not None and instance is not None and is_continued:
        outcome, kind, message = _continue_earlier(own, instance, history.read_at, is_held=holder is not None)
    else:
        kind, message = _find_obstacle(candidate, backup, max_age, age, now, others, force=force)
        outcome = None if kind else PLANNED
    return RestorePlan(
        name=str(name if name is not None else candidate.id),
        given_id=candidate.id,
        label=format_label(name, instance["id"] if instance else candidate.id),
        instance={key: instance.get(key) for key in ("id", "name", "status", "health_status")} if instance else None,
        backup={"id": backup["id"], "taken_at": taken.isoformat() if taken else None} if backup else None,
        age=format_duration(age) if age is not None else None,
        age_seconds=age.total_seconds() if age is not None else None,
        outcome=outcome,
        sent_at=own.sent_at if own else None,
        completed_at=own.completed_at if own else None,
        kind=kind,
        message=message,
        ids=candidate.ids,
        older_backup=_find_older(candidate.backups, backup),
        notes=[
            *_build_holder_note(holder, now),
            *_build_notes(candidate, own, others, backup, now, is_continued=is_continued),
        ]
        if not kind
        else [],
    )


def _find_recorded(own: OperationState, candidate: Candidate) -> Resource:
    """Returns the backup that the journal names. It may not exist any more."""
    backup_id = own.notes.get("backup_id")
    named = (one for one in candidate.backups if str(one["id"]) == str(backup_id))
    return next(named, {"id": backup_id, "created_at": own.notes.get("taken_at")})


def _continue_earlier(own: OperationState, instance: Resource, now: datetime, *, is_held: bool) -> tuple[str, str, str]:
    """Returns the outcome of an earlier run of the incident, and the obstacle that follows from it, if any.

    ``is_held``: that run still works on it, so its outcome is not known yet, and this run waits for it. ``now`` is by
    the clock of the journal.
    """
    sent = format_moment(own.sent_at, now)
    status = format_value(instance.get("status"), 40)
    if own.event is OperationEvent.COMPLETED:
        return "completed", "", ""
    if own.event is OperationEvent.FAILED:
        return "failed", "failed", f"The restore sent at {sent} failed. The instance is {status} now"
    if is_held or is_under_way(own, now, was_busy=is_busy(instance)):
        return "in_flight", "", ""
    reason = "its response was lost or unclear" if own.event is OperationEvent.UNCLEAR else "the run ended there"
    message = f"A restore was to be sent at {sent}, and {reason}. The instance is {status} now"
    return "unknown", "unknown", message


def _find_obstacle(
    candidate: Candidate,
    backup: Resource | None,
    max_age: timedelta | None,
    age: timedelta | None,
    now: datetime,
    others: list[EarlierRestore],
    *,
    force: bool,
) -> tuple[str, str]:
    """Returns the kind of what prevents a new restore, and a message; both are empty if nothing does."""
    if candidate.kind:
        return candidate.kind, candidate.problem
    instance = candidate.instance or {}
    if get_status(instance) not in RESTORABLE and not force:
        under_way = next((other for other in others if other.state.event is OperationEvent.ACCEPTED), None)
        if under_way and is_busy(instance):
            return "not_now", _format_other(under_way, now, instance)
        status = format_value(instance.get("status"), 40)
        return "not_now", f"Its status is {status}; to restore, it must be running or stopped"
    if max_age is None or (age is not None and age <= max_age):
        return "", ""
    backup_id = (backup or {}).get("id")
    if age is None:
        taken = taken_at(backup) if backup else None
        dated = f": by the local clock, its date {format_clock(taken)} is in the future" if taken else ""
        return "too_old", f"The age of backup {backup_id} is unknown, and restore_max_age is set{dated}"
    limit = format_duration(max_age)
    return (
        "too_old",
        f"Backup {backup_id} was taken {format_duration(age)} ago, which is more than restore_max_age ({limit})",
    )


def _find_older(backups: list[Resource], backup: Resource | None) -> Data | None:
    """Returns the newest usable backup that is older than ``backup``."""
    taken = taken_at(backup) if backup else None
    if taken is None:
        return None
    older = next((one for one in backups if is_before(one, taken)), None)
    return {"id": older["id"], "taken_at": (taken_at(older) or taken).isoformat()} if older else None


def _build_holder_note(holder: Holder | None, now: datetime) -> list[str]:
    return [f"Another run works on it: {holder.format(now.timestamp())}."] if holder else []


def _build_notes(
    candidate: Candidate,
    own: OperationState | None,
    others: list[EarlierRestore],
    backup: Resource | None,
    now: datetime,
    *,
    is_continued: bool,
) -> list[str]:
    """Returns what the user must know besides the backup and the loss."""
    notes = [f"{_format_other(other, now, candidate.instance or {})}." for other in others]
    if own is not None and not is_continued:
        when = format_sent_and_completed(own.sent_at, own.completed_at)
        notes.append(f"This incident already has a restore{when}. With restore_force it is sent again.")
    wanted = candidate.backup if candidate.is_given else None
    if is_continued and backup and wanted and str(wanted["id"]) != str(backup["id"]):
        notes.append(f"Backup {wanted['id']} needs another restore_incident: this one has used backup {backup['id']}.")
    if not is_continued and candidate.left_out:
        notes.append(f"{candidate.left_out} The newest usable is {(backup or {}).get('id')}.")
    if get_status(candidate.instance or {}) == "stopped":
        notes.append("It will be started, and costs Claws if it is billed daily.")
    return notes


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


def plan_lines(plan: RestorePlan, now: datetime) -> list[str]:
    """Returns the plan as the user sees it before confirming."""
    if plan.kind:
        return [f"{plan.label}: CAN'T BE RESTORED.", f"    {plan.message.rstrip('.')}."]
    backup = plan.backup or {}
    notes = [f"    {note}" for note in plan.notes]
    if plan.outcome == "completed":
        when = format_sent_and_completed(plan.sent_at, plan.completed_at)
        done = f"backup {backup.get('id')} was already restored for this incident{when}"
        return [f"{plan.label}: {done}; no restore will be sent.", *notes]
    if plan.outcome == "in_flight":
        restore = f"a restore of backup {backup.get('id')} is under way since {format_moment(plan.sent_at, now)}"
        return [f"{plan.label}: {restore}; this run waits for it.", *notes]
    lines = [f"{plan.label}, {format_condition(plan)}: restore backup {backup.get('id')}, {_format_age(plan)}."]
    if backup.get("taken_at"):
        taken = format_clock(parse_time(backup["taken_at"]))
        lines.append(f"    DATA LOSS: all changes since {taken}.")
    else:
        lines.append("    DATA LOSS: all changes since the backup, at an unknown time.")
    if plan.id_reason:
        notes.append(f"    {plan.id_reason}. Confirm with its id instead: {plan.answer}.")
    return lines + notes


def plan_row(plan: RestorePlan, now: datetime) -> list[str]:
    """Returns the cells of a plan in the table of the prompt: one for all if nothing will be sent."""
    backup = plan.backup or {}
    if plan.kind:
        return [plan.label, "can't be restored"]
    if plan.outcome == "completed":
        return [plan.label, "already restored for this incident"]
    if plan.outcome == "in_flight":
        return [plan.label, f"a restore is under way since {format_moment(plan.sent_at, now)}"]
    lost = format_clock(parse_time(backup["taken_at"])) if backup.get("taken_at") else "an unknown time"
    return [plan.label, format_condition(plan), f"{backup.get('id')}, {_format_age(plan)}", lost]


def _format_age(plan: RestorePlan) -> str:
    if plan.age:
        return f"{plan.age} old"
    return "dated in the future" if (plan.backup or {}).get("taken_at") else "of unknown age"


def format_condition(plan: RestorePlan) -> str:
    """Returns the status and the health that the instance had at the time of the plan."""
    instance = plan.instance or {}
    values = (instance.get("status"), instance.get("health_status"))
    return ", ".join(format_value(value, 20) for value in values if value) or "status unknown"


def format_moment(text: t.Any, now: datetime) -> str:
    """Returns ``16:26 UTC``, with the date if it is not today's."""
    moment = parse_time(text)
    if moment is None:
        return "an unknown time"
    moment = moment.astimezone(UTC)
    return f"{moment:%H:%M} UTC" if moment.date() == now.astimezone(UTC).date() else format_clock(moment)


def format_sent_and_completed(sent_at: t.Any, completed_at: t.Any) -> str:
    """Returns ``, sent at …, completed at …``, without what is not known."""
    moments = (("sent", parse_time(sent_at)), ("completed", parse_time(completed_at)))
    return "".join(f", {verb} at {format_clock(moment)}" for verb, moment in moments if moment)
