# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of a run of the role ``restore``: its steps, its verdict on each instance, and the record. Pure."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime

from ...module_utils._errors import one_line
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._times import format_iso, parse_time
from .._formatting import format_value, label
from .commands import SAME_AGAIN, build_advice, command, named
from .confirmation import answers_to
from .plan import MESSAGE_LIMIT, Data, matching, when_restored

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

NOT_OVER = "the run was broken off, or is not over yet"
"""What is known of a run while it goes on: its evidence is written then, should nothing more be written."""

ALREADY = "restored already"

PLANNED = "only planned"
"""How a report tags an instance that this run did not restore, without that being a failure."""


def step(result: Data, earlier: list[Data], now: datetime, **facts: t.Any) -> Data:
    """One line of the evidence, from what a task returned. It began where the one before it ended."""
    action = str(facts.get("action") or "").rpartition(".")[2]
    name = facts.get("step") or _STEP_OF_ACTION.get(action, "run")
    # An address that was asked gives its result the names of its headers, with any text under them.
    error, api, restore = (_object(result.get(name)) for name in ("error", "api", "restore"))
    ok = not (result.get("failed") or facts.get("failed"))
    began = earlier[-1]["ended_at"] if earlier else facts.get("began")
    return {
        "step": name,
        "title": STEPS[name],
        "instance": facts.get("about"),
        "began_at": began or format_iso(now),
        "ended_at": format_iso(now),
        "seconds": round(max((now - (parse_time(began) or now)).total_seconds(), 0.0), 1),
        "ok": ok,
        "message": one_line(facts.get("message") or (result.get("msg") if not ok else "") or "", MESSAGE_LIMIT),
        "requests": api.get("requests", 0),
        "request_id": format_value(error.get("request_id"), 100) if error.get("request_id") else None,
        "status": error.get("status"),
        "changed": bool(result.get("changed")),
        "sent_at": restore.get("sent_at"),
        "completed_at": restore.get("completed_at"),
        "outcome": restore.get("outcome"),
        "found": _status_in(result),
    }


def _object(value: t.Any) -> Data:
    return value if isinstance(value, dict) else {}


def _status_in(result: Data) -> str | None:
    status = _object(result.get("instance")).get("status")
    return format_value(status, 40) if status else None


def report(steps: list[Data], plans: list[Data], settings: Data, run: Data, now: datetime) -> Data:
    """The whole of one run: what came of each instance, the state it was found in, and the next command."""
    failed_run = next((one for one in steps if not one["ok"] and one["instance"] is None), None)
    check = bool(run.get("check"))
    is_over = bool(run.get("is_over"))
    verdicts = [_verdict(plan, steps, failed_run, settings, check=check) for plan in plans]
    if failed_run and not verdicts:
        there = InstanceIndex(run.get("instances") or [])
        verdicts = [_run_verdict(failed_run, target, there) for target in run["targets"]]
    _same_for_all(verdicts, run["targets"], plans, settings)
    bad = [verdict for verdict in verdicts if verdict["outcome"] != "ok"]
    if is_over:
        headline = _headline(verdicts, bad, check=check, sends=sum(plan["sends"] for plan in plans))
    else:
        headline = _headline_so_far(verdicts, bad)
    return {
        "id": run["id"],
        "incident": str(settings["restore_incident"]),
        "began_at": run["began"],
        "ended_at": format_iso(now),
        "check_mode": check,
        "outcome": _outcome(bad, check, is_over=is_over),
        "headline": headline,
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
    noun = _instances(total)
    if check:
        return f"{sends} of {total} {noun} would be restored"
    if any(one["kind"] == "not_confirmed" for one in bad):
        return "Only planned: it was not confirmed, so nothing was sent"
    if bad:
        return f"{total - len(bad)} of {total} {noun} restored"
    before = len(_already(verdicts))
    if before and before == total:
        return f"{total} {noun} restored already; no restore was sent"
    return f"{total} {noun} restored and healthy" + (f", {before} of them by an earlier run" if before else "")


def _headline_so_far(verdicts: list[Data], bad: list[Data]) -> str:
    total = len(verdicts)
    return f"{total - len(bad)} of {total} {_instances(total)} restored so far: {NOT_OVER}"


def _instances(count: int) -> str:
    return "instance" if count == 1 else "instances"


def _already(verdicts: list[Data]) -> list[str]:
    """Those that an earlier run of the incident had restored."""
    return [f"{one['label']}: {one['state']}" for one in verdicts if one["tag"] == ALREADY]


def _screen(bad: list[Data]) -> list[str]:
    """What stands on the screen last: each state found, and what to type; once, where it is the same for all."""
    if len({verdict["command"] for verdict in bad}) == 1:
        return [*(f"{one['label']}: {one['state']}" for one in bad), bad[0]["advice"], bad[0]["command"]]
    return [line for one in bad for line in (f"{one['label']}: {one['state']}", one["advice"], one["command"])]


def _verdict(plan: Data, steps: list[Data], failed_run: Data | None, settings: Data, *, check: bool) -> Data:
    own = [one for one in steps if one["instance"] == plan["label"]]
    failure = next((one for one in own if not one["ok"] and one["step"] != "plan"), None)
    last_step = "http" if settings.get("restore_http_check") else "healthy"
    is_through = any(one["step"] == last_step for one in own)
    kind, step_name = plan["kind"], "plan"
    message = plan["message"]
    if not kind and failure:
        kind, step_name, message = _kind_of(failure), failure["step"], failure["message"]
        if kind == "refused" and not plan["sends"]:
            kind = "not_sent"
    elif not kind and failed_run and not is_through:
        kind, step_name, message = _kind_of(failed_run), failed_run["step"], failed_run["message"]
    elif not kind and not check and not is_through:
        kind, step_name, message = "unfinished", "run", _known_of(plan)
    facts: Data = {
        "label": plan["label"],
        "name": format_value(plan["name"]),
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
    advice, changes, with_check = build_advice(kind, plan, settings)
    line = command(named(plan), plan["to_type"], settings, changes, check=with_check)
    tag = _tag(kind)
    outcome = "unfinished" if kind == "unfinished" else "failed"
    return {**facts, "outcome": outcome, "tag": tag, "state": state, "advice": advice, "command": line}


def _known_of(plan: Data) -> str:
    """What is known of a restore whose end this run has not seen."""
    number = (plan["backup"] or {}).get("id")
    if plan["outcome"] == "completed":
        when = when_restored(plan["sent_at"], plan["completed_at"])
        return f"Backup {number} was restored by an earlier run{when}; that it is started and healthy was not seen"
    if plan["outcome"] == "in_flight":
        return f"A restore of backup {number}, sent at {plan['sent_at']}, was under way; its end was not seen"
    return f"Whether the restore of backup {number} was sent is not on record here"


def _tag(kind: str) -> str:
    return PLANNED if kind == "not_confirmed" else "not finished"


def _good(plan: Data, own: list[Data]) -> Data:
    """What there is to say of an instance that has all it needs: its plan, where that is all there is."""
    restored = next((one for one in own if one["step"] == "restore"), None)
    if restored is None:
        return {"tag": PLANNED, "state": plan["lines"][0]}
    if restored["changed"]:
        return {"tag": "restored", "state": "Restored, started and healthy."}
    when = when_restored(restored["sent_at"], restored["completed_at"])
    return {"tag": ALREADY, "state": f"Restored already{when}. This run sent no restore. It is started and healthy."}


def _run_verdict(failure: Data, target: Data, there: InstanceIndex) -> Data:
    """When the run ended before there was a plan; the instances may have been read by then."""
    kind = _kind_of(failure)
    candidates = matching(target, there)
    instance = candidates[0] if len(candidates) == 1 else {**target, "status": None}
    name = target["name"] if target["name"] is not None else instance.get("name")
    return {
        "label": label(name, instance["id"]),
        "name": format_value(name if name is not None else target["id"]),
        "id": instance["id"],
        "backup": None,
        "age": None,
        "step": failure["step"],
        "kind": kind,
        "outcome": "failed",
        "tag": _tag(kind),
        "state": _state(kind, failure["message"], instance.get("status")),
        "advice": SAME_AGAIN[kind],
        "command": "",
    }


_OF_THE_RUN = ("service_down", "bad_key", "not_planned", "not_confirmed", "interrupted", "unfinished")


def _same_for_all(verdicts: list[Data], targets: list[Data], plans: list[Data], settings: Data) -> None:
    """What stopped the run as a whole is followed by one command for all instances, in their order."""
    stopped = [verdict for verdict in verdicts if verdict["kind"] in _OF_THE_RUN]
    if not stopped:
        return
    if all(target["name"] is not None for target in targets):
        which: Data = {"restore_instances": [target["name"] for target in targets]}
    else:
        which = {"restore_instance_ids": [target["id"] for target in targets]}
    confirm = stopped[0]["kind"] == "not_confirmed"
    to_type = answers_to(plans) if plans else str(settings.get("restore_confirm") or "").strip()
    line = command(which, to_type, settings, {}, confirm=confirm)
    for verdict in stopped:
        verdict["command"] = line


def _kind_of(failure: Data) -> str:
    if failure["step"] == "restore":
        return {"unknown": "unknown", "failed": "failed", "in_flight": "not_over"}.get(failure["outcome"], "refused")
    if failure["step"] == "key" and failure["status"] not in (None, 401, 403):
        return "not_planned"
    return {
        "service": "service_down",
        "key": "bad_key",
        "plan": "not_planned",
        "confirm": "not_confirmed",
        "healthy": "not_healthy",
        "http": "no_answer",
    }.get(failure["step"], "interrupted")


def _state(kind: str, message: str, status: t.Any) -> str:
    """The state found, in words."""
    said = f"{message.rstrip('.')}." if message else ""
    seen = "The instance was {} when this was planned." if kind == "unfinished" else "The instance is {}."
    now = seen.format(format_value(status, 40)) if status else ""
    begin = {
        "service_down": "The service is down; nothing was sent.",
        "bad_key": "The API key is not accepted; nothing was sent.",
        "not_confirmed": "Not confirmed; nothing was sent.",
        "not_planned": "The plan could not be made; nothing was sent.",
        "interrupted": "The runbook was interrupted.",
        "unfinished": f"{NOT_OVER[0].upper()}{NOT_OVER[1:]}.",
        "no_instance": "Nothing was sent.",
        "ambiguous": "Nothing was sent.",
        "no_backup": "Nothing was sent.",
        "too_old": "Nothing was sent.",
        "not_now": "Nothing was sent.",
        "not_sent": "This run was only to wait for a restore that another run had sent; it sent none itself.",
        "refused": "The restore was refused, and nothing was changed.",
        "unknown": "It is not known whether the restore was carried out.",
        "failed": "The backup was restored, and the instance did not come back.",
        "not_over": "The restore was sent, and its end was not seen in time.",
        "not_healthy": "The backup was restored, but the instance is not up and healthy.",
        "no_answer": "The backup was restored and the instance is healthy, but its address does not answer.",
    }[kind]
    return " ".join(part for part in (begin, said, now) if part)


def earlier_runs(content: bytes, incident: str) -> list[Data] | None:
    """Returns the runs of an incident that its record holds; None where that can't be read, or is another's."""
    try:
        record = json.loads(content)
        runs = record["runs"]
        if record["incident"] != incident or not all(map(_is_run, runs)):
            return None
        # What is too deep to be written again can't be kept.
        record_text(incident, runs)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return list(runs)


def _is_run(run: t.Any) -> bool:
    return (
        isinstance(run, dict)
        and all(isinstance(run.get(field), str) for field in ("began_at", "outcome"))
        and isinstance(run.get("steps"), list)
        and all(isinstance(one, dict) for one in run["steps"])
    )


def with_run(runs: list[Data], run: Data) -> list[Data]:
    """Returns the runs with ``run`` in the place of what was recorded of it before; at the end, if nothing was."""
    if any(one.get("id") == run["id"] for one in runs):
        return [run if one.get("id") == run["id"] else one for one in runs]
    return [*runs, run]


def record_text(incident: str, runs: list[Data]) -> str:
    """Returns the record of an incident as it stands in its file."""
    return json.dumps({"incident": incident, "runs": runs}, indent=4, sort_keys=True) + "\n"
