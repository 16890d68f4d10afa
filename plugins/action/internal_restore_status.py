# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_status, for the playbook ``restore_status``: shows the state of an incident."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace
from datetime import datetime

from ..module_utils._concurrency import run_parallel
from ..module_utils._errors import ClawHostersError, RefusedError
from ..module_utils._http.lists import fetch_all
from ..module_utils._model.similar_names import format_similar_incidents
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._service.backups import list_backups
from ..module_utils._service.restore.incident_state import build_state, list_incidents
from ..module_utils._text import one_line
from ..module_utils._times import format_iso
from ..plugin_utils._controller.action import MISSPELT, ControllerAction
from ..plugin_utils._formatting import SCREEN_WIDTH, wrap
from ..plugin_utils._reports.report_folder import ReportError
from ..plugin_utils._restore.incident_report import build_report, write_report
from ..plugin_utils._restore.results import build_recorded
from ..plugin_utils._restore.run import Run
from ..plugin_utils._restore.status import LISTED_PERIOD, add_present, show_incident, show_incidents
from ..plugin_utils._restore.witness import name_json

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Resource, Result
    from ..module_utils._module.runner import ModuleContext
    from ..module_utils._service.restore.incident_state import IncidentState

SPEC = ArgumentSpec(
    {"incident": {"type": "str", "default": ""}, "report_dir": {"type": "path", "default": "clawhosters-restore"}}
).merge(MISSPELT, API)

_USUAL = {"restore_backup": "latest", "restore_before": "", "restore_max_age": "", "restore_force": False}
"""Variables of the role as an advice assumes them."""


def run(context: ModuleContext) -> Result:
    """Returns the lines, where page and JSON are, and why the playbook fails: empty if it could tell.

    Sends nothing but GET.
    """
    journal, url = open_journal(context), context.client.settings.api_url
    holders, entries, now = journal.read_holders(), journal.read_entries(), journal.now()
    name = context.params["incident"].strip()
    if not name:
        lines = [f"Service {context.client.settings.host}.", *_list(list_incidents(entries, holders, url), now)]
        return {"lines": _wrap(lines), "problem": ""}
    incident = parse_operation_name("restore_incident", name)
    state = build_state(entries, holders, url, incident)
    if not state.latest_at:
        raise RefusedError(_describe_unknown(incident, list_incidents(entries, holders, url)))
    return _show(context, state, now)


def _list(states: list[IncidentState], now: datetime) -> list[str]:
    recent = [one for one in states if now - datetime.fromisoformat(one.latest_at) <= LISTED_PERIOD]
    results = [build_recorded(one, _build_run("", one, now), now) for one in recent]
    return show_incidents(recent, results, now)


def _describe_unknown(incident: str, states: list[IncidentState]) -> str:
    near = format_similar_incidents(incident, [one.incident for one in states])
    return f"The journal has no incident {one_line(incident)}. {near or 'Leave out restore_incident to list them.'}"


def _build_run(report_dir: str, state: IncidentState, now: datetime) -> Run:
    """Returns a run that only looks, for the words of results."""
    variables = {**_USUAL, "restore_incident": state.incident, "restore_report_dir": report_dir}
    targets = [{"name": None, "id": one} for one in state.instances]
    return Run("", format_iso(now), variables, targets, check=False, again="run the playbook restore again for it")


def _show(context: ModuleContext, state: IncidentState, now: datetime) -> Result:
    look, problem = _build_run(context.params["report_dir"], state, now), ""
    look.service = context.client.settings.host
    results = build_recorded(state, look, now)
    try:
        look.account = context.account.label()
        instances: list[Resource] = []
        backups: list[Resource] = []
        run_parallel(
            lambda: instances.extend(fetch_all(context.client, "/instances")),
            lambda: backups.extend(list_backups(context.client)),
        )
        add_present(results, instances, backups, context.client.stats.now())
    except ClawHostersError as error:
        problem = f"How the instances are now can't be read; this is what the journal has. {error}"
    lines = [f"Service {look.service}, account {look.account or 'unknown'}.", *show_incident(results, state, now)]
    report: list[str] = []
    if not context.client.check_mode:
        try:
            write_report(look.report_path, build_report(look, results, state, now))
            report = [f"Report: {look.report_path}", f"JSON: {name_json(look.report_path)}"]
        except ReportError as error:
            report = [str(error)]
    return {"lines": [*_wrap(lines), *report], "problem": problem}


def _wrap(lines: list[str]) -> list[str]:
    return [part for line in lines for part in wrap(line, SCREEN_WIDTH)]


class ActionModule(ControllerAction):
    """Shows the state of an incident."""

    def spec(self) -> ArgumentSpec:
        """Returns the options of the task. Without a key, the journal can be shown all the same."""
        given = {**os.environ, **{f"CLAWHOSTERS_{name.upper()}": value for name, value in self._task.args.items()}}
        has_key = any(given.get(name) for name in ("CLAWHOSTERS_API_KEY", "CLAWHOSTERS_API_KEY_FILE"))
        return replace(SPEC, needs_key=has_key)
