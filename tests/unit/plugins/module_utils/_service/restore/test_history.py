# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of what the journal says about the restores of an instance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import (
    RestoreHistory,
    is_under_way,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)

SERVICE = "https://clawhosters.com/api/v1"
NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)


def restored(incident, instance_id, hours_ago, *, name="web-bot", service=SERVICE, kind="restore"):
    """Returns an item of the states: a completed restore."""
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    state = OperationState(OperationEvent.COMPLETED, at, at, {"backup_id": 11, "instance_name": name})
    return OperationKey(kind, service, incident, instance_id), state


def build(*items):
    # The URL is normalized, as in the journal.
    return RestoreHistory(f"{SERVICE}/", "INC-1", dict(items))


def test_own_restores_are_found_by_id_or_by_the_name_that_the_instance_had():
    history = build(
        restored("INC-1", "1", 3),
        restored("INC-1", "2", 2, name="shop-bot"),
        restored("INC-1", "3", 1),
        restored("INC-1", "1", 0, service="https://other.example"),
        restored("INC-1", "1", 0, kind="purchase"),
    )
    assert history.find_own(1).sent_at.startswith("2026-02-03T07")
    assert history.find_own(2, "web-bot").notes["instance_name"] == "shop-bot"
    assert history.find_own(None, "web-bot").sent_at.startswith("2026-02-03T09")
    assert (history.find_id("web-bot"), history.find_id("shop-bot"), history.find_id("news-bot")) == (3, 2, None)
    assert history.find_own(None, "news-bot") is history.find_own(7) is history.find_own() is None


def test_restores_for_other_incidents_are_found_newest_first():
    history = build(
        restored("INC-1", "1", 1),
        restored("inc-1", "1", 3),
        restored("INC-T", "1", 2),
        restored("INC-OLD", "1", 25),
        restored("INC-T", "2", 1),
    )
    found = history.find_others(1, NOW - timedelta(days=1))
    assert [other.incident for other in found] == ["INC-T", "inc-1"]


ACCEPTED, UNCLEAR, INTENDED = OperationEvent.ACCEPTED, OperationEvent.UNCLEAR, OperationEvent.INTENDED
MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("event", "age", "was_busy", "expected"),
    [
        (ACCEPTED, 24 * 60 * MINUTES, False, True),
        (INTENDED, timedelta(0), False, False),
        *((event, age * MINUTES, True, True) for event in (UNCLEAR, INTENDED) for age in (-5, 0, 15)),
        *((event, age * MINUTES, True, False) for event in (UNCLEAR, INTENDED) for age in (-5.1, 15.1, 24 * 60)),
    ],
)
def test_an_unknown_recent_restore_of_a_busy_instance_is_under_way(event, age, was_busy, expected):
    # Any offset: the journal may have been written elsewhere.
    sent_at = (NOW - age).astimezone(timezone(timedelta(hours=2))).isoformat()
    assert is_under_way(OperationState(event, sent_at, sent_at, {}), NOW, was_busy=was_busy) is expected
