# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last part of a run of the role ``restore``: it says on screen and page, and to later jobs, what came of it."""

from __future__ import annotations

import typing as t

from ...module_utils._service.restore.recorded_incident import RecordedIncident, read_incident
from ...module_utils._state.journal import JournalError
from ...module_utils._text import one_line
from ...module_utils._times import format_iso
from .._formatting import wrap_lines
from .._plan_file import write_plan_file
from .._reports.report_folder import ReportError
from .approved_plan import build_plan_to_approve, read_plan
from .incident_report import write_page
from .incident_results import build_results, count_parts, describe_known, find_known, merge_results
from .result_texts import format_headline, tell_results

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Result
    from .incident_results import InstanceResult
    from .role_planner import RolePlanner
    from .role_run import Data, RoleRun


def finish(planner: RolePlanner) -> Result:
    """Writes page and JSON, shows what came of the run, and returns the result of the task.

    If its ``is_complete`` is False, the role must fail.
    """
    run, results, now = planner.run, write_pages(planner), planner.client.stats.now()
    failed = [one for one in results if one.reason]
    done = [] if run.check else [one for one in results if not one.reason]
    counts, instances = count_parts(results), [one.summarize() for one in results]
    outcome: Data = {"incident": run.incident, "instances": instances, "counts": counts}
    # A drill is to prove a backup.
    is_unproven = run.chosen_by == "restore_drill" and any(one.is_unseen for one in done)
    problem = ""
    if run.check and not run.reason and not run.approved and any(plan.reason is None for plan in run.plans):
        made_at = format_iso(planner.task.journal.now())
        outcome["plan"] = build_plan_to_approve(run, planner.client.settings.api_url, planner.account_id, made_at)
        try:
            planner.report_lines += _write_plan(run, outcome["plan"])
        except ReportError as error:
            problem = f" {error}"
    told = {"restored": tell_results(done, run, now), "failures": tell_results(failed, run, now)}
    headline = format_headline(run, results)
    shown = planner.redact([headline, *told["restored"], *told["failures"]])
    # A path stays in one line, to be copied.
    planner.screen.show(["", *wrap_lines(shown), *planner.redact(planner.report_lines)])
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


def write_pages(planner: RolePlanner) -> list[InstanceResult]:
    """Writes what the journal holds of the incident to page and JSON, except in check mode.

    Returns the results of the run.
    """
    run, now = planner.run, planner.client.stats.now()
    try:
        recorded = read_incident(planner.task.journal, planner.client.settings.api_url, run.incident)
    except JournalError:
        recorded = None
    run.is_history_known = run.is_history_known and (recorded is not None or bool(run.plans))
    if run.reason and not run.plans:
        known = [(find_known(one.name, one.instance_id, recorded), one) for one in run.targets]
        run.plans = [describe_known(one, target, now) for one, target in known]
    results = build_results(run, recorded)
    if run.check:
        planner.report_lines = ["Check mode: nothing was sent or asked, and no report was written."]
        return results
    incident = recorded or RecordedIncident(run.incident)
    try:
        lines = write_page(run, incident, merge_results(incident, results, now), now, planner.redact)
    except Exception as error:  # A page must never prevent a restore.
        lines = [f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."]
    if len(lines) == 1 and planner.report_lines != lines:
        planner.context.warn(lines[0])
    planner.report_lines = lines
    return results
