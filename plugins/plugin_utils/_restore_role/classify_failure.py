# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the kind and the facts of what went wrong in a run of the role ``restore``. Pure.

Only a task in which something may go wrong imports it.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._errors import ClawHostersError, PartialError, UnauthorizedError
from ...module_utils._service.at_most_once import UnrecordedError
from ...module_utils._service.restore.messages import explain
from ...module_utils._service.restore.restore_job import COMPLETED, FAILED, IN_FLIGHT, UNKNOWN, InstanceGoneError
from ...module_utils._service.restore.target_plan import ObstacleKind
from ...module_utils._text import MESSAGE_LIMIT, one_line
from .._formatting import format_value
from .failures import ACCEPTED_AND_FAILED, Failure, FailureKind, NotConfirmedError

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.options import Rules, Wording
    from ...module_utils._service.restore.restore_job import RestoreJob
    from ...module_utils._service.restore.target_plan import Obstacle, TargetPlan
    from .failures import Kind

_KINDS: dict[str, Kind] = {
    IN_FLIGHT: FailureKind.NOT_OVER,
    UNKNOWN: ObstacleKind.UNKNOWN,
    FAILED: ObstacleKind.FAILED,
}
"""The kinds of restores that were sent and did not complete, by their outcomes."""


class FactsChangedError(NotConfirmedError):
    """A backup of the plan, or the account, has changed since it was shown."""

    failure_kind = FailureKind.FACTS_CHANGED


def classify_error(error: Exception, kind: Kind) -> Failure:
    """Returns the failure that is due to an error. One that is none of the collection's own is a bug."""
    if not isinstance(error, ClawHostersError):
        bug = f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."
        return Failure(FailureKind.INTERRUPTED, bug)
    # The cause says what happened.
    told = error.cause if isinstance(error, PartialError) and error.cause else error
    failure = Failure(kind, told.text, is_unsent=told.is_unsent)
    if (response := error.response) is None:
        return failure
    request_id = format_value(response.request_id, 100) if response.request_id else None
    return replace(failure, http_status=response.status, request_id=request_id)


def classify_obstacle(plan: TargetPlan, incident: str, rules: Rules, now: datetime, wording: Wording) -> Failure:
    """Returns the failure of a plan that has an obstacle."""
    fact, advice = explain(plan, incident, rules, now, wording)
    kind = t.cast("Obstacle", plan.obstacle).kind
    return Failure(kind, one_line(fact, MESSAGE_LIMIT), one_line(advice, MESSAGE_LIMIT))


def classify_restore(error: ClawHostersError, restore: RestoreJob, *, sends: bool) -> Failure:
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
        is_unseen = restore.wait_error not in (None, "timeout") or is_about_key
        kind = FailureKind.HEALTH_UNSEEN if is_unseen else FailureKind.NOT_HEALTHY
    elif restore.outcome in _KINDS:
        kind = _KINDS[restore.outcome]
    elif is_about_key:
        kind = FailureKind.BAD_KEY
    elif not sends:
        kind = ObstacleKind.NOT_SENT
    elif isinstance(error, FactsChangedError):
        kind = ObstacleKind.CHANGED
    failure = classify_error(error, kind)
    return replace(failure, message=ACCEPTED_AND_FAILED) if kind is ObstacleKind.FAILED else failure
