# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the report of a run of the role ``restore``: its steps, and the result for each instance. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ...module_utils._errors import one_line
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._times import format_iso, parse_time
from .._formatting import format_label, format_value
from .commands import ADVICE, build_advice, format_command, select_instance
from .confirmation import expected_answer
from .model import Data, RestorePlan, Step, Verdict, to_dict
from .plan import MESSAGE_LIMIT, find_instances, format_sent_and_completed

STEPS = {
    "service": "Check the service",
    "key": "Check the API key",
    "plan": "Plan the restore",
    "confirm": "Confirm the restore",
    "restore": "Restore the backup",
    "healthy": "Start the instance and wait until it is healthy",
    "http": "Check the address",
    "run": "Run the runbook",
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

_UNFINISHED = "the run was interrupted or is still in progress"
"""The record is written during the run, in case it is interrupted."""

_RESTORED_BEFORE = "restored already"

_PLANNED = "only planned"

_FAILURE_TEXTS = {
    "service_down": "The service is down; nothing was sent.",
    "bad_key": "The API key is not accepted; nothing was sent.",
    "not_confirmed": "Not confirmed; nothing was sent.",
    "not_planned": "Planning failed; nothing was sent.",
    "interrupted": "The runbook was interrupted.",
    "unfinished": f"{_UNFINISHED[0].upper()}{_UNFINISHED[1:]}.",
    "no_instance": "Nothing was sent.",
    "ambiguous": "Nothing was sent.",
    "no_backup": "Nothing was sent.",
    "too_old": "Nothing was sent.",
    "not_now": "Nothing was sent.",
    "not_sent": "This run only waited for a restore sent by another run; it sent none itself.",
    "refused": "The restore was rejected or not sent; nothing was changed.",
    "unknown": "It is unknown whether the restore was carried out.",
    "failed": "The service accepted the restore, but the instance ended in a failure status.",
    "not_over": "The restore was sent but did not complete within the timeout.",
    "not_healthy": "The backup was restored, but the instance is not running and healthy.",
    "no_answer": "The backup was restored and the instance is healthy, but its address does not respond as expected.",
}

_RUN_FAILURES = ("service_down", "bad_key", "not_planned", "not_confirmed", "interrupted", "unfinished")
"""Failures that stop the whole run."""


def build_step(result: Data, earlier: list[Step], now: datetime, **options: t.Any) -> Step:
    """Returns a step from the result of its task. It began when the previous step ended.

    ``options`` are those of the filter restore_step.
    """
    action = str(options.get("action") or "").rpartition(".")[2]
    name = options.get("step") or _STEP_OF_ACTION.get(action, "run")
    # The result of the uri module has a key for each response header, which may be any of these.
    error, api, restore = (_as_dict(result.get(key)) for key in ("error", "api", "restore"))
    ok = not (result.get("failed") or options.get("failed"))
    began = earlier[-1].ended_at if earlier else options.get("began")
    status = _as_dict(result.get("instance")).get("status")
    return Step(
        step=name,
        title=STEPS[name],
        instance=options.get("instance_label"),
        began_at=began or format_iso(now),
        ended_at=format_iso(now),
        seconds=round(max((now - (parse_time(began) or now)).total_seconds(), 0.0), 1),
        ok=ok,
        message=one_line(options.get("message") or (result.get("msg") if not ok else "") or "", MESSAGE_LIMIT),
        requests=api.get("requests", 0),
        request_id=format_value(error.get("request_id"), 100) if error.get("request_id") else None,
        status=error.get("status"),
        changed=bool(result.get("changed")),
        sent_at=restore.get("sent_at"),
        completed_at=restore.get("completed_at"),
        outcome=restore.get("outcome"),
        found=format_value(status, 40) if status else None,
    )


def _as_dict(value: t.Any) -> Data:
    return value if isinstance(value, dict) else {}


def build_report(steps: list[Step], plans: list[RestorePlan], settings: Data, run: Data, now: datetime) -> Data:
    """Returns the run as the record holds it: the steps, and for each instance its result and the next command.

    ``run`` holds ``id``, ``began``, ``targets`` and ``instances``, and the flags ``check`` and ``is_finished``.
    """
    failure = next((one for one in steps if not one.ok and one.instance is None), None)
    check = bool(run.get("check"))
    is_finished = bool(run.get("is_finished"))
    verdicts = [_build_verdict(plan, steps, failure, settings, check=check) for plan in plans]
    if failure and not verdicts:
        index = InstanceIndex(run.get("instances") or [])
        verdicts = [_build_unplanned_verdict(failure, target, index) for target in run["targets"]]
    _set_common_command(verdicts, run["targets"], plans, settings)
    failed = [verdict for verdict in verdicts if verdict.outcome != "ok"]
    if is_finished:
        headline = _format_headline(verdicts, failed, check=check, sends=sum(plan.sends for plan in plans))
    else:
        headline = f"{len(verdicts) - len(failed)} of {_count_instances(verdicts)} restored so far: {_UNFINISHED}"
    return {
        "id": run["id"],
        "incident": str(settings["restore_incident"]),
        "began_at": run["began"],
        "ended_at": format_iso(now),
        "check_mode": check,
        "outcome": "unfinished" if not is_finished else "failed" if failed else "planned" if check else "restored",
        "headline": headline,
        "instances": [to_dict(verdict) for verdict in verdicts],
        "steps": [to_dict(step) for step in steps],
        "screen": [f"{one.label}: {one.state}" for one in verdicts if one.tag == _RESTORED_BEFORE]
        + _failure_lines(failed),
        "last_words": "\n".join(_failure_lines(failed)),
    }


def _format_headline(verdicts: list[Verdict], failed: list[Verdict], *, check: bool, sends: int) -> str:
    total = _count_instances(verdicts)
    if check:
        return f"{sends} of {total} would be restored"
    if any(verdict.kind == "not_confirmed" for verdict in failed):
        return "Only planned: the restore was not confirmed, so nothing was sent"
    if failed:
        return f"{len(verdicts) - len(failed)} of {total} restored"
    before = sum(verdict.tag == _RESTORED_BEFORE for verdict in verdicts)
    if before and before == len(verdicts):
        return f"{total} already restored; no restore was sent"
    return f"{total} restored and healthy" + (f", {before} of them by an earlier run" if before else "")


def _count_instances(verdicts: list[Verdict]) -> str:
    return f"{len(verdicts)} {'instance' if len(verdicts) == 1 else 'instances'}"


def _failure_lines(failed: list[Verdict]) -> list[str]:
    """Returns the state, the advice and the command of each failure; a command that is the same for all only once."""
    if len({verdict.command for verdict in failed}) == 1:
        return [*(f"{one.label}: {one.state}" for one in failed), failed[0].advice, failed[0].command]
    return [line for one in failed for line in (f"{one.label}: {one.state}", one.advice, one.command)]


def _build_verdict(
    plan: RestorePlan, steps: list[Step], run_failure: Step | None, settings: Data, *, check: bool
) -> Verdict:
    """Returns the result for a planned instance. ``run_failure`` is the step that stopped the whole run, if any."""
    own = [step for step in steps if step.instance == plan.label]
    kind, step_name, message = _find_failure(plan, own, run_failure, settings, check=check)
    verdict = Verdict(
        label=plan.label,
        name=format_value(plan.name),
        id=(plan.instance or {}).get("id"),
        backup=plan.backup,
        age=plan.age,
        step=step_name,
        kind=kind,
        outcome="ok",
        tag=_PLANNED,
        state=plan.lines[0],
    )
    if not kind:
        if restored := next((step for step in own if step.step == "restore"), None):
            verdict.tag, verdict.state = _format_success(restored)
        return verdict
    last_status = next((step.found for step in reversed(own) if step.found), None)
    advice = build_advice(kind, plan, settings)
    verdict.outcome = "unfinished" if kind == "unfinished" else "failed"
    verdict.tag = _select_tag(kind)
    verdict.state = _format_failure(kind, message, last_status or (plan.instance or {}).get("status"))
    verdict.advice = advice.text
    verdict.command = format_command(select_instance(plan), plan.answer, settings, advice)
    return verdict


def _find_failure(
    plan: RestorePlan, own: list[Step], run_failure: Step | None, settings: Data, *, check: bool
) -> tuple[str, str | None, str]:
    """Returns the kind of the failure, its step and its message; ``("", None, "")`` if there is none."""
    if plan.kind:
        return plan.kind, "plan", plan.message
    if failure := next((step for step in own if not step.ok and step.step != "plan"), None):
        kind = _classify_failure(failure)
        return ("not_sent" if kind == "refused" and not plan.sends else kind), failure.step, failure.message
    last_step = "http" if settings.get("restore_http_check") else "healthy"
    if any(step.step == last_step for step in own):
        return "", None, ""
    if run_failure:
        return _classify_failure(run_failure), run_failure.step, run_failure.message
    return ("", None, "") if check else ("unfinished", "run", _format_unfinished(plan))


def _format_unfinished(plan: RestorePlan) -> str:
    """Returns what this run knows of a restore that it did not see complete."""
    backup_id = (plan.backup or {}).get("id")
    if plan.outcome == "completed":
        when = format_sent_and_completed(plan.sent_at, plan.completed_at)
        return f"Backup {backup_id} was restored by an earlier run{when}; this run did not yet check the instance"
    if plan.outcome == "in_flight":
        return f"A restore of backup {backup_id}, sent at {plan.sent_at}, was in progress; its end was not observed"
    return f"This run did not record whether the restore of backup {backup_id} was sent"


def _select_tag(kind: str) -> str:
    return _PLANNED if kind == "not_confirmed" else "not finished"


def _format_success(restored: Step) -> tuple[str, str]:
    if restored.changed:
        return "restored", "Restored. The instance is running and healthy."
    when = format_sent_and_completed(restored.sent_at, restored.completed_at)
    return _RESTORED_BEFORE, f"Already restored{when}. This run sent no restore. The instance is running and healthy."


def _build_unplanned_verdict(failure: Step, target: Data, index: InstanceIndex) -> Verdict:
    """Returns the result for a target of a run that failed before it was planned."""
    kind = _classify_failure(failure)
    matches = find_instances(target, index)
    instance = matches[0] if len(matches) == 1 else {**target, "status": None}
    name = target["name"] if target["name"] is not None else instance.get("name")
    return Verdict(
        label=format_label(name, instance["id"]),
        name=format_value(name if name is not None else target["id"]),
        id=instance["id"],
        backup=None,
        age=None,
        step=failure.step,
        kind=kind,
        outcome="failed",
        tag=_select_tag(kind),
        state=_format_failure(kind, failure.message, instance.get("status")),
        advice=ADVICE[kind],
    )


def _set_common_command(verdicts: list[Verdict], targets: list[Data], plans: list[RestorePlan], settings: Data) -> None:
    """Sets one command, for all instances, in the verdicts of a failure that stopped the whole run."""
    stopped = [verdict for verdict in verdicts if verdict.kind in _RUN_FAILURES]
    if not stopped:
        return
    if all(target["name"] is not None for target in targets):
        instances: Data = {"restore_instances": [target["name"] for target in targets]}
    else:
        instances = {"restore_instance_ids": [target["id"] for target in targets]}
    answer = expected_answer(plans) if plans else str(settings.get("restore_confirm") or "").strip()
    command = format_command(instances, answer, settings, confirm=stopped[0].kind == "not_confirmed")
    for verdict in stopped:
        verdict.command = command


def _classify_failure(failure: Step) -> str:
    if failure.step == "restore":
        kinds = {"unknown": "unknown", "failed": "failed", "in_flight": "not_over"}
        return kinds.get(failure.outcome or "", "refused")
    if failure.step == "key" and failure.status not in (None, 401, 403):
        return "not_planned"
    return {
        "service": "service_down",
        "key": "bad_key",
        "plan": "not_planned",
        "confirm": "not_confirmed",
        "healthy": "not_healthy",
        "http": "no_answer",
    }.get(failure.step, "interrupted")


def _format_failure(kind: str, message: str, status: t.Any) -> str:
    """Returns the failure, its message, and the last known status of the instance."""
    sentences = [_FAILURE_TEXTS[kind], f"{message.rstrip('.')}." if message else ""]
    if status:
        when = "was {} at the time of the plan" if kind == "unfinished" else "is {}"
        sentences.append(f"The instance {when.format(format_value(status, 40))}.")
    return " ".join(filter(None, sentences))
