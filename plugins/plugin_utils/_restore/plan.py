# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans the restores of the role ``restore``: selects instances and backups, and finds obstacles. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from ...module_utils._errors import RefusedError, one_line
from ...module_utils._model.backup import newest_first, taken_at
from ...module_utils._model.instance import get_status
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.resource import Resource
from ...module_utils._times import format_duration, parse_duration, parse_time
from .._formatting import format_clock, format_label, format_value
from .confirmation import Confirmation, build_confirmation
from .model import Candidate, Data, RestorePlan

MESSAGE_LIMIT = 600


def parse_targets(names: t.Any, ids: t.Any) -> list[Data]:
    """Returns the targets that the user gave, each ``{name, id}`` with one of the two set.

    Both arguments may be lists or comma-separated text. Raises RefusedError if the targets are not valid.
    """
    wanted_names, wanted_ids = _parse_list(names), [text.strip() for text in _parse_list(ids)]
    if bool(wanted_names) == bool(wanted_ids):
        raise RefusedError("Set either restore_instances or restore_instance_ids.")
    if not all(text.isascii() and text.isdigit() and len(text) < 20 for text in wanted_ids):
        raise RefusedError(f"restore_instance_ids must be numbers: {one_line(', '.join(wanted_ids))}.")
    wanted = wanted_names or [str(int(text)) for text in wanted_ids]
    if len(set(wanted)) != len(wanted):
        raise RefusedError(f"restore_instances or restore_instance_ids has duplicates: {one_line(', '.join(wanted))}.")
    if wanted_names:
        return [{"name": name, "id": None} for name in wanted_names]
    return [{"name": None, "id": int(text)} for text in wanted_ids]


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
    targets: list[Data], instances: list[Resource], backups: list[Resource], backup_id: int | None = None
) -> list[Candidate]:
    """Returns each target with its instance and its newest backup.

    With ``backup_id`` it is that backup; the module decides whether it can be restored.
    """
    index = InstanceIndex(instances)
    candidates = []
    for target in targets:
        candidate = Candidate(target["name"], target["id"])
        candidates.append(candidate)
        matches = find_instances(target, index)
        if len(matches) > 1:
            candidate.ids = [instance["id"] for instance in matches]
            candidate.kind = "ambiguous"
            ids = ", ".join(map(str, candidate.ids))
            candidate.problem = f"{len(matches)} instances have this name (ids {ids})"
        elif not matches:
            candidate.kind, candidate.problem = "no_instance", "There is no such instance"
        else:
            (candidate.instance,) = matches
            candidate.backups = [one for one in newest_first(backups) if index.find_owner(one) is candidate.instance]
            candidate.backup = candidate.backups[0] if candidate.backups else None
            if backup_id is not None:
                named = (one for one in backups if str(one["id"]) == str(backup_id))
                candidate.backup = next(named, {"id": backup_id})
            if not candidate.backup:
                candidate.kind, candidate.problem = "no_backup", "It has no usable backup"
    return candidates


def build_plans(
    candidates: list[Candidate], results: list[Data], settings: Data, instances: list[Resource], now: datetime
) -> list[RestorePlan]:
    """Returns a plan for each candidate.

    ``results`` are those of claw_backup_restore in check mode. ``instances`` are all of the account: a name that could
    be taken for another's does not confirm a restore. Raises SettingsError if ``restore_max_age`` is not a duration.
    """
    max_age = parse_duration("restore_max_age", str(settings.get("restore_max_age") or "").strip() or None)
    results_by_id = {str(result["item"]["instance"]["id"]): result for result in results if result.get("item")}
    plans = []
    for candidate in candidates:
        result = results_by_id.get(str((candidate.instance or {}).get("id")), {})
        plan = _build_plan(candidate, result, max_age, now)
        if plan.instance:
            confirmation = build_confirmation(plan.instance, instances, is_only_one=len(candidates) == 1)
        else:
            confirmation = Confirmation(one_line(plan.name), "")
        plan.answer, plan.id_reason = confirmation
        plan.lines = _plan_lines(plan)
        plans.append(plan)
    return plans


def _build_plan(candidate: Candidate, result: Data, max_age: timedelta | None, now: datetime) -> RestorePlan:
    """Returns the plan without its confirmation and its lines. ``result`` is empty if the module was not run."""
    instance = result.get("instance") or candidate.instance
    backup = result.get("backup") or candidate.backup
    restore = result.get("restore") or {}
    taken = taken_at(backup) if backup else None
    age = max(now - taken, timedelta(0)) if taken else None
    name = candidate.name if candidate.name is not None else (instance or {}).get("name")
    kind, message = _find_obstacle(candidate, result, max_age, age)
    return RestorePlan(
        name=str(name if name is not None else candidate.id),
        given_id=candidate.id,
        label=format_label(name, instance["id"] if instance else candidate.id),
        instance={key: instance.get(key) for key in ("id", "name", "status", "health_status")} if instance else None,
        backup={"id": backup["id"], "taken_at": taken.isoformat() if taken else None} if backup else None,
        age=format_duration(age) if age is not None else None,
        age_seconds=age.total_seconds() if age is not None else None,
        outcome=restore.get("outcome"),
        sent_at=restore.get("sent_at"),
        completed_at=restore.get("completed_at"),
        kind=kind,
        message=message,
        ids=candidate.ids,
        older_backup=_find_older(candidate.backups, backup),
        ready=not kind,
        sends=not kind and restore.get("outcome") == "planned",
        answer="",
        id_reason="",
    )


def _find_obstacle(
    candidate: Candidate, result: Data, max_age: timedelta | None, age: timedelta | None
) -> tuple[str, str]:
    """Returns the kind of what prevents the restore, and a message; both are empty if nothing does."""
    outcome = (result.get("restore") or {}).get("outcome")
    if outcome in ("in_flight", "completed"):
        return "", ""
    if outcome == "planned":
        if max_age is None or (age is not None and age <= max_age):
            return "", ""
        return "too_old", _too_old_message((result.get("backup") or candidate.backup or {}).get("id"), age, max_age)
    if outcome in ("unknown", "failed") or (result and outcome is None and candidate.kind != "no_backup"):
        return outcome or "not_now", one_line(result.get("msg") or "It failed without a message.", MESSAGE_LIMIT)
    return candidate.kind, candidate.problem


def _too_old_message(backup_id: t.Any, age: timedelta | None, max_age: timedelta) -> str:
    if age is None:
        return f"The age of backup {backup_id} is unknown, and restore_max_age is set"
    allowed = format_duration(max_age)
    return f"Backup {backup_id} was taken {format_duration(age)} ago, which is more than restore_max_age ({allowed})"


def _find_older(backups: list[Resource], backup: Resource | None) -> t.Any:
    """Returns the id of the newest backup that is older than ``backup``."""
    ids = [str(one["id"]) for one in backups]
    if backup is None or str(backup["id"]) not in ids:
        return None
    older = backups[ids.index(str(backup["id"])) + 1 :]
    return older[0]["id"] if older else None


def _plan_lines(plan: RestorePlan) -> list[str]:
    """Returns the plan as the user sees it before confirming."""
    if plan.kind:
        return [f"{plan.label}: CAN'T BE RESTORED. {plan.message.rstrip('.')}."]
    backup = plan.backup or {}
    when = format_sent_and_completed(plan.sent_at, plan.completed_at)
    if plan.outcome == "completed":
        done = f"backup {backup.get('id')} was already restored for this incident{when}"
        return [f"{plan.label}: {done}; nothing will be sent."]
    if plan.outcome == "in_flight":
        restore = f"a restore of backup {backup.get('id')}, sent at {plan.sent_at}"
        return [f"{plan.label}: {restore}, is in progress; this run waits for it."]
    status = format_value((plan.instance or {}).get("status"))
    taken = format_clock(parse_time(backup.get("taken_at")))
    age = f"{plan.age} old" if plan.age else "of unknown age"
    lines = [f"{plan.label}, {status} now: restore backup {backup.get('id')}, taken {taken}, {age}."]
    if plan.age:
        lines.append(f"DATA LOSS: all changes since {taken} (the last {plan.age}) will be overwritten.")
    else:
        lines.append("DATA LOSS: all changes since the backup was taken, at an unknown time, will be overwritten.")
    if plan.sent_at:
        lines.append(f"This incident already has a restore{when}. With restore_force it is sent again.")
    if plan.id_reason:
        lines.append(f"{plan.id_reason}. Confirm with its id instead: {plan.answer}.")
    if get_status(plan.instance or {}) != "running":
        lines.append(f"It is {status} and will be started. An instance billed daily costs Claws while it runs.")
    return lines


def format_sent_and_completed(sent_at: t.Any, completed_at: t.Any) -> str:
    """Returns ``, sent at …, completed at …``, without what is not known."""
    moments = (("sent", parse_time(sent_at)), ("completed", parse_time(completed_at)))
    return "".join(f", {verb} at {format_clock(moment)}" for verb, moment in moments if moment)
