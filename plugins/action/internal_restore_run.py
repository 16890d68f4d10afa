# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_run: begins a run of the role, and hands its outcome to later jobs."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal
from ..module_utils._service.restore.history import read_restores
from ..module_utils._service.restore.restore import NOT_BEGUN, PLANNED, REFUSED, UNKNOWN
from ..plugin_utils._restore.role_action import RunbookAction
from ..plugin_utils._restore.role_variables import begin_run
from ..plugin_utils._restore.run import Run

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext
    from ..module_utils._service.restore.history import RestoreHistory
    from ..plugin_utils._restore.run import Data, RolePlan

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
