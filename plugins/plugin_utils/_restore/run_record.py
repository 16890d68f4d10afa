# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the record of a run of the role ``restore``: its steps, and the result for each instance. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ...module_utils._errors import NOTHING_SENT
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.resource import Resource
from ...module_utils._service.restore.history import RestoreHistory
from ...module_utils._service.restore.plan import RestoreAction, Target
from ...module_utils._service.restore.restore import UNKNOWN
from ...module_utils._service.restore.surfaces import format_moment
from ...module_utils._text import format_count, format_list
from ...module_utils._times import format_duration, format_iso, format_time_of_day, parse_time
from .._formatting import format_clock, format_recorded, format_value
from .confirmation import format_sent_and_completed, headlines
from .failures import FAILURES, HEALTHY, FailureKind, parse_kind
from .run import RolePlan

if t.TYPE_CHECKING:
    from .failures import Kind
    from .run import Data, Run, Step

_EVENTS = {
    "send": "sent",
    "accepted": "accepted",
    "begun": "seen begun",
    "restore": "seen restored",
    "start": "stopped",
    "healthy": "healthy",
    "http": "address checked",
}
"""The event in the timeline of an instance that the end of each step is."""
_FAULTS = {UNKNOWN: "outcome unknown"}
"""That of a step with this outcome that was not ok, unless it failed."""
_RANKS = {"sent": 0, "accepted": 1, "seen begun": 1, "restored": 2, "seen restored": 2, "stopped": 3, "healthy": 4}
"""The places of the events of a restore. Two events of one place say the same: that it was seen, or when it was."""

LISTED = 5
"""Instances that a line names."""

_PLANNED = "only planned"
_UNREAD = "Earlier restores can't be read now."

_UNFINISHED, _NOT_BEGUN = FailureKind.UNFINISHED.value, FailureKind.NOT_BEGUN.value
_UNCONFIRMED = (FailureKind.NOT_CONFIRMED.value, FailureKind.NO_TERMINAL.value)
_ADDRESS_FAULTS = {
    FailureKind.NO_ANSWER: "not responding as expected",
    FailureKind.UNCHECKED: "not checked at its address",
}
"""What a headline says of instances that are restored and healthy all the same."""
_OF_THE_RUN = ("kind", "names_status", "sent_by", "advice")
"""Fields of a step that the record leaves out."""


@dataclass
class Verdict:
    """The result of a run for the instance of ``plan``.

    ``step`` and ``kind`` name the failure; ``advice`` says what to do next. They are empty on success.
    """

    plan: RolePlan
    step: str | None
    kind: str
    outcome: str
    """``ok``, ``failed`` or ``unfinished``."""
    tag: str
    state: str
    advice: str = ""
    sent_at: str | None = None
    """When the restore was sent, by this run or an earlier one, as the journal has it."""
    restored_at: str | None = None
    """When it ended, if the service shows that."""
    completed_at: str | None = None
    """When a run saw that."""
    timeline: list[Data] = field(default_factory=list)
    """The events of the instance: ``title``, ``at`` and ``ok`` of each."""

    def to_dict(self) -> Data:
        """Returns the result as the record holds it."""
        plan, result = self.plan, {name: value for name, value in vars(self).items() if name != "plan"}
        result |= {"label": plan.label, "name": format_value(plan.name), "id": (plan.instance or {}).get("id")}
        taken, age = plan.taken_at, plan.age
        backup = {"id": plan.backup_id, "taken_at": taken.isoformat() if taken else None} if plan.backup else None
        return result | {"backup": backup, "age": None if age is None else format_duration(age), "batch": plan.batch}


class _Failed(t.NamedTuple):
    """The failure of an instance, and its ``step``; no ``kind`` if there is none."""

    kind: Kind | None = None
    step: str | None = None
    message: str = ""
    is_unsent: bool = False
    names_status: bool = False
    advice: str = ""

    @classmethod
    def of(cls, step: Step) -> _Failed:
        """Returns the failure of a step."""
        return cls(parse_kind(step.kind), step.step, step.message, step.is_unsent, step.names_status, step.advice)


def build_run_record(
    run: Run,
    read_history: t.Callable[[], RestoreHistory | None],
    now: datetime,
    *,
    is_finished: bool = True,
    instances: t.Iterable[Resource] = (),
) -> Data:
    """Returns the run as the record holds it: the steps, and for each instance its result and what to do next.

    ``read_history`` returns what the journal holds, if it can be read. ``instances``: those of the account that were
    read.
    """
    failure = next((step for step in run.steps if not step.ok and step.instance is None), None)
    steps: dict[str | None, list[Step]] = {}
    for step in run.steps:
        steps.setdefault(step.instance, []).append(step)
    plans = [_see_last(plan, steps.get(plan.label, [])) for plan in run.plans]
    if failure and not plans:
        index, history = InstanceIndex(instances), read_history()
        plans = [_describe_unplanned(target, index, history, now) for target in run.targets]
    verdicts = [_build_verdict(plan, run, steps.get(plan.label, []), failure, now) for plan in plans]
    is_failed = any(verdict.outcome != "ok" for verdict in verdicts)
    ended = "failed" if is_failed else "planned" if run.check else "restored"
    return {
        "id": run.id,
        "revision": run.revision,
        "incident": run.incident,
        "began_at": run.began_at,
        "ended_at": format_iso(now),
        "check_mode": run.check,
        "by": run.by,
        "service": run.service,
        "account": run.account,
        "outcome": ended if is_finished else "unfinished",
        "interrupted": run.interrupted_at is not None,
        "interrupted_at": run.interrupted_at,
        "headline": _format_headline(run, verdicts, is_finished=is_finished),
        "instances": [verdict.to_dict() for verdict in verdicts],
        "steps": [{name: value for name, value in vars(step).items() if name not in _OF_THE_RUN} for step in run.steps],
    }


def _format_headline(run: Run, verdicts: list[Verdict], *, is_finished: bool) -> str:
    total, failed = format_count(len(verdicts), "instance"), [one for one in verdicts if one.outcome != "ok"]
    if not is_finished:
        return f"{sum(_is_healthy(one.kind) for one in verdicts)} of {total} restored and healthy so far"
    if not all(verdict.plan.is_history_known for verdict in verdicts):
        return f"{_UNREAD} {NOTHING_SENT}".rstrip(".")
    if run.check:
        waits = sum(plan.ready and plan.action is RestoreAction.WAIT for plan in run.plans)
        others = f", {format_count(waits, 'restore')} under way would be waited for" if waits else ""
        return f"{sum(plan.sends for plan in run.plans)} of {total} would be restored{others}"
    if any(verdict.kind in _UNCONFIRMED for verdict in failed):
        return "Only planned: the restore was not confirmed, so nothing was sent"
    if failed:
        return format_restored([verdict.kind for verdict in verdicts])
    before = sum(not step.changed for step in run.steps if step.step == "restore")
    if before and before == len(verdicts):
        return f"{total} already restored; this run sent no restore"
    return f"{total} restored and healthy" + (f", {before} of them by an earlier run" if before else "")


def format_restored(kinds: list[str]) -> str:
    """Returns ``2 of 4 instances restored and healthy, 1 not begun``.

    ``kinds``: for each instance the kind of its failure, empty for a success.
    """
    total = format_count(len(kinds), "instance")
    healthy = sum(map(_is_healthy, kinds))
    not_begun = kinds.count(_NOT_BEGUN)
    parts = [f"{total if healthy == len(kinds) else f'{healthy} of {total}'} restored and healthy"]
    for kind, what in _ADDRESS_FAULTS.items():
        if count := kinds.count(kind.value):
            parts.append(f"but {what}" if len(kinds) == 1 else f"{count} of them {what}")
    return ", ".join([*parts, *([f"{not_begun} not begun"] if not_begun else [])])


def format_failures(failed: list[Data]) -> list[str]:
    """Returns the state and the advice of each failure. Equal ones are shown once."""
    lines: list[str] = []
    groups: dict[str, list[Data]] = {}
    for one in failed:
        groups.setdefault(one["advice"], []).append(one)
    for advice, same in groups.items():
        lines += [*_list_states((one["label"], one["state"]) for one in same), advice, ""]
    return lines[:-1]


def format_done(instances: list[Data]) -> list[str]:
    """Returns a line for each instance that was restored; of many, one line for each result."""
    if len(instances) <= LISTED:
        return [f"{one['label']}: {one['state']}" for one in instances]
    return _list_states((one["label"], one["state"]) for one in instances)


def _list_states(instances: t.Iterable[tuple[str, str]]) -> list[str]:
    """Returns a line for each state, with the labels of the instances in it."""
    labels: dict[str, list[str]] = {}
    for label, state in instances:
        labels.setdefault(state, []).append(label)
    return [f"{format_list(same, LISTED)}: {state}" for state, same in labels.items()]


def _describe_unplanned(target: Data, index: InstanceIndex, history: RestoreHistory | None, now: datetime) -> RolePlan:
    """Returns what is known of a target of a run that failed before it was planned, and its earlier restore."""
    matches = index.by_name.get(target["name"], []) if target["id"] is None else [index.by_id.get(str(target["id"]))]
    matches = [instance for instance in matches if instance]
    instance = matches[0] if len(matches) == 1 else {**target, "status": None}
    name = target["name"] if target["name"] is not None else instance.get("name")
    earlier = history.find_own(instance["id"], name) if history else None
    return RolePlan(
        Target(target["id"], target["name"]),
        instance,
        action=RestoreAction.NONE,
        earlier=earlier,
        planned_at=now,
        is_history_known=history is not None,
    )


def _build_verdict(plan: RolePlan, run: Run, own: list[Step], run_failure: Step | None, now: datetime) -> Verdict:
    """Returns the result for an instance, whose ``own`` steps these are.

    ``run_failure`` is the step that stopped the whole run, if any.
    """
    found = _find_failure(plan, own, run_failure, run)
    kind = found.kind.value if found.kind else ""
    verdict = Verdict(plan, found.step, kind, outcome="ok", tag=_PLANNED, state=headlines(plan, now)[0])
    known = next((step for step in reversed(own) if step.sent_at), None)
    verdict.sent_at, verdict.completed_at = (known or plan).sent_at, (known or plan).completed_at
    verdict.restored_at = known.restored_at if known else None
    verdict.timeline = _build_timeline(own, verdict, known.accepted_at if known else None, run.journal_lead)
    if not kind:
        if restored := next((step for step in own if step.step == "restore"), None):
            verdict.tag, verdict.state = _format_success(restored)
        return verdict
    verdict.outcome = "unfinished" if kind == _UNFINISHED else "failed"
    verdict.tag = _PLANNED if kind in _UNCONFIRMED else "not begun" if kind == _NOT_BEGUN else "not finished"
    verdict.state = _format_failure(found, plan, run, now)
    verdict.advice = found.advice or _find_advice(found, plan, run)
    return verdict


def _find_advice(found: _Failed, plan: RolePlan, run: Run) -> str:
    """Returns what to do about a failure whose message has no advice. Imports what is needed for that alone."""
    from .advice import find_advice

    return find_advice(t.cast("Kind", found.kind), plan, run)


def _see_last(plan: RolePlan, own: list[Step]) -> RolePlan:
    """Returns the plan with the status in which a step of the instance saw it last."""
    seen = next((step.found for step in reversed(own) if step.found), None)
    return replace(plan, instance={**plan.instance, "status": seen}) if plan.instance and seen else plan


def _build_timeline(own: list[Step], verdict: Verdict, accepted_at: str | None, journal_lead: float) -> list[Data]:
    """Returns what happened to the instance, by the service's clock.

    What the journal has, maybe of an earlier run, has the journal's time, ``journal_lead`` seconds ahead of that.
    """
    recorded = {"send": verdict.sent_at, "accepted": accepted_at, "restore": verdict.completed_at}
    events = [
        {
            "title": _EVENTS[step.step] if step.ok else _FAULTS.get(step.outcome or "", "failed"),
            "at": step.ended_at,
            "ok": step.ok,
        }
        for step in own
        if step.step in _EVENTS and not (step.ok and step.step in recorded)
    ]
    if verdict.restored_at:
        del recorded["restore"]
        events.append({"title": "restored", "at": verdict.restored_at, "ok": True})
    events += [
        {
            "title": _EVENTS[name],
            "at": format_iso(datetime.fromisoformat(at) - timedelta(seconds=journal_lead)),
            "ok": True,
        }
        for name, at in recorded.items()
        if at
    ]
    return sorted(events, key=find_rank)


def find_rank(event: Data) -> int:
    """Returns the place of an event among those of one restore: its steps have one order, and a failure ends them.

    Their times may be equal, or of two clocks: that of the journal and that of this machine.
    """
    return _RANKS.get(str(event.get("title")), len(_RANKS))


def _find_failure(plan: RolePlan, own: list[Step], run_failure: Step | None, run: Run) -> _Failed:
    """Returns the failure of an instance, whose ``own`` steps these are."""
    if plan.kind:
        return _Failed(parse_kind(plan.kind), "plan", plan.message, names_status=plan.names_status, advice=plan.advice)
    if failure := next((step for step in own if not step.ok and step.step != "plan"), None):
        return _Failed.of(failure)
    last_step = "http" if run.variables.get("restore_http_check") else "healthy"
    if any(step.step == last_step for step in own):
        return _Failed()
    if run_failure:
        return _Failed.of(run_failure)
    if run.failures:
        return _Failed(FailureKind.NOT_BEGUN)
    return _Failed() if run.check else _Failed(FailureKind.UNFINISHED, "run", _format_unfinished(plan, own, run))


def _format_unfinished(plan: RolePlan, own: list[Step], run: Run) -> str:
    """Returns what this run knows of a restore that it did not see complete."""
    backup_id = plan.backup_id
    ended = {step.step: format_time_of_day(datetime.fromisoformat(step.ended_at)) for step in own}
    if "restore" in ended:
        return f"Backup {backup_id} was seen restored at {ended['restore']}; this run did not yet check the instance."
    if "send" in ended and (begun := ended.keys() & {"accepted", "begun"}):
        name = begun.pop()
        return f"The restore of backup {backup_id} was {_EVENTS[name]} at {ended[name]}; its end was not observed."
    if "send" in ended:
        return (
            f"The restore of backup {backup_id} was about to be sent at {ended['send']}; this run did not record "
            "whether it was."
        )
    if plan.outcome == "completed":
        when = format_sent_and_completed(plan.sent_at, plan.completed_at, plan.sent_by)
        return f"Backup {backup_id} was restored by an earlier run, {when}; this run did not yet check the instance."
    if plan.outcome == "in_flight":
        sent = format_clock(parse_time(plan.sent_at))
        return f"A restore of backup {backup_id}, sent at {sent}, was in progress; its end was not observed."
    if run.interrupted_at:
        return f"The restore of backup {backup_id} was not begun."
    return f"This run did not record whether the restore of backup {backup_id} was sent."


def _format_success(restored: Step) -> tuple[str, str]:
    if restored.changed:
        return "restored", "Restored. The instance is running and healthy."
    when = format_sent_and_completed(restored.sent_at, restored.completed_at, restored.sent_by)
    return (
        "restored already",
        f"Already restored, {when}. This run sent no restore. The instance is running and healthy.",
    )


def _format_unsent(plan: RolePlan, now: datetime) -> str:
    """Returns that this run sent nothing, and what an earlier one sent: empty without one, or that it can't be read."""
    if not plan.is_history_known:
        return _UNREAD
    sent = format_moment(plan.sent_at, now)
    known = {
        "in_flight": f"the restore sent at {sent} is still open",
        "completed": f"the restore sent at {sent} was seen restored at {format_moment(plan.completed_at, now)}",
        "failed": f"the restore sent at {sent} failed",
        "unknown": f"it is unknown whether the restore of {sent} was carried out",
    }.get(plan.outcome or "")
    return f"This run sent nothing; {known}." if known else ""


def _is_healthy(kind: str) -> bool:
    """Returns True if the instance of a result is restored and healthy. A success has no kind."""
    return not kind or kind in HEALTHY


def _format_failure(found: _Failed, plan: RolePlan, run: Run, now: datetime) -> str:
    """Returns the failure, its message, and the last known status of the instance.

    Of a run that may go on, the record has the facts alone: see ``show_result``.
    """
    failure, unsent = FAILURES[t.cast("Kind", found.kind)], _format_unsent(plan, now)
    if found.kind is FailureKind.NOT_BEGUN:
        failed, allowed = format_count(run.failures, "restore"), run.variables["restore_max_failures"]
        return f"{failure.text}: {failed} failed, and restore_max_failures is {allowed}. {unsent or NOTHING_SENT}"
    text = failure.text
    if failure.is_of_run:
        text = f"{text}. {unsent}" if unsent else f"{text}; nothing was sent."
    is_unsent, is_said = failure.is_unsent or found.is_unsent, failure.is_unsent and plan.is_history_known
    sentences = [text, found.message, NOTHING_SENT if is_unsent and not is_said else ""]
    status = (plan.instance or {}).get("status") if failure.is_status_known else None
    if found.kind is FailureKind.UNFINISHED:
        was = f"Its status was {format_value(status, 40)} at the time of the plan." if status else ""
        sentences = [found.message, was]
    elif status and not found.names_status:
        sentences.append(f"Its status is {format_value(status, 40)}.")
    return " ".join(filter(None, sentences))


# The page


def show_result(result: Data, run: Data) -> Data:
    """Returns the result of an instance in the record of a run, as the page shows it."""
    if result.get("kind") != _UNFINISHED:
        return result
    return {**result, "state": f"{_describe_end(run)}. {result.get('state')}"}


def show_headline(run: Data) -> object:
    """Returns the headline of a run in the record, as the page shows it."""
    if run.get("outcome") != "unfinished":
        return run.get("headline")
    end = _describe_end(run)
    return f"{run.get('headline')}: {end[:1].lower()}{end[1:]}"


def _describe_end(run: Data) -> str:
    """Returns what is known of a run whose record has no end: it is written during the run."""
    if not run.get("interrupted"):
        return FAILURES[FailureKind.UNFINISHED].text
    text = f"The run{_format_by(' of', run)} was interrupted"
    if run.get("interrupted_at"):
        return f"{text} at {format_recorded(run['interrupted_at'])}"
    if not (found := run.get("found_ended")):
        return text
    found_at = format_recorded(found.get("at"), run.get("ended_at"))
    return f"{text} after {format_recorded(run.get('ended_at'))}; found at {found_at}{_format_by(' by', found)}"


def _format_by(word: str, run: Data) -> str:
    """Returns ``word`` and who ran it, with a space between; empty if that is not on record."""
    by = run.get("by")
    return f"{word} {format_value(by['user'])}@{format_value(by['host'])}" if by else ""
