# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state file is complete, private, and refused if damaged; each transition is emitted once (interface 6)."""

from __future__ import annotations

import itertools
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import Settings
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.state import (
    PendingHealth,
    StateError,
    StateFile,
    WatchedInstance,
    WatchState,
    find_transitions,
    take_snapshot,
)

KEY = "oc_live_test_0123456789"
SETTINGS = Settings("https://clawhosters.com/api/v1", KEY)
ITEM = {"id": 1, "name": "wéb-bot", "health_status": "unhealthy"}
TRANSITIONS = find_transitions({}, [ITEM], 5.0)[0]
STATE = WatchState(
    {
        "1": WatchedInstance(ITEM, PendingHealth({**ITEM, "health_status": "healthy"}, 1.5, 2.5)),
        "2": WatchedInstance({"id": 2}),
    },
    TRANSITIONS,
)


def fail(*_arguments, **_options):
    raise OSError(28, "No space left on device")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "watch.json"


@pytest.fixture
def file(path):
    file = StateFile(str(path), SETTINGS)
    with file.locked():
        yield file


def test_a_written_state_is_read_back_and_private(file, path):
    assert file.read() == WatchState(None, [])
    for one in (STATE, WatchState({}, []), WatchState(take_snapshot([ITEM]), [])):
        file.write(one)
        assert file.read() == one
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["watch.json", "watch.json.lock"]


@given(st.data())
def test_a_truncated_file_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "watch.json"
    file = StateFile(str(path), SETTINGS)
    file.write(STATE)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(StateError, match="damaged or not a state file"):
        file.read()


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        "7",
        "[" * 100_000,
        '{"format": 2, "owner": "", "instances": [], "untold": []}',
        '{"format": 1, "owner": "", "instances": [{"item": [], "waiting": null}], "untold": []}',
        '{"format": 1, "owner": "", "instances": [], "untold": [7]}',
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_invalid_content_is_refused(file, path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StateError, match="Move it away to start from the current fleet"):
        file.read()


EVENTS = [{"clawhosters": {"event": "appeared", "at": str(number)}} for number in range(12)]


def test_deliveries_are_recorded_after_the_state(file, path):
    file.write(WatchState({}, EVENTS))
    content = path.read_bytes()
    for count in (0, 1, 1, 3, 12):
        file.record_delivery(count)
        assert path.read_bytes().startswith(content)
        assert file.read() == WatchState({}, EVENTS[count:])
    file.write(STATE)
    assert file.read() == STATE


@given(st.data())
def test_what_a_crash_of_the_machine_leaves_repeats_some_and_loses_none(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("crash") / "watch.json"
    file = StateFile(str(path), SETTINGS)
    file.write(WatchState({}, EVENTS))
    whole = len(path.read_bytes())
    delivered = data.draw(st.integers(0, 12))
    with file.locked():
        file.record_delivery(delivered)
    content = path.read_bytes()
    cut = data.draw(st.integers(whole, len(content)))
    path.write_bytes(content[:cut] + data.draw(st.sampled_from([b"", bytes(len(content) - cut), bytes(9)])))
    left = file.read().undelivered
    assert left == EVENTS[12 - len(left) :]
    assert len(left) >= 12 - delivered


@pytest.mark.parametrize("other", [Settings(SETTINGS.api_url, "oc_live_other"), Settings("https://a.example", KEY)])
def test_a_file_of_another_service_or_key_is_refused(file, path, other):
    file.write(STATE)
    with pytest.raises(StateError, match="belongs to another api_url or API key"):
        StateFile(str(path), other).read()


def test_a_failed_write_leaves_the_previous_state(path, file, monkeypatch):
    file.write(STATE)
    for name in ("fsync", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(StateError, match="No space left"):
                file.write(WatchState({}, []))
        assert file.read() == STATE
    # A draft that a crash left is replaced.
    (path.parent / ".watch.json.draft").write_text("{", encoding="utf-8")
    file.write(WatchState({}, []))
    assert file.read() == WatchState({}, [])


def test_a_file_or_folder_of_another_user_is_refused(path, file, owners):
    file.write(STATE)
    owners.give(path)
    with pytest.raises(StateError, match=r"watch.json belongs to another user \(uid \d+\)"):
        file.read()
    owners.give(path, to=os.geteuid())
    owners.give(path.parent)
    for use in (file.read, lambda: file.write(WatchState({}, [])), StateFile(str(path), SETTINGS).locked().__enter__):
        with pytest.raises(StateError, match=r"since they own or can write to .*folder. Use a file"):
            use()


# Every transition is emitted once, in a stable order (interface 6)

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
                assert (followed[number].get(field) or "") == (item.get(field) or "")


def test_case_and_missing_fields_are_no_change():
    snapshot = take_snapshot([instance(1)])
    for poll in (
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
