# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Classifies the failure of a step of the role ``restore``, and explains it. Pure."""

from __future__ import annotations

import re
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
from .model import Data, RestorePlan
from .plan import format_moment
from .report import UNSEEN

_VARIABLES = (
    (re.compile(r"\bforce: true\b"), "restore_force=true"),
    (re.compile(r"\bwait_timeout\b"), "restore_wait_timeout"),
    (re.compile(r"\bmax_age\b"), "restore_max_age"),
    (re.compile(r"\bbackup_id\b"), "restore_backup"),
    (re.compile(r"\binstance_id\b"), "restore_instance_ids"),
    (re.compile(r" ?(Run the same task again|Run this again|Nothing was restored; you can run)[^.]*(?:\.|\Z)"), ""),
)
"""Replacements for option names and advice in the messages of modules: the role has variables instead."""


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


def translate_options(message: str) -> str:
    """Returns a message of a module with the names of the role's variables."""
    for pattern, text in _VARIABLES:
        message = pattern.sub(text, message)
    return message.strip()


def describe_failure(error: Exception, step: str, plan: RestorePlan, outcome: str | None) -> Data:
    """Returns the fields of a failed step of an instance: its kind, its message, and the response of the service."""
    message = explain(error)
    kind = _classify(error, step, plan, outcome)
    if kind == "failed":
        # The status of the instance says the same.
        message = ""
    if step == "healthy":
        message = message.removeprefix("It was restored. ")
        message = message.replace("restore_wait_timeout", "restore_healthy_timeout")
    last_seen = next((one.last_seen for one in _chain(error) if one.last_seen), None)
    if kind in UNSEEN and last_seen and "last seen" not in message:
        seen_at = format_moment(format_iso(last_seen.at), datetime.now(UTC))
        message = f"Last seen at {seen_at}: {last_seen.condition}. {message}"
    return {**describe_error(error), "kind": kind, "message": message}


def _classify(error: Exception, step: str, plan: RestorePlan, outcome: str | None) -> str:
    """Returns the kind of the failure of a step."""
    if not isinstance(error, ClawHostersError):
        return "interrupted"
    if isinstance(error, UnrecordedError):
        return "unrecorded"
    chain = list(_chain(error))
    kinds = {one.kind for one in chain}
    is_restored = step in ("healthy", "http") or outcome == "completed"
    if any(isinstance(one, InstanceGoneError) for one in chain) and (is_restored or outcome == "in_flight"):
        return "gone_restored" if is_restored else "gone"
    if step == "http":
        return "no_answer" if isinstance(error, AddressError) else "unchecked"
    if is_restored:
        if "unauthorized" in kinds:
            return "key_lost_restored"
        # An error that ended the wait has what was seen last; one of the start has not.
        return "health_unseen" if "unreachable" in kinds or any(one.last_seen for one in chain) else "not_healthy"
    if outcome == "in_flight":
        if "unauthorized" in kinds:
            return "key_lost"
        is_unread = "unreachable" in kinds or any(isinstance(one, ApiError) for one in chain)
        return "out_of_sight" if is_unread else "not_over"
    if outcome in ("unknown", "failed"):
        return outcome
    if "unauthorized" in kinds:
        return "bad_key"
    if not plan.sends:
        return "not_sent"
    return "backup_refused" if isinstance(error, UnprocessableError) else "refused"
