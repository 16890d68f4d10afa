# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The advice of the role ``restore`` that depends on the instance and the backup. Pure.

Only a task with such a failure imports it.
"""

from __future__ import annotations

import math
import typing as t
from datetime import UTC, timedelta

from ...module_utils._model.backup import taken_at
from ...module_utils._model.instance import get_status
from ...module_utils._service.restore.messages import advise_on_status
from ...module_utils._service.restore.plan import ObstacleKind
from ...module_utils._service.restore.restore import PLANNED
from .._formatting import format_clock, format_value
from .failures import FAILURES, Advice, FailureKind

if t.TYPE_CHECKING:
    from .failures import Kind
    from .run import Data, RolePlan

_OLDEST = "It was the oldest usable backup. "
_DEPENDS_ON_STATUS = (
    ObstacleKind.UNKNOWN,
    ObstacleKind.FAILED,
    ObstacleKind.WRONG_STATUS,
    FailureKind.NOT_HEALTHY,
)
"""Kinds for which some statuses leave nothing to be sent."""


def find_advice(kind: Kind, plan: RolePlan, variables: Data) -> Advice:
    """Returns what to do after a failure of a kind whose advice ``varies``."""
    if kind in _DEPENDS_ON_STATUS and (status := advise_on_status(plan.instance or {})):
        return Advice(f"{status} To see what has changed, run the same command again:", {})
    usual = FAILURES[kind]
    return _FINDERS[kind](plan, variables, usual.advice) or Advice(f"{usual.advice}:", {}, usual.checks)


def _force(plan: RolePlan, _variables: Data, usual: str) -> Advice:
    if get_status(plan.instance or {}) == "pending_configuration":
        return Advice("Give it an LLM key in the dashboard, then run the same command again:", {})
    return Advice(f"{usual}:", {"restore_force": True})


def _force_unknown(plan: RolePlan, _variables: Data, usual: str) -> Advice:
    if taken := plan.taken_at:
        usual = (
            f"Check the instance. If it still has data from after {format_clock(taken)}, it was not restored. "
            "Then send the restore again"
        )
    return Advice(f"{usual}:", {"restore_force": True})


def _use_same(plan: RolePlan, variables: Data, usual: str) -> Advice:
    """The instance may be the cause. An older backup would lose more, and be refused as well."""
    same = {"restore_backup": plan.backup_id, "restore_before": ""} if plan.backup_id else {}
    older = plan.older or {}
    before = f" (the one before it is {older.get('id')} of {format_clock(taken_at(older))})" if older else ""
    oldest = _OLDEST if _is_oldest(plan, variables) else ""
    return Advice(f"{oldest}{usual}{before}:", {"restore_force": True, **same})


def _try_older(plan: RolePlan, variables: Data, usual: str) -> Advice:
    if not (older := _select_older(plan, variables)):
        return Advice(f"{_OLDEST}{usual}:", {})
    which = f"the newest backup before {format_clock(plan.taken_at)}"
    if plan.older:
        which = f"the one before it: backup {plan.older.get('id')} of {format_clock(taken_at(plan.older))}"
    return Advice(f"To try {which}:", older)


def _wait_or_use_older(plan: RolePlan, variables: Data, usual: str) -> Advice:
    """This incident has completed: an older backup needs another one."""
    if not _select_older(plan, variables):
        return Advice(f"{_OLDEST}{usual}:", {})
    return Advice(
        f"{usual}. For an older backup, set restore_before={_select_before(plan)['restore_before']} and another "
        "restore_incident. To wait again:",
        {},
    )


def _accept_age(plan: RolePlan, _variables: Data, usual: str) -> Advice:
    if plan.age is None:
        return Advice("To accept a backup of unknown age:", {"restore_max_age": ""})
    hours = math.ceil(plan.age / timedelta(hours=1)) + 1
    return Advice(f"{usual}:", {"restore_max_age": f"{hours}h"})


def _check_newest(_plan: RolePlan, _variables: Data, usual: str) -> Advice:
    return Advice(f"{usual}:", {"restore_backup": "latest"}, check=True)


def _check_others(plan: RolePlan, variables: Data, _usual: str) -> Advice | None:
    if variables["restore_backup"] != "latest":
        return _check_newest(plan, variables, FAILURES[ObstacleKind.OTHER_BACKUP].advice)
    if str(variables.get("restore_before") or "").strip():
        return Advice("Newer backups may hold the damage. Check the plan:", {"restore_before": ""}, check=True)
    return None


def _check_similar(plan: RolePlan, _variables: Data, _usual: str) -> Advice | None:
    if not (plan.obstacle and plan.obstacle.similar):
        return None
    similar = plan.obstacle.similar
    return Advice(
        f"If {format_value(similar)} was meant, check its plan:", {"restore_instances": [similar]}, check=True
    )


def _check_first(plan: RolePlan, _variables: Data, usual: str) -> Advice:
    ids = plan.obstacle.ids if plan.obstacle else ()
    return Advice(f"{usual}:", {"restore_instance_ids": list(ids[:1])}, check=True)


def _check_id(plan: RolePlan, _variables: Data, usual: str) -> Advice:
    return Advice(f"{usual}:", {"restore_instance_ids": [(plan.instance or {}).get("id")]}, check=True)


def _omit_interval(_plan: RolePlan, _variables: Data, usual: str) -> Advice:
    return Advice(f"{usual}:", {"restore_min_interval": ""})


_FINDERS: dict[Kind, t.Callable[[RolePlan, Data, str], Advice | None]] = {
    ObstacleKind.NO_INSTANCE: _check_similar,
    ObstacleKind.AMBIGUOUS: _check_first,
    ObstacleKind.FAILED: _use_same,
    ObstacleKind.UNKNOWN: _force_unknown,
    ObstacleKind.NO_BACKUP: _check_others,
    ObstacleKind.OTHER_BACKUP: _check_newest,
    ObstacleKind.BACKUP_TWICE: _check_newest,
    ObstacleKind.WRONG_STATUS: _force,
    ObstacleKind.TOO_OLD: _accept_age,
    ObstacleKind.TOO_SOON: _omit_interval,
    ObstacleKind.RENAMED: _check_id,
    FailureKind.BACKUP_REFUSED: _try_older,
    FailureKind.INSTANCE_REFUSED: _use_same,
    FailureKind.NOT_HEALTHY: _wait_or_use_older,
}
"""For each kind what finds its advice: the usual one stays where it returns None."""


def _select_older(plan: RolePlan, variables: Data) -> Data:
    """Returns the variables that select the next older backup; nothing if there is none."""
    if plan.older:
        return {"restore_backup": plan.older.get("id"), "restore_before": "", "restore_max_age": ""}
    return {} if _is_oldest(plan, variables) else _select_before(plan)


def _is_oldest(plan: RolePlan, variables: Data) -> bool:
    """Returns True if no usable backup is older. A plan that chose the backup has read the others."""
    return plan.older is None and plan.outcome == PLANNED and variables["restore_backup"] == "latest"


def _select_before(plan: RolePlan) -> Data:
    """Returns the variables that select the newest usable backup before that of the plan."""
    taken = plan.taken_at
    before = f"{taken.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if taken else ""
    return {"restore_backup": "latest", "restore_before": before, "restore_max_age": ""} if taken else {}
