# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the instances of an incident, as facts, and their counts. Pure. ``result_texts.py`` tells them.

The facts are those of the journal. During a run, what the journal does not have is added: reasons that were found
before anything was confirmed, and what could not be written to it.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, replace

from ...module_utils._model.backup import taken_at
from ...module_utils._model.resource import parse_id
from ...module_utils._service.restore.reason import Reason, ReasonKind
from ...module_utils._service.restore.reason_texts import NOT_BEGUN, RESTORED, TABLE, WITHOUT_SIGN
from ...module_utils._service.restore.recorded_incident import RecordedInstance
from ...module_utils._service.restore.restore_job import PLANNED, UNKNOWN
from ...module_utils._service.restore.target_plan import RestoreAction, Target
from .role_run import RoleTargetPlan

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._errors import ClawHostersError
    from ...module_utils._model.resource import Resource
    from ...module_utils._service.restore.recorded_incident import RecordedIncident
    from .role_run import Data, RoleRun

WOULD_BE_RESTORED, RESTORED_ALREADY = "would_be_restored", "restored_already"
"""Parts of a run in check mode, besides those of the table of reasons."""
_INTERRUPTED = Reason(ReasonKind.INTERRUPTED)


@dataclass
class InstanceResult:
    """The result of an instance. ``reason`` is None if it is restored, or would be.

    ``error``: the error behind the reason, in the run that got it. ``is_check``: nothing was to be sent.
    ``is_known``: False if the journal can't be read. ``is_earlier``: this run has changed nothing.
    """

    plan: RoleTargetPlan
    known: RecordedInstance
    reason: Reason | None = None
    error: ClawHostersError | None = None
    is_check: bool = False
    is_known: bool = True
    is_earlier: bool = False
    seen: Resource | None = None
    """The instance as it is now, if that was read; without a field if it does not exist any more."""
    newer: Resource | None = None
    """The newest usable backup, if it is newer than the restored one, and that was read."""

    @property
    def part(self) -> str:
        """The part of the incident in which it counts."""
        if self.reason:
            return TABLE[self.reason.kind].part
        if self.is_unseen:
            return WITHOUT_SIGN
        if not self.is_check:
            return RESTORED
        return WOULD_BE_RESTORED if self.plan.action is RestoreAction.SEND else RESTORED_ALREADY

    @property
    def is_unseen(self) -> bool:
        """True if the restore was accepted, and no sign of it was seen."""
        return self.known.restore is not None and self.known.restore.is_unseen

    @property
    def lacks_health(self) -> bool:
        """True if it was seen running at the end, and the service does not show its health."""
        return self.known.running_at is not None and self.known.healthy_at is None

    @property
    def outcome(self) -> str:
        """The ``outcome`` of the restore, by the journal as far as it can be read."""
        if self.is_check and self.plan.sends:
            return PLANNED
        state = self.known.restore or self.known.refused
        return state.outcome if state else NOT_BEGUN if self.is_known else UNKNOWN

    def to_dict(self) -> Data:
        """Returns the facts as the JSON holds them."""
        plan, known, restore = self.plan, self.known, self.known.restore
        now = self.seen and {name: self.seen.get(name) for name in ("status", "health_status")}
        return {
            "id": known.id,
            "name": plan.shown_name,
            "result": self.part,
            "outcome": self.outcome,
            "reason": self.reason.to_dict() if self.reason else None,
            "backup": show_backup(plan.backup),
            **{name: getattr(restore, name, None) for name in ("sent_at", "completed_at")},
            **{name: restore and restore.facts.get(name) for name in ("by", "restored_at", "seen")},
            **{name: getattr(known, name) for name in ("healthy_at", "running_at", "overwritten_by")},
            "now": None if now is None else {**now, "newer_backup": show_backup(self.newer)},
            "events": [vars(event) for event in known.events],
        }

    def summarize(self) -> Data:
        """Returns what later jobs get of it: ids, times and outcomes only."""
        facts, restore = self.to_dict(), self.known.restore
        kept = {name: facts[name] for name in ("id", "outcome", "sent_at", "completed_at", "overwritten_by")}
        return {**kept, "backup_id": restore.facts.get("backup_id") if restore else self.plan.backup_id}


def show_backup(backup: Resource | None) -> Data | None:
    """Returns id and time of a backup."""
    taken = taken_at(backup) if backup else None
    return backup and {"id": backup["id"], "taken_at": taken and taken.isoformat()}


def count_parts(results: t.Iterable[InstanceResult]) -> dict[str, int]:
    """Returns how many instances are in each part: together, all of them."""
    return dict(Counter(one.part for one in results))


# Of a run


def build_results(run: RoleRun, recorded: RecordedIncident | None) -> list[InstanceResult]:
    """Returns the result of each target of a run. ``recorded`` is what the journal holds; None if it can't be read."""
    results = []
    for plan in run.plans:
        job, known = plan.restore, find_known(plan.target.name, plan.found_id, recorded)
        if recorded is None:
            known.restore = job.state if job else None
        reason, error = _find_reason(plan, recorded.find_reason(known) if recorded else _INTERRUPTED, run)
        is_earlier = not (job and job.changed)
        seen = plan.instance if run.check else None
        results.append(InstanceResult(plan, known, reason, error, run.check, recorded is not None, is_earlier, seen))
    return results


def _find_reason(
    plan: RoleTargetPlan, by_journal: Reason | None, run: RoleRun
) -> tuple[Reason | None, ClawHostersError | None]:
    """Returns why the restore of a target of a run has not come to its end, and the error; None if it has, or would."""
    job = plan.restore
    if job and (job.reason or job.healthy_at):
        return job.reason, job.cause
    if plan.reason:
        return plan.reason, plan.cause
    # A run that has sent nothing says nothing new of what was restored.
    if by_journal is None or (run.check and not run.reason):
        return None, None
    return (run.reason, run.cause) if run.reason else (by_journal, None)


def find_known(name: str | None, instance_id: t.Any, recorded: RecordedIncident | None) -> RecordedInstance:
    """Returns what the journal holds of a target, by its id or else by the name that it had."""
    for instance in reversed([*recorded.instances.values()] if recorded else []):
        if instance.id == parse_id(instance_id) or (instance_id is None and instance.name == name):
            return instance
    return RecordedInstance(parse_id(instance_id), name)


# Of an incident


def build_recorded(recorded: RecordedIncident, now: datetime) -> list[InstanceResult]:
    """Returns the result of each instance of an incident by the journal alone."""
    results = []
    for known in recorded.instances.values():
        plan = describe_known(known, Target(t.cast("int", known.id), None), now)
        results.append(InstanceResult(plan, known, recorded.find_reason(known)))
    return results


def describe_known(known: RecordedInstance, target: Target, now: datetime) -> RoleTargetPlan:
    """Returns what the journal knows of a restore as a plan that does nothing."""
    facts = known.restore.facts if known.restore else {}
    backup = {"id": facts["backup_id"], "created_at": facts.get("taken_at")} if "backup_id" in facts else None
    shown = {"id": known.id, "name": known.name, "status": None}
    return RoleTargetPlan(target, shown, backup, action=RestoreAction.NONE, earlier=known.restore, planned_at=now)


def merge_results(
    recorded: RecordedIncident, results: t.Sequence[InstanceResult], now: datetime
) -> list[InstanceResult]:
    """Returns the results of all instances of an incident: those of a run, unless it says nothing new of a restore."""
    merged = {one.known.identity: one for one in build_recorded(recorded, now)}
    for one in results:
        known = merged.get(one.known.identity)
        if known is None or known.reason or one.reason is None or TABLE[one.reason.kind].may_be_sent:
            merged[one.known.identity] = replace(one, is_earlier=False)
    return [*merged.values()]


def build_report(run: RoleRun, recorded: RecordedIncident, results: t.Sequence[InstanceResult], now: datetime) -> Data:
    """Returns the content of the JSON: all instances and runs of the incident."""
    return {
        "incident": run.incident,
        "service": run.service,
        "account": run.account,
        "written_at": now.isoformat(timespec="milliseconds"),
        "counts": count_parts(results),
        "instances": [one.to_dict() for one in results],
        "runs": [{**vars(one), "state": one.state} for one in recorded.runs],
    }
