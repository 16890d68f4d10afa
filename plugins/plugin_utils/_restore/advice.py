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
    from .failures import Failure, Kind
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
        return Advice(f"{status} To see what has changed, run the same command again", {})
    return _FINDERS[kind](FAILURES[kind], plan, variables)


def _give_key(usual: Failure, plan: RolePlan, _variables: Data) -> Advice:
    if get_status(plan.instance or {}) == "pending_configuration":
        return usual.advise("Give it an LLM key in the dashboard, then run the same command again", {})
    return usual.advise()


def _look_at_data(usual: Failure, plan: RolePlan, _variables: Data) -> Advice:
    if not (taken := plan.taken_at):
        return usual.advise()
    return usual.advise(
        f"Check the instance. If it still has data from after {format_clock(taken)}, it was not restored. "
        "Then send the restore again"
    )


def _use_same(usual: Failure, plan: RolePlan, variables: Data) -> Advice:
    """The instance may be the cause. An older backup would lose more, and be refused as well."""
    same = {"restore_backup": plan.backup_id, "restore_before": ""} if plan.backup_id else {}
    older = plan.older or {}
    before = f"; the one before it is {older.get('id')} of {format_clock(taken_at(older))}" if older else ""
    oldest = _OLDEST if _is_oldest(plan, variables) else ""
    return usual.advise(f"{oldest}{usual.advice}{before}", {"restore_force": True, **same})


def _try_older(usual: Failure, plan: RolePlan, variables: Data) -> Advice:
    if not (older := _select_older(plan, variables)):
        return usual.advise(f"{_OLDEST}{usual.advice}")
    which = f"the newest backup before {format_clock(plan.taken_at)}"
    if plan.older:
        which = f"the one before it: backup {plan.older.get('id')} of {format_clock(taken_at(plan.older))}"
    return usual.advise(f"To try {which}", older)


def _wait_again(usual: Failure, plan: RolePlan, variables: Data) -> Advice:
    """This incident has completed: an older backup needs another one."""
    if not _select_older(plan, variables):
        return usual.advise(f"{_OLDEST}{usual.advice}")
    return usual.advise(
        f"{usual.advice}. For an older backup, set restore_before={_select_before(plan)['restore_before']} and another "
        "restore_incident. To wait again"
    )


def _accept_age(usual: Failure, plan: RolePlan, _variables: Data) -> Advice:
    if plan.age is None:
        return usual.advise("To accept a backup of unknown age", {"restore_max_age": ""})
    hours = math.ceil(plan.age / timedelta(hours=1)) + 1
    return usual.advise(variables={"restore_max_age": f"{hours}h"})


def _check_others(usual: Failure, _plan: RolePlan, variables: Data) -> Advice:
    if variables["restore_backup"] != "latest":
        return FAILURES[ObstacleKind.BACKUP_TWICE].advise()
    if str(variables.get("restore_before") or "").strip():
        return usual.advise("Newer backups may hold the damage. Check the plan", {"restore_before": ""})
    return usual.advise()


def _check_similar(usual: Failure, plan: RolePlan, _variables: Data) -> Advice:
    if not (plan.obstacle and plan.obstacle.similar):
        return usual.advise()
    similar = plan.obstacle.similar
    text = f"If {format_value(similar)} was meant, check its plan. Otherwise, correct the name in this command"
    return usual.advise(text, {"restore_instances": [similar]})


def _check_id(usual: Failure, plan: RolePlan, _variables: Data) -> Advice:
    """Of several instances of a name, any may be meant."""
    ids = plan.obstacle.ids if plan.obstacle else ()
    number = (plan.instance or {}).get("id", next(iter(ids), None))
    return usual.advise(variables={"restore_instance_ids": [number]})


_FINDERS: dict[Kind, t.Callable[[Failure, RolePlan, Data], Advice]] = {
    ObstacleKind.NO_INSTANCE: _check_similar,
    ObstacleKind.AMBIGUOUS: _check_id,
    ObstacleKind.FAILED: _use_same,
    ObstacleKind.UNKNOWN: _look_at_data,
    ObstacleKind.NO_BACKUP: _check_others,
    ObstacleKind.WRONG_STATUS: _give_key,
    ObstacleKind.TOO_OLD: _accept_age,
    ObstacleKind.RENAMED: _check_id,
    FailureKind.BACKUP_REFUSED: _try_older,
    FailureKind.INSTANCE_REFUSED: _use_same,
    FailureKind.NOT_HEALTHY: _wait_again,
}
"""What finds the advice of each kind that ``varies``."""


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
