# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the kind and the facts of what went wrong in a run of the role ``restore``. Pure.

Only a task in which something goes wrong imports it.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._errors import ApiError, ClawHostersError, PartialError, UnprocessableError
from ...module_utils._model.instance import get_status
from ...module_utils._service.at_most_once import UnrecordedError
from ...module_utils._service.restore.messages import explain
from ...module_utils._service.restore.plan import RESTORABLE, ObstacleKind
from ...module_utils._service.restore.restore import COMPLETED, FAILED, IN_FLIGHT, UNKNOWN, InstanceGoneError
from ...module_utils._text import MESSAGE_LIMIT, one_line
from .._formatting import format_value
from .confirmation import PictureChangedError
from .failures import AddressError, Failed, FailureKind

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.plan import Obstacle, RestorePlan, Rules
    from ...module_utils._service.restore.restore import Restore
    from ...module_utils._service.restore.surfaces import Surface
    from .failures import Kind


def classify_error(error: Exception, kind: Kind) -> Failed:
    """Returns the failure that is due to an error. One that is none of the collection's own is a bug."""
    if not isinstance(error, ClawHostersError):
        bug = f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."
        return Failed(FailureKind.INTERRUPTED, bug)
    # The cause says what happened.
    told = error.cause if isinstance(error, PartialError) and error.cause else error
    failed = Failed(kind, told.text, is_unsent=told.is_unsent, names_status=told.names_status)
    if (response := error.response) is None:
        return failed
    request_id = format_value(response.request_id, 100) if response.request_id else None
    return replace(failed, http_status=response.status, request_id=request_id)


def classify_obstacle(plan: RestorePlan, incident: str, rules: Rules, now: datetime, surface: Surface) -> Failed:
    """Returns the failure of a plan that has an obstacle."""
    explained = explain(plan, incident, rules, now, surface)
    return Failed(
        t.cast("Obstacle", plan.obstacle).kind,
        one_line(explained.fact, MESSAGE_LIMIT),
        one_line(explained.advice, MESSAGE_LIMIT),
        names_status=explained.names_status,
    )


def classify_failure(error: Exception, restore: Restore, *, sends: bool) -> Failed:
    """Returns the failure of a restore that ended with ``error``. ``sends``: the run was to send it."""
    kind = _find_kind(error, restore.outcome, sends=sends, was_healthy=restore.healthy_at is not None)
    if kind is FailureKind.BACKUP_REFUSED and get_status(restore.current) not in RESTORABLE:
        kind = FailureKind.INSTANCE_REFUSED
    failed = classify_error(error, kind)
    # Of a failure status, the status of the instance says the same.
    return replace(failed, message="") if kind is ObstacleKind.FAILED else failed


def _find_kind(error: Exception, outcome: str, *, sends: bool, was_healthy: bool) -> Kind:
    """Returns the kind of the failure of a restore."""
    if not isinstance(error, ClawHostersError):
        return FailureKind.INTERRUPTED
    if isinstance(error, UnrecordedError):
        return FailureKind.UNRECORDED
    chain = list(_chain(error))
    if was_healthy or outcome == COMPLETED:
        return _find_kind_if_restored(chain, is_healthy=was_healthy)
    if outcome == IN_FLIGHT:
        return _find_kind_if_in_flight(chain)
    if outcome in (UNKNOWN, FAILED):
        return ObstacleKind.UNKNOWN if outcome == UNKNOWN else ObstacleKind.FAILED
    return _find_kind_if_unsent(error, chain, sends=sends)


def _find_kind_if_restored(chain: list[ClawHostersError], *, is_healthy: bool) -> FailureKind:
    """Returns the kind of the failure of an instance that was restored. ``is_healthy``: its address was checked."""
    if _has(chain, InstanceGoneError):
        return FailureKind.GONE_RESTORED
    if is_healthy:
        return FailureKind.NO_ANSWER if isinstance(chain[0], AddressError) else FailureKind.UNCHECKED
    kinds = {one.kind for one in chain}
    if "unauthorized" in kinds:
        return FailureKind.KEY_LOST_RESTORED
    # An error that ended the wait has what was seen last; one of the start has not.
    is_unseen = "unreachable" in kinds or ("timeout" not in kinds and any(one.last_seen for one in chain))
    return FailureKind.HEALTH_UNSEEN if is_unseen else FailureKind.NOT_HEALTHY


def _find_kind_if_in_flight(chain: list[ClawHostersError]) -> FailureKind:
    """Returns the kind of the failure of a restore whose end was not seen."""
    kinds = {one.kind for one in chain}
    if _has(chain, InstanceGoneError):
        return FailureKind.GONE
    if "unauthorized" in kinds:
        return FailureKind.KEY_LOST
    return FailureKind.OUT_OF_SIGHT if "unreachable" in kinds or _has(chain, ApiError) else FailureKind.NOT_OVER


def _find_kind_if_unsent(error: ClawHostersError, chain: list[ClawHostersError], *, sends: bool) -> Kind:
    """Returns the kind of the failure of a restore that was not sent, or not executed."""
    if any(one.kind == "unauthorized" for one in chain):
        return FailureKind.BAD_KEY
    if not sends:
        return ObstacleKind.NOT_SENT
    if isinstance(error, PictureChangedError):
        return ObstacleKind.CHANGED
    return FailureKind.BACKUP_REFUSED if isinstance(error, UnprocessableError) else FailureKind.REFUSED


def _chain(error: ClawHostersError) -> t.Iterator[ClawHostersError]:
    """Yields an error and the errors behind it."""
    current: ClawHostersError | None = error
    while current is not None:
        yield current
        current = current.cause


def _has(chain: list[ClawHostersError], kind: type[ClawHostersError]) -> bool:
    return any(isinstance(one, kind) for one in chain)
