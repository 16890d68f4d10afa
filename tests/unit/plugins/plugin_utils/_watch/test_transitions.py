# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every transition is found once, in a stable order; a snapshot is kept whole (interface 6)."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.transitions import (
    PendingHealth,
    WatchedInstance,
    find_transitions,
    parse_snapshot,
)


def test_a_snapshot_is_parsed_as_it_was_formatted():
    resource = {"id": 1, "name": "w\u00e9b-bot\0", "health_status": "unhealthy"}
    pending = PendingHealth({**resource, "health_status": "healthy"}, 1.5, 2.5)
    snapshot = {"1": WatchedInstance(resource, pending), "2": WatchedInstance({"id": 2})}
    for one in (snapshot, {}):
        assert parse_snapshot(json.dumps(one)) == one
    assert json.dumps(snapshot).isascii()
    assert "\0" not in json.dumps(snapshot)


@pytest.mark.parametrize("text", ["{", " ", "[]", "7", '{"1": 7}', '{"1": [7, null]}', '{"1": [{}, [{}, "x", 1]]}'])
def test_what_is_no_snapshot_is_refused(text):
    with pytest.raises(ValueError, match="not a snapshot"):
        parse_snapshot(text)


ITEMS = st.fixed_dictionaries(
    {"id": st.integers(1, 8)},
    optional={
        "status": st.sampled_from(["running", "stopped", "deleting", None]),
        "health_status": st.sampled_from(["healthy", "unhealthy", "unknown", None]),
        "name": st.sampled_from(["web-bot", "shop-bot"]),
    },
)
POLLS = st.lists(ITEMS, max_size=8, unique_by=lambda item: item["id"])


def instance(number=1, health="healthy", **fields):
    return {"id": number, "status": "running", "health_status": health, **fields}


def take_snapshot(instances):
    events, snapshot = find_transitions(None, instances, 0.0)
    assert events == []
    return snapshot


def kinds_and_ids(events):
    return [(event["clawhosters"]["event"], event["clawhosters"]["instance"]["id"]) for event in events]


def reported_healths(healths, times, **options):
    """Returns the reported changes, as (time, health), of an instance with these healths, one per poll."""
    snapshot = take_snapshot([instance(health=healths[0])])
    changes = []
    for health, now in zip(healths[1:], times[1:], strict=True):
        events, snapshot = find_transitions(snapshot, [instance(health=health)], now, **options)
        changes += [(now, event["clawhosters"]["instance"]["health_status"]) for event in events]
    return changes


def test_transitions_contain_the_instance_after_and_before():
    snapshot = take_snapshot([instance(1), instance(2)])
    events, snapshot = find_transitions(snapshot, [instance(1, "unhealthy", status="error"), instance(3)], 0.0)
    assert [event["clawhosters"] for event in events] == [
        {"event": kind, "instance": is_now, "previous": was, "at": "1970-01-01T00:00:00.000Z"}
        for kind, is_now, was in (
            ("status_changed", instance(1, "unhealthy", status="error"), instance(1)),
            ("health_changed", instance(1, "unhealthy", status="error"), instance(1)),
            ("disappeared", instance(2), instance(2)),
            ("appeared", instance(3), None),
        )
    ]


@given(POLLS, POLLS, st.randoms())
def test_transitions_are_emitted_once_and_sorted_by_id(first, second, order):
    snapshot = take_snapshot(first)
    events, after = find_transitions(snapshot, second, 1.0)
    shuffled = order.sample(second, len(second))
    assert find_transitions(snapshot, shuffled, 1.0) == (events, after)
    assert find_transitions(after, shuffled, 2.0)[0] == []
    ids = [number for _kind, number in kinds_and_ids(events)]
    assert ids == sorted(ids)


@given(st.lists(POLLS, min_size=1, max_size=5))
def test_applying_all_transitions_gives_the_fleet(polls):
    first = polls[0]
    snapshot = take_snapshot(first)
    followed = {item["id"]: item for item in first}
    shown = {item["id"]: dict(item) for item in first}
    for now, poll in enumerate(polls[1:]):
        events, snapshot = find_transitions(snapshot, poll, float(now))
        for event in (event["clawhosters"] for event in events):
            if event["event"] == "disappeared":
                del followed[event["instance"]["id"]]
            else:
                followed[event["instance"]["id"]] = event["instance"]
        # Missing fields keep their last value.
        shown = {
            item["id"]: {**shown.get(item["id"], {}), **{name: value for name, value in item.items() if value}}
            for item in poll
        }
        assert followed.keys() == shown.keys()
        for number, item in shown.items():
            for field in ("status", "health_status"):
                assert (followed[number].get(field) or item.get(field) or "") == (item.get(field) or "")


def test_case_and_missing_fields_are_no_change():
    snapshot = take_snapshot([{"id": 1}])
    for poll in (
        instance(1),
        instance(1, "HEALTHY", status=" Running"),
        {"id": 1},
        instance(1, None, status=None),
        instance(1, name="renamed"),
        instance("1"),
    ):
        events, snapshot = find_transitions(snapshot, [poll], 0.0)
        assert events == []
    assert kinds_and_ids(find_transitions(snapshot, [instance(1, "unhealthy")], 0.0)[0]) == [("health_changed", 1)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), min_size=1, max_size=20), st.integers(0, 100))
def test_only_lasting_healths_are_reported(steps, stays_for):
    healths = [health for health, _pause in steps]
    times = list(itertools.accumulate(float(pause) for _health, pause in steps))
    expected = []
    last_reported = healths[0]
    for number, health in enumerate(healths[1:], start=1):
        begin = number
        while healths[begin - 1] == health and begin > 1:
            begin -= 1
        if health != last_reported and times[number] - times[begin] >= stays_for:
            last_reported = health
            expected.append((times[number], health))
    assert reported_healths(healths, times, health_stays_for=stays_for) == expected


def test_a_gap_between_polls_restarts_the_time():
    healths = ["healthy", "unhealthy", "unhealthy", "unhealthy", "unhealthy"]
    options = {"health_stays_for": 60, "max_gap": 60}
    # A long outage, and a clock that is set back.
    assert reported_healths(healths, [0, 10, 500, 530, 560], **options) == [(560, "unhealthy")]
    assert reported_healths(healths, [1000, 1010, 500, 530, 560], **options) == [(560, "unhealthy")]
