# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Polling: one deadline, growing intervals, a progress line every ten seconds."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ClawHostersError,
    LastSeen,
    ServerError,
    TransportError,
    UnauthorizedError,
    WaitTimeoutError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils._waiter import (
    Waiter,
    describe_remaining,
    explain_ended_wait,
)
from support.sleeper import Sleeper


class Clock(Sleeper):
    """A clock, the progress lines, and the seconds after which a wait has polled."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.polled: list[float] = []
        self.progress = Progress(self.lines.append, clock=lambda: self.now, sleep=self.sleep)

    def wait(
        self,
        timeout: float,
        fetch: t.Callable[[], str] = lambda: "busy",
        describe: t.Callable[[str], tuple[str, str]] = lambda state: ("web-bot", state),
        requests_left: t.Callable[[], int | None] = lambda: None,
        ends_with: type[ClawHostersError] = WaitTimeoutError,
        **attributes: t.Any,
    ) -> ClawHostersError:
        """Waits, with these attributes of a Waiter, for what never comes. Returns the error that ends it."""
        waiter = Waiter(timeout, self.progress, requests_left)
        vars(waiter).update(attributes)

        def poll(_left: float) -> str:
            self.polled.append(self.now - 1000)
            return fetch()

        with pytest.raises(ends_with) as ended:
            waiter.until("stopped", poll, lambda _state: False, describe)
        return ended.value

    @property
    def gaps(self) -> list[float]:
        """Seconds between one poll and the next."""
        return [later - earlier for earlier, later in pairwise(self.polled)]


def test_polls_back_off_from_two_to_fifteen_seconds():
    clock = Clock()
    clock.wait(120)
    assert clock.gaps[0] == pytest.approx(2)
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(clock.gaps[:-1]))
    assert max(clock.gaps) == pytest.approx(15)
    assert clock.polled[-1] == pytest.approx(120)


def test_few_requests_left_make_polls_rare():
    clock = Clock()
    clock.wait(40, requests_left=lambda: 3)
    assert clock.polled == pytest.approx([0, 15, 30, 40])


def test_a_service_without_an_answer_is_polled_again_and_the_lines_say_so():
    clock = Clock()
    refused = TransportError("GET was not sent: …", sent=False, reason="connection refused")
    maintenance = "The service is under maintenance until 08:00 UTC."

    def fetch() -> str:
        if 12 < clock.polled[-1] < 30:
            # An attempt that waits for its answer.
            clock.now += 5
            raise refused
        if clock.polled[-1] > 45:
            raise ServerError("GET", 503, code="maintenance", message=maintenance)
        return "deploying"

    timeout = clock.wait(60, fetch)
    lines = [line.removesuffix(" of at most 60 s") for line in clock.lines]
    assert lines == [
        "web-bot: deploying, 10 s",
        "web-bot: no answer for 10 s (connection refused), 20 s",
        "web-bot: no answer for 20 s (connection refused), 30 s",
        "web-bot: deploying, 40 s",
        "web-bot: 503, The service is under maintenance until…, 50 s",
        "web-bot: 503, The service is under maintenance until…, 60 s",
    ]
    assert timeout.last_seen.condition == "deploying"
    assert (timeout.kind, timeout.response.status) == ("unreachable", 503)
    assert clock.now == pytest.approx(1060)


def test_other_errors_end_the_wait_and_know_what_was_seen_last():
    clock = Clock()
    states = iter(["deploying", "starting"])

    def fetch() -> str:
        state = next(states, None)
        if state is None:
            raise UnauthorizedError("GET", 401, message="revoked")
        return state

    error = clock.wait(300, fetch, ends_with=UnauthorizedError)
    assert error.last_seen.condition == "starting"
    assert error.last_seen.at.timestamp() == pytest.approx(clock.progress.now() - 3)


@pytest.mark.parametrize(
    ("share", "requests", "seconds"), [(1.0, 40, 24), (0.25, 40, 96), (0.25, 1, 2.4), (0.25, 5, 12)]
)
def test_polls_use_no_more_than_their_share_of_the_rate_limit(share: float, requests: int, seconds: float) -> None:
    clock = Clock()
    clock.wait(1000, requests_per_poll=requests, budget_share=share)
    assert clock.gaps[0] == pytest.approx(seconds)
    assert all(gap >= seconds - 1e-6 for gap in clock.gaps[:-1])


@pytest.mark.parametrize(("requests", "seconds"), [(1, 2), (4, 8), (40, 24)])
def test_after_a_change_polls_are_frequent_again_within_their_share(requests: int, seconds: float) -> None:
    clock = Clock()
    clock.wait(300, lambda: "starting" if clock.polled[-1] > 100 else "deploying", requests_per_poll=requests)
    last_before = next(index for index, time in enumerate(clock.polled) if time > 100) - 1
    assert clock.gaps[last_before] == pytest.approx(max(15, seconds))
    assert clock.gaps[last_before + 1] == pytest.approx(seconds)


SEEN = "It was last seen deploying at 2026-03-01 08:00 UTC."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WaitTimeoutError("-"), "It was not started within 30 s (wait_timeout), and now it is deploying."),
        (UnauthorizedError("-", 401), f"{SEEN} The API key is no longer accepted: {UnauthorizedError('-', 401)}"),
    ],
)
@pytest.mark.usefixtures("zone")
def test_an_ended_wait_is_explained_with_what_was_seen_and_what_to_do(error: ClawHostersError, reason: str):
    error.last_seen = LastSeen({}, "the condition of all", datetime(2026, 3, 1, 8, tzinfo=UTC))
    assert explain_ended_wait(error, "deploying", "started", 30) == reason
    assert explain_ended_wait(error, "deploying", "started", 30, "Run this again.") == f"{reason} Run this again."


def test_without_an_answer_the_end_of_the_whole_wait_is_the_limit() -> None:
    clock = Clock()

    def fetch() -> str:
        raise ServerError("GET", 503, code="maintenance")

    clock.wait(60, fetch, find_deadline=lambda: 1030)
    assert clock.lines[3] == "web-bot: 503 maintenance for 40 s, 40 s of at most 60 s"


@given(
    st.text(min_size=1, max_size=70),
    st.none() | st.text(max_size=300),
    st.sampled_from(["5 to go", "web-bot", "batch 12 of 40: web-bot"]),
)
def test_an_error_has_one_line_of_80_columns(code: str, message: str | None, name: str) -> None:
    clock = Clock()

    def fetch() -> str:
        raise ServerError("GET", 503, code=code, message=message)

    clock.wait(1200, fetch, lambda state: (name, state))
    assert len(clock.lines) == 120
    assert all(line.isprintable() and len(line) <= 80 for line in clock.lines)


@pytest.mark.parametrize(
    ("waiting", "line"),
    [
        (["web-bot: deploying"], "web-bot: deploying, 10 s of at most 30 s"),
        (
            ["a: running", "b: running", "c: running", "d: stopped"],
            "4 to go: a: running, b: running and 2 more, 10 s of at most 30 s",
        ),
        (
            ["support-bot: running (restore not yet verified)", "web-bot: deploying"],
            "2 to go: support-bot: running (restore not yet veri…), 10 s of at most 30 s",
        ),
        (
            ["web-01: running (restore not yet verified)", "web-02: deploying", "web-03: stopped"],
            "3 to go: web-01: running (restore not yet verified)…, 10 s of at most 30 s",
        ),
    ],
)
def test_a_wait_for_several_names_some_of_them_in_its_line(waiting: list[str], line: str) -> None:
    clock, described = Clock(), [tuple(text.split(": ")) for text in waiting]
    clock.wait(30, describe=lambda _state: describe_remaining(described))
    assert clock.lines[0] == line
