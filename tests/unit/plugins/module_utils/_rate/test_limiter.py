# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate limiter alone, and with simulated workers against services with several kinds of rate limit windows."""

from __future__ import annotations

import copy
import json
import math
import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.headers import MAX_DELAY, Window
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import (
    MAX_SLEEP,
    RESERVED_FRACTION,
    Priority,
    QueuedRequest,
    RateLimiter,
    RequestOutcome,
)
from support.rate_simulation import EPOCH, Service, Simulation, Worker


@pytest.mark.parametrize("limit", [30, 100])
@pytest.mark.parametrize("kind", ["from the first request", "by the clock"])
@pytest.mark.parametrize("latency", [0.002, 0.05])
def test_fifty_workers_are_never_refused_and_lose_next_to_no_time(limit: int, kind: str, latency: float) -> None:
    service = Service(limit, kind=kind)
    simulation = Simulation(service, latency)
    limiter = RateLimiter()
    for number in range(50):
        simulation.worker(f"fork-{number}", limiter, 6)
    seconds = simulation.run()
    assert simulation.done == 300
    assert service.on_429 == 0
    floor = (math.ceil(300 / limit) - 1) * service.length
    assert seconds <= 1.1 * floor + 300 / 50 * 2 * latency


@pytest.mark.parametrize("kind", ["from the first request", "by the clock", "sliding"])
@pytest.mark.parametrize("told", ["rounded up", "cut", "exactly", "as a sum that is over", "not at all"])
def test_whatever_the_service_counts_and_tells_all_is_sent(kind: str, told: str) -> None:
    service = Service(kind=kind, told=told)
    simulation = Simulation(service)
    limiter = RateLimiter()
    for number in range(10):
        simulation.worker(f"fork-{number}", limiter, 12)
    simulation.run()
    assert simulation.done == 120
    if told in ("rounded up", "exactly"):
        assert service.on_429 == 0
    if told == "cut":
        # The limiter learns it from the first window whose reset time is too early.
        assert service.on_429 <= 1


@pytest.mark.parametrize("limit", [30, 100])
@pytest.mark.parametrize("kind", ["from the first request", "by the clock"])
def test_two_who_know_nothing_of_each_other_share_a_key(limit: int, kind: str) -> None:
    service = Service(limit, kind=kind)
    simulation = Simulation(service)
    for limiter in [RateLimiter(), RateLimiter()]:
        for number in range(50):
            simulation.worker(f"fork-{number}", limiter, 3)
    seconds = simulation.run()
    windows = math.ceil(300 / limit)
    assert simulation.done == 300
    assert service.on_429 <= 3 * windows  # each learns only from responses what the other has sent
    assert seconds <= 1.25 * (windows - 1) * service.length


def test_those_refused_together_are_refused_once() -> None:
    limiter = RateLimiter(unmetered_until=10.0)
    for number in range(20):
        assert limiter.acquire(f"fork-{number}", 0.0, 30.0) == 0
    for number in range(20):
        limiter.on_429(f"fork-{number}", 0.1, None)
    assert limiter.resets_at - 0.1 <= 2.0


def test_one_answer_without_headers_does_not_wipe_out_what_is_known() -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    limiter.on_response("first", 0.1, Window(3, 60.0, 100), is_success=True)
    limiter.acquire("second", 0.2, 30.0)
    limiter.on_response("second", 0.3, None, is_success=True)
    assert limiter.remaining == 2
    assert limiter.unmetered_until == 0.0


HEADERS = {"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "20"}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (RequestOutcome(sent=False), {"remaining": 5, "resets_at": 60.0}),
        (RequestOutcome(sent=True), {"remaining": 4, "resets_at": 60.0}),
        (RequestOutcome(True, 429, HEADERS), {"remaining": 0, "resets_at": 21.0, "rejections": 1}),
        (RequestOutcome(True, 429, {"Retry-After": "9"}), {"remaining": 0, "resets_at": 10.0, "rejections": 1}),
        (RequestOutcome(True, 503, {"Retry-After": "9"}), {"remaining": 4, "resets_at": 60.0}),
        (RequestOutcome(True, 200, HEADERS), {"remaining": 7, "resets_at": 21.0}),
    ],
)
def test_each_end_of_a_request_counts_as_what_it_tells(outcome: RequestOutcome, expected: dict[str, t.Any]) -> None:
    limiter = RateLimiter(remaining=5, resets_at=60.0, window_size=100)
    assert limiter.acquire("one", 0.5, 30.0) == 0
    limiter.record("one", outcome, 1.0)
    assert {name: getattr(limiter, name) for name in expected} == expected
    assert limiter.rejections == expected.get("rejections", 0)
    assert not limiter.in_flight


def test_a_clock_that_was_set_back_leaves_no_time_of_the_future() -> None:
    limiter = RateLimiter(low_sent_at=101.5, normal_sent_at=101.5, unmetered_until=162.0, probing_since=102.0)
    limiter.high_runs = {"run": 101.5}
    limiter.acquire("one", 100.0, 130.0, Priority.HIGH)
    assert (limiter.low_sent_at, limiter.normal_sent_at, limiter.unmetered_until) == (0.0, 0.0, 0.0)
    assert (limiter.probing_since, limiter.high_runs) == (100.0, {})


def test_a_probe_that_nobody_waits_for_any_more_begins_anew() -> None:
    """The time of the first probe says how long the service has been silent. A minute later it says nothing."""
    for since, kept in ((40.0, 40.0), (39.0, 100.0), (101.0, 101.0)):
        limiter = RateLimiter(probing_since=since)
        limiter.acquire("one", 100.0, 130.0)
        assert limiter.probing_since == kept


def test_a_429_that_says_nothing_of_time_is_met_with_ever_longer_pauses() -> None:
    limiter = RateLimiter()
    pauses, waits = [], []
    now = 0.0
    for _refusal in range(8):
        assert limiter.acquire("one", now, now + 30) == 0
        limiter.on_429("one", now, None)
        pauses.append(limiter.acquire("other", now, now + 30))
        limiter.queue.clear()
        waits.append(limiter.resets_at - now)
        now = limiter.resets_at
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0]
    limiter.acquire("one", now, now + 30)
    limiter.on_response("one", now, Window(9, now + 60, 10), is_success=True)
    limiter.on_429("one", now, None)
    assert limiter.resets_at == now + 1.0


def room(limiter: RateLimiter, now: float) -> int:
    """Returns how many requests may be sent at once, up to twenty."""
    trial = copy.deepcopy(limiter)
    return sum(trial.acquire(f"trial-{number}", now, now + 30) == 0 for number in range(20))


@pytest.mark.parametrize("left", [0, 1, 2, 6])
def test_all_that_is_left_may_be_under_way_at_once(left: int) -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    limiter.on_response("first", 0.1, Window(left, 64.0, 100), is_success=True)
    assert room(limiter, 0.2) == left


def test_only_a_refusal_in_the_old_window_says_that_its_end_was_rounded() -> None:
    """If others spent the new window, the service asks to wait for more than a moment."""
    for retry_after, is_rounded in ((3.0, False), (1.0, True), (None, True)):
        limiter = RateLimiter()
        limiter.acquire("first", 0.0, 30.0)
        limiter.on_response("first", 0.1, Window(0, 3.0, 1), is_success=True)
        assert limiter.acquire("second", 3.1, 33.0) == 0
        limiter.on_429("second", 3.2, retry_after)
        assert limiter.is_reset_rounded is is_rounded


@pytest.mark.parametrize(("status", "lasts"), [(199, 2.0), (200, 60.0), (299, 60.0), (300, 2.0), (500, 2.0)])
def test_a_silent_service_is_asked_again_after_a_pause(status: int, lasts: float) -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    limiter.record("first", RequestOutcome(True, status), 0.0)
    assert room(limiter, lasts - 0.1) == 20
    assert room(limiter, lasts + 0.1) == 1


def test_after_a_refusal_one_goes_ahead_however_long_the_answer_took() -> None:
    limiter = RateLimiter()
    limiter.acquire("slow", 0.0, 30.0)
    limiter.on_429("slow", 20.0, 5.0)
    assert room(limiter, 24.9) == 0
    assert room(limiter, 25.0) == 1


def test_an_answer_that_was_overtaken_takes_nothing_back() -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    limiter.on_response("first", 0.1, Window(9, 64.0, 10), is_success=True)
    for number in range(3):
        limiter.acquire(f"fork-{number}", 0.2, 30.0)
    limiter.on_response("fork-2", 0.3, Window(6, 64.0, 10), is_success=True)
    limiter.on_response("fork-0", 0.4, Window(8, 64.0, 10), is_success=True)
    assert limiter.remaining == 6
    limiter.on_response("fork-1", 0.5, Window(2, 64.0, 10), is_success=True)
    assert limiter.remaining == 2


@pytest.mark.parametrize(("silent_for", "probes"), [(0.0, 1), (1.9, 1), (2.0, 2), (4.0, 4), (6.0, 8)])
def test_a_silent_service_gets_twice_as_many_probes_each_time(silent_for: float, probes: int) -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    assert room(limiter, silent_for) == probes - 1


@pytest.mark.parametrize(
    ("updated_at", "resets_at", "is_known"),
    [
        (101.0, 160.0, True),
        (101.1, 160.0, False),
        # The reset time may have been rounded down, and the clock of another machine be a second ahead.
        (100.0, 102.0 + MAX_DELAY, True),
        (100.0, 102.1 + MAX_DELAY, False),
    ],
)
def test_a_window_of_an_impossible_time_is_unknown(updated_at: float, resets_at: float, is_known: bool) -> None:
    limiter = RateLimiter(remaining=5, updated_at=updated_at, resets_at=resets_at)
    limiter.acquire("one", 100.0, 130.0)
    assert limiter.remaining == (5 if is_known else None)


@pytest.mark.parametrize(("window_size", "is_due"), [(9, False), (10, True)])
def test_a_window_of_ten_has_room_for_one_that_waits_since_the_last(window_size: int, is_due: bool) -> None:
    limiter = RateLimiter(remaining=1, updated_at=100.0, resets_at=160.0, window_size=window_size, opened_at=100.0)
    limiter.high_runs = {"run": 100.0}
    assert limiter.acquire("one", 99.9, 130.0) > 0
    assert limiter.waits_behind("one") == "a run of priority high"
    assert (limiter.acquire("one", 100.2, 130.0) == 0) is is_due


@pytest.mark.parametrize("name", ["updated_at", "resets_at", "unmetered_until", "rejections"])
@pytest.mark.parametrize("value", [True, math.nan, math.inf, "1", None])
def test_what_is_no_number_is_not_taken_for_one(name: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        RateLimiter.from_dict({**RateLimiter().as_dict(), name: value})


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_jumps_stops_nobody(jump: float) -> None:
    limiter = RateLimiter()
    limiter.acquire("first", EPOCH, EPOCH + 30)
    limiter.on_response("first", EPOCH, Window(0, EPOCH + 60, 100), is_success=True)
    limiter.acquire("waits", EPOCH, EPOCH + 30)
    assert limiter.acquire("after", EPOCH + jump, EPOCH + jump + 30) == 0


moments = st.floats(min_value=0, max_value=200)
windows = st.none() | st.builds(Window, st.integers(0, 200), st.floats(0, 300), st.none() | st.integers(0, 200))
steps = st.tuples(
    st.sampled_from(["ask", "answered", "refused", "lose", "never_sent"]),
    st.sampled_from("abcdef"),
    moments,
    windows,
    st.none() | st.floats(1, 65),
)


@given(st.lists(steps, max_size=40), st.booleans())
def test_whatever_happened_somebody_may_send_before_long(history: list[tuple[t.Any, ...]], is_sorted: bool) -> None:
    """No sequence of events leads to an endless wait, and every state survives a round trip to JSON."""
    limiter = RateLimiter()
    for step, who, moment, window, wait in sorted(history, key=lambda step: step[2]) if is_sorted else history:
        match step:
            case "ask":
                assert 0 <= limiter.acquire(who, moment, moment + 30) <= MAX_SLEEP
            case "answered":
                limiter.on_response(who, moment, window, is_success=True)
            case "refused":
                limiter.on_429(who, moment, wait)
            case "lose":
                limiter.mark_lost(who)
            case "never_sent":
                limiter.mark_unsent(who)
        written = json.loads(json.dumps(limiter.as_dict()))
        assert RateLimiter.from_dict(written) == limiter
        limiter = RateLimiter.from_dict(written)
    now = begun = max([0.0, *(step[2] for step in history)])
    while pause := limiter.acquire("newcomer", now, now + 30):
        now += pause
    assert now - begun < 120


json_values: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(RateLimiter().as_dict())), json_values) | json_values)
def test_state_that_is_no_limiter_is_rejected(kept: t.Any) -> None:
    whole = {**RateLimiter().as_dict(), **kept} if isinstance(kept, dict) else kept
    try:
        limiter = RateLimiter.from_dict(whole)
    except (ValueError, TypeError, KeyError, OverflowError):
        return
    assert 0 <= limiter.acquire("newcomer", EPOCH, EPOCH + 30) <= MAX_SLEEP


# Priorities in the shared budget (interface 1): the order, what is reserved, and that nobody starves

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
    ("limit", "remaining", "left"), [(100, 40, 30), (None, 40, 36), (0, 40, 36), (7, 5, 4), (100, 10, 0)]
)
def test_the_reserve_is_a_tenth_of_the_limit_or_of_the_most_that_was_seen(
    limit: int | None, remaining: int, left: int
) -> None:
    limiter = limiter_with(remaining, limit=limit)
    assert count_allowed(limiter, NORMAL) == left
    assert count_allowed(limiter, LOW) == 0
    assert count_allowed(limiter, HIGH) == remaining - left


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


def test_low_is_no_further_probe_of_a_slow_service_while_anybody_waits() -> None:
    limiter = RateLimiter()
    limiter.acquire("first", 0.0, 30.0)
    limiter.queue["normal"] = QueuedRequest(9.0, NORMAL, 1.0)
    assert limiter.acquire("low", 8.0, 38.0, LOW) > 0
    assert limiter.acquire("normal", 8.0, 38.0) == 0
    assert limiter.acquire("low", 8.0, 38.0, LOW) == 0


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
