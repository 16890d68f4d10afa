# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the kinds of failures of the role restore. roles/test_restore_screen.py has more."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ForbiddenError,
    PartialError,
    RefusedError,
    TransportError,
    UnauthorizedError,
    UnprocessableError,
    WaitTimeoutError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.at_most_once import UnrecordedError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import (
    InstanceGoneError,
    RestoreJob,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import (
    ObstacleKind,
    Target,
    TargetPlan,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.address import AddressError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.classify_failure import (
    FactsChangedError,
    classify_error,
    classify_restore,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.failures import (
    Failure,
    FailureKind,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.result_words import (
    FAILURE_WORDS,
    parse_failure,
)
from support.accounts import NOW

GONE = TransportError("GET /instances/1 was not sent: no connection.", sent=False)
REVOKED = UnauthorizedError("GET /instances/1", 401, message="The key is revoked", request_id="r-1")


def classify(error, outcome="refused", wait_error=None, *, sends=True, healthy_at=None):
    """Returns the failure of a restore. ``wait_error``: why the end of its wait could not be read."""
    restore = RestoreJob(
        TargetPlan(Target(1, None), {"id": 1, "status": "running"}), outcome=outcome, wait_error=wait_error
    )
    restore.healthy_at = healthy_at
    return classify_restore(error, restore, sends=sends)


@pytest.mark.parametrize(
    ("error", "outcome", "kind"),
    [
        (UnprocessableError("POST", 422), "refused", "refused"),
        (ForbiddenError("POST", 403), "refused", "refused"),
        (REVOKED, "refused", "bad_key"),
        (RefusedError("No."), "refused", "refused"),
        (FactsChangedError("Another backup."), "refused", "changed"),
        (InstanceGoneError({"id": 7}), "refused", "refused"),
        (PartialError("Late.", {}, REVOKED), "in_flight", "not_over"),
        (PartialError("Late.", {}, WaitTimeoutError("late")), "in_flight", "not_over"),
        (UnrecordedError("It is not on record.", {}), "in_flight", "unrecorded"),
        (InstanceGoneError({"id": 7}), "in_flight", "gone"),
        (PartialError("Lost.", {}, GONE), "unknown", "unknown"),
        (PartialError("Failed.", {}), "failed", "failed"),
        (PartialError("No start.", {}, REVOKED), "completed", "health_unseen"),
        (PartialError("No start.", {}, ForbiddenError("POST", 403)), "completed", "not_healthy"),
        (InstanceGoneError({"id": 7}), "completed", "gone"),
        (PartialError("It lapsed.", {}, InstanceGoneError({"id": 7})), "completed", "gone"),
    ],
)
def test_each_failure_has_a_kind(error, outcome, kind):
    assert classify(error, outcome).kind.value == kind


def test_what_was_seen_last_tells_whether_a_restored_instance_is_unhealthy():
    kinds = {error: classify(GONE, "completed", error).kind for error in ("timeout", "unreachable", "forbidden")}
    unseen = FailureKind.HEALTH_UNSEEN
    assert kinds == {"timeout": FailureKind.NOT_HEALTHY, "unreachable": unseen, "forbidden": unseen}
    assert classify(AddressError("404"), "completed", healthy_at=NOW).kind is FailureKind.BAD_ADDRESS


@pytest.mark.parametrize("kind", [*FailureKind, *ObstacleKind])
def test_each_kind_has_a_text_and_is_read_from_its_note(kind):
    assert FAILURE_WORDS[kind].text or kind in (ObstacleKind.FAILED, FailureKind.UNFINISHED)
    failure = Failure(kind, "A fault.", is_unsent=True, http_status=422)
    assert parse_failure(failure.to_facts()) == failure


def test_a_run_that_was_to_wait_has_sent_nothing():
    assert classify(RefusedError("No."), sends=False).kind is ObstacleKind.NOT_SENT


def test_that_nothing_was_sent_is_a_fact_and_no_part_of_the_message():
    error = RefusedError("The folder is full.")
    error.is_unsent = True
    error.add("Make room.")
    assert str(error) == "The folder is full. Make room. Nothing was sent."
    failure = classify_error(PartialError("It failed.", {}, error), FailureKind.REFUSED)
    assert (failure.message, failure.is_unsent) == ("The folder is full. Make room.", True)


def test_a_lost_sight_has_the_response_of_the_service():
    failure = classify(PartialError("Late.", {}, REVOKED), "in_flight")
    assert failure.message.startswith("GET /instances/1 was answered with 401")
    assert (failure.http_status, failure.request_id) == (401, "r-1")
