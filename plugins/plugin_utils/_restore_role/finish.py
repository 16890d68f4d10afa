# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last part of a run of the role ``restore``: it says on screen and page, and to later jobs, what came of it."""

from __future__ import annotations

import typing as t

from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._service.restore.recorded_incident import RecordedIncident, read_incident
from ...module_utils._state.journal import JournalError
from ...module_utils._text import one_line
from ...module_utils._times import format_iso
from .._formatting import SCREEN_WIDTH, wrap
from .._plan_file import write_plan_file
from .._reports.report_folder import ReportError
from .approved_plan import build_plan_to_approve, read_plan
from .incident_report import name_json, write_page
from .incident_results import (
    build_report,
    build_results,
    count_parts,
    describe_known,
    describe_outcome,
    find_known,
    merge_results,
)
from .result_texts import format_done, format_failures, format_headline, tell_page

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._model.resource import Result
    from ...module_utils._service.restore.target_plan import Target
    from .incident_results import InstanceResult
    from .role_planner import RolePlanner
    from .role_run import Data, RoleRun, RoleTargetPlan


def finish(planner: RolePlanner) -> Result:
    """Writes page and JSON, shows what came of the run, and returns the result of the task.

    If its ``is_complete`` is False, the role must fail.
    """
    run, (results, is_known), now = planner.run, write_pages(planner), planner.client.stats.now()
    failed = [one for one in results if one.reason]
    done = [] if run.check else [one for one in results if not one.reason]
    instances = [describe_outcome(one, run, is_known=is_known) for one in results]
    outcome: Data = {"incident": run.incident, "instances": instances, "counts": count_parts(results)}
    # A drill is to prove a backup.
    is_unproven = run.chosen_by == "restore_drill" and any(one.is_unseen for one in done)
    problem = ""
    if run.check and not run.reason and not run.approved and any(plan.ready for plan in run.plans):
        made_at = format_iso(planner.task.journal.now())
        outcome["plan"] = build_plan_to_approve(run, planner.client.settings.api_url, planner.account_id, made_at)
        try:
            planner.report_lines += _write_plan(run, outcome["plan"])
        except ReportError as error:
            problem = f" {error}"
    told = {"restored": format_done(done, run, now), "failures": format_failures(failed, run, now)}
    headline = format_headline(run, results)
    lines = planner.redact([headline, *told["restored"], *told["failures"]])
    # A path stays in one line, to be copied.
    wrapped = [part for line in lines for part in wrap(line, SCREEN_WIDTH)]
    planner.screen.show(["", *wrapped, *planner.redact(planner.report_lines)])
    result: Result = {
        "changed": any(plan.sends if run.check else plan.restore and plan.restore.changed for plan in run.plans),
        "plan": planner.plan_lines,
        **planner.redact({"msg": f"{headline}.{problem}", **told, "report": planner.report_lines}),
        "is_complete": not (failed or run.reason or problem or is_unproven),
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


def write_pages(planner: RolePlanner) -> tuple[list[InstanceResult], bool]:
    """Writes what the journal holds of the incident to page and JSON, except in check mode.

    Returns the results of the run, and False if the journal can't be read.
    """
    run, context, now = planner.run, planner.context, planner.client.stats.now()
    try:
        recorded = read_incident(planner.task.journal, planner.client.settings.api_url, run.incident)
    except JournalError:
        recorded = None
    run.is_history_known = run.is_history_known and (recorded is not None or bool(run.plans))
    if run.reason and not run.plans:
        run.plans = [_describe_unplanned(target, planner, recorded, now) for target in run.targets]
    results = build_results(run, recorded, now)
    if run.check:
        planner.report_lines = ["Check mode: nothing was sent or asked, and no report was written."]
        return results, recorded is not None
    known = recorded or RecordedIncident(run.incident)
    try:
        shown = merge_results(known, results, now)
        report, told = build_report(run, known, shown, now), tell_page(run, known, shown, now)
        write_page(run.report_path, planner.redact(report), planner.redact(told))
        lines = [f"Report: {run.report_path}", f"JSON: {name_json(run.report_path)}"]
    except ReportError as error:
        lines = [str(error)]
    except Exception as error:  # A page must never prevent a restore.
        lines = [f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."]
    if len(lines) == 1 and planner.report_lines != lines:
        context.warn(lines[0])
    planner.report_lines = lines
    return results, recorded is not None


def _describe_unplanned(
    target: Target, planner: RolePlanner, recorded: RecordedIncident | None, now: datetime
) -> RoleTargetPlan:
    """Returns what is known of a target of a run that failed before it was planned, and its earlier restore."""
    index = InstanceIndex(planner.reader.instances)
    number = target.instance_id
    instance = index.unique_by_name(target.name) if number is None else index.by_id.get(str(number))
    known = find_known(target.name, instance["id"] if instance else number, recorded)
    plan = describe_known(known, target, now)
    plan.instance = instance or plan.instance
    return plan
