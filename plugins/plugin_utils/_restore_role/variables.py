# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses the variables of the role ``restore``: those of the command line are text. All wrong ones are told at once."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._errors import RefusedError, SettingsError
from ...module_utils._http.settings import expand_home, parse_priority
from ...module_utils._model.batches import parse_serial
from ...module_utils._model.instance import describe_namesakes
from ...module_utils._module.open_journal import parse_operation_name
from ...module_utils._service.restore.target_plan import Target
from ...module_utils._text import is_number, one_line
from ...module_utils._time_options import parse_duration, parse_timestamp
from .._extra_variables import Problems, parse_ids, parse_list

if t.TYPE_CHECKING:
    from ...module_utils._model.instance_index import InstanceIndex
    from ...module_utils._model.resource import Resource
    from .approved_plan import ApprovedPlan
    from .role_run import Data


def parse_variables(given: Data, *, check: bool = False) -> tuple[Data, list[Target], ApprovedPlan | None]:
    """Returns the variables with their types, the targets, and the plan that is applied, if any.

    A plan that an earlier job has handed on is applied if it is of the incident. Raises ClawHostersError for wrong
    values.
    """
    problems = Problems()
    variables = _parse_values(given, problems)
    named, numbered = given.get("restore_instances"), given.get("restore_instance_ids")
    approved = problems.collect(_find_plan, given, variables, check)
    has_plan = approved or given.get("restore_apply_plan")
    if given.get("restore_chosen_by"):
        # The service has shown this id, which may be no number.
        targets = [Target(one, None) for one in numbered or []]
    else:
        targets = [] if has_plan and not (named or numbered) else problems.collect(parse_targets, named, numbered) or []
    if approved and variables["restore_incident"]:
        targets = problems.collect(approved.find_targets, variables["restore_incident"], targets) or []
    if expected := given.get("restore_expected_name"):
        targets = [replace(target, name=str(expected)) for target in targets]
    backup_id = problems.collect(_parse_backup, variables, targets)
    targets = [replace(target, backup_id=backup_id or target.backup_id) for target in targets]
    problems.raise_if_any()
    return variables, targets, approved


def _find_plan(given: Data, variables: Data, check: bool) -> ApprovedPlan | None:
    """Returns the plan to apply. Raises SettingsError for one that is none, or beside variables that contradict it."""
    if not isinstance(given["restore_plan_path"] or "", str):
        raise SettingsError("restore_plan_path must be a path, as text.")
    if variables["restore_plan_path"] and not check:
        raise SettingsError("restore_plan_path is written by a run in check mode: add --check, or leave it out.")
    handed = None if check else given.get("restore_handed_plan")
    if handed not in (None, "") and not isinstance(handed, dict):
        raise SettingsError("clawhosters_restore, handed on by an earlier job, has a plan that is no dictionary.")
    is_handed = handed and handed.get("incident") == variables["restore_incident"]
    plan = given.get("restore_apply_plan") or (handed if is_handed else None)
    if not plan:
        return None
    if variables["restore_backup"] != "latest" or variables["restore_before"] or variables["restore_plan_path"]:
        others = "restore_plan_path, restore_backup and restore_before"
        raise SettingsError(f"restore_apply_plan is a plan that names each backup: leave out {others}.")
    from .approved_plan import read_plan

    return read_plan(plan)


def _parse_backup(given: Data, targets: list[Target]) -> int | None:
    """Returns the id of the given backup, or None. Raises SettingsError if it does not fit the other variables."""
    backup = given["restore_backup"]
    if backup == "latest":
        return None
    # Without a target, that is told already.
    if not (is_number(backup) and len(targets) <= 1):
        raise SettingsError(
            "restore_backup must be latest or the id of a backup. With an id, name exactly one instance."
        )
    if given["restore_before"]:
        raise SettingsError("restore_before chooses among backups, and restore_backup names one: give one of them.")
    return int(backup)


def parse_targets(names: t.Any, ids: t.Any) -> list[Target]:
    """Returns the targets that the user gave, each with a name or an id.

    Both arguments may be lists or comma-separated text. Raises RefusedError if the targets are not valid.
    """
    wanted_names = [str(name) for name in parse_list(names) if str(name)]
    wanted_ids = parse_ids("restore_instance_ids", ids)
    if bool(wanted_names) == bool(wanted_ids):
        raise RefusedError("Set either restore_instances or restore_instance_ids.")
    wanted = wanted_names or list(map(str, wanted_ids))
    if len(set(wanted)) != len(wanted):
        raise RefusedError(f"restore_instances or restore_instance_ids has duplicates: {one_line(', '.join(wanted))}.")
    return [Target(None, name) for name in wanted_names] or [Target(number, None) for number in wanted_ids]


def find_instances(targets: t.Iterable[Target], index: InstanceIndex) -> tuple[list[Resource], list[str]]:
    """Returns the instances that are meant, each once, and a sentence for each target that fits none or several."""
    found: dict[str, Resource] = {}
    problems = []
    for target in targets:
        by_id = index.by_id.get(str(target.instance_id))
        named = index.by_name.get(str(target.name), []) if target.instance_id is None else [by_id] if by_id else []
        if len(named) == 1:
            found[str(named[0]["id"])] = named[0]
        elif named:
            problems.append(f"{describe_namesakes(target.name, [one['id'] for one in named])}: give the id.")
        else:
            similar = index.find_similar_name(target.name)
            asked = f"with id {target.instance_id}" if target.name is None else one_line(target.name)
            problems.append(f"There is no instance {asked}{f'; did you mean {one_line(similar)}?' if similar else '.'}")
    return [*found.values()], problems


def _parse_values(given: Data, problems: Problems) -> Data:
    """Returns the variables with their types."""
    incident = problems.collect(parse_operation_name, "restore_incident", str(given["restore_incident"]))
    variables = {**given, "restore_incident": incident}
    for name in ("backup", "before", "max_age", "min_interval", "confirm", "priority", "plan_path", "plan_max_age"):
        value = given[f"restore_{name}"]
        variables[f"restore_{name}"] = "" if value is None else str(value).strip()
    for name in ("restore_report_dir", "restore_plan_path"):
        variables[name] = problems.collect(expand_home, name, str(variables[name]))
    for name in ("wait_timeout", "healthy_timeout", "max_failures"):
        variables[f"restore_{name}"] = int(given[f"restore_{name}"])
    variables["restore_serial"] = problems.collect(parse_serial, "restore_serial", parse_list(given["restore_serial"]))
    variables["restore_http_statuses"] = problems.collect(
        parse_ids, "restore_http_statuses", given["restore_http_statuses"]
    )
    problems.collect(parse_priority, "restore_priority", variables["restore_priority"] or None)
    for name in ("restore_max_age", "restore_min_interval", "restore_plan_max_age"):
        problems.collect(parse_duration, name, variables[name] or None)
    problems.collect(parse_timestamp, "restore_before", variables["restore_before"] or None)
    return variables
