# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the state of an incident: what the journal says of its instances and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import (
    RecordedIncident,
    list_incidents,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event
from support.stores import folder_place
from support.stories import URL, Story


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(folder_place(tmp_path / "state"))


def events(state: RecordedIncident) -> list[str]:
    return [event.event for event in state.instances["7"].events]


def test_a_restore_is_told_from_its_request_to_its_health(story: Story) -> None:
    state = story.restore(7, "intended", "accepted", "completed", "healthy", "note responded").state()
    instance = state.instances["7"]
    assert (instance.id, instance.name, instance.restore.outcome) == (7, "bot-7", "completed")
    assert events(state) == ["sent", "accepted", "seen_restored", "healthy", "address_checked"]
    assert instance.healthy_at == instance.events[3].at
    assert instance.failure is None


def test_another_attempt_begins_anew(story: Story) -> None:
    story.restore(7, "intended", "accepted", "failed")
    story.restore(7, "note failed", reason={"kind": "failed"}).restore(7, "intended")
    instance = story.state().instances["7"]
    assert (instance.restore.outcome, instance.failure) == ("unknown", None)
    assert events(story.state()) == ["sent"]


def test_runs_and_restores_of_other_incidents_and_services_are_left_out(story: Story) -> None:
    story.restore(7, "intended", incident="INC-2").run("two", "confirmed", incident="INC-2")
    append_event(story.journal, OperationKey("restore", "https://other.example", "INC-1", "7"), OperationEvent.INTENDED)
    state = story.state()
    assert (state.instances, state.runs, state.latest_at) == ({}, [], "")


def test_incidents_are_listed_from_the_latest_on(story: Story) -> None:
    story.restore(7, "intended").restore(8, "intended", incident="INC-2").run("one", "confirmed")
    append_event(story.journal, OperationKey("purchase", URL, "order-1"), OperationEvent.INTENDED)
    listed = list_incidents(story.journal.read_entries(), {}, URL)
    assert [state.incident for state in listed] == ["INC-1", "INC-2"]
