# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that must not be sent twice: what is written before and after one, and what a failure of that means."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils import _errors as errors
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.at_most_once import (
    OperationGuard,
    OutcomeUnknownError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    describe_sender,
    read_state,
)

FREE = "It may be tried again."


class Sender:
    """Sends a request that goes out and ends with ``outcome``; counts as a client does."""

    def __init__(self, outcome: object = "done", *, goes_out: bool = True) -> None:
        self.stats = SimpleNamespace(requests=0)
        self.progress = Progress()
        self.outcome, self.goes_out = outcome, goes_out
        self.seen = None

    def request(self, hooks):
        if self.goes_out:
            hooks.before_send()
            self.seen = hooks.read_state()
            self.stats.requests += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def guard(place, warnings):
    subject = OperationKey("restore", "https://clawhosters.com/api/v1", "INC-1", "7")
    return OperationGuard(place.journal(), subject, warnings.append)


def send(guard, sender):
    return guard.send(sender, sender.request, {"backup_id": 31}, FREE)


def test_it_is_written_down_before_it_goes_out(guard):
    sender = Sender()
    assert send(guard, sender) == "done"
    assert sender.seen.event is OperationEvent.INTENDED
    assert sender.seen.facts == {"backup_id": 31, "by": describe_sender()}
    guard.record_event(OperationEvent.ACCEPTED)
    assert guard.read_state().event is OperationEvent.ACCEPTED
    assert guard.read_state().facts["backup_id"] == 31


def test_what_failed_before_it_went_out_leaves_nothing_behind(guard):
    with pytest.raises(errors.ClawHostersError, match=FREE):
        send(guard, Sender(errors.ClawHostersError("something new"), goes_out=False))
    assert guard.read_state() is None


def test_a_failure_before_the_request_leaves_an_unknown_outcome_unknown(guard, warnings):
    with pytest.raises(OutcomeUnknownError):
        send(guard, Sender(errors.TransportError("lost", sent=True)))
    guard.take_up(guard.read_state())
    with pytest.raises(errors.TransportError):
        send(guard, Sender(errors.TransportError("no slot in time", sent=False), goes_out=False))
    assert guard.read_state().event is OperationEvent.UNCLEAR
    assert not warnings


def test_a_429_that_stays_is_recorded_once(guard, warnings):
    def request(hooks):
        hooks.before_send()
        hooks.on_rejected()
        raise errors.error_class(429)("POST /x", 429)

    sender = Sender()
    sender.stats.requests = 1
    with pytest.raises(errors.ApiError):
        guard.send(sender, request, {"backup_id": 31}, FREE)
    assert guard.read_state() is None
    assert not warnings
    assert guard.unrecorded is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (OperationEvent.ACCEPTED, "The service accepted the request, but the journal could not be written."),
        (OperationEvent.REFUSED, "The request was not executed, but"),
    ],
)
def test_what_came_of_it_is_told_where_it_can_not_be_written_down(guard, place, warnings, event, words):
    place.spoil()
    guard.record_event(event)
    (warning,) = warnings
    assert words in warning
    assert "so the journal is not used" in warning
    assert "othing was sent" not in warning


OUTCOMES = [event for event in OperationEvent if event is not OperationEvent.INTENDED]


@pytest.mark.parametrize("other", [OperationEvent.ACCEPTED, OperationEvent.COMPLETED, OperationEvent.FAILED])
@pytest.mark.parametrize("own", OUTCOMES)
def test_an_outcome_never_takes_back_what_another_run_recorded(guard, place, warnings, own, other):
    guard.before_send()
    append_event(place.journal(), guard.key, other)
    guard.record_event(own)
    assert (warnings, guard.unrecorded) == ([], None)
    state = read_state(place.journal(), guard.key)
    if own is OperationEvent.REFUSED:
        assert state is None, "it was this run's own request, and it was certainly not executed"
    else:
        assert state.event is (other if own in (OperationEvent.UNCLEAR, OperationEvent.ACCEPTED) else own)


def test_the_same_outcome_of_two_runs_is_one_line(guard, place):
    guard.before_send()
    for event in (OperationEvent.ACCEPTED, OperationEvent.COMPLETED):
        append_event(place.journal(), guard.key, event)
    for event in (OperationEvent.ACCEPTED, OperationEvent.COMPLETED):
        guard.record_event(event)
    assert len(place.journal().read_entries()) == 3


@pytest.mark.parametrize("has_read", [True, False])
@pytest.mark.parametrize("own", OUTCOMES)
def test_an_outcome_is_none_of_a_request_that_another_run_sent(guard, place, warnings, own, has_read):
    """Otherwise a refusal would free the incident for a third request while the second one is under way."""
    guard.before_send()
    other = place.journal()
    for event in (OperationEvent.REFUSED, OperationEvent.INTENDED):
        append_event(other, guard.key, event)
    if has_read:
        guard.journal.read_states()
    guard.record_event(own)
    assert guard.unrecorded in warnings
    assert "Another run has written to the journal since this run read it." in guard.unrecorded
    assert read_state(place.journal(), guard.key).event is OperationEvent.INTENDED


def test_a_429_takes_back_no_request_of_another_run(guard, place):
    guard.before_send()
    append_event(place.journal(), guard.key, OperationEvent.INTENDED)
    guard.journal.read_states()
    guard.on_rejected()
    assert read_state(place.journal(), guard.key).event is OperationEvent.INTENDED


def test_only_the_listed_statuses_show_that_nothing_was_executed():
    failures = [errors.error_class(status)("POST /x", status) for status in (*range(100, 200), *range(300, 600))]
    refusals = [error.status for error in failures if not error.may_have_been_executed]
    assert refusals == [400, 401, 402, 403, 404, 405, 410, 415, 422, 429]


@pytest.mark.parametrize(
    ("error", "may_have_been_executed"),
    [
        (errors.RedirectedError("", 303), True),
        (errors.RedirectedError("", 308), True),
        (errors.TransportError("", sent=True), True),
        (errors.TransportError("", sent=False), False),
        (errors.TlsError(""), False),
        (errors.ResponseError(""), True),
        (errors.ClawHostersError("something new"), True),
    ],
)
def test_an_operation_is_free_again_only_if_it_was_not_executed(guard, error, may_have_been_executed):
    with pytest.raises(OutcomeUnknownError if may_have_been_executed else type(error)):
        send(guard, Sender(error))
    assert (guard.read_state() is not None) is may_have_been_executed
