# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last part of a run of the role ``restore``: it says on screen and page, and to later jobs, what came of it."""

from __future__ import annotations

import typing as t

from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._service.restore.recorded_incident import RecordedIncident, RecordedInstance, read_incident
from ...module_utils._service.restore.restore_job import NOT_BEGUN, PLANNED, UNKNOWN
from ...module_utils._state.journal import JournalError
from ...module_utils._text import one_line
from ...module_utils._times import format_iso
from .._formatting import SCREEN_WIDTH, wrap
from .._plan_file import write_plan_file
from .._reports.report_folder import ReportError
from .approved_plan import build_plan_to_approve, read_plan
from .incident_report import name_json, write_page
from .result_words import OK, build_report, build_results, describe_known, format_done, format_failures, format_headline

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._model.resource import Result
    from ...module_utils._service.restore.target_plan import Target
    from .role_planner import RolePlanner
    from .role_run import Data, RoleRun, RoleTargetPlan


def finish(planner: RolePlanner) -> Result:
    """Writes page and JSON, shows what came of the run, and returns the result of the task.

    If its ``is_complete`` is False, the role must fail.
    """
    run, recorded = planner.run, write_pages(planner)
    now = planner.client.stats.now()
    results = build_results(run, recorded, now)
    failed = [one for one in results if one.outcome != OK]
    done = [] if run.check else [one for one in results if one.outcome == OK]
    outcomes = [describe_outcome(plan, run, recorded) for plan in run.plans]
    outcome: Data = {"incident": run.incident, "instances": outcomes}
    # A drill is to prove a backup.
    is_unproven = run.chosen_by == "restore_drill" and any(one.is_unseen for one in done)
    problem = ""
    if run.check and not run.failure and not run.approved and any(plan.ready for plan in run.plans):
        made_at = format_iso(planner.task.journal.now())
        outcome["plan"] = build_plan_to_approve(run, planner.client.settings.api_url, planner.account_id, made_at)
        try:
            planner.report_lines += _write_plan(run, outcome["plan"])
        except ReportError as error:
            problem = f" {error}"
    told = {"restored": format_done(done), "failures": format_failures(failed), "report": planner.report_lines}
    headline = format_headline(run, results)
    lines = planner.redact([headline, *told["restored"], *told["failures"]])
    # A path stays in one line, to be copied.
    wrapped = [part for line in lines for part in wrap(line, SCREEN_WIDTH)]
    planner.screen.show(["", *wrapped, *planner.redact(told["report"])])
    result: Result = {
        "changed": any(plan.sends if run.check else plan.restore and plan.restore.changed for plan in run.plans),
        "plan": planner.plan_lines,
        **planner.redact({"msg": f"{headline}.{problem}", **told}),
        "is_complete": not (failed or problem or is_unproven),
        "ansible_stats": {"data": {"clawhosters_restore": outcome}, "per_host": False, "aggregate": False},
    }
    return {**result, "exception": planner.redact(planner.traceback)} if planner.traceback else result


def _write_plan(run: RoleRun, plan: Data) -> list[str]:
    """Writes the plan for whoever approves it, if that is asked for, and returns the lines about it.

    Raises ReportError.
    """
    lines = [read_plan(plan).label()]
    if path := run.variables["restore_plan_path"]:
        write_plan_file(path, plan)
        lines.append("To restore exactly this, set, instead of restore_plan_path and --check:")
        lines.append(f"restore_apply_plan={path}")
    return lines


def write_pages(planner: RolePlanner) -> RecordedIncident | None:
    """Writes what the journal holds of the incident to page and JSON, except in check mode.

    Returns it; None if the journal can't be read.
    """
    run, context = planner.run, planner.context
    try:
        recorded = read_incident(planner.task.journal, planner.client.settings.api_url, run.incident)
    except JournalError:
        recorded = None
    now = context.client.stats.now()
    run.is_history_known = run.is_history_known and (recorded is not None or bool(run.plans))
    if run.failure and not run.plans:
        run.plans = [_describe_unplanned(target, planner, recorded, now) for target in run.targets]
    if run.check:
        planner.report_lines = ["Check mode: nothing was sent or asked, and no report was written."]
        return recorded
    known = recorded or RecordedIncident(context.client.settings.api_url, run.incident)
    try:
        report = build_report(run, known, build_results(run, recorded, now), now)
        write_page(run.report_path, planner.redact(report))
        planner.report_lines = [f"Report: {run.report_path}", f"JSON: {name_json(run.report_path)}"]
    except ReportError as error:
        problem = str(error)
    except Exception as error:  # A page must never prevent a restore.
        problem = f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."
    else:
        return recorded
    if planner.report_lines != [problem]:
        context.warn(problem)
    planner.report_lines = [problem]
    return recorded


def _describe_unplanned(
    target: Target, planner: RolePlanner, recorded: RecordedIncident | None, now: datetime
) -> RoleTargetPlan:
    """Returns what is known of a target of a run that failed before it was planned, and its earlier restore."""
    index = InstanceIndex(planner.reader.instances)
    number = target.instance_id
    instance = index.unique_by_name(target.name) if number is None else index.by_id.get(str(number))
    plan = describe_known(_find_known(target.name, instance["id"] if instance else number, recorded), target, now)
    plan.instance = instance or plan.instance
    return plan


def _find_known(name: str | None, instance_id: t.Any, recorded: RecordedIncident | None) -> RecordedInstance:
    """Returns what the journal holds of a target, by its id or else by the name that it had."""
    known = [*recorded.instances.values()] if recorded else []
    for instance in reversed(known):
        if instance.id == instance_id or (instance_id is None and instance.name == name):
            return instance
    return RecordedInstance(instance_id, name)


# For later jobs


def describe_outcome(plan: RoleTargetPlan, run: RoleRun, recorded: RecordedIncident | None) -> Data:
    """Returns what the journal holds of an instance: ids, times and outcomes only.

    If the journal can't be read (None), it is unknown whether a restore was sent. What was refused before this run is
    not its outcome.
    """
    # One that is not found may have been restored by an earlier run.
    known = _find_known(plan.target.name, plan.found_id, recorded)
    restore = known.restore
    if restore is None and known.refused and known.refused.position > plan.known_position:
        restore = known.refused
    unsent = UNKNOWN if recorded is None else PLANNED if run.check and plan.sends else NOT_BEGUN
    return {
        "id": known.id,
        "backup_id": restore.facts.get("backup_id") if restore else plan.backup_id,
        "outcome": restore.outcome if restore else unsent,
        "sent_at": restore.sent_at if restore else None,
        "completed_at": restore.completed_at if restore else None,
    }
