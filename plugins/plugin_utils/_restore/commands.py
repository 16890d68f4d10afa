# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role ``restore`` says to do next: the advice, and the whole command to type. Pure."""

from __future__ import annotations

import math

from ...module_utils._model.instance import get_status, is_busy
from ...module_utils._model.restore import RESTORABLE
from .._formatting import extra_variable
from .plan import Data

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
"""Variables that a command need not repeat when they have these values; the role's own defaults."""

SAME_AGAIN = {
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


def build_advice(kind: str, plan: Data, settings: Data) -> tuple[str, Data, bool]:
    """What to do, the variables that the next command changes, and whether it is to be tried with --check."""
    older = plan.get("older_backup")
    forced = {"restore_force": True}
    if kind == "failed":
        if older is not None:
            changes = {**forced, "restore_backup": older, "restore_before": "", "restore_max_age": ""}
            return (
                f"See what the dashboard says of it. Then restore the backup before that one, {older}:",
                changes,
                False,
            )
        return "See what the dashboard says of it; there is no older backup. To send this one again:", forced, False
    if kind == "unknown":
        return "Look at the instance. If it was not restored, send it again:", forced, False
    if kind == "too_old":
        if plan.get("age_seconds") is None:
            return "If you accept a backup of unknown age:", {"restore_max_age": ""}, False
        hours = math.ceil(plan["age_seconds"] / 3600) + 1
        return "If you accept a backup of that age:", {"restore_max_age": f"{hours}h"}, False
    if kind == "no_backup":
        if str(settings.get("restore_before") or "").strip():
            return "See whether there is a newer one:", {"restore_before": ""}, True
        return "Without a backup, a rebuild in the dashboard is all there is. Once there is one, look again:", {}, True
    if kind == "ambiguous":
        return "Say which one, by its id:", {"restore_instance_ids": plan["ids"][:1]}, True
    if kind == "not_now":
        instance = plan.get("instance") or {}
        if get_status(instance) not in RESTORABLE and not is_busy(instance):
            return "To restore it in this state all the same:", forced, False
        if is_busy(instance):
            return "Wait until it has settled, then run the same again:", {}, False
        return "Look at the plan with the newest backup:", {"restore_backup": "latest"}, True
    if kind == "not_confirmed" and plan["why_id"]:
        return _CONFIRM_BY_ID, {}, False
    return SAME_AGAIN[kind], {}, kind == "no_instance"


def named(plan: Data) -> Data:
    """How a command names the instance: as the user did, but by its id where a name is not plain."""
    if plan["wanted_id"] is not None:
        return {"restore_instance_ids": [plan["wanted_id"]]}
    is_plain = plan["name"].replace("-", "").replace("_", "").isalnum()
    if plan["instance"] and not is_plain:
        return {"restore_instance_ids": [plan["instance"]["id"]]}
    return {"restore_instances": [plan["name"]]}


def command(
    target: Data, to_type: str, settings: Data, changes: Data, *, check: bool = False, confirm: bool = False
) -> str:
    """The whole line to type; what was given and differs from the defaults is repeated."""
    if "restore_instance_ids" in changes:
        target = {}
    variables: Data = {**target, "restore_incident": settings["restore_incident"]}
    for variable, default in DEFAULTS.items():
        value = changes.get(variable, settings.get(variable, default))
        if value not in (default, None) and str(value) != str(default):
            variables[variable] = value
    variables.update({key: value for key, value in changes.items() if key not in DEFAULTS})
    given = str(settings.get("restore_confirm") or "").strip()
    if (confirm or given) and to_type and not check:
        variables["restore_confirm"] = to_type
    words = [f"ansible-playbook {PLAYBOOK}", *(extra_variable(key, value) for key, value in variables.items())]
    return " ".join([*words, "--check"] if check else words)
