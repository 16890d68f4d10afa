# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may send next, played through in a time that only events move, against services that count in several ways."""

from __future__ import annotations

import copy
import heapq
import json
import math
import typing as t
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.headers import Window
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import LONGEST_SLEEP, Ledger

EPOCH = 1_800_000_000.4


@dataclass
class Service:
    """Counts requests in windows of ``length`` seconds."""

    limit: int = 30
    length: float = 3.0
    kind: str = "from the first request"
    told: str = "exactly"
    refused: int = 0
    times: list[float] = field(default_factory=list)

    def answer(self, now: float) -> tuple[bool, Window | None]:
        """Whether a request is let through, and what the headers of its answer say."""
        if self.kind == "sliding":
            self.times = [at for at in self.times if at > now - self.length]
        elif self.kind == "by the clock":
            self.times = [at for at in self.times if at // self.length == now // self.length]
        elif self.times and now >= self.times[0] + self.length:
            self.times = []
        passes = len(self.times) < self.limit
        if passes:
            self.times.append(now)
        else:
            self.refused += 1
        begun = now // self.length * self.length if self.kind == "by the clock" else self.times[0]
        end = begun + self.length
        closes_at = {"rounded up": math.ceil(end), "cut": math.floor(end), "exactly": end}.get(self.told, now - 30)
        if closes_at <= now:
            return passes, None
        return passes, Window(self.limit - len(self.times), closes_at, self.limit)


@dataclass
class Play:
    """Workers that each send some requests, as fast as their ledger lets them; several may share one."""

    service: Service
    latency: float = 0.01
    now: float = EPOCH
    done: int = 0
    _events: list[tuple[float, int, t.Callable[[], None]]] = field(default_factory=list)
    _numbers: int = 0

    def worker(self, name: str, ledger: Ledger, requests: int, dies_after: int | None = None) -> None:
        """Adds one that sends ``requests``; it may die with one under way."""
        self._at(self.now, lambda: self._ask(name, ledger, requests, dies_after))

    def run(self) -> float:
        """Seconds until all is done."""
        while self._events:
            self.now, _number, event = heapq.heappop(self._events)
            event()
        return self.now - EPOCH

    def _at(self, moment: float, event: t.Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._events, (moment, self._numbers, event))

    def _ask(self, name: str, ledger: Ledger, left: int, dies_after: int | None) -> None:
        if not left:
            return
        pause = ledger.ask(f"{name}-{left}", self.now, self.now + 30)
        assert 0 <= pause <= LONGEST_SLEEP
        if pause:
            self._at(self.now + pause, lambda: self._ask(name, ledger, left, dies_after))
        else:
            self._at(self.now + self.latency / 2, lambda: self._arrive(name, ledger, left, dies_after))

    def _arrive(self, name: str, ledger: Ledger, left: int, dies_after: int | None) -> None:
        passes, window = self.service.answer(self.now)
        if dies_after != 0:
            self._at(self.now + self.latency / 2, lambda: self._hear(name, ledger, left, dies_after, passes, window))

    def _hear(
        self, name: str, ledger: Ledger, left: int, dies_after: int | None, passes: bool, window: Window | None
    ) -> None:
        if passes:
            ledger.answered(f"{name}-{left}", self.now, window, is_success=True)
            self.done += 1
            self._ask(name, ledger, left - 1, None if dies_after is None else dies_after - 1)
        else:
            ledger.refused(
                f"{name}-{left}", self.now, None if window is None else max(1.0, window.closes_at - self.now)
            )
            self._at(self.now + 1, lambda: self._ask(name, ledger, left, dies_after))


@pytest.mark.parametrize("limit", [30, 100])
@pytest.mark.parametrize("kind", ["from the first request", "by the clock"])
@pytest.mark.parametrize("latency", [0.002, 0.05])
def test_fifty_workers_are_never_refused_and_lose_next_to_no_time(limit: int, kind: str, latency: float) -> None:
    service = Service(limit, kind=kind)
    play = Play(service, latency)
    ledger = Ledger()
    for number in range(50):
        play.worker(f"fork-{number}", ledger, 6)
    seconds = play.run()
    assert play.done == 300
    assert service.refused == 0
    floor = (math.ceil(300 / limit) - 1) * service.length
    assert seconds <= 1.1 * floor + 300 / 50 * 2 * latency


@pytest.mark.parametrize("kind", ["from the first request", "by the clock", "sliding"])
@pytest.mark.parametrize("told", ["rounded up", "cut", "exactly", "as a sum that is over", "not at all"])
def test_whatever_the_service_counts_and_tells_all_is_sent(kind: str, told: str) -> None:
    service = Service(kind=kind, told=told)
    play = Play(service)
    ledger = Ledger()
    for number in range(10):
        play.worker(f"fork-{number}", ledger, 12)
    play.run()
    assert play.done == 120
    if told in ("rounded up", "exactly"):
        assert service.refused == 0
    if told == "cut":
        # The first window that is told to end too early teaches it.
        assert service.refused <= 1


@pytest.mark.parametrize("limit", [30, 100])
@pytest.mark.parametrize("kind", ["from the first request", "by the clock"])
def test_two_who_know_nothing_of_each_other_share_a_key(limit: int, kind: str) -> None:
    service = Service(limit, kind=kind)
    play = Play(service)
    for ledger in [Ledger(), Ledger()]:
        for number in range(50):
            play.worker(f"fork-{number}", ledger, 3)
    seconds = play.run()
    windows = math.ceil(300 / limit)
    assert play.done == 300
    assert service.refused <= windows  # the last request of each may be wanted by both
    assert seconds <= 1.25 * (windows - 1) * service.length


def test_those_who_wait_are_served_in_order_and_do_not_wake_at_once() -> None:
    ledger = Ledger()
    assert ledger.ask("first", 0.0, 30.0) == 0
    ledger.answered("first", 0.1, Window(0, 3.0, 1), is_success=True)
    pauses = [ledger.ask(f"waiter-{number}", 0.2 + number / 100, 30.0) for number in range(5)]
    wakes = [0.2 + number / 100 + pause for number, pause in enumerate(pauses)]
    assert wakes == sorted(set(wakes))
    assert wakes[0] >= 3.0
    assert ledger.ask("late", 3.0, 33.0) > 0
    assert ledger.ask("waiter-0", 3.0, 33.0) == 0
    ledger.answered("waiter-0", 3.1, Window(2, 6.0, 3), is_success=True)
    assert ledger.ask("late", 3.1, 33.0) > 0
    assert ledger.ask("waiter-1", 3.1, 33.0) == 0


def test_who_died_with_a_request_under_way_blocks_nobody() -> None:
    service = Service(limit=5)
    play = Play(service)
    ledger = Ledger()
    for number in range(3):
        play.worker(f"dies-{number}", ledger, 4, dies_after=0)
    for number in range(3):
        play.worker(f"lives-{number}", ledger, 4)
    seconds = play.run()
    assert play.done == 12
    assert seconds < 60


def test_a_slow_service_does_not_hold_up_the_rest_for_long() -> None:
    ledger = Ledger()
    assert ledger.ask("slow", 0.0, 30.0) == 0
    assert ledger.ask("next", 0.1, 30.0) > 0
    assert ledger.ask("next", 2.1, 32.0) == 0


@pytest.mark.parametrize("answer_after", [0.3, 1.9])
def test_errors_that_say_nothing_of_the_rate_are_not_asked_for_one_by_one(answer_after: float) -> None:
    """Fifty at a service that answers slowly, and always so: nobody waits longer than a few answers take."""
    ledger = Ledger()
    waiting = {f"fork-{number}": 0.0 for number in range(50)}
    under_way: dict[str, float] = {}
    now = 0.0
    while waiting or under_way:
        now = min([*waiting.values(), *under_way.values()])
        for who in [who for who, at in under_way.items() if at <= now]:
            del under_way[who]
            ledger.answered(who, now, None, is_success=False)
        for who in [who for who, at in waiting.items() if at <= now]:
            pause = ledger.ask(who, now, now + 30)
            if pause:
                waiting[who] = now + pause
            else:
                del waiting[who]
                under_way[who] = now + answer_after
    assert now < 4 * answer_after


def test_requests_that_hang_let_ever_more_go_ahead_though_the_first_are_given_up() -> None:
    ledger = Ledger()
    asked = 0
    for tenth in range(200):
        now = tenth / 10
        for who in [who for who, flight in ledger.flights.items() if flight.until <= now]:
            ledger.lose(who)
        asked += not ledger.ask(f"one-{tenth}", now, now + 1.0)
    assert asked > 100


def test_those_refused_together_are_refused_once() -> None:
    ledger = Ledger(silent_until=10.0)
    for number in range(20):
        assert ledger.ask(f"fork-{number}", 0.0, 30.0) == 0
    for number in range(20):
        ledger.refused(f"fork-{number}", 0.1, None)
    assert ledger.closes_at - 0.1 <= 2.0


def test_one_answer_without_headers_does_not_wipe_out_what_is_known() -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.1, Window(3, 60.0, 100), is_success=True)
    ledger.ask("second", 0.2, 30.0)
    ledger.answered("second", 0.3, None, is_success=True)
    assert ledger.remaining == 2
    assert ledger.silent_until == 0.0


def test_a_request_that_was_never_sent_or_lost_its_answer_leaves_room() -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.1, Window(2, 60.0, 3), is_success=True)
    assert ledger.ask("second", 0.2, 30.0) == 0
    ledger.never_sent("second")
    assert ledger.remaining == 2
    assert ledger.ask("third", 0.3, 30.0) == 0
    ledger.lose("third")
    assert ledger.remaining == 1
    assert ledger.ask("fourth", 0.4, 30.0) == 0


def test_a_429_that_says_nothing_of_time_is_met_with_ever_longer_pauses() -> None:
    ledger = Ledger()
    pauses, waits = [], []
    now = 0.0
    for _refusal in range(8):
        assert ledger.ask("one", now, now + 30) == 0
        ledger.refused("one", now, None)
        pauses.append(ledger.ask("other", now, now + 30))
        ledger.queue.clear()
        waits.append(ledger.closes_at - now)
        now = ledger.closes_at
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0]
    ledger.ask("one", now, now + 30)
    ledger.answered("one", now, Window(9, now + 60, 10), is_success=True)
    ledger.refused("one", now, None)
    assert ledger.closes_at == now + 1.0


def room(ledger: Ledger, now: float) -> int:
    """How many may send at once; up to twenty are told from one another."""
    trial = copy.deepcopy(ledger)
    return sum(trial.ask(f"trial-{number}", now, now + 30) == 0 for number in range(20))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # Nobody else is seen: one more than half of what is left, where that is odd.
        (Window(6, 64.0, 7), Window(5, 64.0, 7), 3),
        (Window(6, 64.0, None), Window(5, 64.0, None), 3),
        # Two or more are gone where one was sent: somebody else uses the key, and gets the odd one.
        (Window(7, 64.0, 8), Window(5, 64.0, 8), 2),
        (Window(9, 64.0, 10), Window(5, 64.0, 10), 2),
        # So it is when the first answer tells of a window that others had begun.
        (Window(6, 64.0, 10), Window(5, 64.0, 10), 2),
        (Window(6, 64.0, 8), Window(5, 64.0, 8), 2),
        # The last one is left to nobody, so that somebody can go and see.
        (Window(5, 64.0, 6), Window(2, 64.0, 6), 1),
        (Window(5, 64.0, 6), Window(1, 64.0, 6), 1),
        (Window(5, 64.0, 6), Window(0, 64.0, 6), 0),
    ],
)
def test_who_has_company_leaves_it_the_odd_one(first: Window, second: Window, expected: int) -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.1, first, is_success=True)
    ledger.ask("second", 0.2, 30.0)
    ledger.answered("second", 0.3, second, is_success=True)
    assert room(ledger, 0.4) == expected


def test_company_that_was_not_seen_for_a_minute_is_no_longer_expected() -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.1, Window(8, 64.0, 9), is_success=True)
    ledger.ask("second", 0.2, 30.0)
    ledger.answered("second", 0.3, Window(5, 64.0, 9), is_success=True)
    assert room(ledger, 60.0) == 2
    assert room(ledger, 60.4) == 3


@pytest.mark.parametrize(("left", "expected"), [(6, 3), (7, 2)])
def test_who_did_not_send_is_not_taken_for_company_and_hides_none(left: int, expected: int) -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.1, Window(left, 64.0, left + 1), is_success=True)
    ledger.ask("second", 0.2, 30.0)
    ledger.never_sent("second")
    ledger.ask("third", 0.3, 30.0)
    ledger.answered("third", 0.4, Window(5, 64.0, left + 1), is_success=True)
    assert room(ledger, 0.5) == expected


def test_one_that_is_under_way_with_the_first_answer_is_no_company() -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    assert ledger.ask("second", 2.1, 30.0) == 0
    ledger.answered("first", 2.2, Window(9, 64.0, 11), is_success=True)
    assert room(ledger, 2.3) == 4  # and the second, which is five


@pytest.mark.parametrize(("is_success", "lasts"), [(True, 60.0), (False, 2.0)])
def test_a_service_that_says_nothing_is_let_be_for_a_while_and_then_asked_again(is_success: bool, lasts: float) -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.0, None, is_success=is_success)
    assert room(ledger, lasts - 0.1) == 20
    assert room(ledger, lasts + 0.1) == 1
    ledger.ask("second", 0.1, 30.0)
    ledger.answered("second", 0.2, Window(1, 64.0, 10), is_success=True)
    assert room(ledger, 0.3) == 1


def test_after_a_refusal_one_goes_ahead_however_long_the_answer_took() -> None:
    ledger = Ledger()
    ledger.ask("slow", 0.0, 30.0)
    ledger.refused("slow", 20.0, 5.0)
    assert room(ledger, 24.9) == 0
    assert room(ledger, 25.0) == 1


def test_an_answer_that_was_overtaken_takes_nothing_back() -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.1, Window(9, 64.0, 10), is_success=True)
    for number in range(3):
        ledger.ask(f"fork-{number}", 0.2, 30.0)
    ledger.answered("fork-2", 0.3, Window(6, 64.0, 10), is_success=True)
    ledger.answered("fork-0", 0.4, Window(8, 64.0, 10), is_success=True)
    assert ledger.remaining == 6
    ledger.answered("fork-1", 0.5, Window(2, 64.0, 10), is_success=True)
    assert ledger.remaining == 2


def test_those_whose_turn_is_next_look_again_soon() -> None:
    ledger = Ledger()
    ledger.ask("first", 0.0, 30.0)
    ledger.answered("first", 0.1, Window(2, 64.0, 3), is_success=True)
    assert ledger.ask("second", 0.2, 30.0) == 0
    assert ledger.ask("third", 0.2, 30.0) < 0.1


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
@pytest.mark.parametrize("answer", ["none", "one that says nothing", "one that shows company"])
def test_a_clock_that_jumps_leaves_nothing_of_what_was_known(jump: float, answer: str) -> None:
    ledger = Ledger()
    ledger.ask("first", EPOCH, EPOCH + 30)
    if answer == "one that says nothing":
        ledger.answered("first", EPOCH, None, is_success=True)
    if answer == "one that shows company":
        ledger.answered("first", EPOCH, Window(5, EPOCH + 60, 10), is_success=True)
    now = EPOCH + jump
    ledger.ask("looks", now, now + 30)  # lets go of what can't be
    ledger.never_sent("looks")
    ledger.queue.clear()
    assert room(ledger, now) == 1
    ledger.ask("second", now, now + 30)
    ledger.answered("second", now, Window(5, now + 60, 6), is_success=True)
    assert room(ledger, now) == 3


@pytest.mark.parametrize("name", ["told_at", "closes_at", "company_until", "silent_until", "least", "refusals"])
@pytest.mark.parametrize("value", [True, math.nan, math.inf, "1", None])
def test_what_is_no_number_is_not_taken_for_one(name: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Ledger.from_dict({**Ledger().as_dict(), name: value})


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_jumps_stops_nobody(jump: float) -> None:
    ledger = Ledger()
    ledger.ask("first", EPOCH, EPOCH + 30)
    ledger.answered("first", EPOCH, Window(0, EPOCH + 60, 100), is_success=True)
    ledger.ask("waits", EPOCH, EPOCH + 30)
    assert ledger.ask("after", EPOCH + jump, EPOCH + jump + 30) == 0


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
    """No history, told in order or not, leads to a wait without end, and each survives being written down."""
    ledger = Ledger()
    for step, who, moment, window, wait in sorted(history, key=lambda step: step[2]) if is_sorted else history:
        match step:
            case "ask":
                assert 0 <= ledger.ask(who, moment, moment + 30) <= LONGEST_SLEEP
            case "answered":
                ledger.answered(who, moment, window, is_success=True)
            case "refused":
                ledger.refused(who, moment, wait)
            case "lose":
                ledger.lose(who)
            case "never_sent":
                ledger.never_sent(who)
        written = json.loads(json.dumps(ledger.as_dict()))
        assert Ledger.from_dict(written) == ledger
        ledger = Ledger.from_dict(written)
    now = begun = max([0.0, *(step[2] for step in history)])
    while pause := ledger.ask("newcomer", now, now + 30):
        now += pause
    assert now - begun < 120


json_values: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(Ledger().as_dict())), json_values) | json_values)
def test_what_is_no_ledger_is_told_from_one(kept: t.Any) -> None:
    whole = {**Ledger().as_dict(), **kept} if isinstance(kept, dict) else kept
    try:
        ledger = Ledger.from_dict(whole)
    except (ValueError, TypeError, KeyError, OverflowError):
        return
    assert 0 <= ledger.ask("newcomer", EPOCH, EPOCH + 30) <= LONGEST_SLEEP
