# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Priorities in the shared budget (interface 1): the order, what is reserved, and that nobody starves."""

from __future__ import annotations

import math
import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.headers import MAX_DELAY, Window
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import (
    RESERVED_FRACTION,
    RUN_TTL,
    Place,
    Priority,
    QueuedRequest,
    RateLimiter,
    describe_higher,
    find_due,
    find_place,
)
from support.rate_simulation import Service, Simulation, Worker

HIGH, NORMAL, LOW = Priority
LENGTH = 3.0
LATENCY = 0.01


@dataclass
class Observer:
    """Checks each request that the limiter allows, and counts them by window of the service."""

    limiter: RateLimiter = field(default_factory=RateLimiter)
    sent: dict[int, Counter[Priority]] = field(default_factory=lambda: defaultdict(Counter))
    overtakes: Counter[int] = field(default_factory=Counter)
    """For each window, how many ``low`` requests were sent while others waited."""
    normal_overtakes: Counter[int] = field(default_factory=Counter)
    """For each window, how many ``normal`` requests were sent without room for those of priority ``high`` too."""
    low_waits: list[tuple[float, float]] = field(default_factory=list)
    """From when until when each ``low`` request waited."""

    def __call__(self, worker: Worker, asked_at: float, now: float) -> None:
        window = int((now + LATENCY / 2) // LENGTH)
        self.sent[window][worker.priority] += 1
        higher = sum(request.priority < worker.priority for request in self.limiter.queue.values())
        if worker.priority == LOW:
            self.overtakes[window] += higher > 0
            self.low_waits.append((asked_at, now))
        elif higher and worker.priority == NORMAL and self.limiter.window_size >= RESERVED_FRACTION:
            self.normal_overtakes[window] += len(self.limiter.in_flight) + higher > (self.limiter.remaining or 0)
        elif higher:
            # There must be room for all that go first.
            assert now < self.limiter.resets_at
            assert len(self.limiter.in_flight) + higher <= (self.limiter.remaining or 0)

    def simulation(self, limit: int) -> Simulation:
        """Returns a simulation without workers, against a service whose windows follow the clock."""
        return Simulation(Service(limit, LENGTH, kind="by the clock"), LATENCY, on_send=self)

    @property
    def totals(self) -> list[int]:
        """The number of requests in each window."""
        return [sum(counts.values()) for _window, counts in sorted(self.sent.items())]


workers = st.lists(
    st.tuples(
        st.sampled_from(Priority),
        st.integers(1, 12),  # requests
        st.floats(0, 4),  # start
        st.sampled_from([0.0, 0.0, 0.05, 1.0, 4.0]),  # pause between two requests
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60)
@given(st.integers(2, 30), workers)
def test_in_any_mix_high_goes_first_and_low_is_never_left_out(limit: int, mix: list[tuple[t.Any, ...]]) -> None:
    observer = Observer()
    simulation = observer.simulation(limit)
    for number, (priority, requests, start, pause) in enumerate(mix):
        simulation.worker(f"w{number}", observer.limiter, requests, start=start, priority=priority, pause=pause)
    simulation.run()
    assert simulation.service.on_429 == 0
    assert simulation.done == sum(requests for _priority, requests, _start, _pause in mix)
    assert max(observer.overtakes.values(), default=0) <= 1
    assert max(observer.normal_overtakes.values(), default=0) <= 1
    for begin, end in observer.low_waits:
        for window in range(math.floor(begin / LENGTH) + 1, math.floor(end / LENGTH)):
            assert observer.sent[window][LOW] >= 1


@settings(max_examples=30)
@given(st.integers(2, 30), st.lists(st.sampled_from([NORMAL, LOW]), min_size=4, max_size=14))
def test_without_a_high_run_nothing_is_held_back(limit: int, mix: list[Priority]) -> None:
    observer = Observer()
    simulation = observer.simulation(limit)
    for number, priority in enumerate(mix):
        simulation.worker(f"w{number}", observer.limiter, 10, priority=priority)
    simulation.run()
    assert set(observer.totals[:-2]) <= {limit}
    assert len(observer.totals) == math.ceil(len(mix) * 10 / limit)


@pytest.mark.parametrize(("limit", "reserved"), [(5, 1), (10, 1), (19, 1), (20, 2), (100, 10)])
@pytest.mark.parametrize("priority", [NORMAL, LOW])
def test_while_a_high_run_is_active_the_others_leave_it_a_tenth(limit: int, reserved: int, priority: Priority) -> None:
    observer = Observer()
    simulation = observer.simulation(limit)
    simulation.worker("high", observer.limiter, 3, priority=HIGH, pause=7.0)
    for number in range(10):
        simulation.worker(f"w{number}", observer.limiter, limit, priority=priority)
    simulation.run()
    # Requests of the run at 0, 7 and 14 s, and 10 s for which it still counts as active: 24 s, of windows of 3 s.
    others = [counts[priority] for _window, counts in sorted(observer.sent.items())]
    assert others[1:7] == [limit - reserved] * 6
    assert limit in others[8:]
    assert simulation.service.on_429 == 0


def limiter_with(remaining: int, *, limit: int | None = 100, resets_at: float = 60.0) -> RateLimiter:
    """Returns a limiter after a first response at the time 0.1, with a run of priority ``high``."""
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    limiter.on_response("first", 0.1, Window(remaining, resets_at, limit), is_success=True)
    limiter.high_runs["run"] = 0.1
    return limiter


def count_allowed(limiter: RateLimiter, priority: Priority, now: float = 0.2) -> int:
    """Sends requests of this priority as long as they are allowed, and returns how many were."""
    count = 0
    while not limiter.acquire(f"{priority.word}-{count}", now, now + 30, priority):
        count += 1
    del limiter.queue[f"{priority.word}-{count}"]
    return count


@pytest.mark.parametrize(
    ("limit", "remaining", "left"), [(100, 40, 30), (None, 40, 36), (0, 40, 36), (None, 5, 4), (7, 5, 4), (100, 10, 0)]
)
def test_the_reserve_is_a_tenth_of_the_limit_or_of_the_most_that_was_seen(
    limit: int | None, remaining: int, left: int
) -> None:
    limiter = limiter_with(remaining, limit=limit)
    assert count_allowed(limiter, NORMAL) == left
    assert count_allowed(limiter, LOW) == 0
    assert count_allowed(limiter, HIGH) == remaining - left


def test_the_reserve_ends_with_the_run_or_some_time_after_its_last_request() -> None:
    limiter = limiter_with(5)
    assert count_allowed(limiter, NORMAL, 0.1 + RUN_TTL - 0.01) == 0
    assert count_allowed(limiter, NORMAL, 0.1 + RUN_TTL + 0.01) == 5
    limiter = limiter_with(5)
    del limiter.high_runs["run"]
    assert count_allowed(limiter, NORMAL) == 5


def test_who_waits_for_the_end_of_a_reserve_checks_rarely() -> None:
    limiter = limiter_with(5)
    assert limiter.acquire("normal", 0.2, 30.0) >= 1
    assert limiter.waits_behind("normal") == "a run of priority high"


def test_a_high_request_overtakes_those_that_wait_for_the_next_window() -> None:
    limiter = limiter_with(0, resets_at=3.0)
    for name, priority in [("low", LOW), ("normal", NORMAL), ("high", HIGH)]:
        assert limiter.acquire(name, 0.2, 30.0, priority) > 0
    limiter.high_runs.clear()
    assert limiter.waits_behind("high") == ""
    assert limiter.waits_behind("normal") == "1 request of priority high"
    assert limiter.waits_behind("low") == "1 request of priority high and 1 request of priority normal"
    for name in ("low", "normal"):
        assert 0 < limiter.acquire(name, 3.0, 33.0, limiter.queue[name].priority) < 0.1
    assert limiter.acquire("high", 3.0, 33.0, HIGH) == 0


def test_low_waits_while_anybody_waits_even_if_there_is_room() -> None:
    limiter = limiter_with(50)
    limiter.high_runs.clear()
    limiter.queue["normal"] = QueuedRequest(5.0, NORMAL, 0.15)
    assert limiter.acquire("low", 0.2, 30.0, LOW) > 0
    assert limiter.acquire("normal", 0.2, 30.0) == 0
    assert limiter.acquire("low", 0.2, 30.0, LOW) == 0


def test_low_is_no_further_probe_of_a_slow_service_while_anybody_waits() -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    limiter.queue["normal"] = QueuedRequest(9.0, NORMAL, 1.0)
    assert limiter.acquire("low", 8.0, 38.0, LOW) > 0
    assert limiter.acquire("normal", 8.0, 38.0) == 0
    assert limiter.acquire("low", 8.0, 38.0, LOW) == 0


def test_a_low_request_that_waited_for_the_window_gets_one_of_it() -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    for name in ("low-1", "low-2"):
        assert limiter.acquire(name, 0.05, 30.0, LOW) > 0
    limiter.on_response("first", 0.1, Window(2, 60.0, 3), is_success=True)
    # One of the two that are left is kept for it, even from others of a higher priority.
    assert limiter.acquire("high-1", 0.2, 30.0, HIGH) == 0
    assert limiter.acquire("high-2", 0.2, 30.0, HIGH) > 0
    assert limiter.acquire("low-2", 0.2, 30.0, LOW) > 0
    assert limiter.acquire("low-1", 0.2, 30.0, LOW) == 0
    limiter.mark_unsent("high-1")
    assert limiter.acquire("low-2", 0.2, 30.0, LOW) > 0
    assert limiter.acquire("high-2", 0.2, 30.0, HIGH) == 0


def test_a_low_request_is_not_starved_by_sliding_or_narrow_windows() -> None:
    limiter = limiter_with(0)
    waits_since, now = 0.2, 0.2
    sent = False
    while not sent:
        assert now < waits_since + MAX_DELAY + 2
        limiter.acquire(f"high-{now}", now, now + 30, HIGH)
        sent = not limiter.acquire("low", now, now + 30, LOW)
        now += 0.5
        for request_id in list(limiter.in_flight):
            limiter.on_response(request_id, now, Window(0, now + 0.4, 1), is_success=True)


queues = st.lists(st.sampled_from(Priority), max_size=8).map(
    lambda mix: {f"r{number}": QueuedRequest(9.0, priority, number) for number, priority in enumerate(mix)}
)


@given(queues, st.sampled_from(Priority))
def test_the_queue_is_served_by_priority_and_in_order(queue: dict[str, QueuedRequest], priority: Priority) -> None:
    joined = {**queue, "new": QueuedRequest(9.0, priority, 9.0)}
    order = sorted(joined, key=lambda name: joined[name].priority)  # stable
    for name, request in joined.items():
        place = find_place(joined, name, request.priority, ())
        assert place.ahead == order.index(name)
        assert place.must_yield is (request.priority == LOW and joined[order[0]].priority < LOW)
    # One that joins now is the last of its priority.
    assert find_place(queue, "new", priority, ()) == find_place(joined, "new", priority, ())


@given(queues, st.dictionaries(st.sampled_from([NORMAL, LOW]), st.integers(0, 9)), st.integers(0, 9))
def test_the_first_request_of_a_priority_is_due_once_a_window(
    queue: dict[str, QueuedRequest], sent_at: dict[Priority, float], opened_at: int
) -> None:
    firsts = [
        next((name for name, request in queue.items() if request.priority == priority), None) for priority in sent_at
    ]
    wanted = [
        name for name in queue if name in firsts and max(queue[name].since, sent_at[queue[name].priority]) < opened_at
    ]
    due = find_due(queue, sent_at, opened_at)
    assert due == wanted
    for index, name in enumerate(due):
        assert find_place(queue, name, queue[name].priority, due) == Place(index)
    assert find_place({name: queue[name] for name in due}, "high", HIGH, due).ahead == len(due)


def test_a_due_request_of_the_same_priority_counts_once() -> None:
    queue = {"due": QueuedRequest(9.0, NORMAL), "next": QueuedRequest(9.0, NORMAL)}
    assert find_place(queue, "next", NORMAL, ["due"]) == Place(1)


def test_normal_requests_are_not_starved_by_high_ones() -> None:
    observer = Observer()
    simulation = observer.simulation(20)
    for number in range(40):
        simulation.worker(f"high-{number}", observer.limiter, 10, priority=HIGH)
    simulation.worker("normal", observer.limiter, 5, priority=NORMAL)
    simulation.worker("low", observer.limiter, 5, priority=LOW)
    simulation.run()
    sent = [counts for _window, counts in sorted(observer.sent.items())]
    assert [counts[NORMAL] for counts in sent[1:5]] == [1] * 4
    assert [counts[LOW] for counts in sent[1:5]] == [1] * 4
    assert simulation.service.on_429 == 0


def test_what_is_ahead_is_described_in_words() -> None:
    queue = {name: QueuedRequest(9.0, priority) for name, priority in [("a", HIGH), ("b", NORMAL), ("c", LOW)]}
    assert [describe_higher(queue, name) for name in "abc"] == [
        "",
        "1 request of priority high",
        "1 request of priority high and 1 request of priority normal",
    ]
    queue["d"] = queue["a"]
    assert describe_higher(queue, "b") == "2 requests of priority high"
