# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Effects of each outcome of a request on the shared budget, with a clock that only sleeping advances."""

from __future__ import annotations

import math
import platform
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import (
    Priority,
    QueuedRequest,
    RequestOutcome,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.shared_budget import SharedRateBudget
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from support.sleeper import Sleeper
from support.stores import database_place

URL = "https://clawhosters.com/api/v1"
SPENT = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40"}
ONE_LEFT = {**SPENT, "X-RateLimit-Remaining": "1"}


@pytest.fixture
def sleeper():
    return Sleeper()


@pytest.fixture
def budget(place, sleeper):
    return SharedRateBudget(place.open(), URL, "oc_live_0123456789", lambda: sleeper.now)


def waited(budget, sleeper, max_wait=100.0, max_total=math.inf):
    """Returns the seconds until the next request may be sent, and its id."""
    before = sleeper.total
    request_id = budget.acquire(30.0, max_wait, lambda seconds, _behind: sleeper.sleep(seconds), max_total)
    return sleeper.total - before, request_id


def report(budget, sleeper, **outcome):
    _seconds, request_id = waited(budget, sleeper)
    budget.release(request_id, RequestOutcome(**{"sent": True, **outcome}))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({"X-RateLimit-Reset": "9"}, 9), ({}, 1), ({"Retry-After": "1e9"}, 65)],
)
def test_a_refusal_is_waited_out_by_whoever_comes_next(budget, sleeper, headers, seconds):
    report(budget, sleeper, status=429, headers=headers)
    assert waited(budget, sleeper)[0] == pytest.approx(seconds, abs=0.9)


@pytest.mark.parametrize("max_wait", [0.0, 3.0, 7.0, 12.0])
def test_nobody_waits_longer_than_there_is_time_in_all(budget, sleeper, max_wait):
    report(budget, sleeper, status=200, headers=SPENT)
    assert waited(budget, sleeper, max_wait)[0] <= max_wait


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_machines_with_wrong_clocks_share_a_budget_by_the_database_clock(postgres, monkeypatch, skew):
    real, sleeper = time.time, Sleeper()
    with database_place(postgres) as place:
        here = SharedRateBudget(place.open(), URL, "oc_live_0123456789", lambda: sleeper.now)
        report(here, sleeper, status=200, headers=SPENT)
        monkeypatch.setattr(time, "time", lambda: real() + skew)
        there = SharedRateBudget(place.open(), URL, "oc_live_0123456789", lambda: sleeper.now + skew)
        assert waited(there, sleeper)[0] == pytest.approx(40, abs=0.9)


@pytest.mark.parametrize(("seconds", "max_wait", "total"), [(60, 5.0, 60), (20, 25.0, 40)])
def test_what_it_waits_behind_others_does_not_count(budget, sleeper, seconds, max_wait, total):
    """Another request queues before it for so long. Then it may still wait ``max_wait`` for the end of the window."""
    report(budget, sleeper, status=200, headers=SPENT)
    sleeper.now += 1  # one that waits since before the window gets one request of it
    until = sleeper.now + seconds

    def stay_queued(limiter, now):
        limiter.queue["another:1"] = QueuedRequest(now + 7, Priority.HIGH, now)
        if now >= until:
            del limiter.queue["another:1"]

    budget._update(stay_queued)
    sleeper.before_sleep = lambda: budget._update(stay_queued)
    assert total - 2 <= waited(budget, sleeper, max_wait=max_wait)[0] <= total + 7


@pytest.mark.parametrize(("process", "has_ended"), [(999999999, True), (1, False)])
def test_a_run_that_has_ended_keeps_nothing(sleeper, tmp_path, process, has_ended):
    normal = SharedRateBudget(FolderStore(str(tmp_path / "state")), URL, "oc_live_0123456789", lambda: sleeper.now)
    report(normal, sleeper, status=200, headers=ONE_LEFT)
    normal._update(lambda limiter, now: limiter.high_runs.update({f"{platform.node()}:{process}": now}))
    assert (waited(normal, sleeper, max_total=5)[0] == 0) is has_ended


def test_threads_share_the_limit(sleeper, tmp_path):
    budget = SharedRateBudget(FolderStore(str(tmp_path)), URL, "oc_live_0123456789", lambda: sleeper.now)
    report(budget, sleeper, status=200, headers={**ONE_LEFT, "X-RateLimit-Remaining": "4"})
    threads = 20
    together = threading.Barrier(threads, timeout=30)

    class MustWait(Exception):
        pass

    def may_send(_number):
        def sleep(_seconds, _behind):
            raise MustWait

        together.wait()
        try:
            budget.acquire(30.0, 100.0, sleep)
        except MustWait:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(may_send, range(threads))) == 4
