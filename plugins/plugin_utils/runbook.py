# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role ``restore`` knows: what is to be restored, what each step came to, and what to type next. Pure, but
for the clock."""

from __future__ import annotations

import json
import math
import typing as t
from datetime import datetime, timedelta

from ..module_utils.backups import newest_first, taken_at
from ..module_utils.errors import RefusedError, one_line
from ..module_utils.instances import Listing, is_busy, status_of
from ..module_utils.pages import Item
from ..module_utils.restore import RESTORABLE
from ..module_utils.times import duration_of, iso, span, time_of
from .texts import clock, extra_variable, label, shown

Data = dict[str, t.Any]

PLAYBOOK = "clawhosters.cloud.restore"

DEFAULTS: Data = {
    "restore_backup": "latest",
    "restore_before": "",
    "restore_max_age": "",
    "restore_report_dir": "clawhosters-restore",
    "restore_wait_timeout": 900,
    "restore_healthy_timeout": 600,
    "restore_http_check": False,
    "restore_http_path": "/",
    "restore_http_statuses": [200, 401],
    "restore_force": False,
}
"""Variables that a command need not repeat when they have these values; the role's own defaults."""

STEPS = {
    "service": "Is the service up?",
    "key": "Is the key good?",
    "plan": "What would be restored?",
    "confirm": "Does a human confirm it?",
    "restore": "Restore the backup",
    "healthy": "Started and healthy?",
    "http": "Does its address answer?",
    "run": "The runbook itself",
}

_STEP_OF_ACTION = {
    "claw_health_info": "service",
    "claw_account_info": "key",
    "claw_instance_info": "plan",
    "claw_backup_info": "plan",
    "claw_backup_restore": "restore",
    "claw_instance": "healthy",
    "uri": "http",
}

ALREADY = "restored already"
PLANNED = "only planned"
"""How a report tags an instance that this run did not restore, without that being a failure."""

_MESSAGE_LIMIT = 600


def targets_of(names: t.Any, ids: t.Any) -> list[Data]:
    """The instances that a user named, each ``{name, id}`` with one of both. Raises RefusedError for what can't be."""
    by_name, by_id = _as_list(names), _as_list(ids)
    if bool(by_name) == bool(by_id):
        raise RefusedError("Say what to restore with restore_instances or with restore_instance_ids, one of both.")
    wanted = by_name or by_id
    if len(set(wanted)) != len(wanted):
        raise RefusedError(f"An instance is named twice: {one_line(', '.join(wanted))}.")
    if by_name:
        return [{"name": name, "id": None} for name in by_name]
    if not all(one.isascii() and one.isdigit() for one in by_id):
        raise RefusedError(f"restore_instance_ids must be numbers: {one_line(', '.join(by_id))}.")
    return [{"name": None, "id": int(one)} for one in by_id]


def found(targets: list[Data], instances: list[Item], backups: list[Item], backup_id: int | None = None) -> list[Data]:
    """Each target with its instance and the newest of ``backups`` that is its own; ``problem`` says what is missing.

    With ``backup_id`` it is that one, and the module judges whether it can be restored.
    """
    there = Listing(instances)
    result = []
    for target in targets:
        if target["id"] is not None:
            candidates = [there.by_id[str(target["id"])]] if str(target["id"]) in there.by_id else []
        else:
            candidates = there.by_name.get(target["name"], [])
        if len(candidates) != 1:
            result.append({**target, "instance": None, "backup": None, **_missing(target, candidates)})
            continue
        (instance,) = candidates
        mine = [backup for backup in newest_first(backups) if there.owner_of(backup) is instance]
        backup = mine[0] if mine else None
        if backup_id is not None:
            backup = next((one for one in backups if str(one["id"]) == str(backup_id)), {"id": backup_id})
        problem = {} if backup else {"kind": "no_backup", "problem": "It has no usable backup"}
        result.append(
            {**target, "instance": instance, "backup": backup, "backups": mine, "kind": "", "problem": "", **problem}
        )
    return result


def _missing(target: Data, candidates: list[Item]) -> Data:
    if not candidates:
        return {"kind": "no_instance", "problem": "There is no such instance"}
    ids = ", ".join(str(instance["id"]) for instance in candidates)
    return {
        "kind": "ambiguous",
        "problem": f"{len(candidates)} instances have this name (ids {ids})",
        "ids": [instance["id"] for instance in candidates],
    }


def planned(candidates: list[Data], results: list[Data], settings: Data, now: datetime) -> list[Data]:
    """What would be done for each: ``found`` with what the journal and the service say of it (``results``)."""
    limit = duration_of("restore_max_age", str(settings.get("restore_max_age") or "").strip() or None)
    said = {str(result["item"]["instance"]["id"]): result for result in results if result.get("item")}
    return [_plan(one, said.get(str((one["instance"] or {}).get("id"))), limit, settings, now) for one in candidates]


def _plan(one: Data, result: Data | None, limit: timedelta | None, settings: Data, now: datetime) -> Data:
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
        "age": span(age) if age is not None else None,
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
    plan["lines"] = _plan_lines(plan, taken)
    return plan


def _older(backups: list[Item], backup: Item | None) -> t.Any:
    """The id of the newest backup that is older than ``backup``, which is the one to try when that one is no good."""
    ids = [str(one["id"]) for one in backups]
    if backup is None or str(backup["id"]) not in ids:
        return None
    rest = backups[ids.index(str(backup["id"])) + 1 :]
    return rest[0]["id"] if rest else None


def _said(result: Data | None) -> str:
    return one_line((result or {}).get("msg") or "It failed without a message.", _MESSAGE_LIMIT)


def _too_old(backup: Item | None, age: timedelta | None, limit: timedelta) -> str:
    number = (backup or {}).get("id")
    if age is None:
        return f"How old backup {number} is can't be told, and restore_max_age is set"
    return f"Backup {number} was taken {span(age)} ago, which is more than restore_max_age ({span(limit)})"


def _plan_lines(plan: Data, taken: datetime | None) -> list[str]:
    """The plan of one instance, as it is shown before anything is asked."""
    status = shown((plan["instance"] or {}).get("status"))
    if plan["kind"]:
        return [f"{plan['label']}: CAN'T BE RESTORED. {plan['message'].rstrip('.')}."]
    number = (plan["backup"] or {}).get("id")
    if plan["outcome"] == "completed":
        when = _when(plan["sent_at"], plan["completed_at"])
        return [
            f"{plan['label']}: backup {number} was restored for this incident already{when}; nothing is sent again."
        ]
    if plan["outcome"] == "in_flight":
        return [
            f"{plan['label']}: a restore of backup {number}, sent at {plan['sent_at']}, is under way; it is waited for."
        ]
    age = f"{plan['age']} old" if plan["age"] else "of unknown age"
    lines = [f"{plan['label']}, {status} now: restore backup {number}, taken {clock(taken)}, {age}."]
    if plan["age"]:
        lines.append(f"LOST for good: everything on it since {clock(taken)}, that is the last {plan['age']}.")
    else:
        lines.append("LOST for good: everything on it since that backup was taken, whenever that was.")
    if status_of(plan["instance"]) != "running":
        lines.append(f"It is {status} now, and will be started; a daily instance costs Claws from then on.")
    return lines


def _when(sent_at: t.Any, completed_at: t.Any) -> str:
    """When a restore was sent and completed, as far as that is known."""
    told = (("sent", time_of(sent_at)), ("completed", time_of(completed_at)))
    return "".join(f", {what} at {clock(time)}" for what, time in told if time)


def step(result: Data, earlier: list[Data], now: datetime, **facts: t.Any) -> Data:
    """One line of the evidence, from what a task returned. It began where the one before it ended."""
    action = str(facts.get("action") or "").rpartition(".")[2]
    name = facts.get("step") or _STEP_OF_ACTION.get(action, "run")
    said = result.get("error")
    error: Data = said if isinstance(said, dict) else {}
    api = result.get("api") or {}
    ok = not (result.get("failed") or facts.get("failed"))
    began = earlier[-1]["ended_at"] if earlier else facts.get("began")
    return {
        "step": name,
        "title": STEPS[name],
        "instance": facts.get("about"),
        "began_at": began or iso(now),
        "ended_at": iso(now),
        "seconds": round(max((now - (time_of(began) or now)).total_seconds(), 0.0), 1),
        "ok": ok,
        "message": one_line(facts.get("message") or (result.get("msg") if not ok else "") or "", _MESSAGE_LIMIT),
        "requests": api.get("requests", 0),
        "request_id": shown(error.get("request_id"), 100) if error.get("request_id") else None,
        "status": error.get("status"),
        "changed": bool(result.get("changed")),
        "sent_at": (result.get("restore") or {}).get("sent_at"),
        "completed_at": (result.get("restore") or {}).get("completed_at"),
        "outcome": (result.get("restore") or {}).get("outcome"),
        "found": _status_in(result),
    }


def _status_in(result: Data) -> str | None:
    instance = result.get("instance")
    return shown(instance.get("status"), 40) if isinstance(instance, dict) and instance.get("status") else None


def report(steps: list[Data], plans: list[Data], settings: Data, run: Data, now: datetime) -> Data:
    """The whole of one run: what came of each instance, the state it was found in, and the next command."""
    failed_run = next((one for one in steps if not one["ok"] and one["instance"] is None), None)
    verdicts = [_verdict(plan, steps, failed_run, settings) for plan in plans]
    if failed_run and not verdicts:
        verdicts = [_run_verdict(failed_run, target) for target in run["targets"]]
    _same_for_all(verdicts, run["targets"], plans, settings)
    bad = [verdict for verdict in verdicts if verdict["outcome"] == "failed"]
    check = bool(run.get("check"))
    return {
        "incident": str(settings["restore_incident"]),
        "began_at": run["began"],
        "ended_at": iso(now),
        "check_mode": check,
        "outcome": _outcome(bad, check, is_over=bool(run.get("is_over"))),
        "headline": _headline(verdicts, bad, check=check, sends=sum(plan["sends"] for plan in plans)),
        "instances": verdicts,
        "steps": steps,
        "screen": [*_already(verdicts), *_screen(bad)],
        "last_words": "\n".join(_screen(bad)),
    }


def _outcome(bad: list[Data], check: bool, *, is_over: bool) -> str:
    if not is_over:
        return "unfinished"
    return "failed" if bad else "planned" if check else "restored"


def _headline(verdicts: list[Data], bad: list[Data], *, check: bool, sends: int) -> str:
    total = len(verdicts)
    done = total - len(bad)
    noun = "instance" if total == 1 else "instances"
    if check:
        return f"{sends} of {total} {noun} would be restored"
    if any(one["kind"] == "not_confirmed" for one in bad):
        return "Only planned: it was not confirmed, so nothing was sent"
    if bad:
        return f"{done} of {total} {noun} restored"
    before = len(_already(verdicts))
    if before and before == total:
        return f"{total} {noun} restored already; no restore was sent"
    return f"{total} {noun} restored and healthy" + (f", {before} of them by an earlier run" if before else "")


def _already(verdicts: list[Data]) -> list[str]:
    """Those that an earlier run of the incident had restored."""
    return [f"{one['label']}: {one['state']}" for one in verdicts if one["tag"] == ALREADY]


def _screen(bad: list[Data]) -> list[str]:
    """What stands on the screen last: each state found, and what to type; once, where it is the same for all."""
    if len({verdict["command"] for verdict in bad}) == 1:
        return [*(f"{one['label']}: {one['state']}" for one in bad), bad[0]["advice"], bad[0]["command"]]
    return [line for one in bad for line in (f"{one['label']}: {one['state']}", one["advice"], one["command"])]


def _verdict(plan: Data, steps: list[Data], failed_run: Data | None, settings: Data) -> Data:
    own = [one for one in steps if one["instance"] == plan["label"]]
    failure = next((one for one in own if not one["ok"] and one["step"] != "plan"), None)
    kind, step_name = plan["kind"], "plan"
    message = plan["message"]
    if not kind and failure:
        kind, step_name, message = _kind_of(failure), failure["step"], failure["message"]
    elif not kind and failed_run and not any(one["step"] == "healthy" for one in own):
        kind, step_name, message = _kind_of(failed_run), failed_run["step"], failed_run["message"]
    facts: Data = {
        "label": plan["label"],
        "name": shown(plan["name"]),
        "id": (plan["instance"] or {}).get("id"),
        "backup": plan["backup"],
        "age": plan["age"],
        "step": step_name if kind else None,
        "kind": kind,
    }
    if not kind:
        return {**facts, "outcome": "ok", **_good(plan, own), "advice": "", "command": ""}
    last_seen = next((one["found"] for one in reversed(own) if one["found"]), None)
    state = _state(kind, message, last_seen or (plan["instance"] or {}).get("status"))
    advice, changes, check = _advice(kind, plan, settings)
    command = _command(_target(plan), plan["name"], settings, changes, check=check)
    tag = _tag(kind)
    return {**facts, "outcome": "failed", "tag": tag, "state": state, "advice": advice, "command": command}


def _tag(kind: str) -> str:
    return PLANNED if kind == "not_confirmed" else "not finished"


def _good(plan: Data, own: list[Data]) -> Data:
    """What there is to say of an instance that has all it needs: its plan, where that is all there is."""
    restored = next((one for one in own if one["step"] == "restore"), None)
    if restored is None:
        return {"tag": PLANNED, "state": plan["lines"][0]}
    if restored["changed"]:
        return {"tag": "restored", "state": "Restored, started and healthy."}
    when = _when(restored["sent_at"], restored["completed_at"])
    return {"tag": ALREADY, "state": f"Restored already{when}. This run sent no restore. It is started and healthy."}


def _run_verdict(failure: Data, target: Data) -> Data:
    """When the run ended before there was a plan."""
    kind = _kind_of(failure)
    return {
        "label": label(target["name"], target["id"]),
        "name": shown(target["name"] if target["name"] is not None else target["id"]),
        "id": target["id"],
        "backup": None,
        "age": None,
        "step": failure["step"],
        "kind": kind,
        "outcome": "failed",
        "tag": _tag(kind),
        "state": _state(kind, failure["message"], None),
        "advice": _SAME_AGAIN[kind],
        "command": "",
    }


_OF_THE_RUN = ("service_down", "bad_key", "not_confirmed", "interrupted")


def _same_for_all(verdicts: list[Data], targets: list[Data], plans: list[Data], settings: Data) -> None:
    """What stopped the run as a whole is followed by one command for all instances, in their order."""
    stopped = [verdict for verdict in verdicts if verdict["kind"] in _OF_THE_RUN]
    if not stopped:
        return
    names = [plan["name"] for plan in plans] or [str(one["name"] or one["id"]) for one in targets]
    if all(target["name"] is not None for target in targets):
        which: Data = {"restore_instances": [target["name"] for target in targets]}
    else:
        which = {"restore_instance_ids": [target["id"] for target in targets]}
    confirm = stopped[0]["kind"] == "not_confirmed"
    if not plans and str(settings.get("restore_confirm") or "").strip():
        names = [str(settings["restore_confirm"]).strip()]
    command = _command(which, ",".join(names), settings, {}, confirm=confirm)
    for verdict in stopped:
        verdict["command"] = command


def _kind_of(failure: Data) -> str:
    if failure["step"] == "restore":
        return {"unknown": "unknown", "failed": "failed", "in_flight": "not_over"}.get(failure["outcome"], "refused")
    return {
        "service": "service_down",
        "key": "bad_key",
        "confirm": "not_confirmed",
        "healthy": "not_healthy",
        "http": "no_answer",
    }.get(failure["step"], "interrupted")


def _state(kind: str, message: str, status: t.Any) -> str:
    """The state found, in words."""
    said = f"{message.rstrip('.')}." if message else ""
    now = f"The instance is {shown(status, 40)}." if status else ""
    begin = {
        "service_down": "The service is down; nothing was sent.",
        "bad_key": "The API key is not accepted; nothing was sent.",
        "not_confirmed": "Not confirmed; nothing was sent.",
        "interrupted": "The runbook was interrupted.",
        "no_instance": "Nothing was sent.",
        "ambiguous": "Nothing was sent.",
        "no_backup": "Nothing was sent.",
        "too_old": "Nothing was sent.",
        "not_now": "Nothing was sent.",
        "refused": "The restore was refused, and nothing was changed.",
        "unknown": "It is not known whether the restore was carried out.",
        "failed": "The backup was restored, and the instance did not come back.",
        "not_over": "The restore was sent, and its end was not seen in time.",
        "not_healthy": "The backup was restored, but the instance is not up and healthy.",
        "no_answer": "The backup was restored and the instance is healthy, but its address does not answer.",
    }[kind]
    return " ".join(part for part in (begin, said, now) if part)


def _advice(kind: str, plan: Data, settings: Data) -> tuple[str, Data, bool]:
    """What to do, the variables that the next command changes, and whether it is to be tried with --check."""
    older = plan.get("older_backup")
    forced = {"restore_force": True}
    if kind == "failed":
        if older is not None:
            changes = {**forced, "restore_backup": older, "restore_before": "", "restore_max_age": ""}
            return (
                f"See what the dashboard says of it. Then restore the backup before that one, {older}:",
                changes,
                False,
            )
        return "See what the dashboard says of it; there is no older backup. To send this one again:", forced, False
    if kind == "unknown":
        return "Look at the instance. If it was not restored, send it again:", forced, False
    if kind == "too_old":
        if plan.get("age_seconds") is None:
            return "If you accept a backup of unknown age:", {"restore_max_age": ""}, False
        hours = math.ceil(plan["age_seconds"] / 3600) + 1
        return "If you accept a backup of that age:", {"restore_max_age": f"{hours}h"}, False
    if kind == "no_backup":
        if str(settings.get("restore_before") or "").strip():
            return "See whether there is a newer one:", {"restore_before": ""}, True
        return "Without a backup, a rebuild in the dashboard is all there is. Once there is one, look again:", {}, True
    if kind == "ambiguous":
        return "Say which one, by its id:", {"restore_instance_ids": plan["ids"][:1]}, True
    if kind == "not_now":
        instance = plan.get("instance") or {}
        if status_of(instance) not in RESTORABLE and not is_busy(instance):
            return "To restore it in this state all the same:", forced, False
        if is_busy(instance):
            return "Wait until it has settled, then run the same again:", {}, False
        return "Look at the plan with the newest backup:", {"restore_backup": "latest"}, True
    return _SAME_AGAIN[kind], {}, kind == "no_instance"


_SAME_AGAIN = {
    "service_down": "Once the service is up again, run the same again:",
    "bad_key": "Export a good key as CLAWHOSTERS_API_KEY, then run the same again:",
    "not_confirmed": "To go on, run it with the name given as restore_confirm, or typed when it is asked for:",
    "interrupted": "Run the same again:",
    "no_instance": "Correct the name, which must be exact, or the id, and look at the plan first:",
    "refused": "The incident is free to be tried again. Once the reason is gone, run the same again:",
    "not_over": "Run the same again. It goes on waiting, and sends nothing:",
    "not_healthy": "See what the dashboard says of it, then run the same again. It restores nothing twice:",
    "no_answer": "Look at its address, then run the same again. It restores nothing twice:",
}


def _target(plan: Data) -> Data:
    """How a command names the instance: as the user did, but by its id where a name is not plain."""
    if plan["wanted_id"] is not None:
        return {"restore_instance_ids": [plan["wanted_id"]]}
    is_plain = plan["name"].replace("-", "").replace("_", "").isalnum()
    if plan["instance"] and not is_plain:
        return {"restore_instance_ids": [plan["instance"]["id"]]}
    return {"restore_instances": [plan["name"]]}


def _command(
    target: Data, name: str, settings: Data, changes: Data, *, check: bool = False, confirm: bool = False
) -> str:
    """The whole line to type; what was given and differs from the defaults is repeated."""
    if "restore_instance_ids" in changes:
        target = {}
    variables: Data = {**target, "restore_incident": settings["restore_incident"]}
    for variable, default in DEFAULTS.items():
        value = changes.get(variable, settings.get(variable, default))
        if value not in (default, None) and str(value) != str(default):
            variables[variable] = value
    variables.update({key: value for key, value in changes.items() if key not in DEFAULTS})
    given = str(settings.get("restore_confirm") or "").strip()
    if (confirm or given) and not check:
        variables["restore_confirm"] = name
    words = [f"ansible-playbook {PLAYBOOK}", *(extra_variable(key, value) for key, value in variables.items())]
    return " ".join([*words, "--check"] if check else words)


def evidence(text: str, run: Data) -> Data:
    """The journal of an incident: what earlier runs left in its file (``text``), and this run.

    A file that can't be read is not ``readable``, and nothing of it is kept; who writes over it keeps a copy.
    """
    earlier: list[Data] = []
    readable = True
    if text.strip():
        try:
            earlier = [one for one in json.loads(text)["runs"] if one["began_at"] != run["began_at"]]
        except (ValueError, KeyError, TypeError):
            readable = False
    return {"incident": run["incident"], "runs": [*earlier, run], "readable": readable}


def _as_list(value: t.Any) -> list[str]:
    if value is None:
        return []
    entries = value if isinstance(value, (list, tuple)) else str(value).split(",")
    return [text for text in (str(entry).strip() for entry in entries) if text]
