# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Classifies the failure of a step of the role ``restore``, and explains it. Pure."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from ...module_utils._errors import (
    ApiError,
    ClawHostersError,
    ForbiddenError,
    PartialError,
    SettingsError,
    UnauthorizedError,
    UnprocessableError,
)
from ...module_utils._service.at_most_once import UnrecordedError
from ...module_utils._service.instances import InstanceGoneError
from ...module_utils._text import MESSAGE_LIMIT, one_line
from ...module_utils._times import format_iso
from .._formatting import format_value
from .address import AddressError
from .failure_kinds import FailureKind
from .model import Data, RestorePlan
from .wording import format_moment, translate_options


def is_about_key(error: Exception) -> bool:
    """Returns True if the key is missing, unusable, or rejected."""
    return isinstance(error, (SettingsError, UnauthorizedError, ForbiddenError))


def _chain(error: Exception) -> t.Iterator[ClawHostersError]:
    """Yields an error and the errors behind it."""
    current = error if isinstance(error, ClawHostersError) else None
    while current is not None:
        yield current
        current = current.cause


def describe_error(error: Exception) -> Data:
    """Returns the fields of a step that the response of the service sets."""
    response = error.response if isinstance(error, ClawHostersError) else None
    if response is None:
        return {}
    request_id = response.request_id
    return {"status": response.status, "request_id": format_value(request_id, 100) if request_id else None}


def explain(error: Exception) -> str:
    """Returns the message of an error, with the names of the role's variables."""
    if not isinstance(error, ClawHostersError):
        return f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}"
    # The cause says what happened. The report adds the consequence.
    cause = error.cause if isinstance(error, PartialError) and error.cause else error
    return one_line(translate_options(str(cause)), MESSAGE_LIMIT)


def describe_failure(
    error: Exception, step: str, plan: RestorePlan, outcome: str | None, found: FailureKind | None
) -> Data:
    """Returns the fields of a failed step of an instance: its kind, its message, and the response of the service.

    ``found``: the obstacle that was found under the lock, if that is the failure.
    """
    message = explain(error)
    kind = found or _classify(error, step, plan, outcome)
    if kind is FailureKind.FAILED:
        # The status of the instance says the same.
        message = ""
    if step == "healthy":
        message = message.removeprefix("It was restored. ")
        message = message.replace("restore_wait_timeout", "restore_healthy_timeout")
    last_seen = next((one.last_seen for one in _chain(error) if one.last_seen), None)
    if not kind.failure.is_status_known and last_seen and "last seen" not in message:
        seen_at = format_moment(format_iso(last_seen.at), datetime.now(UTC))
        message = f"Last seen at {seen_at}: {last_seen.condition}. {message}"
    return {**describe_error(error), "kind": kind.value, "message": message}


def _classify(error: Exception, step: str, plan: RestorePlan, outcome: str | None) -> FailureKind:
    """Returns the kind of the failure of a step."""
    if not isinstance(error, ClawHostersError):
        return FailureKind.INTERRUPTED
    if isinstance(error, UnrecordedError):
        return FailureKind.UNRECORDED
    chain = list(_chain(error))
    kinds = {one.kind for one in chain}
    is_restored = step in ("healthy", "http") or outcome == "completed"
    if any(isinstance(one, InstanceGoneError) for one in chain) and (is_restored or outcome == "in_flight"):
        return FailureKind.GONE_RESTORED if is_restored else FailureKind.GONE
    if step == "http":
        return FailureKind.NO_ANSWER if isinstance(error, AddressError) else FailureKind.UNCHECKED
    if is_restored:
        return _classify_unhealthy(chain, kinds)
    if outcome == "in_flight":
        if "unauthorized" in kinds:
            return FailureKind.KEY_LOST
        is_unread = "unreachable" in kinds or any(isinstance(one, ApiError) for one in chain)
        return FailureKind.OUT_OF_SIGHT if is_unread else FailureKind.NOT_OVER
    if outcome in ("unknown", "failed"):
        return FailureKind(outcome)
    if "unauthorized" in kinds:
        return FailureKind.BAD_KEY
    if not plan.sends:
        return FailureKind.NOT_SENT
    return FailureKind.BACKUP_REFUSED if isinstance(error, UnprocessableError) else FailureKind.REFUSED


def _classify_unhealthy(chain: list[ClawHostersError], kinds: set[str]) -> FailureKind:
    """Returns the kind of the failure of an instance that was restored."""
    if "unauthorized" in kinds:
        return FailureKind.KEY_LOST_RESTORED
    # An error that ended the wait has what was seen last; one of the start has not.
    is_unseen = "unreachable" in kinds or any(one.last_seen for one in chain)
    return FailureKind.HEALTH_UNSEEN if is_unseen else FailureKind.NOT_HEALTHY
