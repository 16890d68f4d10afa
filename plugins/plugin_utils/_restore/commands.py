# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the advice and the next command that the role ``restore`` prints after a failure. Pure."""

from __future__ import annotations

import math
import typing as t

from ...module_utils._model.instance import get_status
from ...module_utils._model.restore import RESTORABLE, explain_obstacle
from ...module_utils._times import parse_time
from .._formatting import format_clock, format_extra_variable
from .model import Data, RestorePlan

PLAYBOOK = "clawhosters.cloud.restore"

DEFAULTS: Data = {
    "restore_backup": "latest",
    "restore_before": "",
    "restore_max_age": "",
    "restore_priority": "",
    "restore_report_dir": "clawhosters-restore",
    "restore_wait_timeout": 900,
    "restore_healthy_timeout": 600,
    "restore_http_check": False,
    "restore_http_path": "/",
    "restore_http_statuses": [200, 401],
    "restore_force": False,
    "restore_serial": [1],
    "restore_max_failures": 0,
}
"""Defaults of the role. A command leaves out variables that have these values."""

ADVICE = {
    "service_down": "When the service is up again, run the same command again:",
    "bad_key": "Export a valid key as CLAWHOSTERS_API_KEY, then run the same command again:",
    "not_confirmed": "To continue, type the answer at the prompt, or set restore_confirm to it:",
    "no_terminal": "To continue, run the same command again, with restore_confirm set to the answer:",
    "not_planned": "Fix the cause, then run the same command again:",
    "not_begun": "When the failures are dealt with, go on with the rest:",
    "interrupted": "Run the same command again. It restores nothing twice:",
    "unfinished": "Run the same command again. It restores nothing twice:",
    "no_instance": "Correct the name (it must match exactly) or the id, and check the plan first:",
    "unclear_backup": "Look up a backup in the dashboard, and set restore_backup to its id. To check again:",
    "refused": "The restore can be tried again for this incident. Fix the cause, then run the same command again:",
    "not_sent": "Run the same command again to see the current plan and confirm it:",
    "not_over": "Run the same command again. It continues to wait and sends nothing:",
    "out_of_sight": "Run the same command again. It continues to wait and sends nothing:",
    "key_lost": "Export a valid key as CLAWHOSTERS_API_KEY, then run the same command again. It sends nothing:",
    "unrecorded": "Run the same command again. It restores nothing twice:",
    "not_healthy": "Check the instance in the dashboard, then run the same command again. It restores nothing twice:",
    "health_unseen": "Run the same command again. It restores nothing twice:",
    "key_lost_restored": "Export a valid key as CLAWHOSTERS_API_KEY, then run the same command again:",
    "gone": "Check in the dashboard who deleted it. To see what is left:",
    "gone_restored": "Check in the dashboard who deleted it. To see what is left:",
    "unchecked": "Run the same command again. It restores nothing twice:",
    "no_answer": "Check the address, then run the same command again. It restores nothing twice:",
}


class Advice(t.NamedTuple):
    """``changes`` are the variables that the next command sets; with ``check`` it is run in check mode."""

    text: str
    changes: Data
    check: bool = False


def build_advice(kind: str, plan: RestorePlan, settings: Data) -> Advice:
    """Returns what to do after a failure of this kind."""
    force = {"restore_force": True}
    if kind in ("failed", "unknown", "not_now") and (obstacle := explain_obstacle(plan.instance or {})):
        return Advice(f"{obstacle} To see what has changed, run the same command again:", {})
    if kind == "failed":
        if plan.older_backup is None:
            return Advice(
                "Check the instance in the dashboard. No older backup is known. To restore this backup again:", force
            )
        text = f"Check the instance in the dashboard, then restore {_format_older(plan)}:"
        return Advice(text, {**force, **_use_older(plan)})
    if kind == "backup_refused":
        if plan.older_backup is None:
            return Advice(ADVICE["refused"], {})
        return Advice(f"If this backup can't be restored, try {_format_older(plan)}:", _use_older(plan))
    if kind == "unknown":
        return Advice("Check the instance. If it was not restored, send the restore again:", force)
    if kind == "too_old":
        if plan.age_seconds is None:
            return Advice("To accept a backup of unknown age:", {"restore_max_age": ""})
        hours = math.ceil(plan.age_seconds / 3600) + 1
        return Advice("To accept a backup of this age:", {"restore_max_age": f"{hours}h"})
    if kind == "no_backup":
        if str(settings.get("restore_before") or "").strip():
            return Advice("Check for a newer backup:", {"restore_before": ""}, check=True)
        text = "Without a backup, only a rebuild in the dashboard remains. When there is a backup, check again:"
        return Advice(text, {}, check=True)
    if kind == "ambiguous":
        return Advice("Select one by its id:", {"restore_instance_ids": plan.ids[:1]}, check=True)
    if kind == "not_now":
        status = get_status(plan.instance or {})
        if status == "pending_configuration":
            return Advice("Give it an LLM key in the dashboard, then run the same command again:", {})
        if status not in RESTORABLE:
            return Advice("To restore the instance in this status anyway:", force)
        return Advice("Check the plan with the newest backup:", {"restore_backup": "latest"}, check=True)
    if kind == "unclear_backup":
        return Advice(ADVICE[kind], {"restore_before": ""}, check=True)
    return Advice(ADVICE[kind], {}, check=kind in ("no_instance", "gone", "gone_restored"))


def _format_older(plan: RestorePlan) -> str:
    older = plan.older_backup or {}
    return f"the one before it: backup {older.get('id')} of {format_clock(parse_time(older.get('taken_at')))}"


def _use_older(plan: RestorePlan) -> Data:
    return {"restore_backup": (plan.older_backup or {}).get("id"), "restore_before": "", "restore_max_age": ""}


def select_instance(plan: RestorePlan) -> Data:
    """Returns the variable that names the instance: as the user did, or its id if the name needs quoting."""
    if plan.given_id is not None:
        return {"restore_instance_ids": [plan.given_id]}
    is_plain = plan.name.replace("-", "").replace("_", "").isalnum()
    if plan.instance and not is_plain:
        return {"restore_instance_ids": [plan.instance["id"]]}
    return {"restore_instances": [plan.name]}


def select_targets(plans: list[RestorePlan]) -> Data:
    """Returns the variable that names the instances of one plan or more."""
    if len(plans) == 1:
        return select_instance(plans[0])
    if all(plan.given_id is None for plan in plans):
        return {"restore_instances": [plan.name for plan in plans]}
    return {"restore_instance_ids": [plan.given_id for plan in plans]}


def format_command(target: Data, settings: Data, advice: Advice | None = None) -> str:
    """Returns the complete command. It repeats each setting that differs from the defaults.

    It never holds ``restore_confirm``: each run is confirmed for itself, after its plan.
    """
    changes = advice.changes if advice else {}
    if "restore_instance_ids" in changes:
        target = {}
    variables: Data = {**target, "restore_incident": settings["restore_incident"]}
    for variable, default in DEFAULTS.items():
        value = changes.get(variable, settings.get(variable, default))
        if value not in (default, None) and str(value) != str(default):
            variables[variable] = value
    variables.update({key: value for key, value in changes.items() if key not in DEFAULTS})
    words = [f"ansible-playbook {PLAYBOOK}", *(format_extra_variable(key, value) for key, value in variables.items())]
    return " ".join([*words, "--check"] if advice and advice.check else words)
