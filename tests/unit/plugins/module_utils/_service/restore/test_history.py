# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of what the journal says about the restores of an instance."""

from __future__ import annotations

from datetime import timedelta, timezone
from types import SimpleNamespace

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import (
    EarlierReport,
    RestoreHistory,
    is_recent,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import Rules
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.proven_backups import find_proofs
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_task import RestoreTask
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
    OperationState,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event, read_state
from support.accounts import NOW, SERVICE


def restored(
    incident, instance_id, hours_ago, *, service=SERVICE, kind="restore", event="completed", position=1, **facts
):
    """Returns an item of the states: a completed restore, or one with another last event."""
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    state = OperationState(OperationEvent(event), at, at, {"backup_id": 11, **facts}, position=position)
    return OperationKey(kind, service, incident, instance_id), state


def build(*items):
    # The URL is normalized, as in the journal.
    return RestoreHistory(f"{SERVICE}/", "INC-1", dict(items), read_at=NOW)


def test_own_restores_are_found_by_id():
    history = build(
        restored("INC-1", "1", 3),
        restored("INC-1", "2", 2, instance_name="shop-bot"),
        restored("INC-1", "3", 1),
        restored("INC-1", "1", 0, service="https://other.example"),
        restored("INC-1", "1", 0, kind="purchase"),
    )
    assert history.find_own(1).sent_at.startswith("2026-02-03T07")
    assert history.find_own(2).facts["instance_name"] == "shop-bot"
    assert history.find_own(7) is None


def test_restores_for_other_incidents_are_found_newest_first():
    history = build(
        restored("INC-1", "1", 1, position=9),
        restored("inc-1", "1", 2, position=3),
        restored("INC-T", "1", 3, position=6),
        restored("INC-OLD", "1", 25),
        restored("INC-T", "2", 1),
    )
    others = history.find_others(1)
    assert [other.incident for other in others] == ["INC-T", "inc-1", "INC-OLD"], "by their positions"
    assert [history.find_others(1, after=position) for position in (1, 3, 6)] == [others[:2], others[:1], []]
    assert history.find_recent(1, timedelta(days=1)) == others[:2]
    assert history.find_recent(1, timedelta(hours=2)) == others[1:2]


def test_a_time_that_lies_ahead_counts_for_no_period():
    year = 24 * 365
    history = build(restored("INC-2", "1", -year, position=2), restored("INC-3", "1", -year))
    assert (history.find_recent(1, timedelta(days=400)), history.find_recent(1, timedelta(0))) == ([], [])


@pytest.mark.parametrize(
    ("event", "hours", "status", "is_found"),
    [
        ("accepted", 0.2, "running", True),
        ("accepted", 0.3, "deploying", False),
        ("accepted", -0.3, "running", True),  # its time lies ahead
        ("unclear", 0.2, "running", False),
        ("unclear", 0.2, "deploying", True),
        ("unclear", 0.3, "deploying", False),
        ("completed", 0.2, "deploying", False),
    ],
)
def test_a_restore_whose_end_is_still_to_come_is_found(event, hours, status, is_found):
    found = build(restored("INC-T", "1", hours, event=event)).find_unfinished({"id": 1, "status": status})
    assert (found and found.incident) == ("INC-T" if is_found else None)
    assert build(restored("INC-1", "1", hours, event=event)).find_unfinished({"id": 1, "status": status}) is None


@pytest.mark.parametrize(
    ("earlier", "status", "found"),
    [("accepted", "running", "INC-A"), ("accepted", "deploying", "INC-B"), ("completed", "running", None)],
)
@pytest.mark.parametrize("event", ["intended", "unclear"])
def test_an_unknown_restore_hides_no_accepted_one_before_it(event, earlier, status, found):
    history = build(
        restored("INC-OLD", "1", 0.15, event="accepted", position=1),
        restored("INC-A", "1", 0.1, event=earlier, position=3),
        restored("INC-B", "1", 0.05, event=event, position=6),
    )
    unfinished = history.find_unfinished({"id": 1, "status": status})
    assert (unfinished and unfinished.incident) == found


def test_a_backup_is_proven_by_the_newest_restore_that_ended_healthy():
    history = build(
        restored("INC-1", "1", 30, healthy=True, position=1),
        restored("INC-2", "1", 20, healthy=True, position=3),
        restored("INC-3", "1", 10, position=6),
        restored("INC-1", "2", 10),
        restored("INC-1", "3", 10, healthy=True, service="https://other.example"),
        restored("INC-1", "4", 10, healthy=True, event="accepted"),
    )
    assert find_proofs(history.states, f"{SERVICE}/", NOW) == {1: NOW - timedelta(hours=20)}


@pytest.mark.parametrize(("minutes", "expected"), [(-5.1, False), (-5, True), (0, True), (15, True), (15.1, False)])
def test_a_restore_may_be_under_way_for_a_quarter_of_an_hour(minutes, expected):
    # Any offset: the journal may have been written elsewhere.
    sent_at = (NOW - timedelta(minutes=minutes)).astimezone(timezone(timedelta(hours=2))).isoformat()
    assert is_recent(sent_at, NOW) is expected


def test_a_report_does_not_count_for_what_was_refused(tmp_path):
    journal, client = Journal(FolderStore(str(tmp_path))), SimpleNamespace(settings=SimpleNamespace(api_url=SERVICE))
    key = OperationKey("restore", SERVICE, "INC-1", "1")
    append_event(journal, key, OperationEvent.INTENDED)
    sent_at = read_state(journal, key).sent_at
    append_event(journal, key, OperationEvent.REFUSED)
    report = EarlierReport("INC-1.json", "state", {"1": sent_at, "2": sent_at})
    task = RestoreTask(client, journal, "INC-1", Rules(), pytest.fail, lambda: report)
    assert task.read_history([1, 2]).earlier_report.sent_at == {"2": sent_at}
