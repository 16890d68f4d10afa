# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_status, for the playbook ``restore_status``: the state of an incident, or the story
of instances."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime, timedelta

from ..module_utils._errors import ApiError, ClawHostersError, RefusedError, SettingsError
from ..module_utils._model.instance import label
from ..module_utils._model.instance_index import InstanceIndex
from ..module_utils._model.similar_names import format_similar_incidents
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._service.account_check import format_account, format_scope
from ..module_utils._service.instance_list import list_instances
from ..module_utils._service.restore.account_reader import AccountReader
from ..module_utils._service.restore.recorded_incident import list_incidents, list_restores
from ..module_utils._state.journal import OperationKey
from ..module_utils._text import format_count, one_line
from ..module_utils._times import parse_time
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._formatting import format_clock, format_label, format_value, wrap_lines
from ..plugin_utils._restore_role.incident_report import write_page
from ..plugin_utils._restore_role.incident_results import build_recorded
from ..plugin_utils._restore_role.result_texts import (
    format_incident,
    share_texts,
    tell_result,
    tell_results,
    tell_story,
)
from ..plugin_utils._restore_role.role_run import RoleRun
from ..plugin_utils._restore_role.variables import find_instances, parse_targets

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext
    from ..module_utils._service.restore.recorded_incident import RecordedIncident
    from ..module_utils._service.restore.target_plan import Target
    from ..module_utils._state.journal import Journal
    from ..plugin_utils._restore_role.incident_results import InstanceResult

LISTED_PERIOD = timedelta(days=30)
"""Age up to which incidents are listed."""

SPEC = ArgumentSpec(
    {
        "incident": {"type": "str", "default": ""},
        "instances": {"type": "raw"},
        "instance_ids": {"type": "raw"},
        "report_dir": {"type": "path", "default": "clawhosters-restore"},
    }
).merge(FAILURE_OPTION, API)


def run(context: ModuleContext) -> Result:
    """Returns the lines, where page and JSON are, and why the playbook fails: empty if it could tell.

    Sends nothing but GET.
    """
    name, instances, ids = (context.params[option] for option in ("incident", "instances", "instance_ids"))
    journal, url = open_journal(context), context.client.settings.api_url
    if instances or ids:
        if name:
            both = "restore_incident tells of one incident, restore_instances of instances: leave out one of them."
            raise SettingsError(both)
        return _tell_instances(context, journal, parse_targets(instances, ids))
    holders, entries, now = journal.read_holders(), journal.read_entries(), journal.now()
    found = list_incidents(entries, holders, url)
    if not name.strip():
        recent = [one for one in found if now - datetime.fromisoformat(one.latest_at) <= LISTED_PERIOD]
        scope = format_scope(context.client.settings.host, _find_account(context))
        return {"lines": wrap_lines([scope, *show_incidents(recent, now)]), "problem": ""}
    incident = parse_operation_name("restore_incident", name)
    recorded = next((one for one in found if one.incident == incident), None)
    if recorded is None:
        near = format_similar_incidents(incident, [one.incident for one in found])
        hint = near or "Leave out restore_incident to list them."
        raise RefusedError(f"The journal has no incident {one_line(incident)}. {hint}")
    return _show(context, recorded, now)


def _tell_instances(context: ModuleContext, journal: Journal, targets: t.Sequence[Target]) -> Result:
    """Returns the story of each instance: its restores, and from which backup its data is."""
    instances, problems = find_instances(targets, InstanceIndex(list_instances(context.client)))
    url, lines = context.client.settings.api_url, [context.account.describe()]
    subjects = {OperationKey("restore", url, "", str(one["id"])).subject for one in instances}
    restores = list_restores(journal.read_entries(subjects), url)
    for one in instances:
        lines += [f"{label(one)}:", *(f"    {line}" for line in tell_story(restores.get(str(one["id"]), ())))]
    return {"lines": wrap_lines([*lines, *problems]), "problem": " ".join(problems)}


def _find_account(context: ModuleContext) -> str:
    """Returns the account for a list, which needs none: empty without a key, or if the service can't be reached."""
    if not context.client.settings.api_key:
        return ""
    try:
        return format_account(context.account.fetch(retry_timeout=0))
    except ClawHostersError as error:
        return f"unknown ({error.reason})" if isinstance(error, ApiError) else ""


def _show(context: ModuleContext, recorded: RecordedIncident, now: datetime) -> Result:
    client, results, problem = context.client, build_recorded(recorded, now), ""
    # It only looks: its words are those of results.
    variables = {"restore_force": False, "restore_incident": recorded.incident}
    variables["restore_report_dir"] = context.params["report_dir"]
    targets = [one.plan.target for one in results if one.plan.target.instance_id is not None]
    look = RoleRun(variables, targets, service=client.settings.host, again="run the playbook restore again for it")
    try:
        look.account = context.account.label()
        account = AccountReader(client, lists_backups=True).read(targets)
        for one in results:
            if one.plan.target in targets:
                one.seen = account.index.by_id.get(str(one.plan.target.instance_id), {})
                newer = account.find_newer(one.seen, one.plan.taken_at, client.stats.now()) if one.seen else []
                one.newer = newer[0] if newer else None
    except ClawHostersError as error:
        problem = f"How the instances are now can't be read; this is what the journal has. {error}"
    lines = [format_scope(look.service, look.account), *show_incident(results, recorded, look, now)]
    report = [] if client.check_mode else write_page(look, recorded, results, now)
    return {"lines": [*wrap_lines(lines), *report], "problem": problem}


def show_incident(
    results: t.Sequence[InstanceResult], recorded: RecordedIncident, look: RoleRun, now: datetime
) -> list[str]:
    """Returns the lines of one incident. What is not restored, and what to do about it, comes first."""
    lines = [f"Incident {one_line(recorded.incident)}: {format_incident(recorded, results)}."]
    lines += _show_workers(recorded, now)
    lines += tell_results([one for one in results if one.reason], look, now)
    lines += tell_results([one for one in results if not one.reason], look, now)
    present = [(one.plan.label, tell_result(one, look, now).now) for one in results if one.seen is not None]
    lines += share_texts((label, text, text) for label, text in present)
    return [*lines, *_show_runs(recorded)]


def _show_workers(recorded: RecordedIncident, now: datetime) -> list[str]:
    """Returns who works on which instances now."""
    held = []
    for one in recorded.instances.values():
        if one.holder:
            who = one.holder.format(now.timestamp())
            other = "" if one.holder.name in (None, recorded.incident) else f" for incident {one.holder.name}"
            text = f"{who} works on it{other}."
            held.append((format_label(one.name, one.id), text, text))
    return share_texts(held) or ["Nobody works on its instances now."]


def _show_runs(recorded: RecordedIncident) -> list[str]:
    lines = ["Runs:"] if recorded.runs else []
    for run in recorded.runs:
        by = f" by {format_value(run.by.get('user'))}@{format_value(run.by.get('host'))}" if run.by else ""
        end, state = run.ended_at or run.interrupted_at, run.state.replace("_", " ")
        ended = f"{state} {format_clock(parse_time(end))}" if end else state
        confirmed = format_clock(parse_time(run.confirmed_at))
        lines.append(f"    {confirmed}{by}: {format_count(len(run.backups), 'instance')}, {ended}.")
    return lines


def show_incidents(incidents: t.Sequence[RecordedIncident], now: datetime) -> list[str]:
    """Returns a line for each incident."""
    if not incidents:
        return [f"The journal has no incident of the last {LISTED_PERIOD.days} days."]
    lines = [f"Incidents of the last {LISTED_PERIOD.days} days, newest first:"]
    for recorded in incidents:
        latest = format_clock(parse_time(recorded.latest_at))
        told = format_incident(recorded, build_recorded(recorded, now))
        lines.append(f"    {latest} {one_line(recorded.incident)}: {told}.")
    return lines


class ActionModule(RoleAction):
    """Shows the state of an incident."""

    PREFIX = "restore_"

    def spec(self) -> ArgumentSpec:
        """Returns the options of the task. Without a key, the journal can be shown all the same."""
        given = {**os.environ, **{f"CLAWHOSTERS_{name.upper()}": value for name, value in self._task.args.items()}}
        has_key = any(given.get(name) for name in ("CLAWHOSTERS_API_KEY", "CLAWHOSTERS_API_KEY_FILE"))
        return SPEC._replace(needs_key=has_key)
