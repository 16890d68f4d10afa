# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The advice of the role ``restore`` after a failure whose message has none: a sentence that names variables. Pure.

Only a task with such a failure imports it.
"""

from __future__ import annotations

import typing as t
from datetime import UTC

from ...module_utils._service.restore.messages import (
    advise_failed,
    advise_on_status,
    advise_unknown,
    format_taken,
    name_backup,
    restore_with,
)
from ...module_utils._service.restore.plan import ObstacleKind
from ...module_utils._service.restore.restore import PLANNED
from .answers import expected_answer
from .failures import FAILURES, FailureKind

if t.TYPE_CHECKING:
    from ...module_utils._service.restore.surfaces import Surface
    from .failures import Kind
    from .run import Data, RolePlan, Run


def find_advice(kind: Kind, plan: RolePlan, run: Run) -> str:
    """Returns what to do after a failure of a kind. The plan has the status in which the instance was seen last."""
    surface, instance = run.surface, plan.instance or {}
    match kind:
        case FailureKind.NO_TERMINAL:
            return f"Run the same command again with restore_confirm={expected_answer(run.plans, run.incident)}."
        case ObstacleKind.FAILED | FailureKind.INSTANCE_REFUSED:
            return advise_failed(plan, instance, surface, has_before=bool(run.variables["restore_before"]))
        case ObstacleKind.UNKNOWN:
            return advise_unknown(plan, instance, surface)
        case FailureKind.NOT_BEGUN if not run.failures:
            return f"{_capitalize(surface.again)}: it goes on with the rest."
        case FailureKind.NOT_BEGUN:
            despite = f"restore_max_failures={run.failures} goes on despite them"
            return f"When the failures are dealt with, {surface.again}; {despite}."
        case FailureKind.BACKUP_REFUSED:
            return _try_older(plan, run.variables, surface)
        case FailureKind.NOT_HEALTHY:
            return advise_on_status(instance, surface.again) or _wait_again(plan, run.variables, surface)
    failure = FAILURES[kind]
    return _capitalize(failure.advice.format(again=run.again if failure.is_of_run else surface.again))


def _capitalize(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _try_older(plan: RolePlan, variables: Data, surface: Surface) -> str:
    if not (older := _name_older(plan, variables, surface)):
        return f"It was the oldest usable backup: fix the cause, then {surface.again}."
    return f"To try the one before it, {restore_with(surface, older)}."


def _wait_again(plan: RolePlan, variables: Data, surface: Surface) -> str:
    """This incident has completed: an older backup needs another one."""
    again = f"Check it in the dashboard, then {surface.again}, which restores nothing twice"
    if not (older := _name_older(plan, variables, surface)):
        return f"{again}; it was the oldest usable backup."
    run = "a run for it alone" if surface.alone else "a run"
    return f"{again}; {run} with another restore_incident sends it again from an older one: {older}."


def _name_older(plan: RolePlan, variables: Data, surface: Surface) -> str:
    """Returns the variable that selects the next older backup; empty if there is none.

    A plan that chose the backup has read the others.
    """
    if plan.older:
        excluded = [name for name in ("before", "max_age") if variables[f"restore_{name}"]]
        return f"{name_backup(surface, plan.older['id'], excluded)}, {format_taken(plan.older)}"
    is_given = variables["restore_backup"] != "latest"
    if plan.taken_at is None or (plan.outcome == PLANNED and not is_given):
        return ""
    before = f"restore_before={plan.taken_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{before} instead of restore_backup" if is_given else before
