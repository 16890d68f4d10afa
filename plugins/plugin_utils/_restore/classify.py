# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds what went wrong in a run of the role ``restore``, and has the words of each kind of failure. Pure.

``messages.py`` has those of obstacles. Only a task in which something may go wrong imports it.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._errors import NOTHING_SENT, ClawHostersError, PartialError, UnauthorizedError
from ...module_utils._model.instance import get_status
from ...module_utils._service.at_most_once import UnrecordedError
from ...module_utils._service.restore.messages import advise_failed, advise_on_status, advise_unknown, explain
from ...module_utils._service.restore.plan import RESTORABLE, ObstacleKind
from ...module_utils._service.restore.restore import COMPLETED, FAILED, IN_FLIGHT, UNKNOWN, InstanceGoneError
from ...module_utils._service.restore.words import capitalize, format_taken
from ...module_utils._text import MESSAGE_LIMIT, one_line
from .._formatting import format_value
from .confirmation import expected_answer
from .failures import Failed, FailureKind, PictureChangedError

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.plan import Obstacle, RestorePlan, Rules, Surface
    from ...module_utils._service.restore.restore import Restore
    from .failures import Kind
    from .run import RolePlan, Run


class Failure(t.NamedTuple):
    """The words of one kind of failure. ``text`` says what happened, ``advice`` what to do.

    The advice may have ``{again}`` for running the same command again. It is empty if it depends on more than the kind:
    see ``find_advice``. That of an obstacle comes with its message.
    """

    text: str
    advice: str = ""
    is_of_run: bool = False
    """True if it stopped the whole run before anything was sent."""
    is_unsent: bool = False
    """True if nothing was sent then, so that what an earlier run restored still holds."""
    shows_status: bool = False
    """True if the status of the instance belongs to the message."""


def _stopped(text: str, advice: str = "") -> Failure:
    return Failure(text, advice, is_of_run=True, is_unsent=True)


_NEVER_TWICE = "{again}: it restores nothing twice."
_FIX = "Fix the cause, then {again}."
ACCEPTED_AND_FAILED = "The service accepted the restore, but the instance ended in a failure status."

FAILURES: dict[Kind, Failure] = {
    FailureKind.SERVICE_DOWN: _stopped("The service can't be used", "When it answers at api_url, {again}."),
    FailureKind.BAD_KEY: _stopped(
        "The API key can't be used", "Set CLAWHOSTERS_API_KEY to a valid key of the right account, then {again}."
    ),
    FailureKind.NOT_CONFIRMED: _stopped("Not confirmed"),
    FailureKind.PICTURE_CHANGED: _stopped("What was confirmed has changed", "{again} to confirm the current plan."),
    FailureKind.PLAN_OUTDATED: _stopped(
        "The approved plan does not hold any more",
        "Make a new plan with --check and restore_plan_path, and have it approved.",
    ),
    FailureKind.NOT_PLANNED: _stopped("Planning failed", _FIX),
    FailureKind.INTERRUPTED: Failure("The runbook was interrupted.", _NEVER_TWICE),
    FailureKind.UNFINISHED: Failure("", _NEVER_TWICE),
    FailureKind.NOT_BEGUN: Failure("Not begun.", "{again}: it goes on with the rest.", is_unsent=True),
    FailureKind.REFUSED: Failure("The restore was rejected or not sent; nothing was changed.", _FIX, shows_status=True),
    FailureKind.NOT_OVER: Failure(
        "The restore was accepted, but its end was not seen.", "{again}: it continues to wait, and sends nothing twice."
    ),
    FailureKind.GONE: Failure(
        "The instance was deleted after its restore was accepted.", "Check in the dashboard who deleted it."
    ),
    FailureKind.UNRECORDED: Failure("The journal lacks what became of the restore.", _NEVER_TWICE),
    FailureKind.NOT_HEALTHY: Failure("The restore has completed, but the instance is not running and healthy."),
    FailureKind.HEALTH_UNSEEN: Failure("The restore has completed, but the instance can't be read.", _NEVER_TWICE),
    FailureKind.BAD_ADDRESS: Failure(
        "The restore has completed and the instance is healthy, but the check of its address failed.",
        f"Check this address, then {_NEVER_TWICE}",
    ),
    **dict.fromkeys(ObstacleKind, Failure(NOTHING_SENT, is_unsent=True)),
    # These two may be outcomes of the run itself, too.
    ObstacleKind.FAILED: Failure("", shows_status=True),
    ObstacleKind.UNKNOWN: Failure("It is unknown whether the restore was carried out.", shows_status=True),
}
"""Each kind of failure. A new one needs its line here, and a place that chooses it."""

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
