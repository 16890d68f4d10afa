# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role ``restore`` would do: which instances, which backups, and what can't be. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from ...module_utils._errors import RefusedError, one_line
from ...module_utils._model.backup import newest_first, taken_at
from ...module_utils._model.instance import get_status
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.resource import Resource
from ...module_utils._times import format_duration, parse_duration, parse_time
from .._formatting import format_clock, format_value, label
from .confirmation import Confirmation, build_confirmation

Data = dict[str, t.Any]

MESSAGE_LIMIT = 600


def parse_targets(names: t.Any, ids: t.Any) -> list[Data]:
    """The instances that a user named, each ``{name, id}`` with one of both. Raises RefusedError for what can't be."""
    by_name, id_sort_key = _as_list(names), [one.strip() for one in _as_list(ids)]
    if bool(by_name) == bool(id_sort_key):
        raise RefusedError("Say what to restore with restore_instances or with restore_instance_ids, one of both.")
    if not all(one.isascii() and one.isdigit() and len(one) < 20 for one in id_sort_key):
        raise RefusedError(f"restore_instance_ids must be numbers: {one_line(', '.join(id_sort_key))}.")
    wanted = by_name or [str(int(one)) for one in id_sort_key]
    if len(set(wanted)) != len(wanted):
        raise RefusedError(f"An instance is named twice: {one_line(', '.join(wanted))}.")
    if by_name:
        return [{"name": name, "id": None} for name in by_name]
    return [{"name": None, "id": int(one)} for one in id_sort_key]


def _as_list(value: t.Any) -> list[str]:
    """The entries of a list, exactly, or of a text that is joined by commas, without the white space around them."""
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        texts = [str(entry) for entry in value]
    else:
        texts = [part.strip() for part in str(value).split(",")]
    return [text for text in texts if text]


def matching(target: Data, there: InstanceIndex) -> list[Resource]:
    """The instances that a target may mean; more than one where they share its name."""
    if target["id"] is None:
        return there.by_name.get(target["name"], [])
    return [there.by_id[str(target["id"])]] if str(target["id"]) in there.by_id else []


def match_backups(
    targets: list[Data], instances: list[Resource], backups: list[Resource], backup_id: int | None = None
) -> list[Data]:
    """Each target with its instance and the newest of ``backups`` that is its own; ``problem`` says what is missing.

    With ``backup_id`` it is that one, and the module judges whether it can be restored.
    """
    there = InstanceIndex(instances)
    result = []
    for target in targets:
        candidates = matching(target, there)
        if len(candidates) != 1:
            result.append({**target, "instance": None, "backup": None, **_missing(target, candidates)})
            continue
        (instance,) = candidates
        mine = [backup for backup in newest_first(backups) if there.find_owner(backup) is instance]
        backup = mine[0] if mine else None
        if backup_id is not None:
            backup = next((one for one in backups if str(one["id"]) == str(backup_id)), {"id": backup_id})
        problem = {} if backup else {"kind": "no_backup", "problem": "It has no usable backup"}
        result.append(
            {**target, "instance": instance, "backup": backup, "backups": mine, "kind": "", "problem": "", **problem}
        )
    return result


def _missing(target: Data, candidates: list[Resource]) -> Data:
    if not candidates:
        return {"kind": "no_instance", "problem": "There is no such instance"}
    ids = ", ".join(str(instance["id"]) for instance in candidates)
    return {
        "kind": "ambiguous",
        "problem": f"{len(candidates)} instances have this name (ids {ids})",
        "ids": [instance["id"] for instance in candidates],
    }


def build_plans(
    candidates: list[Data], results: list[Data], settings: Data, instances: list[Resource], now: datetime
) -> list[Data]:
    """Returns a plan for each candidate, from what the journal and the service say of it (``results``).

    ``instances`` are all of the account: a name that could be taken for another's does not confirm a restore.
    """
    limit = parse_duration("restore_max_age", str(settings.get("restore_max_age") or "").strip() or None)
    said = {str(result["item"]["instance"]["id"]): result for result in results if result.get("item")}
    plans = []
    for one in candidates:
        plan = _plan(one, said.get(str((one["instance"] or {}).get("id"))), limit, now)
        plan.update(_confirmation(plan, instances, is_only_one=len(candidates) == 1))
        plan["lines"] = _plan_lines(plan)
        plans.append(plan)
    return plans


def _plan(one: Data, result: Data | None, limit: timedelta | None, now: datetime) -> Data:
    instance = (result or {}).get("instance") or one["instance"]
    backup = (result or {}).get("backup") or one["backup"]
    outcome = ((result or {}).get("restore") or {}).get("outcome")
    taken = taken_at(backup) if backup else None
    age = max(now - taken, timedelta(0)) if taken else None
    name = one["name"] if one["name"] is not None else (instance or {}).get("name")
    plan: Data = {
        "name": str(name if name is not None else one["id"]),
        "wanted_id": one["id"],
        "label": label(name, instance["id"] if instance else one["id"]),
        "instance": {key: instance.get(key) for key in ("id", "name", "status", "health_status")} if instance else None,
        "backup": {"id": backup["id"], "taken_at": taken.isoformat() if taken else None} if backup else None,
        "age_seconds": age.total_seconds() if age is not None else None,
        "age": format_duration(age) if age is not None else None,
        "outcome": outcome,
        "sent_at": ((result or {}).get("restore") or {}).get("sent_at"),
        "completed_at": ((result or {}).get("restore") or {}).get("completed_at"),
        "kind": one["kind"],
        "message": one["problem"],
        "error": (result or {}).get("error"),
        "ids": one.get("ids", []),
        "older_backup": _older(one.get("backups", []), backup),
    }
    if outcome in ("unknown", "failed"):
        plan.update(kind=outcome, message=_said(result))
    elif outcome in ("in_flight", "completed"):
        plan.update(kind="", message="")
    elif result is not None and outcome is None and plan["kind"] != "no_backup":
        plan.update(kind="not_now", message=_said(result))
    elif outcome == "planned" and limit is not None and (age is None or age > limit):
        plan.update(kind="too_old", message=_too_old(backup, age, limit))
    elif outcome == "planned":
        plan.update(kind="", message="")
    plan["ready"] = not plan["kind"]
    plan["sends"] = plan["ready"] and outcome == "planned"
    return plan


def _confirmation(plan: Data, instances: list[Resource], *, is_only_one: bool) -> Data:
    """Returns what must be typed to confirm this restore; for a target that was not found, the name that was given."""
    if plan["instance"]:
        typed = build_confirmation(plan["instance"], instances, is_only_one=is_only_one)
    else:
        typed = Confirmation(one_line(plan["name"]), "")
    return {"to_type": typed.answer, "why_id": typed.why_id}


def _older(backups: list[Resource], backup: Resource | None) -> t.Any:
    """The id of the newest backup that is older than ``backup``, which is the one to try when that one is no good."""
    ids = [str(one["id"]) for one in backups]
    if backup is None or str(backup["id"]) not in ids:
        return None
    rest = backups[ids.index(str(backup["id"])) + 1 :]
    return rest[0]["id"] if rest else None


def _said(result: Data | None) -> str:
    return one_line((result or {}).get("msg") or "It failed without a message.", MESSAGE_LIMIT)


def _too_old(backup: Resource | None, age: timedelta | None, limit: timedelta) -> str:
    number = (backup or {}).get("id")
    if age is None:
        return f"How old backup {number} is can't be told, and restore_max_age is set"
    allowed = format_duration(limit)
    return f"Backup {number} was taken {format_duration(age)} ago, which is more than restore_max_age ({allowed})"


def _plan_lines(plan: Data) -> list[str]:
    """The plan of one instance, as it is shown before anything is asked."""
    taken = parse_time((plan["backup"] or {}).get("taken_at"))
    status = format_value((plan["instance"] or {}).get("status"))
    if plan["kind"]:
        return [f"{plan['label']}: CAN'T BE RESTORED. {plan['message'].rstrip('.')}."]
    number = (plan["backup"] or {}).get("id")
    if plan["outcome"] == "completed":
        when = when_restored(plan["sent_at"], plan["completed_at"])
        return [
            f"{plan['label']}: backup {number} was restored for this incident already{when}; nothing is sent again."
        ]
    if plan["outcome"] == "in_flight":
        return [
            f"{plan['label']}: a restore of backup {number}, sent at {plan['sent_at']}, is under way; it is waited for."
        ]
    age = f"{plan['age']} old" if plan["age"] else "of unknown age"
    lines = [f"{plan['label']}, {status} now: restore backup {number}, taken {format_clock(taken)}, {age}."]
    if plan["age"]:
        lines.append(f"LOST for good: everything on it since {format_clock(taken)}, that is the last {plan['age']}.")
    else:
        lines.append("LOST for good: everything on it since that backup was taken, whenever that was.")
    if plan["sent_at"]:
        when = when_restored(plan["sent_at"], plan["completed_at"])
        lines.append(f"It was restored for this incident before{when}. With restore_force it is sent again.")
    if plan["why_id"]:
        lines.append(f"{plan['why_id']}. To confirm, its id, {plan['to_type']}, is given instead.")
    if get_status(plan["instance"]) != "running":
        lines.append(f"It is {status} now, and will be started; a daily instance costs Claws from then on.")
    return lines


def when_restored(sent_at: t.Any, completed_at: t.Any) -> str:
    """When a restore was sent and completed, as far as that is known."""
    told = (("sent", parse_time(sent_at)), ("completed", parse_time(completed_at)))
    return "".join(f", {what} at {format_clock(time)}" for what, time in told if time)
