# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Effects of each outcome of a request on the shared budget, with a clock that only sleeping advances."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import Priority
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.shared_budget import SharedRateBudget
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from support.sleeper import Sleeper

URL, KEY = "https://clawhosters.com/api/v1", "oc_live_0123456789"
SPENT = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40"}
ONE_LEFT = {**SPENT, "X-RateLimit-Remaining": "1"}


@pytest.fixture
def sleeper():
    return Sleeper()


@pytest.fixture
def budget(place, sleeper):
    return SharedRateBudget(place.open(), URL, KEY, lambda: sleeper.now)


def waited(budget, sleeper, max_wait=100.0, max_total=math.inf):
    """Returns the seconds until the next request may be sent."""
    before = sleeper.total
    budget.acquire(max_wait, lambda seconds, _is_behind: sleeper.sleep(seconds), max_total)
    return sleeper.total - before


def report(budget, status, headers):
    with budget.slot(0.0, pytest.fail) as outcome:
        outcome.sent, outcome.status, outcome.headers = True, status, headers


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({"X-RateLimit-Reset": "9"}, 9), ({}, 1), ({"Retry-After": "1e6"}, 65)],
)
def test_a_refusal_is_waited_out_by_whoever_comes_next(budget, sleeper, headers, seconds):
    begun = time.monotonic()
    report(budget, status=429, headers=headers)
    # The clock of a database goes on meanwhile.
    assert waited(budget, sleeper) == pytest.approx(seconds, abs=0.9 + time.monotonic() - begun)


def test_an_interrupted_request_takes_no_turn(place, sleeper):
    faults = [KeyboardInterrupt]

    def clock():
        if faults:
            raise faults.pop()
        return sleeper.now

    budget = SharedRateBudget(place.open(), URL, KEY, clock)
    with pytest.raises(KeyboardInterrupt):
        waited(budget, sleeper)
    report(budget, status=200, headers=ONE_LEFT)
    assert waited(budget, sleeper) == 0


@pytest.mark.parametrize("max_wait", [0.0, 3.0, 7.0, 12.0])
def test_nobody_waits_longer_than_there_is_time_in_all(budget, sleeper, max_wait):
    report(budget, status=200, headers=SPENT)
    assert waited(budget, sleeper, max_wait) <= max_wait


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_machines_with_wrong_clocks_share_a_budget_by_the_database_clock(database, sleeper, monkeypatch, skew):
    real = time.monotonic
    here = SharedRateBudget(database.open(), URL, KEY, lambda: sleeper.now)
    report(here, status=200, headers=SPENT)
    monkeypatch.setattr(time, "monotonic", lambda: real() + skew)
    there = SharedRateBudget(database.open(), URL, KEY, lambda: sleeper.now + skew)
    assert waited(there, sleeper) == pytest.approx(40, abs=30)


@pytest.mark.parametrize(("seconds", "max_wait", "total"), [(60, 5.0, 60), (20, 25.0, 40)])
def test_what_it_waits_behind_others_does_not_count(budget, sleeper, seconds, max_wait, total):
    """Another request goes before it for so long. Then it may still wait ``max_wait`` for the end of the window."""
    report(budget, status=200, headers=SPENT)
    until = sleeper.now + seconds

    def ask(limiter, now):
        limiter.waiting[Priority.HIGH] = now + 7 if sleeper.now < until else 0.0

    budget._update(ask)
    sleeper.before_sleep = lambda: budget._update(ask)
    assert total - 2 <= waited(budget, sleeper, max_wait=max_wait) <= total + 7


def test_threads_that_wait_share_one_write(sleeper, tmp_path, monkeypatch):
    budget = SharedRateBudget(FolderStore(str(tmp_path)), URL, KEY, lambda: sleeper.now)
    report(budget, status=200, headers={**ONE_LEFT, "X-RateLimit-Remaining": "4"})
    threads = 20
    all_wait = threading.Barrier(threads, timeout=30)
    writes = []
    locked = FolderStore.locked_document
    monkeypatch.setattr(
        FolderStore, "locked_document", lambda *args, **options: writes.append(args) or locked(*args, **options)
    )

    class Waiting(dict):
        def __setitem__(self, thread, change):
            super().__setitem__(thread, change)
            all_wait.wait()

    class MustWait(Exception):
        pass

    def may_send(_number):
        def sleep(_seconds, _behind):
            raise MustWait

        try:
            budget.acquire(100.0, sleep)
        except MustWait:
            return False
        return True

    budget._waiting = Waiting()
    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(may_send, range(threads))) == 4
    assert len(writes) == 1
