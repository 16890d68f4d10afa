# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the kinds of failures of the role restore. roles/test_restore_screen.py has more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ForbiddenError,
    LastSeen,
    PartialError,
    RefusedError,
    TransportError,
    UnauthorizedError,
    UnprocessableError,
    WaitTimeoutError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.at_most_once import UnrecordedError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan import (
    ObstacleKind,
    RestorePlan,
    Target,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore import (
    InstanceGoneError,
    Restore,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.classify import (
    classify_error,
    classify_failure,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.failures import (
    FAILURES,
    AddressError,
    Failed,
    FailureKind,
)

GONE = TransportError("GET /instances/1 was not sent: no connection.", sent=False)
REVOKED = UnauthorizedError("GET /instances/1", 401, message="The key is revoked", request_id="r-1")


def partial(outcome, cause=None):
    return PartialError("It was sent. Run the same task again: it waits.", {"restore": {"outcome": outcome}}, cause)


def seen(error):
    """Returns an error that ended a wait."""
    error.last_seen = LastSeen({"status": "running"}, "running", datetime.now(UTC))
    return error


def classify(error, step="restore", *, sends=True, status="running"):
    """Returns the failure of a restore. ``step``: how far it came, ``restore``, ``healthy`` or ``http``."""
    restore = Restore(RestorePlan(Target(1, None), {"id": 1, "status": status}))
    outcome = "refused" if step == "restore" else "completed"
    restore.outcome = error.result["restore"]["outcome"] if isinstance(error, PartialError) else outcome
    restore.healthy_at = datetime.now(UTC) if step == "http" else None
    return classify_failure(error, restore, sends=sends)


@pytest.mark.parametrize(
    ("error", "step", "kind"),
    [
        (UnprocessableError("POST", 422), "restore", "backup_refused"),
        (ForbiddenError("POST", 403), "restore", "refused"),
        (REVOKED, "restore", "bad_key"),
        (RefusedError("No."), "restore", "refused"),
        (partial("in_flight", REVOKED), "restore", "key_lost"),
        (partial("in_flight", GONE), "restore", "out_of_sight"),
        (partial("in_flight", WaitTimeoutError("late", GONE)), "restore", "out_of_sight"),
        (partial("in_flight", WaitTimeoutError("late")), "restore", "not_over"),
        (partial("in_flight"), "restore", "not_over"),
        (UnrecordedError("It is not on record.", {"restore": {"outcome": "in_flight"}}), "restore", "unrecorded"),
        (partial("in_flight", ForbiddenError("GET", 403)), "restore", "out_of_sight"),
        (partial("in_flight", InstanceGoneError({"id": 7})), "restore", "gone"),
        (InstanceGoneError({"id": 7}), "restore", "refused"),
        (InstanceGoneError({"id": 7}), "healthy", "gone_restored"),
        (InstanceGoneError({"id": 7}), "http", "gone_restored"),
        (partial("unknown", GONE), "restore", "unknown"),
        (partial("failed"), "restore", "failed"),
        (partial("completed", REVOKED), "restore", "key_lost_restored"),
        (REVOKED, "healthy", "key_lost_restored"),
        (GONE, "healthy", "health_unseen"),
        (WaitTimeoutError("late"), "healthy", "not_healthy"),
        (seen(ForbiddenError("GET", 403)), "healthy", "health_unseen"),
        (ForbiddenError("POST", 403), "healthy", "not_healthy"),
        (AddressError("404"), "http", "no_answer"),
        (ForbiddenError("GET", 403), "http", "unchecked"),
        (ZeroDivisionError(), "restore", "interrupted"),
    ],
)
def test_each_failure_has_a_kind(error, step, kind):
    assert classify(error, step).kind.value == kind


@pytest.mark.parametrize("kind", [*FailureKind, *ObstacleKind])
def test_each_kind_has_a_text_and_is_read_from_its_note(kind):
    assert FAILURES[kind].text
    failed = Failed(kind, "A fault.", is_unsent=True, http_status=422)
    assert Failed.from_facts(failed.to_facts()) == failed


@pytest.mark.parametrize("status", ["error", "deploy_failed", "paused", "deploying", "new"])
def test_a_422_of_an_instance_that_is_not_ready_is_not_about_its_backup(status):
    assert classify(UnprocessableError("POST", 422), status=status).kind is FailureKind.INSTANCE_REFUSED
    assert classify(UnprocessableError("POST", 422), status="stopped").kind is FailureKind.BACKUP_REFUSED


def test_a_run_that_was_to_wait_has_sent_nothing():
    assert classify(RefusedError("No."), sends=False).kind is ObstacleKind.NOT_SENT


def test_that_nothing_was_sent_is_a_fact_and_no_part_of_the_message():
    error = RefusedError("The folder is full.")
    error.is_unsent = True
    error.add("Make room.")
    assert str(error) == "The folder is full. Make room. Nothing was sent."
    failed = classify_error(PartialError("It failed.", {}, error), FailureKind.REFUSED)
    assert (failed.message, failed.is_unsent) == ("The folder is full. Make room.", True)


def test_a_lost_sight_has_the_response_of_the_service():
    failure = classify(partial("in_flight", REVOKED))
    assert failure.message.startswith("GET /instances/1 was answered with 401")
    assert (failure.http_status, failure.request_id) == (401, "r-1")
