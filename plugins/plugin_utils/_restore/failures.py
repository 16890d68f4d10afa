# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures of the role ``restore``: the table of their kinds, and the kind and message of an error. Pure."""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass

from ...module_utils._errors import (
    ApiError,
    ClawHostersError,
    PartialError,
    UnprocessableError,
)
from ...module_utils._service.at_most_once import UnrecordedError
from ...module_utils._service.instances import InstanceGoneError
from ...module_utils._service.restore.messages import NOTHING_SENT
from ...module_utils._text import MESSAGE_LIMIT, one_line
from .._formatting import format_value
from .address import AddressError
from .confirmation import PictureChangedError
from .model import Data, RestorePlan

_VARIABLES = (
    (re.compile(r"\bforce: true\b"), "restore_force=true"),
    (re.compile(r"\bwait_timeout\b"), "restore_wait_timeout"),
    (re.compile(r"\bmax_age\b"), "restore_max_age"),
    (re.compile(r"\bmin_interval\b"), "restore_min_interval"),
    (re.compile(r"\bbackup_id\b"), "restore_backup"),
    (re.compile(r"\binstance_id\b"), "restore_instance_ids"),
    (re.compile(r" ?(Run the same task again|Run this again|Nothing was restored; you can run)[^.]*(?:\.|\Z)"), ""),
)
"""Replacements for option names and advice in the messages of modules: the role has variables instead."""

_AGAIN = "run the same command again"
_TRY_AGAIN = f"The restore can be tried again for this incident. Fix the cause, then {_AGAIN}:"
_WAIT_AGAIN = "Run the same command again. It continues to wait and sends nothing:"
_NEVER_TWICE = "Run the same command again. It restores nothing twice:"
_NEW_KEY = f"Export a valid key as CLAWHOSTERS_API_KEY, then {_AGAIN}"
_CHECK_WHO = "Check in the dashboard who deleted it. To see what is left:"
_CHECK_PLAN = "Run the same command again to see the current plan and confirm it:"
_END_UNSEEN = "The restore was accepted, but its end was not seen"
_RESTORED_BUT = "The backup was restored, but"
_HEALTHY_BUT = "The backup was restored and the instance is healthy, but its address"
_CHECK_NAME = "Correct the name (it must match exactly) or the id, and check the plan first:"
_DASHBOARD = "Check the instance in the dashboard"


@dataclass(frozen=True)
class Failure:
    """One kind of failure. ``text`` says what happened, ``advice`` introduces the next command."""

    kind: str
    text: str
    advice: str
    checks: bool = False
    """True if the next command runs in check mode."""
    is_of_run: bool = False
    """True if it stops the whole run, so that one command serves all instances."""
    is_status_known: bool = True
    """False if the status of the instance can't be known then."""
    is_healthy: bool = False
    """True if the instance is restored and healthy all the same."""
    is_unsent: bool = False
    """True if nothing was sent then, so that what an earlier run restored still holds."""


def _unsent(kind: str, advice: str, text: str = NOTHING_SENT, **facts: bool) -> Failure:
    return Failure(kind, text, advice, is_unsent=True, **facts)


class FailureKind(enum.Enum):
    """The kinds of failures. A new one needs its line here, and where it is found out."""

    failure: Failure
    """Its text, advice and what is known."""

    def __new__(cls, failure: t.Any) -> FailureKind:
        """Gives the member of a failure the name of its kind as value."""
        member = object.__new__(cls)
        member._value_, member.failure = failure.kind, failure
        return member

    # The whole run, before anything is sent
    SERVICE_DOWN = _unsent(
        "service_down", f"When the service is up again, {_AGAIN}:", "The service is down", is_of_run=True
    )
    BAD_KEY = _unsent("bad_key", f"{_NEW_KEY}:", "The API key is not accepted", is_of_run=True)
    WRONG_ACCOUNT = _unsent(
        "wrong_account",
        f"Correct CLAWHOSTERS_API_KEY or CLAWHOSTERS_ACCOUNT, then {_AGAIN}:",
        "The key is not known to be for the account that is meant",
        is_of_run=True,
    )
    NOT_CONFIRMED = _unsent(
        "not_confirmed",
        "To continue, type the answer at the prompt, or set restore_confirm to it:",
        "Not confirmed",
        is_of_run=True,
        is_status_known=False,
    )
    NO_TERMINAL = _unsent(
        "no_terminal",
        f"To continue, {_AGAIN}, with restore_confirm set to the answer:",
        "Not confirmed",
        is_of_run=True,
        is_status_known=False,
    )
    PICTURE_CHANGED = _unsent(
        "picture_changed", _CHECK_PLAN, "What was confirmed has changed", is_of_run=True, is_status_known=False
    )
    NOT_PLANNED = _unsent("not_planned", f"Fix the cause, then {_AGAIN}:", "Planning failed", is_of_run=True)
    INTERRUPTED = Failure("interrupted", "The runbook was interrupted.", _NEVER_TWICE, is_of_run=True)
    # Obstacles of a plan
    NO_INSTANCE = _unsent("no_instance", _CHECK_NAME, checks=True)
    AMBIGUOUS = _unsent("ambiguous", "Select one by its id:", checks=True)
    OTHER_NAME = _unsent("other_name", _CHECK_NAME, checks=True)
    DUPLICATE = _unsent("duplicate", "Name each instance once, and check the plan first:", checks=True)
    NO_BACKUP = _unsent(
        "no_backup",
        "Without a backup, only a rebuild in the dashboard remains. When there is a backup, check again:",
        checks=True,
    )
    UNCLEAR_BACKUP = _unsent(
        "unclear_backup",
        "Look up a backup in the dashboard, and set restore_backup instead of restore_before. To check again:",
        checks=True,
    )
    OTHER_BACKUP = _unsent("other_backup", "Check the plan with the newest backup:", checks=True)
    BACKUP_TWICE = _unsent("backup_twice", "Check the plan with the newest backup:", checks=True)
    WRONG_STATUS = _unsent("wrong_status", "To restore the instance in this status anyway:")
    TOO_OLD = _unsent("too_old", "To accept a backup of this age:")
    TOO_SOON = _unsent("too_soon", f"{_DASHBOARD}. If it must be restored all the same, omit the interval:")
    OTHER_MEMORY = _unsent("other_memory", f"When the folder is imported, {_AGAIN}:")
    ONLY_IN_RECORD = _unsent(
        "only_in_record",
        "Set state_dir or state_database to the journal with which it was sent, or send it once more with "
        f"restore_force=true. Then {_AGAIN}:",
    )
    # What has changed since the plan
    DELETED = _unsent("deleted", _CHECK_WHO, checks=True, is_status_known=False)
    RENAMED = _unsent("renamed", "Check the plan with its id:", checks=True)
    CHANGED = _unsent("changed", _CHECK_PLAN, is_status_known=False)
    NOT_SENT = _unsent(
        "not_sent", _CHECK_PLAN, "This run only waited for a restore sent by another run; it sent none itself."
    )
    OVERTAKEN = _unsent("overtaken", _CHECK_PLAN, "Nothing was sent, so that the other restore is not overwritten.")
    HELD = _unsent("held", _CHECK_PLAN)
    # The request and its outcome
    NOT_BEGUN = _unsent(
        "not_begun", "When the failures are dealt with, go on with the rest:", "Not begun", is_status_known=False
    )
    REFUSED = Failure("refused", "The restore was rejected or not sent; nothing was changed.", _TRY_AGAIN)
    BACKUP_REFUSED = Failure("backup_refused", "The service rejected the restore; nothing was changed.", _TRY_AGAIN)
    UNKNOWN = Failure(
        "unknown",
        "It is unknown whether the restore was carried out.",
        "Check the instance. If it was not restored, send the restore again:",
    )
    FAILED = Failure(
        "failed",
        "The service accepted the restore, but the instance ended in a failure status.",
        f"{_DASHBOARD}. No older backup is known. To restore this backup again:",
    )
    UNFINISHED = Failure("unfinished", "The run was interrupted or is still in progress.", _NEVER_TWICE, is_of_run=True)
    NOT_OVER = Failure("not_over", "The restore was sent but did not complete within the timeout.", _WAIT_AGAIN)
    OUT_OF_SIGHT = Failure(
        "out_of_sight", f"{_END_UNSEEN}: the instance can't be read.", _WAIT_AGAIN, is_status_known=False
    )
    KEY_LOST = Failure("key_lost", f"{_END_UNSEEN}.", f"{_NEW_KEY}. It sends nothing:", is_status_known=False)
    GONE = Failure(
        "gone",
        "The restore was accepted, but the instance was deleted before its end was seen.",
        _CHECK_WHO,
        checks=True,
        is_status_known=False,
    )
    # After the restore
    UNRECORDED = Failure("unrecorded", f"{_RESTORED_BUT} this is not in the journal.", _NEVER_TWICE)
    NOT_HEALTHY = Failure(
        "not_healthy",
        f"{_RESTORED_BUT} the instance is not running and healthy.",
        f"{_DASHBOARD}, then {_AGAIN}. It restores nothing twice:",
    )
    HEALTH_UNSEEN = Failure(
        "health_unseen",
        f"{_RESTORED_BUT} the instance can't be read, so the health is not known.",
        _NEVER_TWICE,
        is_status_known=False,
    )
    KEY_LOST_RESTORED = Failure(
        "key_lost_restored",
        f"{_RESTORED_BUT} the health is not known.",
        f"{_NEW_KEY}:",
        is_status_known=False,
    )
    GONE_RESTORED = Failure(
        "gone_restored",
        f"{_RESTORED_BUT} the instance was deleted afterwards.",
        _CHECK_WHO,
        checks=True,
        is_status_known=False,
    )
    UNCHECKED = Failure("unchecked", f"{_HEALTHY_BUT} was not checked.", _NEVER_TWICE, is_healthy=True)
    NO_ANSWER = Failure(
        "no_answer",
        f"{_HEALTHY_BUT} does not respond as expected.",
        f"Check the address, then {_AGAIN}. It restores nothing twice:",
        is_healthy=True,
    )


def translate_options(message: str) -> str:
    """Returns a message of a module with the names of the role's variables."""
    for pattern, text in _VARIABLES:
        message = pattern.sub(text, message)
    return message.strip()


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
    kind = found or _find_kind(error, step, plan, outcome)
    if kind is FailureKind.FAILED:
        # The status of the instance says the same.
        message = ""
    if step == "healthy":
        message = message.removeprefix("It was restored. ")
        message = message.replace("restore_wait_timeout", "restore_healthy_timeout")
    return {**describe_error(error), "kind": kind.value, "message": message}


def _find_kind(error: Exception, step: str, plan: RestorePlan, outcome: str | None) -> FailureKind:
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
        return _find_kind_if_restored(chain, kinds)
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
    if isinstance(error, PictureChangedError):
        return FailureKind.CHANGED
    return FailureKind.BACKUP_REFUSED if isinstance(error, UnprocessableError) else FailureKind.REFUSED


def _find_kind_if_restored(chain: list[ClawHostersError], kinds: set[str]) -> FailureKind:
    """Returns the kind of the failure of an instance that was restored."""
    if "unauthorized" in kinds:
        return FailureKind.KEY_LOST_RESTORED
    # An error that ended the wait has what was seen last; one of the start has not.
    is_unseen = "unreachable" in kinds or ("timeout" not in kinds and any(one.last_seen for one in chain))
    return FailureKind.HEALTH_UNSEEN if is_unseen else FailureKind.NOT_HEALTHY
