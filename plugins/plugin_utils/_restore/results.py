# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcomes of the instances of an incident, in words: for the screen, the page and its JSON. Pure.

The facts are those of the journal. Of a run that goes on, they are joined by what the journal does not have: obstacles
that were found before anything was confirmed, and what could not be written to it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ...module_utils._errors import NOTHING_SENT
from ...module_utils._model.instance import is_healthy
from ...module_utils._model.resource import parse_id
from ...module_utils._service.restore.incident_state import IN_PROGRESS, InstanceState, TimelineEvent
from ...module_utils._service.restore.plan import ObstacleKind, RestoreAction, Target
from ...module_utils._service.restore.restore import COMPLETED, Stage
from ...module_utils._service.restore.words import format_moment
from ...module_utils._state.journal import UNSEEN, OperationEvent
from ...module_utils._text import format_count, format_list
from ...module_utils._times import format_duration, parse_time
from .._formatting import format_clock, format_value
from .failures import ACCEPTED_AND_FAILED, FAILURES, UNCONFIRMED, Failed, FailureKind, name_kind
from .plan_screen import format_sent_and_completed, headlines
from .run import RolePlan

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.incident_state import IncidentState
    from ...module_utils._state.journal import OperationState
    from .failures import Kind
    from .run import Data, Run

LISTED = 5
"""Instances that a line names."""
OK, FAILED, UNFINISHED = "ok", "failed", "unfinished"

_CHECK_DATA = "Check whether its data is that of the backup."
_UNREAD = "Earlier restores can't be read now."
_ADDRESS_FAULTS = {
    FailureKind.BAD_ADDRESS: "not responding as expected",
}
"""The end of a headline for instances that are restored and healthy all the same."""


@dataclass
class Result:
    """The outcome of the restore of an instance. ``kind`` and ``advice`` are None and empty on success."""

    id: int | str | None
    label: str
    name: str
    outcome: str
    """``ok``, ``failed`` or ``unfinished``."""
    tag: str
    state: str
    kind: Kind | None = None
    advice: str = ""
    backup: Data | None = None
    age: str | None = None
    """Age of the backup when the restore was planned."""
    batch: int | None = None
    sent_at: str | None = None
    sent_by: str = ""
    accepted_at: str | None = None
    restored_at: str | None = None
    """When it ended, if the service shows that."""
    completed_at: str | None = None
    """When a run saw that."""
    is_unseen: bool = False
    """True if it was accepted, and no sign of it was seen."""
    healthy_at: str | None = None
    responded_at: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    now: str = ""
    """How the instance is now, if that was read: a sentence."""
    is_ill: bool = False
    """True if it is known not to be healthy now."""
    events: list[TimelineEvent] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """The id as text, or for a target that was not found its name."""
        return f"name {self.name}" if self.id is None else str(self.id)

    def to_dict(self) -> Data:
        """Returns the result as the JSON holds it."""
        return {
            **vars(self),
            "kind": self.kind and name_kind(self.kind),
            "events": [vars(event) for event in self.events],
        }


# Facts


def build_results(run: Run, state: IncidentState | None, now: datetime) -> list[Result]:
    """Returns the result of each target of a run. ``state`` is what the journal holds; None if it can't be read."""
    return [_build_own(plan, run, state, now) for plan in run.plans]


def build_recorded(state: IncidentState, run: Run, now: datetime) -> list[Result]:
    """Returns the result of each instance of an incident by the journal alone. ``run``: whose words are used."""
    return [_build_recorded(instance, state, run, now) for instance in state.instances.values()]


def describe_reported(instance: InstanceState, target: Target, now: datetime) -> RolePlan:
    """Returns what the journal knows of a restore as a plan that does nothing."""
    facts = instance.restore.facts if instance.restore else {}
    backup = {"id": facts["backup_id"], "created_at": facts.get("taken_at")} if "backup_id" in facts else None
    shown = {"id": instance.id, "name": instance.name, "status": None}
    return RolePlan(target, shown, backup, action=RestoreAction.NONE, earlier=instance.restore, planned_at=now)


def _build_own(plan: RolePlan, run: Run, state: IncidentState | None, now: datetime) -> Result:
    instance_id = str((plan.instance or {}).get("id"))
    known = state.instances.get(instance_id) if state else None
    if known is None:
        known = InstanceState(parse_id(instance_id), restore=plan.restore.state if plan.restore else None)
    failed = _find_failed(plan, run, known)
    result = _describe(plan, known, failed, run, now)
    if failed is None and plan.restore:
        state_now = plan.restore.state or plan.earlier
        result.tag, result.state = _format_success(state_now, is_new=plan.restore.changed)
    return result


def _build_recorded(instance: InstanceState, state: IncidentState, run: Run, now: datetime) -> Result:
    number = instance.id if isinstance(instance.id, int) else None
    plan = describe_reported(instance, Target(number, None), now)
    failed = _find_recorded(instance, state)
    result = _describe(plan, instance, failed, run, now)
    if failed is None:
        result.tag, result.state = "no sign seen" if result.is_unseen else "restored", _format_recorded(instance)
    return result


def _describe(plan: RolePlan, known: InstanceState, failed: Failed | None, run: Run, now: datetime) -> Result:
    restore, age, taken = known.restore, plan.age, plan.taken_at
    result = Result(
        plan.found_id,
        plan.label,
        format_value(plan.name),
        OK,
        "only planned",
        headlines([plan])[0],
        backup={"id": plan.backup_id, "taken_at": taken.isoformat() if taken else None} if plan.backup else None,
        age=None if age is None else format_duration(age),
        batch=plan.batch,
        healthy_at=known.healthy_at,
        responded_at=known.responded_at,
        events=known.events,
    )
    if restore:
        result.sent_at, result.sent_by, result.accepted_at = restore.sent_at, restore.by, restore.accepted_at
        result.restored_at, result.completed_at = restore.facts.get("restored_at"), restore.completed_at
        result.is_unseen = restore.is_unseen
    if failed:
        result.kind, result.http_status, result.request_id = failed.kind, failed.http_status, failed.request_id
        result.outcome = UNFINISHED if failed.kind is FailureKind.UNFINISHED else FAILED
        result.tag = _find_tag(failed.kind)
        unseen = " No sign of the restore was seen." if result.is_unseen else ""
        result.state = f"{_format_failure(failed, plan, run, now)}{unseen}"
        if not failed.advice:
            from .classify import find_advice
        result.advice = failed.advice or find_advice(failed, plan, run)
    return result


def _find_failed(plan: RolePlan, run: Run, known: InstanceState) -> Failed | None:
    """Returns why the restore of a target has not come to its end; None if it has."""
    if plan.failed or (plan.restore and plan.restore.stage is Stage.DONE):
        return plan.failed
    if run.failed:
        return run.failed
    if run.failures:
        return Failed(FailureKind.NOT_BEGUN)
    return None if run.check else Failed(FailureKind.UNFINISHED, _format_unfinished(known, plan.backup_id))


def _find_recorded(instance: InstanceState, state: IncidentState) -> Failed | None:
    """Returns why a restore has not come to its end, by the journal alone; None if it has."""
    if instance.failure:
        return Failed.from_facts(instance.failure)
    restore = instance.restore
    if restore is None:
        if instance.refused:
            return Failed(FailureKind.REFUSED, str(instance.refused.facts.get("reason") or ""))
        goes_on = any(run.state == IN_PROGRESS and str(instance.id) in run.backups for run in state.runs)
        kind = FailureKind.UNFINISHED if goes_on else FailureKind.NOT_BEGUN
        return Failed(kind, "It was confirmed, and no run has begun it.")
    if restore.event is OperationEvent.COMPLETED and instance.healthy_at:
        return None
    if restore.event is OperationEvent.FAILED:
        return Failed(ObstacleKind.FAILED, ACCEPTED_AND_FAILED)
    if restore.outcome == "unknown" and instance.holder is None:
        return Failed(ObstacleKind.UNKNOWN, _format_unfinished(instance, restore.facts.get("backup_id")))
    return Failed(FailureKind.UNFINISHED, _format_unfinished(instance, restore.facts.get("backup_id")))


# Words


def _find_tag(kind: Kind) -> str:
    if kind in UNCONFIRMED:
        return "only planned"
    return "not begun" if kind is FailureKind.NOT_BEGUN else "not finished"


def _format_success(state: OperationState | None, *, is_new: bool) -> tuple[str, str]:
    if (is_new and not (state and state.is_unseen)) or state is None:
        return "restored", "Restored. The instance is running and healthy."
    when = format_sent_and_completed(state)
    if state.is_unseen:
        return "no sign seen", f"The restore, {when}, {UNSEEN}. The instance is running and healthy. {_CHECK_DATA}"
    return (
        "restored already",
        f"Already restored, {when}. This run sent no restore. The instance is running and healthy.",
    )


def _format_recorded(instance: InstanceState) -> str:
    """Returns when and by whom an instance was restored that was seen healthy afterwards."""
    restore = t.cast("OperationState", instance.restore)
    by, healthy = f" by {restore.by}" if restore.by else "", format_clock(parse_time(instance.healthy_at))
    sent = f"sent at {format_clock(parse_time(restore.sent_at))}{by}"
    if restore.is_unseen:
        return f"The restore, {sent}, {UNSEEN}. The instance was healthy at {healthy}. {_CHECK_DATA}"
    return f"Restored from backup {restore.facts.get('backup_id')}, {sent}; seen healthy at {healthy}."


def _format_unfinished(known: InstanceState, backup_id: object) -> str:
    """Returns how far a restore has come whose end no run has seen."""
    last = next((event for event in reversed(known.events) if event.ok), None)
    if last is None:
        return f"The restore of backup {backup_id} had not begun when this was written."
    at = format_value(last.at.partition("T")[2][:8])
    if last.title == "sent":
        return f"The restore of backup {backup_id} was about to be sent at {at}Z; it is not recorded whether it was."
    if known.restore and known.restore.is_unseen:
        return f"The restore of backup {backup_id} {UNSEEN}; the instance was not checked since."
    if last.title in ("accepted", "seen begun"):
        return f"The restore of backup {backup_id} was {last.title} at {at}Z; its end was not observed."
    return f"Backup {backup_id} was {last.title} at {at}Z; the instance was not checked since."


def _format_unsent(plan: RolePlan, now: datetime) -> str:
    """Returns that this run sent nothing, and what an earlier one sent: empty without one, or that it can't be read."""
    if not plan.is_history_known:
        return _UNREAD
    sent = format_moment(plan.sent_at, now)
    seen = UNSEEN if plan.is_unseen else f"was seen restored at {format_moment(plan.completed_at, now)}"
    known = {
        "in_flight": f"the restore sent at {sent} is still open",
        "completed": f"the restore sent at {sent} {seen}",
        "failed": f"the restore sent at {sent} failed",
        "unknown": f"it is unknown whether the restore of {sent} was carried out",
    }.get(plan.outcome or "")
    return f"This run sent nothing; {known}." if known else ""


def _format_failure(failed: Failed, plan: RolePlan, run: Run, now: datetime) -> str:
    """Returns the failure, its message, and the last known status of the instance."""
    failure, unsent = FAILURES[failed.kind], _format_unsent(plan, now)
    if failed.kind is FailureKind.NOT_BEGUN and not run.failures:
        return f"{failure.text}. {failed.message}"
    if failed.kind is FailureKind.NOT_BEGUN:
        count, allowed = format_count(run.failures, "restore"), run.variables["restore_max_failures"]
        return f"{failure.text}: {count} failed, and restore_max_failures is {allowed}. {unsent or NOTHING_SENT}"
    text = failure.text
    if failure.is_of_run and failure.is_unsent:
        text = f"{text}. {unsent}" if unsent else f"{text}; nothing was sent."
    is_unsent, is_said = failure.is_unsent or failed.is_unsent, failure.is_unsent and plan.is_history_known
    sentences = [text, failed.message, NOTHING_SENT if is_unsent and not is_said else ""]
    status = failed.found or (plan.instance or {}).get("status")
    if failed.kind is FailureKind.UNFINISHED:
        was = f"Its status was {format_value(status, 40)} at the time of the plan." if status else ""
        sentences = [failed.message, was]
    elif status and failure.shows_status:
        sentences.append(f"Its status is {format_value(status, 40)}.")
    return " ".join(filter(None, sentences))


def format_headline(run: Run, results: list[Result]) -> str:
    """Returns what a run has achieved, in one line."""
    total = format_count(len(results), "instance")
    if not all(plan.is_history_known for plan in run.plans):
        return f"{_UNREAD} {NOTHING_SENT}".rstrip(".")
    if run.check:
        seen = (plan for plan in run.plans if plan.ready and not plan.is_unseen)
        done = [plan.instance or {} for plan in seen if plan.outcome == COMPLETED]
        ill = sum(not is_healthy(instance) for instance in done)
        waits = sum(plan.ready and plan.action is RestoreAction.WAIT for plan in run.plans)
        known = f", {len(done)} already restored" if done else ""
        known += f", {ill} of them not healthy now" if ill else ""
        others = f", {format_count(waits, 'restore')} under way would be waited for" if waits else ""
        return f"{sum(plan.sends for plan in run.plans)} of {total} would be restored{others}{known}"
    if any(result.kind is FailureKind.NOT_CONFIRMED for result in results):
        return "Only planned: the restore was not confirmed, so nothing was sent"
    if any(result.kind or result.is_unseen for result in results):
        return format_restored(results)
    before = sum(plan.restore is not None and not plan.restore.changed for plan in run.plans)
    if before and before == len(results):
        return f"{total} already restored; this run sent no restore"
    return f"{total} restored and healthy" + (f", {before} of them by an earlier run" if before else "")


def format_restored(results: list[Result]) -> str:
    """Returns ``2 of 4 instances restored and healthy, 1 not begun``."""
    kinds = [result.kind for result in results if not result.is_unseen]
    total, unseen = format_count(len(results), "instance"), len(results) - len(kinds)
    healthy = sum(kind is None or FAILURES[kind].is_healthy for kind in kinds)
    not_begun = kinds.count(FailureKind.NOT_BEGUN)
    parts = [f"{total if healthy == len(results) else f'{healthy} of {total}'} restored and healthy"]
    for kind, what in _ADDRESS_FAULTS.items():
        if count := kinds.count(kind):
            parts.append(f"but {what}" if len(results) == 1 else f"{count} of them {what}")
    parts += [f"{unseen} accepted without a sign of the restore"] if unseen else []
    ill = [result for result in results if result.kind is None and result.is_ill]
    parts += [f"{not_begun} not begun"] if not_begun else []
    return ", ".join([*parts, *([f"{len(ill)} of them not healthy now"] if ill else [])])


def format_failures(failed: list[Result]) -> list[str]:
    """Returns the state and the advice of each failure. Equal ones are shown once."""
    lines: list[str] = []
    groups: dict[str, list[Result]] = {}
    for one in failed:
        groups.setdefault(one.advice, []).append(one)
    for advice, same in groups.items():
        lines += [*_list_states(same), advice, ""]
    return lines[:-1]


def format_done(results: list[Result]) -> list[str]:
    """Returns a line for each instance that was restored; of many, one line for each result."""
    if len(results) <= LISTED:
        return [f"{one.label}: {one.state}" for one in results]
    return _list_states(results)


def _list_states(results: list[Result]) -> list[str]:
    """Returns a line for each state, with the labels of the instances in it."""
    labels: dict[str, list[str]] = {}
    for one in results:
        labels.setdefault(one.state, []).append(one.label)
    return [f"{format_list(same, LISTED)}: {state}" for state, same in labels.items()]
