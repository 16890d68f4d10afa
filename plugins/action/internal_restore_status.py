# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_status, for the playbook ``restore_status``: the state of an incident, or the story
of instances."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime, timedelta

from ..module_utils._concurrency import run_parallel
from ..module_utils._errors import ApiError, ClawHostersError, RefusedError, SettingsError
from ..module_utils._model.instance_fields import CONDITION
from ..module_utils._model.instance_index import InstanceIndex
from ..module_utils._model.similar_names import format_similar_incidents
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._service.account_check import format_account, format_scope
from ..module_utils._service.backups import list_backups
from ..module_utils._service.instance_list import list_instances
from ..module_utils._service.restore.recorded_incident import IN_PROGRESS, list_incidents, list_restores
from ..module_utils._service.restore.target_plan import AccountView, Target
from ..module_utils._state.journal import OperationKey
from ..module_utils._text import format_count, format_list, one_line
from ..module_utils._times import format_duration, parse_time
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._formatting import SCREEN_WIDTH, format_clock, format_label, format_value, wrap
from ..plugin_utils._reports.report_folder import ReportError
from ..plugin_utils._restore_role.incident_report import name_json, write_page
from ..plugin_utils._restore_role.incident_results import build_recorded, build_report
from ..plugin_utils._restore_role.result_texts import (
    LISTED,
    format_counts,
    format_done,
    format_failures,
    list_texts,
    tell_page,
    tell_result,
    tell_story,
)
from ..plugin_utils._restore_role.role_run import OLD, RoleRun
from ..plugin_utils._restore_role.variables import parse_targets

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Resource, Result
    from ..module_utils._module.runner import ModuleContext
    from ..module_utils._service.restore.recorded_incident import RecordedIncident
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
        return {"lines": _wrap([scope, *show_incidents(recent, now)]), "problem": ""}
    incident = parse_operation_name("restore_incident", name)
    recorded = next((one for one in found if one.incident == incident), None)
    if recorded is None:
        near = format_similar_incidents(incident, [one.incident for one in found])
        hint = near or "Leave out restore_incident to list them."
        raise RefusedError(f"The journal has no incident {one_line(incident)}. {hint}")
    return _show(context, recorded, now)


def _tell_instances(context: ModuleContext, journal: Journal, targets: t.Sequence[Target]) -> Result:
    """Returns the story of each instance: its restores, and from which backup its data is."""
    index = InstanceIndex(list_instances(context.client))
    problems, lines = [], [context.account.describe()]
    ids: dict[str, Resource] = {}
    for target in targets:
        found = index.by_name.get(str(target.name), []) if target.name else []
        found = found or [one for one in [index.by_id.get(str(target.instance_id))] if one]
        ids |= {str(one["id"]): one for one in found}
        if not found:
            asked = one_line(target.name) if target.name else f"with id {target.instance_id}"
            near = index.find_similar_name(target.name, ()) if target.name else None
            problems.append(f"There is no instance {asked}{f'; did you mean {one_line(near)}?' if near else '.'}")
    url = context.client.settings.api_url
    subjects = {OperationKey("restore", url, "", number).subject for number in ids}
    restores = list_restores(journal.read_entries(subjects), url)
    for number, instance in ids.items():
        label = format_label(instance.get("name"), number)
        lines += [f"{label}:", *(f"    {line}" for line in tell_story(restores.get(number, ())))]
    return {"lines": _wrap([*lines, *problems]), "problem": " ".join(problems)}


def _find_account(context: ModuleContext) -> str:
    """Returns the account for a list, which needs none: empty without a key, or if the service can't be reached."""
    if not context.client.settings.api_key:
        return ""
    try:
        return format_account(context.account.fetch(retry_timeout=0))
    except ClawHostersError as error:
        return f"unknown ({error.reason})" if isinstance(error, ApiError) else ""


def _build_look(report_dir: str, recorded: RecordedIncident) -> RoleRun:
    """Returns a run that only looks, for the words of results."""
    variables = {"restore_force": False, "restore_incident": recorded.incident, "restore_report_dir": report_dir}
    targets = [Target(None, one) for one in recorded.instances]
    return RoleRun(variables, targets, again="run the playbook restore again for it")


def _show(context: ModuleContext, recorded: RecordedIncident, now: datetime) -> Result:
    look, problem = _build_look(context.params["report_dir"], recorded), ""
    look.service = context.client.settings.host
    results = build_recorded(recorded, now)
    try:
        look.account = context.account.label()
        ids = {str(one.plan.found_id) for one in results}
        instances: list[Resource] = []
        backups: list[Resource] = []
        run_parallel(
            lambda: instances.extend(list_instances(context.client, CONDITION, lambda one: str(one["id"]) in ids)),
            lambda: backups.extend(list_backups(context.client)),
        )
        add_present(results, AccountView(InstanceIndex(instances), backups), context.client.stats.now())
    except ClawHostersError as error:
        problem = f"How the instances are now can't be read; this is what the journal has. {error}"
    scope = f"Service {look.service}, account {look.account or 'unknown'}."
    lines = [scope, *show_incident(results, recorded, look, now)]
    report: list[str] = []
    if not context.client.check_mode:
        try:
            told = tell_page(look, recorded, results, now)
            write_page(look.report_path, build_report(look, recorded, results, now), told)
            report = [f"Report: {look.report_path}", f"JSON: {name_json(look.report_path)}"]
        except ReportError as error:
            report = [str(error)]
    return {"lines": [*_wrap(lines), *report], "problem": problem}


def _wrap(lines: list[str]) -> list[str]:
    return [part for line in lines for part in wrap(line, SCREEN_WIDTH)]


def add_present(results: t.Sequence[InstanceResult], account: AccountView, now: datetime) -> None:
    """Adds to each result how its instance is now, and the newest backup if it is newer than the restored one."""
    for result in results:
        if result.plan.found_id is None:
            continue
        result.seen = account.index.by_id.get(str(result.plan.found_id), {})
        if result.seen:
            result.newer = next(iter(account.find_newer(result.seen, result.plan.taken_at, now)), None)


def show_incident(
    results: t.Sequence[InstanceResult], recorded: RecordedIncident, look: RoleRun, now: datetime
) -> list[str]:
    """Returns the lines of one incident. What is not restored, and what to do about it, comes first."""
    lines = [f"Incident {one_line(recorded.incident)}: {format_counts(results)}."]
    lines += _show_workers(recorded, now)
    lines += format_failures([one for one in results if one.reason], look, now)
    lines += format_done([one for one in results if not one.reason], look, now)
    lines += list_texts([one for one in results if one.seen is not None], lambda one: tell_result(one, look, now).now)
    sent = [datetime.fromisoformat(one.known.restore.sent_at) for one in results if one.known.restore]
    if sent and now - max(sent) > OLD:
        age = format_duration(now - max(sent))
        lines.append(
            f"The last restore was sent {age} ago. What has happened since is another incident: give it another name."
        )
    return [*lines, *_show_runs(recorded)]


def _show_workers(recorded: RecordedIncident, now: datetime) -> list[str]:
    """Returns who works on which instances now."""
    held: dict[str, list[str]] = {}
    for instance in recorded.instances.values():
        if instance.holder:
            who = instance.holder.format(now.timestamp())
            other = "" if instance.holder.name in (None, recorded.incident) else f" for incident {instance.holder.name}"
            held.setdefault(f"{who}{other}", []).append(format_label(instance.name, instance.id))
    if held:
        return [f"{who} works on {format_list(labels, LISTED)}." for who, labels in held.items()]
    going_on = sum(run.state == IN_PROGRESS for run in recorded.runs)
    return [f"{format_count(going_on, 'run')} in progress." if going_on else "Nobody works on it now."]


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
        going_on = any(run.state == IN_PROGRESS for run in recorded.runs)
        latest = parse_time(recorded.latest_at) or now
        work = "; a run is in progress" if going_on else ""
        counts = format_counts(build_recorded(recorded, now))
        lines.append(f"    {format_clock(latest)} {one_line(recorded.incident)}: {counts}{work}.")
    return lines


class ActionModule(RoleAction):
    """Shows the state of an incident."""

    PREFIX = "restore_"

    def spec(self) -> ArgumentSpec:
        """Returns the options of the task. Without a key, the journal can be shown all the same."""
        given = {**os.environ, **{f"CLAWHOSTERS_{name.upper()}": value for name, value in self._task.args.items()}}
        has_key = any(given.get(name) for name in ("CLAWHOSTERS_API_KEY", "CLAWHOSTERS_API_KEY_FILE"))
        return SPEC._replace(needs_key=has_key)
