# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instances of an incident in words, for the screen, and for the page and its JSON. Pure.

The facts are those of the journal. During a run, what the journal does not have is added: obstacles that
were found before anything was confirmed, and what could not be written to it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, fields

from ...module_utils._errors import NOTHING_SENT
from ...module_utils._model.instance import get_status, is_healthy
from ...module_utils._model.resource import parse_id
from ...module_utils._service.restore.plan_remarks import capitalize, format_moment, format_taken
from ...module_utils._service.restore.recorded_incident import IN_PROGRESS, RecordedInstance
from ...module_utils._service.restore.target_plan import RESTORABLE, ObstacleKind, RestoreAction, Target
from ...module_utils._state.journal import UNSEEN, OperationEvent
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._times import format_duration, parse_time
from .._formatting import format_clock, format_value
from .failures import ACCEPTED_AND_FAILED, Failure, FailureKind
from .role_run import RoleTargetPlan, expected_answer

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.options import Wording
    from ...module_utils._service.restore.recorded_incident import RecordedIncident
    from .failures import Kind
    from .role_run import Data, RoleRun

LISTED = 5
"""Instances that a line names."""
OK, NOT_OK, UNFINISHED = "ok", "failed", "unfinished"

_CHECK_DATA = "Check whether its data is that of the backup."
_UNREAD = "Earlier restores can't be read now."
_NOT_CONFIRMED = (FailureKind.NOT_CONFIRMED, FailureKind.FACTS_CHANGED)
"""The kinds with which nothing was sent because the user has not confirmed it."""
_KINDS: dict[object, Kind] = {kind.value: kind for kind in (*FailureKind, *ObstacleKind)}
_TAGS: dict[Kind, str] = {**dict.fromkeys(_NOT_CONFIRMED, "only planned"), FailureKind.NOT_BEGUN: "not begun"}
"""The tags on the page of what is neither restored nor merely not finished."""


class FailureWords(t.NamedTuple):
    """The words of one kind of failure. ``text`` says what happened, ``advice`` what to do.

    The text may have ``{restore}`` for what is known of one that has completed.
    The advice may have ``{again}`` for running the same command again. It is empty if it depends on more than the kind:
    see ``find_advice``. That of an obstacle comes with its message.
    """

    text: str
    advice: str = ""
    is_of_run: bool = False
    """True if it stopped the whole run before anything was sent."""
    is_unsent: bool = False
    """True if nothing was sent then, so that what an earlier run restored still holds."""
    shows_status: bool = False
    """True if the status of the instance belongs to the message."""


def _stopped(text: str, advice: str = "") -> FailureWords:
    return FailureWords(text, advice, is_of_run=True, is_unsent=True)


_NEVER_TWICE = "{again}: it restores nothing twice."
_FIX = "Fix the cause, then {again}."

FAILURE_WORDS: dict[Kind, FailureWords] = {
    FailureKind.SERVICE_DOWN: _stopped("The service can't be used", "When it answers at api_url, {again}."),
    FailureKind.BAD_KEY: _stopped(
        "The API key can't be used", "Set CLAWHOSTERS_API_KEY to a valid key of the right account, then {again}."
    ),
    FailureKind.NOT_CONFIRMED: _stopped("Not confirmed"),
    FailureKind.FACTS_CHANGED: _stopped("What was confirmed has changed", "{again} to confirm the current plan."),
    FailureKind.PLAN_OUTDATED: _stopped(
        "The approved plan does not hold any more",
        "Make a new plan with --check and restore_plan_path, and have it approved.",
    ),
    FailureKind.NOT_PLANNED: _stopped("Planning failed", _FIX),
    FailureKind.INTERRUPTED: FailureWords("The runbook was interrupted.", _NEVER_TWICE),
    FailureKind.UNFINISHED: FailureWords("", _NEVER_TWICE),
    FailureKind.NOT_BEGUN: FailureWords("Not begun.", "{again}: it goes on with the rest.", is_unsent=True),
    FailureKind.REFUSED: FailureWords(
        "The restore was rejected or not sent; nothing was changed.", _FIX, shows_status=True
    ),
    FailureKind.NOT_OVER: FailureWords(
        "The restore was accepted, but its end was not seen.", "{again}: it continues to wait, and sends nothing twice."
    ),
    FailureKind.GONE: FailureWords(
        "The instance was deleted after its restore was accepted.", "Check in the dashboard who deleted it."
    ),
    FailureKind.UNRECORDED: FailureWords("The journal lacks what became of the restore.", _NEVER_TWICE),
    FailureKind.NOT_HEALTHY: FailureWords("{restore}, but the instance is not running and healthy."),
    FailureKind.HEALTH_UNSEEN: FailureWords("{restore}, but the instance can't be read.", _NEVER_TWICE),
    FailureKind.BAD_ADDRESS: FailureWords(
        "{restore}; the instance is healthy, but the check of its address failed.",
        f"Check this address, then {_NEVER_TWICE}",
    ),
    **dict.fromkeys(ObstacleKind, FailureWords(NOTHING_SENT, is_unsent=True)),
    # These two may be outcomes of the run itself, too.
    ObstacleKind.FAILED: FailureWords("", shows_status=True),
    ObstacleKind.UNKNOWN: FailureWords("It is unknown whether the restore was carried out.", shows_status=True),
}
"""Each kind of failure. A new one needs its line here, and a place that chooses it."""


@dataclass
class InstanceResult:
    """The facts of an instance. ``failure`` is None if it is restored. Not all were planned by a run."""

    plan: RoleTargetPlan
    known: RecordedInstance
    failure: Failure | None
    tag: str
    state: str
    advice: str
    now: str = ""
    """How the instance is now, if that was read: a sentence."""
    is_ill: bool = False
    """True if it is known not to be healthy now."""

    @property
    def id(self) -> t.Any:
        return self.plan.found_id

    @property
    def kind(self) -> Kind | None:
        return self.failure.kind if self.failure else None

    @property
    def outcome(self) -> str:
        """``ok``, ``failed``, or ``unfinished`` if it may still be restored by what was planned."""
        if self.kind is None:
            return OK
        return UNFINISHED if self.kind in (FailureKind.UNFINISHED, *_NOT_CONFIRMED) else NOT_OK

    @property
    def is_unseen(self) -> bool:
        """True if the restore was accepted, and no sign of it was seen."""
        return self.known.restore is not None and self.known.restore.is_unseen

    def to_dict(self) -> Data:
        """Returns the result as the JSON holds it, and the page shows it."""
        plan, known, restore, failure = self.plan, self.known, self.known.restore, self.failure
        return {
            "id": self.id,
            "label": self.plan.label,
            "outcome": self.outcome,
            "tag": self.tag,
            "state": self.state,
            "kind": failure and failure.kind.value,
            "advice": self.advice,
            "now": self.now,
            "backup": {"id": plan.backup_id, "taken_at": plan.taken_at and plan.taken_at.isoformat()}
            if plan.backup
            else None,
            "age": None if plan.age is None else format_duration(plan.age),
            **{name: getattr(restore, name, None) for name in ("sent_at", "by", "completed_at")},
            "restored_at": restore and restore.facts.get("restored_at"),
            "is_unseen": self.is_unseen,
            "healthy_at": known.healthy_at,
            **{name: getattr(failure, name, None) for name in ("http_status", "request_id")},
            "events": [vars(event) for event in known.events],
        }


# Facts


def build_results(run: RoleRun, recorded: RecordedIncident | None, now: datetime) -> list[InstanceResult]:
    """Returns the result of each target of a run. ``recorded`` is what the journal holds; None if it can't be read."""
    results = []
    for plan in run.plans:
        restore = plan.restore.state if plan.restore else None
        known = RecordedInstance(parse_id(plan.found_id), plan.name, restore)
        if recorded:
            known = recorded.instances.get(known.identity, known)
        results.append(_build(plan, known, _find_own(plan, known, run, recorded, now), run, now))
    return results


def build_recorded(recorded: RecordedIncident, run: RoleRun, now: datetime) -> list[InstanceResult]:
    """Returns the result of each instance of an incident by the journal alone. ``run``: whose words are used."""
    results = []
    for known in recorded.instances.values():
        number = known.id if isinstance(known.id, int) else None
        plan = describe_known(known, Target(number, None), now)
        results.append(_build(plan, known, _find_recorded(known, plan.backup_id, recorded), run, now))
    return results


def describe_known(known: RecordedInstance, target: Target, now: datetime) -> RoleTargetPlan:
    """Returns what the journal knows of a restore as a plan that does nothing."""
    facts = known.restore.facts if known.restore else {}
    backup = {"id": facts["backup_id"], "created_at": facts.get("taken_at")} if "backup_id" in facts else None
    shown = {"id": known.id, "name": known.name, "status": None}
    return RoleTargetPlan(target, shown, backup, action=RestoreAction.NONE, earlier=known.restore, planned_at=now)


def _build(
    plan: RoleTargetPlan, known: RecordedInstance, failure: Failure | None, run: RoleRun, now: datetime
) -> InstanceResult:
    if failure is None:
        is_unseen = known.restore is not None and known.restore.is_unseen
        return InstanceResult(
            plan, known, None, "no sign seen" if is_unseen else "restored", _format_restored(known, plan), ""
        )
    advice = failure.advice or find_advice(failure, plan, run)
    result = InstanceResult(plan, known, failure, _TAGS.get(failure.kind, "not finished"), "", advice)
    restore = f"The restore {UNSEEN}" if result.is_unseen else "The restore has completed"
    result.state = _format_failure(failure, plan, run, restore, now)
    return result


def _find_own(
    plan: RoleTargetPlan, known: RecordedInstance, run: RoleRun, recorded: RecordedIncident | None, now: datetime
) -> Failure | None:
    """Returns why the restore of a target of a run has not come to its end; None if it has, or is only planned."""
    if plan.failure or (plan.restore and plan.restore.healthy_at and not plan.restore.error):
        return plan.failure
    if run.failure or run.check:
        return run.failure
    if run.failed_restores:
        why = f"{format_count(run.failed_restores, 'restore')} failed, and restore_max_failures is"
        unsent = _format_unsent(plan, now) or NOTHING_SENT
        message = f"{why} {run.variables['restore_max_failures']}. {unsent}"
        despite = f"restore_max_failures={run.failed_restores} goes on despite them"
        advice = f"When the failures are dealt with, {run.wording.again}; {despite}."
        return Failure(FailureKind.NOT_BEGUN, message, advice)
    if recorded is None:
        return Failure(FailureKind.UNFINISHED, _format_unfinished(known, plan.backup_id))
    return _find_recorded(known, plan.backup_id, recorded)


def _find_recorded(known: RecordedInstance, backup_id: object, recorded: RecordedIncident) -> Failure | None:
    """Returns why a restore has not come to its end, by the journal alone; None if it has."""
    restore = known.restore
    if known.failure_note:
        return parse_failure(known.failure_note)
    if restore is None and known.refused:
        return Failure(FailureKind.REFUSED, str(known.refused.facts.get("reason") or ""))
    runs = [run for run in recorded.runs if str(known.id) in run.backups]
    if restore is None and not any(run.state == IN_PROGRESS for run in runs):
        return Failure(FailureKind.NOT_BEGUN, "It was confirmed, and no run has begun it.")
    if restore and restore.event is OperationEvent.COMPLETED and known.healthy_at:
        return None
    if restore and restore.event is OperationEvent.FAILED:
        return Failure(ObstacleKind.FAILED, ACCEPTED_AND_FAILED)
    is_lost = restore is not None and restore.outcome == "unknown" and known.holder is None
    kind: Kind = ObstacleKind.UNKNOWN if is_lost else FailureKind.UNFINISHED
    return Failure(kind, _format_unfinished(known, backup_id))


def parse_failure(facts: t.Mapping[str, t.Any]) -> Failure:
    """Returns the failure of a note."""
    known = {one.name: facts[one.name] for one in fields(Failure) if one.name != "kind" and one.name in facts}
    return Failure(_KINDS.get(facts.get("failure"), FailureKind.INTERRUPTED), **known)


def build_report(run: RoleRun, recorded: RecordedIncident, results: t.Sequence[InstanceResult], now: datetime) -> Data:
    """Returns the content of page and JSON: all instances and runs of the incident, and how ``run`` has ended.

    ``results`` are those of the run. One that sent nothing says nothing new of an instance that was restored.
    """
    by_identity = {one.known.identity: one for one in build_recorded(recorded, run, now)}
    for one in results:
        known = by_identity.get(one.known.identity)
        is_unsent = one.kind is not None and FAILURE_WORDS[one.kind].is_unsent
        if known is None or known.outcome != OK or not is_unsent:
            by_identity[one.known.identity] = one
    shown = [*by_identity.values()]
    # That an earlier run has restored an instance is no news about the incident.
    is_of_run = shown == [*results] and any(one.kind for one in results)
    # The page of a run that is killed stays as it was written.
    going_on = "; a run was in progress" if any(one.state == IN_PROGRESS for one in recorded.runs) else ""
    headline = format_headline(run, shown) if is_of_run else format_restored(shown)
    return {
        "incident": run.incident,
        "service": run.service,
        "account": run.account,
        "written_at": now.isoformat(timespec="milliseconds"),
        "headline": f"{headline}{going_on}",
        "instances": [one.to_dict() for one in shown],
        "runs": [{**vars(one), "state": one.state} for one in recorded.runs],
    }


# Words


def _format_restored(known: RecordedInstance, plan: RoleTargetPlan) -> str:
    """Returns when and by whom an instance was restored, and that it was seen healthy afterwards."""
    restore, healthy = known.restore, format_clock(parse_time(known.healthy_at))
    if restore is None:
        return f"Restored from backup {plan.backup_id}, and seen healthy."
    by = f" by {restore.by}" if restore.by else ""
    sent = f"sent at {format_clock(parse_time(restore.sent_at))}{by}"
    if restore.is_unseen:
        return f"The restore, {sent}, {UNSEEN}. The instance was healthy at {healthy}. {_CHECK_DATA}"
    return f"Restored from backup {restore.facts.get('backup_id')}, {sent}; seen healthy at {healthy}."


def _format_unfinished(known: RecordedInstance, backup_id: object) -> str:
    """Returns how far a restore has come whose end no run has seen."""
    last = next((event for event in reversed(known.events) if event.ok), None)
    which = "The restore" if backup_id is None else f"The restore of backup {backup_id}"
    if last is None:
        return f"{which} had not begun yet."
    at = format_value(last.at.partition("T")[2][:8])
    if last.title == "sent":
        return f"{which} was about to be sent at {at}Z; it is not recorded whether it was."
    if known.restore and known.restore.is_unseen:
        return f"{which} {UNSEEN}; the instance was not checked since."
    if last.title in ("accepted", "seen begun"):
        return f"{which} was {last.title} at {at}Z; its end was not observed."
    return f"Backup {backup_id} was {last.title} at {at}Z; the instance was not checked since."


def _format_unsent(plan: RoleTargetPlan, now: datetime) -> str:
    """Returns that this run sent nothing, and what an earlier one sent; empty without one."""
    if plan.earlier is None:
        return ""
    sent, seen = format_moment(plan.earlier.sent_at, now), UNSEEN
    if not plan.is_unseen:
        seen = f"was seen restored at {format_moment(plan.earlier.completed_at, now)}"
    known = {
        "in_flight": f"the restore sent at {sent} is still open",
        "completed": f"the restore sent at {sent} {seen}",
        "failed": f"the restore sent at {sent} failed",
        "unknown": f"it is unknown whether the restore of {sent} was carried out",
    }
    is_awaited = plan.action is RestoreAction.WAIT
    return f"This run sent nothing; {known['in_flight' if is_awaited else plan.earlier.outcome]}."


def _format_failure(failure: Failure, plan: RoleTargetPlan, run: RoleRun, restore: str, now: datetime) -> str:
    """Returns the failure, its message, and the last known status of the instance."""
    words, unsent = FAILURE_WORDS[failure.kind], _format_unsent(plan, now) if run.is_history_known else _UNREAD
    text = words.text.format(restore=restore)
    if words.is_of_run:
        text = f"{text}. {unsent}" if unsent else f"{text}; nothing was sent."
    sentences = [text, failure.message]
    is_said = words.is_unsent and run.is_history_known
    if (words.is_unsent or failure.is_unsent) and not is_said:
        sentences.append(NOTHING_SENT)
    status = failure.found or (plan.instance or {}).get("status")
    if status and failure.kind is FailureKind.UNFINISHED:
        sentences.append(f"Its status was {format_value(status, 40)} at the time of the plan.")
    elif status and words.shows_status:
        sentences.append(f"Its status is {format_value(status, 40)}.")
    return " ".join(filter(None, sentences))


def find_advice(failure: Failure, plan: RoleTargetPlan, run: RoleRun) -> str:
    """Returns what to do after a failure whose message has no advice: a sentence that names variables.

    Imports the words of obstacles.
    """
    from ...module_utils._service.restore.messages import advise_failed, advise_on_status, advise_unknown

    wording, words = run.wording, FAILURE_WORDS[failure.kind]
    instance = {**(plan.instance or {}), **({"status": failure.found} if failure.found else {})}
    advice = words.advice.format(again=run.again if words.is_of_run else wording.again)
    match failure.kind:
        case FailureKind.NOT_CONFIRMED:
            answer = expected_answer(run.plans, run.incident)
            advice = f"{run.again} with restore_confirm={answer}, or type that at the prompt."
        case ObstacleKind.FAILED:
            advice = advise_failed(plan, instance, wording)
        case ObstacleKind.UNKNOWN:
            advice = advise_unknown(plan, instance, wording)
        case FailureKind.REFUSED if failure.http_status == 422 and get_status(instance) not in RESTORABLE:
            advice = advise_failed(plan, instance, wording)
        case FailureKind.REFUSED if failure.http_status == 422:
            advice = f"To try an older backup, {wording.restore_with(_name_older(plan, wording))}."
        case FailureKind.NOT_HEALTHY:
            alone = "a run for it alone" if wording.alone else "a run"
            advice = advise_on_status(instance, wording.again) or (
                f"Check it in the dashboard, then {wording.again}, which restores nothing twice; {alone} with another "
                f"restore_incident sends it again from an older backup, with {_name_older(plan, wording)}."
            )
    if failure.http_status == 401 and failure.kind is not FailureKind.BAD_KEY:
        advice = f"With a valid key, {advice}"
    return capitalize(advice)


def _name_older(plan: RoleTargetPlan, wording: Wording) -> str:
    """Returns the variable that selects the next older backup. A plan that chose the backup has read the others."""
    if plan.older is None:
        return f"its id as {wording.backup()}"
    return f"{wording.backup(one_line(plan.older['id'], 20))}, {format_taken(plan.older)}"


def format_headline(run: RoleRun, results: list[InstanceResult]) -> str:
    """Returns what a run has achieved, in one line."""
    total = format_count(len(results), "instance")
    if not run.is_history_known:
        return f"{_UNREAD} {NOTHING_SENT}".rstrip(".")
    if run.check:
        return f"{sum(plan.sends for plan in run.plans)} of {total} would be restored{_format_others(run)}"
    if any(one.kind is FailureKind.NOT_CONFIRMED for one in results):
        return "Only planned: the restore was not confirmed, so nothing was sent"
    if any(one.kind or one.is_unseen for one in results):
        return format_restored(results)
    before = sum(plan.restore is not None and not plan.restore.changed for plan in run.plans)
    if before and before == len(results):
        return f"{total} already restored; this run sent no restore"
    return f"{total} restored and healthy" + (f", {before} of them by an earlier run" if before else "")


def _format_others(run: RoleRun) -> str:
    """Returns the plans of check mode that would send nothing: those that would wait, and those that are restored."""
    seen = [plan for plan in run.plans if plan.ready and plan.earlier and not plan.is_unseen]
    done = [plan.instance or {} for plan in seen if plan.earlier and plan.earlier.event is OperationEvent.COMPLETED]
    ill = sum(not is_healthy(instance) for instance in done)
    waits = sum(plan.ready and plan.action is RestoreAction.WAIT for plan in run.plans)
    known = f", {len(done)} already restored" if done else ""
    known += f", {ill} of them not healthy now" if ill else ""
    others = f", {format_count(waits, 'restore')} under way would be waited for" if waits else ""
    return f"{others}{known}"


def format_restored(results: list[InstanceResult]) -> str:
    """Returns ``2 of 4 instances restored and healthy, 1 not begun``."""
    kinds = [one.kind for one in results if not one.is_unseen]
    total, silent = format_count(len(results), "instance"), kinds.count(FailureKind.BAD_ADDRESS)
    healthy = kinds.count(None) + silent
    parts = [f"{total if healthy == len(results) else f'{healthy} of {total}'} restored and healthy"]
    if silent:
        parts.append(f"{'but' if len(results) == 1 else f'{silent} of them'} not responding as expected")
    counts = {
        "accepted without a sign of the restore": len(results) - len(kinds),
        "not begun": kinds.count(FailureKind.NOT_BEGUN),
        "of them not healthy now": sum(one.kind is None and one.is_ill for one in results),
    }
    return ", ".join([*parts, *(f"{count} {what}" for what, count in counts.items() if count)])


def format_failures(failed: list[InstanceResult]) -> list[str]:
    """Returns the state and the advice of each failure. Equal ones are shown once."""
    lines: list[str] = []
    for advice, same in _group(failed, lambda one: one.advice).items():
        lines += [*list_states(same), advice, ""]
    return lines[:-1]


def format_done(results: list[InstanceResult]) -> list[str]:
    """Returns a line for each instance that was restored; of many, one line for those that show it."""
    if len(results) <= LISTED:
        return list_states(results)
    return list_states(results, lambda one: one.state if one.is_unseen else "Restored, and seen healthy.")


def list_states(
    results: list[InstanceResult], describe: t.Callable[[InstanceResult], str] = lambda one: one.state
) -> list[str]:
    """Returns a line for each state, with the labels of the instances in it."""
    same = _group(results, describe)
    return [f"{format_list((one.plan.label for one in those), LISTED)}: {state}" for state, those in same.items()]


def _group(
    results: t.Iterable[InstanceResult], describe: t.Callable[[InstanceResult], str]
) -> dict[str, list[InstanceResult]]:
    groups: dict[str, list[InstanceResult]] = {}
    for one in results:
        groups.setdefault(describe(one), []).append(one)
    return groups
