# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the kind, the facts and the advice of what went wrong in a run of the role ``restore``. Pure.

Only a task in which something may go wrong imports it.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._errors import ClawHostersError, PartialError, UnauthorizedError
from ...module_utils._model.instance import get_status
from ...module_utils._service.at_most_once import UnrecordedError
from ...module_utils._service.restore.messages import advise_failed, advise_on_status, advise_unknown, explain
from ...module_utils._service.restore.plan import RESTORABLE, ObstacleKind
from ...module_utils._service.restore.restore import COMPLETED, FAILED, IN_FLIGHT, UNKNOWN, InstanceGoneError
from ...module_utils._service.restore.words import capitalize, format_taken
from ...module_utils._text import MESSAGE_LIMIT, one_line
from .._formatting import format_value
from .answers import expected_answer
from .confirmation import PictureChangedError
from .failures import ACCEPTED_AND_FAILED, FAILURES, Failed, FailureKind

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.plan import Obstacle, RestorePlan, Rules, Surface
    from ...module_utils._service.restore.restore import Restore
    from .failures import Kind
    from .run import RolePlan, Run

_KINDS: dict[str, Kind] = {
    IN_FLIGHT: FailureKind.NOT_OVER,
    UNKNOWN: ObstacleKind.UNKNOWN,
    FAILED: ObstacleKind.FAILED,
}
"""The kinds of restores that were sent and did not complete, by their outcomes."""


def classify_error(error: Exception, kind: Kind) -> Failed:
    """Returns the failure that is due to an error. One that is none of the collection's own is a bug."""
    if not isinstance(error, ClawHostersError):
        bug = f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."
        return Failed(FailureKind.INTERRUPTED, bug)
    # The cause says what happened.
    told = error.cause if isinstance(error, PartialError) and error.cause else error
    failed = Failed(kind, told.text, is_unsent=told.is_unsent)
    if (response := error.response) is None:
        return failed
    request_id = format_value(response.request_id, 100) if response.request_id else None
    return replace(failed, http_status=response.status, request_id=request_id)


def classify_obstacle(plan: RestorePlan, incident: str, rules: Rules, now: datetime, surface: Surface) -> Failed:
    """Returns the failure of a plan that has an obstacle."""
    fact, advice = explain(plan, incident, rules, now, surface)
    kind = t.cast("Obstacle", plan.obstacle).kind
    return Failed(kind, one_line(fact, MESSAGE_LIMIT), one_line(advice, MESSAGE_LIMIT))


def classify_failure(error: ClawHostersError, restore: Restore, *, sends: bool) -> Failed:
    """Returns the failure of a restore that ended with ``error``. ``sends``: the run was to send it."""
    kind: Kind = FailureKind.REFUSED
    is_about_key = isinstance(error.response, UnauthorizedError)
    if isinstance(error, UnrecordedError):
        kind = FailureKind.UNRECORDED
    elif restore.outcome in (IN_FLIGHT, COMPLETED) and isinstance(error.cause or error, InstanceGoneError):
        kind = FailureKind.GONE
    elif restore.healthy_at:
        kind = FailureKind.BAD_ADDRESS
    elif restore.outcome == COMPLETED:
        is_unseen = restore.failure not in (None, "timeout") or is_about_key
        kind = FailureKind.HEALTH_UNSEEN if is_unseen else FailureKind.NOT_HEALTHY
    elif restore.outcome in _KINDS:
        kind = _KINDS[restore.outcome]
    elif is_about_key:
        kind = FailureKind.BAD_KEY
    elif not sends:
        kind = ObstacleKind.NOT_SENT
    elif isinstance(error, PictureChangedError):
        kind = ObstacleKind.CHANGED
    failed = classify_error(error, kind)
    return replace(failed, message=ACCEPTED_AND_FAILED) if kind is ObstacleKind.FAILED else failed


def find_advice(failed: Failed, plan: RolePlan, run: Run) -> str:
    """Returns what to do after a failure whose message has no advice: a sentence that names variables."""
    surface, failure = run.surface, FAILURES[failed.kind]
    instance = {**(plan.instance or {}), **({"status": failed.found} if failed.found else {})}
    advice = failure.advice.format(again=run.again if failure.is_of_run else surface.again)
    match failed.kind:
        case FailureKind.NOT_CONFIRMED:
            answer = expected_answer(run.plans, run.incident)
            advice = f"{run.again} with restore_confirm={answer}, or type that at the prompt."
        case ObstacleKind.FAILED:
            advice = advise_failed(plan, instance, surface)
        case ObstacleKind.UNKNOWN:
            advice = advise_unknown(plan, instance, surface)
        case FailureKind.NOT_BEGUN if run.failures:
            despite = f"restore_max_failures={run.failures} goes on despite them"
            advice = f"When the failures are dealt with, {surface.again}; {despite}."
        case FailureKind.REFUSED if failed.http_status == 422 and get_status(instance) not in RESTORABLE:
            advice = advise_failed(plan, instance, surface)
        case FailureKind.REFUSED if failed.http_status == 422:
            advice = f"To try an older backup, {surface.restore_with(_name_older(plan, surface))}."
        case FailureKind.NOT_HEALTHY:
            alone = "a run for it alone" if surface.alone else "a run"
            advice = advise_on_status(instance, surface.again) or (
                f"Check it in the dashboard, then {surface.again}, which restores nothing twice; {alone} with another "
                f"restore_incident sends it again from an older backup, with {_name_older(plan, surface)}."
            )
    if failed.http_status == 401 and failed.kind is not FailureKind.BAD_KEY:
        advice = f"With a valid key, {advice}"
    return capitalize(advice)


def _name_older(plan: RolePlan, surface: Surface) -> str:
    """Returns the variable that selects the next older backup. A plan that chose the backup has read the others."""
    if plan.older is None:
        return f"its id as {surface.backup()}"
    return f"{surface.backup(one_line(plan.older['id'], 20))}, {format_taken(plan.older)}"
