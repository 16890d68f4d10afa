# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content and frequency of progress messages."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Cancelled, InterruptShield, Progress
from support.sleeper import Sleeper


@pytest.fixture
def sleeper():
    return Sleeper()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def progress(sleeper, lines):
    return Progress(lines.append, clock=lambda: sleeper.now, sleep=sleeper.sleep)


def test_short_sleeps_of_one_wait_add_up(progress, sleeper, lines):
    since = sleeper.now
    for _time in range(9):
        progress.sleep(2.5, lambda _now: "x", since=since, limit=60)
    assert lines == ["x, 10 s of at most 60 s", "x, 20 s of at most 60 s"]


def test_no_more_than_a_limit_is_shown_as_its_part(progress, lines):
    progress.sleep(25, lambda _now: "x", since=progress.clock(), limit=16)
    assert lines == ["x, 10 s of at most 16 s", "x, 20 s"]


def test_what_was_due_while_an_answer_took_its_time_is_said_after_it(progress, sleeper, lines):
    since = sleeper.now
    for _look in range(4):
        sleeper.now += 8  # the response
        progress.sleep(2, lambda _now: "x", since=since, limit=60)
    sleeper.now += 25
    progress.sleep(1, lambda _now: "x", since=since, limit=60)
    assert lines == [f"x, {seconds} s of at most 60 s" for seconds in (10, 20, 30, 40, 60)]


def test_those_that_wait_for_the_same_show_one_line(sleeper, lines, tmp_path):
    """When the first one ends, another goes on."""
    options = {"clock": lambda: sleeper.now, "sleep": sleeper.sleep, "folder": str(tmp_path)}
    first, second = Progress(lines.append, **options), Progress(lines.append, **options)
    shown = []
    for now, waiting in ((10, first), (12, second), (20, first), (22, second), (32, second), (42, second)):
        sleeper.now = 1000.0 + now
        what = "x" if waiting.may_show("budget-a") else ""
        waiting.sleep(0, lambda _now, what=what: what, since=sleeper.now - 10, limit=60)
        shown.append(len(lines))
    assert shown == [1, 1, 2, 2, 3, 4]


def test_a_wait_of_ones_own_is_shown(tmp_path):
    for folder, wait in ((tmp_path, "budget-a"), (tmp_path, "budget-b"), (tmp_path / "gone", "a"), (tmp_path, "")):
        assert Progress(folder=str(folder)).may_show(wait)
    assert Progress(folder=str(tmp_path / "gone")).may_show("a")
    assert Progress().may_show("budget-a")


def test_an_interruption_shows_what_is_known_at_that_moment(progress):
    lines = ["Nothing was sent."]
    with progress.if_interrupted(lambda: lines):
        with progress.if_interrupted(lambda: ["Two of three are done."]):
            assert progress.interrupt_texts == ["Nothing was sent.", "Two of three are done."]
        lines[:] = ["It goes on."]
        assert progress.interrupt_texts == lines
    assert progress.interrupt_texts == []


def test_an_interrupt_waits_for_the_request_under_way_and_starts_none():
    shield, interrupts = InterruptShield(), []
    assert shield.defer(lambda: interrupts.append("early")) is False
    shield.enter()
    shield.enter()
    assert shield.defer(lambda: interrupts.append("now")) is True
    with pytest.raises(Cancelled):
        shield.enter()
    shield.leave()
    assert interrupts == []
    shield.leave()
    assert interrupts == ["now"]
    assert shield.defer(lambda: interrupts.append("late")) is False
