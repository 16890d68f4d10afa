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

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.headers import Window
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import (
    GRACE,
    MAX_SLEEP,
    RUN_TTL,
    Priority,
    RateLimiter,
    RequestOutcome,
)
from support.rate_simulation import EPOCH, Service, Simulation, Worker

HIGH, NORMAL, LOW = Priority


def ask(limiter: RateLimiter, request: str, now: float, priority: Priority = NORMAL) -> float:
    """Returns the delay of a request that has waited."""
    return limiter.acquire(request, now, priority, has_waited=True).delay


def respond(limiter: RateLimiter, request: str, now: float, window: Window | None) -> None:
    limiter.advance(now)
    limiter.on_response(request, window, is_success=True)


def refuse(limiter: RateLimiter, request: str, now: float, retry_after: float | None) -> None:
    limiter.advance(now)
    limiter.on_429(request, retry_after)


def limiter_with(remaining: int, limit: int | None = 100, resets_in: float = 60.0) -> RateLimiter:
    """Returns a limiter after a first response at the time 0.1."""
    limiter = RateLimiter()
    ask(limiter, "first", 0.0)
    respond(limiter, "first", 0.1, Window(remaining, resets_in, limit))
    return limiter


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
@pytest.mark.parametrize("told", ["rounded up", "cut", "exactly", "by a cut clock", "not at all"])
def test_whatever_the_service_counts_and_tells_all_is_sent(kind: str, told: str) -> None:
    service = Service(kind=kind, told=told)
    simulation = Simulation(service)
    limiter = RateLimiter()
    for number in range(10):
        simulation.worker(f"fork-{number}", limiter, 12)
    simulation.run()
    assert simulation.done == 120
    if told in ("rounded up", "exactly", "by a cut clock"):
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
    assert service.on_429 <= 6 * windows  # each learns only from responses what the other has sent
    assert seconds <= 1.25 * (windows - 1) * service.length


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_none_waits_two_windows_longer_than_its_turn(pause: float) -> None:
    """No request is promised a place among those of its priority. But those that wait go before new ones."""
    sent: list[tuple[float, float]] = []
    simulation = Simulation(Service(30), on_send=lambda _worker, asked_at, now: sent.append((asked_at, now)))
    limiter = RateLimiter()
    for number in range(25):
        simulation.worker(f"fork-{number}", limiter, 40, pause=pause)
    simulation.run()
    turns = sorted(sent_at for _asked_at, sent_at in sent)
    beyond = [sent_at - turn for (_asked_at, sent_at), turn in zip(sorted(sent), turns, strict=True)]
    assert max(beyond) <= 2 * simulation.service.length


def test_those_refused_together_are_refused_once() -> None:
    limiter = RateLimiter(unmetered_until=10.0)
    for number in range(20):
        assert ask(limiter, f"fork-{number}", 0.0) == 0
    for number in range(20):
        refuse(limiter, f"fork-{number}", 0.1, None)
    assert limiter.resets_at - 0.1 <= 2.0


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
    assert ask(limiter, "one", 0.5) == 0
    limiter.record("one", outcome, 1.0, 0.0)
    assert {name: getattr(limiter, name) for name in expected} == expected
    assert limiter.rejections == expected.get("rejections", 0)
    assert not limiter.in_flight


def test_a_request_whose_process_ended_counts_as_sent_after_a_while() -> None:
    limiter = limiter_with(5)
    ask(limiter, "killed", 0.2)
    ask(limiter, "other", 10.1)
    assert limiter.in_flight == {"killed": 0.2, "other": 10.1}
    ask(limiter, "third", 10.3)
    assert limiter.in_flight == {"other": 10.1, "third": 10.3}
    assert limiter.remaining == 4


def test_a_request_that_was_overtaken_long_ago_is_in_flight_no_more() -> None:
    limiter = limiter_with(5)
    for request, now in (("killed", 0.2), ("slow", 1.0), ("answered", 5.5)):
        ask(limiter, request, now)
    respond(limiter, "answered", 5.6, Window(2, 54.0, 100))
    assert limiter.in_flight == {"slow": 1.0}
    assert limiter.remaining == 2


def test_a_window_ends_when_the_first_of_its_answers_says_so() -> None:
    """The clock of the service is cut to whole seconds: the end seems up to a second later than it is."""
    limiter = limiter_with(5, resets_in=30.0)
    for seconds, resets_at in ((30.9, 30.1), (29.0, 29.2), (29.9, 29.2)):
        ask(limiter, "one", 0.2)
        respond(limiter, "one", 0.2, Window(5, seconds, 100))
        assert limiter.resets_at == pytest.approx(resets_at)


def test_a_late_answer_tells_nothing_of_the_window_after_it() -> None:
    limiter = limiter_with(9, resets_in=2.9)
    for request, now in (("late", 2.9), ("probe", 3.0)):
        assert ask(limiter, request, now) == 0
    respond(limiter, "probe", 3.1, Window(99, 59.9, 100, 1063))
    respond(limiter, "late", 3.2, Window(0, 0.8, 100, 1003))
    assert (limiter.remaining, limiter.resets_at) == (99, 63.0)


@pytest.mark.parametrize(("left", "opened_at"), [(99, 3.4), (9, 0.0)], ids=["new", "sliding"])
def test_a_new_window_is_known_by_its_end_before_the_old_one_seems_over(left: int, opened_at: float) -> None:
    limiter = limiter_with(9, resets_in=3.9)
    ask(limiter, "new", 3.4)
    respond(limiter, "new", 3.5, Window(left, 60.0, 100, 60))
    assert (limiter.resets_at, limiter.opened_at) == (63.5, opened_at)


def test_a_429_that_says_nothing_of_time_is_met_with_ever_longer_pauses() -> None:
    limiter = RateLimiter()
    pauses, waits = [], []
    now = 0.0
    for _refusal in range(8):
        assert ask(limiter, "one", now) == 0
        refuse(limiter, "one", now, None)
        pauses.append(ask(limiter, "other", now))
        waits.append(limiter.resets_at - now)
        now = limiter.resets_at
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0]
    ask(limiter, "one", now)
    respond(limiter, "one", now, Window(9, 60.0, 10))
    refuse(limiter, "one", now, None)
    assert limiter.resets_at == now + 1.0


def room(limiter: RateLimiter, now: float) -> int:
    """Returns how many requests may be sent at once, up to twenty."""
    trial = copy.deepcopy(limiter)
    return sum(ask(trial, f"trial-{number}", now) == 0 for number in range(20))


def test_only_a_refusal_in_the_old_window_says_that_its_end_was_rounded() -> None:
    """If others spent the new window, the service asks to wait for more than a moment."""
    for retry_after, margin in ((3.0, 0.0), (1.0, 1.0), (None, 1.0)):
        limiter = limiter_with(0, limit=1, resets_in=2.9)
        assert ask(limiter, "second", 3.1) == 0
        refuse(limiter, "second", 3.2, retry_after)
        assert limiter.reset_margin == margin


@pytest.mark.parametrize(("status", "lasts"), [(199, 2.0), (200, 60.0), (299, 60.0), (300, 2.0), (500, 2.0)])
def test_a_silent_service_is_asked_again_after_a_pause(status: int, lasts: float) -> None:
    limiter = RateLimiter()
    ask(limiter, "first", 0.0)
    limiter.record("first", RequestOutcome(True, status), 0.0, 0.0)
    assert room(limiter, lasts - 0.1) == 20
    assert room(limiter, lasts + 0.1) == 1


def test_an_answer_that_was_overtaken_takes_nothing_back() -> None:
    limiter = limiter_with(9)
    for number in range(3):
        ask(limiter, f"fork-{number}", 0.2)
    respond(limiter, "fork-2", 0.3, Window(6, 64.0, 10))
    respond(limiter, "fork-0", 0.4, Window(8, 64.0, 10))
    assert limiter.remaining == 6
    respond(limiter, "fork-1", 0.5, Window(2, 64.0, 10))
    assert limiter.remaining == 2


@pytest.mark.parametrize(("silent_for", "probes"), [(0.0, 1), (1.9, 1), (2.0, 2), (4.0, 4), (6.0, 8)])
def test_a_silent_service_gets_twice_as_many_probes_each_time(silent_for: float, probes: int) -> None:
    limiter = RateLimiter()
    ask(limiter, "first", 0.0)
    assert room(limiter, silent_for) == probes - 1


@pytest.mark.parametrize("name", ["updated_at", "resets_at", "unmetered_until", "rejections", "now"])
@pytest.mark.parametrize("value", [True, math.nan, math.inf, "1", None])
def test_what_is_no_number_is_not_taken_for_one(name: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        RateLimiter.from_dict({**vars(RateLimiter()), name: value})


@pytest.mark.parametrize("jump", [-86400.0, -1.1, 86400.0])
def test_a_clock_that_jumps_stops_nobody(jump: float) -> None:
    limiter = RateLimiter()
    ask(limiter, "first", EPOCH)
    respond(limiter, "first", EPOCH, Window(0, 60.0, 100))
    ask(limiter, "waits", EPOCH, HIGH)
    assert ask(limiter, "after", EPOCH + jump) == 0


def test_clocks_that_differ_by_a_moment_forget_nothing() -> None:
    limiter = limiter_with(5)
    limiter.advance(-0.8)
    assert limiter.remaining == 5


moments = st.floats(min_value=0, max_value=200)
windows = st.none() | st.builds(Window, st.integers(0, 200), st.floats(0, 65), st.none() | st.integers(0, 200), moments)
steps = st.tuples(
    st.sampled_from(["ask", "answered", "refused", "lose", "never_sent"]),
    st.sampled_from("abcdef"),
    st.sampled_from(Priority),
    moments,
    windows,
    st.none() | st.floats(1, 65),
)


@given(st.lists(steps, max_size=40), st.booleans())
def test_whatever_happened_somebody_may_send_before_long(history: list[tuple[t.Any, ...]], is_sorted: bool) -> None:
    """No sequence of events leads to an endless wait, and every state survives a round trip to JSON."""
    limiter = RateLimiter()
    for step, who, priority, moment, window, wait in (
        sorted(history, key=lambda step: step[3]) if is_sorted else history
    ):
        match step:
            case "ask":
                assert 0 <= limiter.acquire(who, moment, priority).delay <= MAX_SLEEP
            case "answered":
                respond(limiter, who, moment, window)
            case "refused":
                refuse(limiter, who, moment, wait)
            case "lose":
                limiter.record(who, RequestOutcome(sent=True), moment, 0.0)
            case "never_sent":
                limiter.record(who, RequestOutcome(sent=False), moment, 0.0)
        written = json.loads(json.dumps(vars(limiter)))
        assert vars(RateLimiter.from_dict(written)) == vars(limiter)
        limiter = RateLimiter.from_dict(written)
    now = begun = max([0.0, *(step[3] for step in history)])
    while pause := limiter.acquire("newcomer", now, LOW).delay:
        now += pause
    assert now - begun < 120


json_values: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(vars(RateLimiter()))), json_values) | json_values)
def test_state_that_is_no_limiter_is_rejected(kept: t.Any) -> None:
    whole = {**vars(RateLimiter()), **kept} if isinstance(kept, dict) else kept
    try:
        limiter = RateLimiter.from_dict(whole)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return
    assert 0 <= limiter.acquire("newcomer", EPOCH, NORMAL).delay <= MAX_SLEEP


# Priorities in the shared budget (interface 1): the order, what is reserved, and that nobody starves

LENGTH = 3.0
LATENCY = 0.01


@dataclass
class Observer:
    """Counts the requests that the limiter allows, by window of the service."""

    limiter: RateLimiter = field(default_factory=RateLimiter)
    sent: dict[int, Counter[Priority]] = field(default_factory=lambda: defaultdict(Counter))
    low_waits: list[tuple[float, float]] = field(default_factory=list)
    """From when until when each ``low`` request waited."""

    def __call__(self, worker: Worker, asked_at: float, now: float) -> None:
        self.sent[int((now + LATENCY / 2) // LENGTH)][worker.priority] += 1
        if worker.priority == LOW:
            self.low_waits.append((asked_at, now))

    def simulation(self, limit: int) -> Simulation:
        """Returns a simulation without workers, against a service whose windows follow the clock."""
        return Simulation(Service(limit, LENGTH, kind="by the clock"), LATENCY, on_send=self)

    def count(self, priority: Priority) -> list[int]:
        """Returns the number of requests of this priority in each window."""
        return [counts[priority] for _window, counts in sorted(self.sent.items())]


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
def test_in_any_mix_none_is_refused_and_all_is_sent(limit: int, mix: list[tuple[t.Any, ...]]) -> None:
    observer = Observer()
    simulation = observer.simulation(limit)
    for number, (priority, requests, start, pause) in enumerate(mix):
        simulation.worker(f"w{number}", observer.limiter, requests, start=start, priority=priority, pause=pause)
    simulation.run()
    assert simulation.service.on_429 == 0
    assert simulation.done == sum(requests for _priority, requests, _start, _pause in mix)
    if limit >= 10 and sum(priority == LOW for priority, *_rest in mix) == 1:
        for begin, end in observer.low_waits:
            assert math.floor(end / LENGTH) - math.floor(begin / LENGTH) <= 1


@settings(max_examples=30)
@given(st.integers(2, 30), st.lists(st.sampled_from([NORMAL, LOW]), min_size=4, max_size=14))
def test_without_a_high_run_nothing_is_held_back(limit: int, mix: list[Priority]) -> None:
    observer = Observer()
    simulation = observer.simulation(limit)
    for number, priority in enumerate(mix):
        simulation.worker(f"w{number}", observer.limiter, 10, priority=priority)
    simulation.run()
    totals = [sum(counts.values()) for _window, counts in sorted(observer.sent.items())]
    assert set(totals[:-2]) <= {limit}
    assert len(totals) == math.ceil(len(mix) * 10 / limit)


@pytest.mark.parametrize(("limit", "reserved"), [(5, 1), (10, 1), (19, 1), (20, 2), (100, 10)])
@pytest.mark.parametrize("priority", [NORMAL, LOW])
def test_while_a_high_run_is_active_the_others_leave_it_a_tenth(limit: int, reserved: int, priority: Priority) -> None:
    observer = Observer()
    simulation = observer.simulation(limit)
    simulation.worker("high", observer.limiter, 2, priority=HIGH, pause=7.0)
    for number in range(10):
        simulation.worker(f"w{number}", observer.limiter, 2 * limit, priority=priority)
    simulation.run()
    others = observer.count(priority)
    active = int((7.0 + RUN_TTL) / LENGTH)
    assert others[1:active] == [limit - reserved] * (active - 1)
    assert limit in others[active + 1 :]
    assert simulation.service.on_429 == 0


def count_allowed(limiter: RateLimiter, priority: Priority) -> int:
    """Sends requests of this priority as long as they are allowed, and returns how many were."""
    count = 0
    while not ask(limiter, f"{priority}-{count}", 0.2, priority):
        count += 1
    limiter.waiting[priority] = 0.0
    return count


@pytest.mark.parametrize(
    ("limit", "remaining", "left"), [(100, 40, 30), (None, 40, 36), (0, 40, 36), (7, 5, 4), (100, 10, 0)]
)
def test_the_reserve_is_a_tenth_of_the_limit_or_of_the_most_that_was_seen(
    limit: int | None, remaining: int, left: int
) -> None:
    limiter = limiter_with(remaining, limit=limit)
    limiter.high_until = 10.0
    assert count_allowed(limiter, NORMAL) == left
    assert count_allowed(limiter, HIGH) == remaining - left


def test_who_waits_for_the_end_of_a_reserve_checks_rarely_and_knows_why() -> None:
    limiter = limiter_with(5)
    limiter.high_until = 10.0
    turn = limiter.acquire("normal", 0.2, NORMAL)
    assert turn.delay >= 1
    assert turn.is_behind


@pytest.mark.parametrize(("window_size", "kept_for"), [(1, ()), (2, (LOW,)), (9, (LOW,)), (10, (NORMAL, LOW))])
def test_a_window_of_ten_has_room_for_one_of_each_priority(window_size: int, kept_for: tuple[Priority, ...]) -> None:
    for priority in (NORMAL, LOW):
        is_kept = priority in kept_for
        limiter = RateLimiter(0.2, remaining=1, resets_at=60.0, opened_at=0.1, window_size=window_size)
        limiter.high_until = 10.0
        assert (limiter.acquire("one", 0.2, priority).delay == 0) is is_kept
        limiter.in_flight.clear()
        limiter.sent_at[priority], limiter.waiting[priority] = 0.0, 1.0
        assert (ask(limiter, "high", 0.2, HIGH) > 0) is is_kept


def test_a_high_request_goes_before_those_that_wait_for_the_next_window() -> None:
    limiter = limiter_with(0, resets_in=2.9)
    limiter.sent_at = [0.1] * 3
    waits = {priority: limiter.acquire(priority.name, 0.2, priority) for priority in reversed(Priority)}
    assert [turn.is_behind for turn in waits.values()] == [False, False, False]
    for priority in (LOW, NORMAL):
        assert limiter.acquire(priority.name, 3.0, priority, has_waited=True).is_behind
        assert 0 < ask(limiter, priority.name, 3.0, priority) <= GRACE
    assert ask(limiter, "HIGH", 3.0, HIGH) == 0


def test_those_that_wait_go_before_new_ones() -> None:
    limiter = limiter_with(0, resets_in=2.9)
    assert ask(limiter, "waits", 0.2) > 0
    assert 0 < limiter.acquire("new", 3.0, NORMAL).delay <= GRACE
    assert ask(limiter, "waits", 3.0) == 0
    respond(limiter, "waits", 3.01, Window(9, 3.0, 10))
    assert limiter.acquire("new", 3.6, NORMAL).delay == 0


def test_high_goes_first_and_starves_nobody() -> None:
    observer = Observer()
    simulation = observer.simulation(20)
    for number in range(40):
        simulation.worker(f"high-{number}", observer.limiter, 10, priority=HIGH)
    for priority in (NORMAL, LOW):
        for number in range(5):
            simulation.worker(f"{priority}-{number}", observer.limiter, 5, priority=priority)
    simulation.run()
    assert observer.count(NORMAL)[2:20] == [1] * 18
    assert observer.count(LOW)[2:20] == [1] * 18
    assert simulation.service.on_429 == 0
