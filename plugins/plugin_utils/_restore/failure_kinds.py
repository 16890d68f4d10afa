# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures of the role ``restore``: for each kind its text, what to do, and what is known then. Pure data."""

from __future__ import annotations

import enum
from dataclasses import dataclass

NOTHING_SENT = "Nothing was sent."
_AGAIN = "run the same command again"
_NEVER_TWICE = "Run the same command again. It restores nothing twice:"
_NEW_KEY = f"Export a valid key as CLAWHOSTERS_API_KEY, then {_AGAIN}"
_CHECK_WHO = "Check in the dashboard who deleted it. To see what is left:"
_CHECK_PLAN = "Run the same command again to see the current plan and confirm it:"
_END_UNSEEN = "The restore was accepted, but its end was not seen"
_RESTORED_BUT = "The backup was restored, but"
_HEALTHY_BUT = "The backup was restored and the instance is healthy, but its address"


@dataclass(frozen=True)
class Failure:
    """One kind of failure. ``text`` says what happened, ``advice`` introduces the next command."""

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


def _unsent(advice: str, text: str = NOTHING_SENT, **facts: bool) -> Failure:
    return Failure(text, advice, is_unsent=True, **facts)


class FailureKind(enum.Enum):
    """The kinds of failures. A new one needs its line here, and where it is found out."""

    # The whole run, before anything is sent
    SERVICE_DOWN = "service_down"
    BAD_KEY = "bad_key"
    NOT_CONFIRMED = "not_confirmed"
    NO_TERMINAL = "no_terminal"
    NOT_PLANNED = "not_planned"
    INTERRUPTED = "interrupted"
    # Obstacles of a plan
    NO_INSTANCE = "no_instance"
    AMBIGUOUS = "ambiguous"
    OTHER_NAME = "other_name"
    DUPLICATE = "duplicate"
    NO_BACKUP = "no_backup"
    UNCLEAR_BACKUP = "unclear_backup"
    OTHER_BACKUP = "other_backup"
    BACKUP_TWICE = "backup_twice"
    WRONG_STATUS = "wrong_status"
    TOO_OLD = "too_old"
    TOO_SOON = "too_soon"
    OTHER_MEMORY = "other_memory"
    # What has changed since the plan
    DELETED = "deleted"
    RENAMED = "renamed"
    CHANGED = "changed"
    NOT_SENT = "not_sent"
    OVERTAKEN = "overtaken"
    # The request and its outcome
    NOT_BEGUN = "not_begun"
    REFUSED = "refused"
    BACKUP_REFUSED = "backup_refused"
    UNKNOWN = "unknown"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    NOT_OVER = "not_over"
    OUT_OF_SIGHT = "out_of_sight"
    KEY_LOST = "key_lost"
    GONE = "gone"
    # After the restore
    UNRECORDED = "unrecorded"
    NOT_HEALTHY = "not_healthy"
    HEALTH_UNSEEN = "health_unseen"
    KEY_LOST_RESTORED = "key_lost_restored"
    GONE_RESTORED = "gone_restored"
    UNCHECKED = "unchecked"
    NO_ANSWER = "no_answer"

    @property
    def failure(self) -> Failure:
        """Its text, advice and what is known."""
        return FAILURES[self]


_K = FailureKind
_CHECK_NAME = "Correct the name (it must match exactly) or the id, and check the plan first:"
_DASHBOARD = "Check the instance in the dashboard"

FAILURES: dict[FailureKind, Failure] = {
    _K.SERVICE_DOWN: _unsent(f"When the service is up again, {_AGAIN}:", "The service is down", is_of_run=True),
    _K.BAD_KEY: _unsent(f"{_NEW_KEY}:", "The API key is not accepted", is_of_run=True),
    _K.NOT_CONFIRMED: _unsent(
        "To continue, type the answer at the prompt, or set restore_confirm to it:",
        "Not confirmed",
        is_of_run=True,
        is_status_known=False,
    ),
    _K.NO_TERMINAL: _unsent(
        f"To continue, {_AGAIN}, with restore_confirm set to the answer:",
        "Not confirmed",
        is_of_run=True,
        is_status_known=False,
    ),
    _K.NOT_PLANNED: _unsent(f"Fix the cause, then {_AGAIN}:", "Planning failed", is_of_run=True),
    _K.INTERRUPTED: Failure("The runbook was interrupted", _NEVER_TWICE, is_of_run=True),
    _K.NO_INSTANCE: _unsent(_CHECK_NAME, checks=True),
    _K.AMBIGUOUS: _unsent("Select one by its id:", checks=True),
    _K.OTHER_NAME: _unsent(_CHECK_NAME, checks=True),
    _K.DUPLICATE: _unsent("Name each instance once, and check the plan first:", checks=True),
    _K.NO_BACKUP: _unsent(
        "Without a backup, only a rebuild in the dashboard remains. When there is a backup, check again:",
        checks=True,
    ),
    _K.UNCLEAR_BACKUP: _unsent(
        "Look up a backup in the dashboard, and set restore_backup instead of restore_before. To check again:",
        checks=True,
    ),
    _K.OTHER_BACKUP: _unsent("Check the plan with the newest backup:", checks=True),
    _K.BACKUP_TWICE: _unsent("Check the plan with the newest backup:", checks=True),
    _K.WRONG_STATUS: _unsent("To restore the instance in this status anyway:"),
    _K.TOO_OLD: _unsent("To accept a backup of this age:"),
    _K.TOO_SOON: _unsent(f"{_DASHBOARD}. If it must be restored all the same, omit the interval:"),
    _K.OTHER_MEMORY: _unsent(f"When the folder is imported, {_AGAIN}:"),
    _K.DELETED: _unsent(_CHECK_WHO, checks=True, is_status_known=False),
    _K.RENAMED: _unsent("Check the plan with its id:", checks=True),
    _K.CHANGED: _unsent(_CHECK_PLAN, is_status_known=False),
    _K.NOT_SENT: _unsent(_CHECK_PLAN, "This run only waited for a restore sent by another run; it sent none itself."),
    _K.OVERTAKEN: _unsent(_CHECK_PLAN, "Nothing was sent, so that the other restore is not overwritten."),
    _K.NOT_BEGUN: _unsent("When the failures are dealt with, go on with the rest:", "Not begun", is_status_known=False),
    _K.REFUSED: Failure(
        "The restore was rejected or not sent; nothing was changed.",
        f"The restore can be tried again for this incident. Fix the cause, then {_AGAIN}:",
    ),
    _K.BACKUP_REFUSED: Failure(
        "The service rejected the restore; nothing was changed.",
        f"The restore can be tried again for this incident. Fix the cause, then {_AGAIN}:",
    ),
    _K.UNKNOWN: Failure(
        "It is unknown whether the restore was carried out.",
        "Check the instance. If it was not restored, send the restore again:",
    ),
    _K.FAILED: Failure(
        "The service accepted the restore, but the instance ended in a failure status.",
        f"{_DASHBOARD}. No older backup is known. To restore this backup again:",
    ),
    _K.UNFINISHED: Failure("The run was interrupted or is still in progress.", _NEVER_TWICE, is_of_run=True),
    _K.NOT_OVER: Failure(
        "The restore was sent but did not complete within the timeout.",
        "Run the same command again. It continues to wait and sends nothing:",
    ),
    _K.OUT_OF_SIGHT: Failure(
        f"{_END_UNSEEN}: the instance can't be read.",
        "Run the same command again. It continues to wait and sends nothing:",
        is_status_known=False,
    ),
    _K.KEY_LOST: Failure(
        f"{_END_UNSEEN}: the API key is no longer valid.", f"{_NEW_KEY}. It sends nothing:", is_status_known=False
    ),
    _K.GONE: Failure(
        "The restore was accepted, but the instance was deleted before its end was seen.",
        _CHECK_WHO,
        checks=True,
        is_status_known=False,
    ),
    _K.UNRECORDED: Failure(f"{_RESTORED_BUT} this is not in the journal.", _NEVER_TWICE),
    _K.NOT_HEALTHY: Failure(
        f"{_RESTORED_BUT} the instance is not running and healthy.",
        f"{_DASHBOARD}, then {_AGAIN}. It restores nothing twice:",
    ),
    _K.HEALTH_UNSEEN: Failure(
        f"{_RESTORED_BUT} the instance can't be read, so the health is not known.", _NEVER_TWICE, is_status_known=False
    ),
    _K.KEY_LOST_RESTORED: Failure(
        f"{_RESTORED_BUT} the API key is no longer accepted, so the health is not known.",
        f"{_NEW_KEY}:",
        is_status_known=False,
    ),
    _K.GONE_RESTORED: Failure(
        f"{_RESTORED_BUT} the instance was deleted afterwards.", _CHECK_WHO, checks=True, is_status_known=False
    ),
    _K.UNCHECKED: Failure(f"{_HEALTHY_BUT} was not checked.", _NEVER_TWICE, is_healthy=True),
    _K.NO_ANSWER: Failure(
        f"{_HEALTHY_BUT} does not respond as expected.",
        f"Check the address, then {_AGAIN}. It restores nothing twice:",
        is_healthy=True,
    ),
}
