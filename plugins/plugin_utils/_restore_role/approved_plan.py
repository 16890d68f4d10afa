# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that somebody approves: what a run in check mode has found, and what another restores exactly.

It has no text of the service: a digest stands for the name of each instance.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ...module_utils._errors import SettingsError
from ...module_utils._model.plan_scope import FIELDS, PlanScope, digest, find_fault
from ...module_utils._model.resource import parse_id
from ...module_utils._names import normalize_name
from ...module_utils._service.restore.reason import ReasonError, ReasonKind
from ...module_utils._service.restore.target_plan import Target, explain_left_out
from ...module_utils._service_url import normalize_url
from ...module_utils._text import format_first, format_list, one_line
from ...module_utils._time_options import parse_duration
from ...module_utils._times import parse_time
from .._formatting import format_label
from .._plan_file import read_plan_file

if t.TYPE_CHECKING:
    from ...module_utils._service.restore.history import RestoreHistory
    from .role_run import Data, RoleRun, RoleTargetPlan

_LISTED = 5
_FIELDS = {**FIELDS, "incident": str}
_ENTRY_FIELDS = {"id": (int, str), "name_digest": str, "backup_id": (int, str), "taken_at": (str, type(None))}


@dataclass(frozen=True)
class ApprovedPlan(PlanScope):
    """A plan whose digest is right. ``entries``: those of the plan, by the id of the instance as text."""

    incident: str
    entries: dict[str, Data]

    def find_targets(self, incident: str, targets: list[Target]) -> list[Target]:
        """Returns the targets. Raises SettingsError for another incident, or other ``targets`` beside the plan."""
        if normalize_name(self.incident) != incident:
            other = f"restore_apply_plan is of the incident {one_line(self.incident)}, not of {one_line(incident)}."
            raise SettingsError(other)
        ids = {entry["name_digest"]: one for one, entry in self.entries.items()}
        given = {one: ids.get(digest(one.name)) if one.instance_id is None else str(one.instance_id) for one in targets}
        others = [format_label(one.name, one.instance_id) for one, found in given.items() if found not in self.entries]
        others += [format_label(None, one) for one in self.entries if one not in given.values()]
        if targets and others:
            text = "restore_instances or restore_instance_ids differs from restore_apply_plan by"
            raise SettingsError(f"{text} {format_list(others, _LISTED)}. Leave it out.")
        return [Target(one["id"], None, t.cast("int", parse_id(one["backup_id"]))) for one in self.entries.values()]

    def require_current(
        self, plans: list[RoleTargetPlan], history: RestoreHistory, account: str | None, max_age: str
    ) -> None:
        """Raises ReasonError that names each difference between this plan and what is to be restored now."""
        option, service = "restore_plan_max_age", normalize_url(history.service)
        found = self.find_differences(service, account, history.read_at, option, parse_duration(option, max_age))
        found += [text for one in plans if (text := _find_difference(self, one, history))]
        if found:
            raise ReasonError(ReasonKind.PLAN_OUTDATED, format_first(found, _LISTED), is_unsent=True)


def build_plan_to_approve(run: RoleRun, service: str, account: str | None, made_at: str) -> Data:
    """Returns the plan of a run, as whoever approves it gets it."""
    entries = [
        {
            "id": plan.instance["id"],
            "name_digest": digest(plan.instance.get("name")),
            "backup_id": plan.backup_id,
            "taken_at": plan.taken_at.isoformat() if plan.taken_at else None,
        }
        for plan in run.plans
        if plan.instance and not plan.reason
    ]
    plan = {"service": service, "account": account, "incident": run.incident, "made_at": made_at, "entries": entries}
    return {**plan, "digest": digest(plan)}


def read_plan(given: object) -> ApprovedPlan:
    """Returns the plan in ``restore_apply_plan``: a path, or what a run has handed on. Raises SettingsError."""
    plan = read_plan_file("restore_apply_plan", given)[0] if isinstance(given, str) else given
    fault = find_fault(plan, _FIELDS, _ENTRY_FIELDS)
    if fault or not isinstance(plan, dict) or not plan["entries"]:
        fault = fault or "it has no entries."
        raise SettingsError(f"restore_apply_plan is not what a run in check mode has made: {fault}")
    made_at = t.cast("datetime", parse_time(plan["made_at"]))
    entries = {str(entry["id"]): entry for entry in plan["entries"]}
    service = normalize_url(plan["service"])
    return ApprovedPlan(service, plan["account"], made_at, plan["digest"], plan["incident"], entries)


def _find_difference(approved: ApprovedPlan, plan: RoleTargetPlan, history: RestoreHistory) -> str:
    """Returns how an instance is not as in the approved plan any more; empty if it is."""
    if plan.told:
        is_of_other_journal = plan.reason and plan.reason.kind is ReasonKind.ONLY_IN_REPORT
        return f"{plan.label}: {plan.told.sentence} {plan.told.advice if is_of_other_journal else ''}".rstrip()
    instance = plan.instance or {}
    entry = approved.entries[str(instance["id"])]
    if digest(instance.get("name")) != entry["name_digest"]:
        return f"{format_label(instance.get('name'), instance['id'])} had another name."
    if not plan.sends:
        return ""
    taken = plan.taken_at.isoformat() if plan.taken_at else None
    if (str(plan.backup_id), taken) != (str(entry["backup_id"]), entry["taken_at"]):
        return f"{plan.label}: backup {one_line(entry['backup_id'])} was of another time."
    if reason := explain_left_out(plan.backup or {}, plan.planned_at, plan.unfinished):
        return f"{plan.label}: backup {one_line(plan.backup_id)} can't be used any more: {reason}."
    others = history.find_others(instance["id"])
    since = [one for one in others if datetime.fromisoformat(one.state.sent_at) > approved.made_at]
    return f"{plan.label} was restored for incident {one_line(since[0].incident)} since then." if since else ""
