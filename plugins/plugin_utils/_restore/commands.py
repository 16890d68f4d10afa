# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the advice and the next command that the role ``restore`` prints after a failure. Pure."""

from __future__ import annotations

import math
import typing as t

from ...module_utils._service.instances import is_busy, status_of
from ...module_utils._service.restore import RESTORABLE
from .._formatting import extra_variable
from .model import Data, RestorePlan

PLAYBOOK = "clawhosters.cloud.restore"

DEFAULTS: Data = {
    "restore_backup": "latest",
    "restore_before": "",
    "restore_max_age": "",
    "restore_report_dir": "clawhosters-restore",
    "restore_wait_timeout": 900,
    "restore_healthy_timeout": 600,
    "restore_http_check": False,
    "restore_http_path": "/",
    "restore_http_statuses": [200, 401],
    "restore_force": False,
}
"""Defaults of the role. A command leaves out variables that have these values."""

ADVICE = {
    "service_down": "Once the service is up again, run the same again:",
    "bad_key": "Export a good key as CLAWHOSTERS_API_KEY, then run the same again:",
    "not_confirmed": "To go on, run it with the name given as restore_confirm, or typed when it is asked for:",
    "not_planned": "Once the reason is gone, run the same again:",
    "interrupted": "Run the same again:",
    "unfinished": "Run the same again. It restores nothing twice:",
    "no_instance": "Correct the name, which must be exact, or the id, and look at the plan first:",
    "refused": "The incident is free to be tried again. Once the reason is gone, run the same again:",
    "not_sent": "Run the same again, to see the plan as it is now and to confirm it:",
    "not_over": "Run the same again. It goes on waiting, and sends nothing:",
    "not_healthy": "See what the dashboard says of it, then run the same again. It restores nothing twice:",
    "no_answer": "Look at its address, then run the same again. It restores nothing twice:",
}

_CONFIRM_BY_ID = (
    "To go on, run it with the id given as restore_confirm, since the name is not enough, or type the id when it is "
    "asked for:"
)


class Advice(t.NamedTuple):
    """``changes`` are the variables that the next command sets; with ``check`` it is run in check mode."""

    text: str
    changes: Data
    check: bool = False


def build_advice(kind: str, plan: RestorePlan, settings: Data) -> Advice:
    """Returns what to do after a failure of this kind."""
    force = {"restore_force": True}
    if kind == "failed":
        if plan.older_backup is None:
            return Advice("See what the dashboard says of it; there is no older backup. To send this one again:", force)
        changes = {**force, "restore_backup": plan.older_backup, "restore_before": "", "restore_max_age": ""}
        text = f"See what the dashboard says of it. Then restore the backup before that one, {plan.older_backup}:"
        return Advice(text, changes)
    if kind == "unknown":
        return Advice("Look at the instance. If it was not restored, send it again:", force)
    if kind == "too_old":
        if plan.age_seconds is None:
            return Advice("If you accept a backup of unknown age:", {"restore_max_age": ""})
        hours = math.ceil(plan.age_seconds / 3600) + 1
        return Advice("If you accept a backup of that age:", {"restore_max_age": f"{hours}h"})
    if kind == "no_backup":
        if str(settings.get("restore_before") or "").strip():
            return Advice("See whether there is a newer one:", {"restore_before": ""}, check=True)
        text = "Without a backup, a rebuild in the dashboard is all there is. Once there is one, look again:"
        return Advice(text, {}, check=True)
    if kind == "ambiguous":
        return Advice("Say which one, by its id:", {"restore_instance_ids": plan.ids[:1]}, check=True)
    if kind == "not_now":
        instance = plan.instance or {}
        if is_busy(instance):
            return Advice("Wait until it has settled, then run the same again:", {})
        if status_of(instance) not in RESTORABLE:
            return Advice("To restore it in this state all the same:", force)
        return Advice("Look at the plan with the newest backup:", {"restore_backup": "latest"}, check=True)
    if kind == "not_confirmed" and plan.why_id:
        return Advice(_CONFIRM_BY_ID, {})
    return Advice(ADVICE[kind], {}, check=kind == "no_instance")


def select_instance(plan: RestorePlan) -> Data:
    """Returns the variable that names the instance: as the user did, or its id if the name needs quoting."""
    if plan.wanted_id is not None:
        return {"restore_instance_ids": [plan.wanted_id]}
    is_plain = plan.name.replace("-", "").replace("_", "").isalnum()
    if plan.instance and not is_plain:
        return {"restore_instance_ids": [plan.instance["id"]]}
    return {"restore_instances": [plan.name]}


def format_command(
    target: Data, answer: str, settings: Data, advice: Advice | None = None, *, confirm: bool = False
) -> str:
    """Returns the complete command. It repeats each setting that differs from the defaults.

    ``answer`` confirms the restore; the command holds it with ``confirm``, or if the user gave one in this run.
    """
    changes = advice.changes if advice else {}
    check = advice is not None and advice.check
    if "restore_instance_ids" in changes:
        target = {}
    variables: Data = {**target, "restore_incident": settings["restore_incident"]}
    for variable, default in DEFAULTS.items():
        value = changes.get(variable, settings.get(variable, default))
        if value not in (default, None) and str(value) != str(default):
            variables[variable] = value
    variables.update({key: value for key, value in changes.items() if key not in DEFAULTS})
    given = str(settings.get("restore_confirm") or "").strip()
    if (confirm or given) and answer and not check:
        variables["restore_confirm"] = answer
    words = [f"ansible-playbook {PLAYBOOK}", *(extra_variable(key, value) for key, value in variables.items())]
    return " ".join([*words, "--check"] if check else words)
