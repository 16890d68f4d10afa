# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Polling: one deadline, growing intervals, a progress line every ten seconds."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import TransportError, WaitTimeoutError
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils._waiter import Waiter
from support.sleeper import Sleeper


class Clock(Sleeper):
    """A clock, and the progress lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.progress = Progress(self.lines.append, clock=lambda: self.now, sleep=self.sleep)


def test_the_first_look_is_at_once():
    clock = Clock()
    assert Waiter(300, clock.progress).until(lambda left: "running", lambda seen: True, str, "running") == "running"
    assert clock.now == 1000.0


def test_polls_back_off_from_two_to_fifteen_seconds():
    clock = Clock()
    times = []
    with pytest.raises(WaitTimeoutError):
        Waiter(120, clock.progress).until(
            lambda left: times.append(clock.now) or "busy", lambda seen: False, str, "running"
        )
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] == pytest.approx(2)
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(gaps[:-1]))
    assert max(gaps) == pytest.approx(15)
    assert times[-1] == pytest.approx(1120)


def test_few_requests_left_make_polls_rare():
    clock = Clock()
    times = []
    with pytest.raises(WaitTimeoutError):
        Waiter(40, clock.progress, requests_left=lambda: 3).until(
            lambda left: times.append(clock.now), lambda seen: False, str, "running"
        )
    assert [time - 1000 for time in times] == pytest.approx([0, 15, 30, 40])


def test_a_timeout_says_what_was_seen_last_and_keeps_it():
    clock = Clock()
    with pytest.raises(
        WaitTimeoutError, match=r"^web-bot: deploying, and not running within 30 s \(wait_timeout\)\.$"
    ) as timeout:
        Waiter(30, clock.progress).until(lambda left: "web-bot: deploying", lambda seen: False, str, "running")
    assert timeout.value.last == "web-bot: deploying"


def test_every_ten_seconds_a_line_says_what_is_waited_for():
    clock = Clock()
    with pytest.raises(WaitTimeoutError):
        Waiter(35, clock.progress).until(lambda left: "web-bot: deploying", lambda seen: False, str, "running")
    assert clock.lines == [f"web-bot: deploying, {seconds} s of at most 35 s" for seconds in (10, 20, 30)]


def test_a_service_that_is_out_of_order_for_a_while_is_asked_again():
    clock = Clock()
    answers = iter([TransportError("lost", sent=True), TransportError("lost", sent=True), "running"])

    def read(left: float) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert Waiter(300, clock.progress).until(read, lambda seen: True, str, "running") == "running"


def test_a_service_that_stays_out_of_order_is_told_by_its_fault():
    clock = Clock()

    def read(left: float) -> str:
        raise TransportError("the connection was lost", sent=True)

    with pytest.raises(TransportError, match="the connection was lost"):
        Waiter(30, clock.progress).until(read, lambda seen: True, str, "running")
    assert clock.now == pytest.approx(1030)


def test_all_waits_of_a_task_share_one_deadline():
    clock = Clock()
    waiter = Waiter(30, clock.progress)
    clock.sleep(25)
    with pytest.raises(WaitTimeoutError):
        waiter.until(lambda left: "busy", lambda seen: False, str, "running")
    assert clock.now == pytest.approx(1030)


def test_no_time_at_all_is_one_look():
    clock = Clock()
    looks = []
    with pytest.raises(WaitTimeoutError):
        Waiter(0, clock.progress).until(lambda left: looks.append(left) or "busy", lambda seen: False, str, "running")
    assert looks == [0]
