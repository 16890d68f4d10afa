# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the advice and the next command that the role ``restore`` prints after a failure. Pure."""

from __future__ import annotations

import math
import typing as t

from ...module_utils._model.instance import get_status
from ...module_utils._service.restore.messages import advise_on_status
from ...module_utils._times import parse_time
from .._formatting import format_clock, format_extra_variable
from .failure_kinds import FailureKind
from .failure_kinds import FailureKind as _K
from .model import Data, RestorePlan

PLAYBOOK = "clawhosters.cloud.restore"

DEFAULTS: Data = {
    "restore_backup": "latest",
    "restore_before": "",
    "restore_max_age": "",
    "restore_min_interval": "",
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


class Advice(t.NamedTuple):
    """``changes`` are the variables that the next command sets; with ``check`` it is run in check mode."""

    text: str
    changes: Data
    check: bool = False


def build_advice(kind: FailureKind, plan: RestorePlan, settings: Data) -> Advice:
    """Returns what to do after a failure of this kind."""
    failure = kind.failure
    if special := _advise_specially(kind, plan, settings):
        return special
    changes: Data = {"restore_force": True} if kind in (_K.UNKNOWN, _K.FAILED, _K.NOT_NOW) else {}
    return Advice(failure.advice, changes, failure.checks)


def _advise_specially(kind: FailureKind, plan: RestorePlan, settings: Data) -> Advice | None:
    """Returns the advice that depends on the instance and the backup, None if the usual one fits."""
    instance, older = plan.instance or {}, plan.older_backup
    if kind in (_K.FAILED, _K.UNKNOWN, _K.NOT_NOW) and (status := advise_on_status(instance)):
        return Advice(f"{status} To see what has changed, run the same command again:", {})
    if kind is _K.NOT_NOW and get_status(instance) == "pending_configuration":
        return Advice("Give it an LLM key in the dashboard, then run the same command again:", {})
    if kind is _K.FAILED and older:
        text = f"Check the instance in the dashboard, then restore {_format_older(plan)}:"
        return Advice(text, {"restore_force": True, **_use_older(plan)})
    if kind is _K.BACKUP_REFUSED and older:
        return Advice(f"If this backup can't be restored, try {_format_older(plan)}:", _use_older(plan))
    if kind is _K.TOO_OLD and plan.age_seconds is None:
        return Advice("To accept a backup of unknown age:", {"restore_max_age": ""})
    if kind is _K.TOO_OLD:
        hours = math.ceil((plan.age_seconds or 0) / 3600) + 1
        return Advice(kind.failure.advice, {"restore_max_age": f"{hours}h"})
    if kind in (_K.OTHER_BACKUP, _K.BACKUP_TWICE) or (kind is _K.NO_BACKUP and settings["restore_backup"] != "latest"):
        return Advice("Check the plan with the newest backup:", {"restore_backup": "latest"}, check=True)
    if kind is _K.NO_BACKUP and str(settings.get("restore_before") or "").strip():
        return Advice("Check for a newer backup:", {"restore_before": ""}, check=True)
    if kind is _K.AMBIGUOUS:
        return Advice(kind.failure.advice, {"restore_instance_ids": plan.ids[:1]}, check=True)
    if kind is _K.RENAMED:
        return Advice(kind.failure.advice, {"restore_instance_ids": [instance.get("id")]}, check=True)
    if kind is _K.TOO_SOON:
        return Advice(kind.failure.advice, {"restore_min_interval": ""})
    if kind is _K.UNCLEAR_BACKUP:
        return Advice(kind.failure.advice, {"restore_before": ""}, check=True)
    return None


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
