# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_run: begins a run of the role with checked variables, and hands its
outcome to later jobs."""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import replace
from datetime import UTC, datetime

from ..module_utils._errors import RefusedError, SettingsError
from ..module_utils._http.settings import parse_priority
from ..module_utils._model.batches import parse_serial
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._service.restore.history import read_restores
from ..module_utils._service.restore.restore import NOT_BEGUN, PLANNED, REFUSED, UNKNOWN
from ..module_utils._state.store import describe_sender
from ..module_utils._text import is_number, one_line
from ..module_utils._time_options import parse_duration, parse_timestamp
from ..module_utils._times import format_iso
from ..plugin_utils._extra_variables import parse_ids, parse_list
from ..plugin_utils._reports.report_folder import prepare_folder
from ..plugin_utils._restore.role_action import RunbookAction
from ..plugin_utils._restore.run import Data, Run
from ..plugin_utils._variable_problems import Problems

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext
    from ..module_utils._service.restore.history import RestoreHistory
    from ..plugin_utils._restore.run import RolePlan


def begin_run(variables: Data, misspelt: str, *, check: bool) -> Run:
    """Checks the variables, and prepares the folder of the report. Raises ClawHostersError."""
    if misspelt:
        raise SettingsError(misspelt)
    problems = Problems()
    given = _parse_variables(variables, problems)
    named, numbered = variables.get("restore_instances"), variables.get("restore_instance_ids")
    targets = problems.collect(parse_targets, named, numbered) or []
    if expected := variables.get("restore_expected_name"):
        targets = [{**target, "name": str(expected)} for target in targets]
    problems.collect(_require_one_backup, given, targets)
    problems.raise_if_any()
    # Two runs of an incident may start at the same moment.
    name, began_at = f"run-{secrets.token_hex(8)}", format_iso(datetime.now(UTC))
    run = Run(name, began_at, given, targets, check, by=describe_sender())
    if not check:
        prepare_folder(run.report_path)
    return run


def _require_one_backup(given: Data, targets: list[Data]) -> None:
    """Raises SettingsError for a given backup that is none, or that does not fit the other variables."""
    backup = given["restore_backup"]
    if backup == "latest":
        return
    # Without a target, that is told already.
    if not (is_number(backup) and len(targets) <= 1):
        raise SettingsError("restore_backup must be latest, or the id of a backup and one instance only.")
    if backup != str(int(backup)):
        text = f"restore_backup is {backup}. In a file, YAML reads 010 as 8: write it without zeros in front."
        raise SettingsError(text)
    if given["restore_before"]:
        raise SettingsError("restore_before chooses among backups, and restore_backup names one: give one of them.")


def parse_targets(names: t.Any, ids: t.Any) -> list[Data]:
    """Returns the targets that the user gave, each ``{name, id}`` with one of the two set.

    Both arguments may be lists or comma-separated text. Raises RefusedError if the targets are not valid.
    """
    wanted_names = [str(name) for name in parse_list(names) if str(name)]
    wanted_ids = parse_ids("restore_instance_ids", ids)
    if bool(wanted_names) == bool(wanted_ids):
        raise RefusedError("Set either restore_instances or restore_instance_ids.")
    wanted = wanted_names or list(map(str, wanted_ids))
    if len(set(wanted)) != len(wanted):
        raise RefusedError(f"restore_instances or restore_instance_ids has duplicates: {one_line(', '.join(wanted))}.")
    if wanted_names:
        return [{"name": name, "id": None} for name in wanted_names]
    return [{"name": None, "id": number} for number in wanted_ids]


def _parse_variables(given: Data, problems: Problems) -> Data:
    """Returns the variables of the role with their types: those of the command line are text."""
    variables = {
        name: value
        for name, value in given.items()
        if name not in ("restore_instances", "restore_instance_ids", "restore_expected_name")
    }
    variables["restore_incident"] = problems.collect(_parse_incident, str(given["restore_incident"]))
    for name in ("backup", "before", "max_age", "min_interval", "confirm", "priority"):
        variables[f"restore_{name}"] = str(given[f"restore_{name}"]).strip()
    for name in ("wait_timeout", "healthy_timeout", "max_failures"):
        variables[f"restore_{name}"] = int(given[f"restore_{name}"])
    variables["restore_serial"] = problems.collect(_parse_serial, given["restore_serial"])
    variables["restore_http_statuses"] = problems.collect(_parse_statuses, given["restore_http_statuses"])
    problems.collect(parse_priority, "restore_priority", variables["restore_priority"] or None)
    for name in ("restore_max_age", "restore_min_interval"):
        problems.collect(parse_duration, name, variables[name] or None)
    if before := problems.collect(parse_timestamp, "restore_before", variables["restore_before"] or None):
        # The record may be read where a local time is of another zone.
        variables["restore_before"] = before.isoformat().replace("+00:00", "Z")
    return variables


def _parse_incident(given: str) -> str:
    if not given.strip():
        raise SettingsError(
            "restore_incident is empty or not set. Give a ticket number or another name, such as "
            "-e restore_incident=INC-2041. For one incident, each instance is restored at most once."
        )
    return parse_operation_name("restore_incident", given)


def _parse_serial(value: t.Any) -> list[int | str]:
    """Returns the sizes of the batches, numbers and percentages, of a list or text."""
    sizes = parse_list(value) if isinstance(value, str) else value
    return [f"{size.number}%" if size.is_percentage else size.number for size in parse_serial("restore_serial", sizes)]


def _parse_statuses(value: t.Any) -> list[int]:
    """Returns the HTTP statuses of a list, a number, or comma-separated text."""
    try:
        return [int(str(status)) for status in parse_list(value)]
    except (TypeError, ValueError):
        raise SettingsError("restore_http_statuses must be numbers, such as 200,401.") from None


SPEC = replace(
    ArgumentSpec(
        {
            "task": {"type": "str", "required": True, "choices": ["begin", "outcome"]},
            "variables": {"type": "dict"},
            "misspelt": {"type": "str", "default": ""},
            "run": {"type": "dict"},
        }
    ).merge(API),
    needs_key=False,
)


def run(context: ModuleContext) -> Result:
    """Returns the new run, or the outcome of one as ``set_stats`` does."""
    params = context.params
    if params["task"] == "begin":
        begun = begin_run(params["variables"], params["misspelt"], check=context.client.check_mode)
        return {"run": begun.to_dict()}
    ended = Run.from_dict(params["run"])
    history = read_restores(open_journal(context), context.client.settings.api_url, ended.incident, with_refused=True)
    outcome = {"incident": ended.incident, "instances": list_outcomes(ended, history)}
    return {"ansible_stats": {"data": {"clawhosters_restore": outcome}, "per_host": False, "aggregate": False}}


def list_outcomes(run: Run, history: RestoreHistory | None) -> list[Data]:
    """Returns what the journal holds of each instance: ids, times and outcomes only.

    Without a ``history``, since the journal can't be read, it is unknown whether a restore was sent. What was refused
    before this run is not its outcome.
    """
    plans: list[RolePlan | None] = [*run.plans] or [None] * len(run.targets)
    outcomes = []
    for plan, target in zip(plans, run.targets, strict=True):
        instance_id = (plan.instance or {}).get("id", target["id"]) if plan else target["id"]
        if instance_id is None and history:
            # One that was not found may have been restored by an earlier run.
            instance_id = history.find_id(target["name"])
        state = history.find_own(instance_id) if history else None
        if state and state.outcome == REFUSED and not (plan and state.position > plan.known_position):
            state = None
        backup_id = plan.backup_id if plan else None
        unsent = UNKNOWN if history is None else NOT_BEGUN
        if run.check and plan and plan.sends:
            unsent = PLANNED
        outcomes.append(
            {
                "id": instance_id,
                "backup_id": state.facts.get("backup_id") if state else backup_id,
                "outcome": state.outcome if state else unsent,
                "sent_at": state.sent_at if state else None,
                "completed_at": state.completed_at if state else None,
            }
        )
    return outcomes


class ActionModule(RunbookAction):
    """Begins a run, or hands on its outcome. Makes no request."""
