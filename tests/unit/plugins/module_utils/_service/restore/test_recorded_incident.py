# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the state of an incident: what the journal says of its instances and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import Reason, ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import (
    RecordedIncident,
    list_incidents,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    lock_operation,
)
from support.stores import StorePlace, folder_place
from support.stories import URL, Story


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    return folder_place(tmp_path / "state")


@pytest.fixture
def story(place: StorePlace) -> Story:
    return Story(place)


def events(state: RecordedIncident, instance_id: int = 7) -> list[str]:
    return [event.event for event in state.instances[str(instance_id)].events]


def test_a_restore_is_told_from_its_request_to_its_health(story: Story) -> None:
    state = story.restore(7, "intended", "accepted", "completed", "healthy", "note responded").state()
    instance = state.instances["7"]
    assert (instance.id, instance.name, instance.restore.outcome) == (7, "bot-7", "completed")
    assert events(state) == ["sent", "accepted", "seen_restored", "healthy", "address_checked"]
    assert instance.healthy_at == instance.events[3].at
    assert instance.failure is None


def test_the_time_that_the_service_shows_replaces_that_of_the_look(story: Story) -> None:
    story.restore(7, "intended", "accepted").restore(7, "completed", restored_at="2026-02-01T10:01:30+00:00")
    assert events(story.restore(7, "healthy").state()) == ["sent", "accepted", "restored", "healthy"]


def test_a_failure_stands_until_the_instance_is_seen_healthy(story: Story) -> None:
    reason = Reason(ReasonKind.NOT_HEALTHY, {"status": "error"})
    story.restore(7, "intended", "accepted", "completed").restore(7, "note failed", reason=reason.to_dict())
    state = story.state()
    failure = state.instances["7"].failure
    assert (failure.kind, failure.facts, failure.at) == (reason.kind, reason.facts, state.latest_at)
    assert events(state)[-1] == "failed"
    assert story.restore(7, "healthy").state().instances["7"].failure is None


def test_a_reason_of_a_newer_version_is_told_as_such(story: Story) -> None:
    story.restore(7, "intended", "accepted").restore(7, "note failed", reason={"kind": "too_hot", "facts": {"by": 1}})
    state = story.state()
    reason = state.find_reason(state.instances["7"])
    assert reason == Reason(ReasonKind.OF_OTHER_VERSION, {}, state.latest_at)


def test_another_attempt_begins_anew(story: Story) -> None:
    story.restore(7, "intended", "accepted", "failed")
    story.restore(7, "note failed", reason={"kind": "failed"}).restore(7, "intended")
    instance = story.state().instances["7"]
    assert (instance.restore.outcome, instance.failure) == ("unknown", None)
    assert events(story.state()) == ["sent"]


def test_an_instance_whose_every_attempt_was_refused_has_no_restore(story: Story) -> None:
    instance = story.restore(7, "intended").restore(7, "refused", http_status=429).state().instances["7"]
    assert instance.restore is None
    assert instance.refused.facts["http_status"] == 429
    assert [(event.event, event.ok) for event in instance.events] == [("sent", True), ("refused", False)]


def test_runs_and_restores_of_other_incidents_and_services_are_left_out(story: Story) -> None:
    story.restore(7, "intended", incident="INC-2").run("two", "confirmed", incident="INC-2")
    append_event(story.journal, OperationKey("restore", "https://other.example", "INC-1", "7"), OperationEvent.INTENDED)
    state = story.state()
    assert (state.instances, state.runs, state.latest_at) == ({}, [], "")


def test_whoever_works_on_an_instance_is_named(story: Story, place: StorePlace) -> None:
    story.restore(7, "intended", "accepted")
    with lock_operation(place.journal(), OperationKey("restore", URL, "INC-1", "7")):
        assert story.state().instances["7"].holder is not None
    assert story.state().instances["7"].holder is None


def test_incidents_are_listed_from_the_latest_on(story: Story) -> None:
    story.restore(7, "intended").restore(8, "intended", incident="INC-2").run("one", "confirmed")
    append_event(story.journal, OperationKey("purchase", URL, "order-1"), OperationEvent.INTENDED)
    listed = list_incidents(story.journal.read_entries(), {}, URL)
    assert [state.incident for state in listed] == ["INC-1", "INC-2"]
