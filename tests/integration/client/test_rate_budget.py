# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate budget that processes share (interface 1): real processes, real files, a real limit."""

from __future__ import annotations

import fcntl
import json
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client, RequestStats
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate import shared_budget
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.processes import PROCESSES
from support.reads import read_by_tasks
from support.sleeper import Sleeper
from support.stores import StorePlace


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


def a_client(simulator: Simulator, state_dir: object, progress: Progress | None = None, **options: t.Any) -> Client:
    params = {"api_key": KEY, "api_url": simulator.url, **options}
    store = FolderStore(str(state_dir))
    return Client(parse_settings(params, pytest.fail), progress=progress or Progress(), store=store)


def fetch_some(simulator: Simulator, state_dir: object, requests: int) -> RequestStats:
    """Returns the cost of a task that reads an instance so many times."""
    client = a_client(simulator, state_dir)
    for number in range(requests):
        client.fetch(f"/instances/{number % 60 + 1}")
    return client.stats


def budget_file(state_dir: Path) -> Path:
    (file,) = state_dir.glob("budget-*")
    return file


@pytest.mark.rest
def test_processes_of_one_store_are_never_refused(simulator: Simulator, place: StorePlace) -> None:
    simulator.switch(rate_limit=20, rate_window_seconds=2, rate_window="clock")
    with PROCESSES.Pool(12) as pool:
        pool.starmap(read_by_tasks, [(simulator.url, place.options, 5)] * 12, chunksize=1)
    assert [request["status"] for request in simulator.log()] == [200] * 60


@pytest.mark.rest
def test_one_line_tells_what_all_forks_wait_for(simulator: Simulator, controller: Controller) -> None:
    simulator.switch(rate_limit=2, rate_window_seconds=18)
    tasks = [{"clawhosters.cloud.claw_account_info": {}}]
    play = controller.write("play.yml", [{"hosts": "all", "gather_facts": False, "tasks": tasks}])
    run = controller.run("ansible-playbook", "-c", "local", "-i", "a,b,c,d", str(play))
    assert run.rc == 0, run.screen
    assert {request["status"] for request in simulator.log()} == {200}
    lines = [line for line in run.stderr.splitlines() if "waiting for the rate limit" in line]
    assert [line.partition(" reset, ")[2] for line in lines] == ["10 s of at most 180 s"]


def test_keys_and_services_have_budgets_of_their_own(simulator: Simulator, state_dir: Path) -> None:
    a_client(simulator, state_dir).fetch("/instances/1")
    a_client(simulator, state_dir, api_key="oc_live_another_0000").fetch("/instances/1")
    assert len(list(state_dir.glob("budget-*"))) == 2


def test_the_file_is_the_owners_and_holds_no_key(simulator: Simulator, state_dir: Path) -> None:
    fetch_some(simulator, state_dir, 1)
    file = budget_file(state_dir)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    assert KEY not in file.name
    assert KEY not in file.read_text()
    assert file.stat().st_size < 1000


@pytest.mark.parametrize("content", ["", "[]", '{"remaining": "many"}', "[" * 100_000])
def test_a_damaged_file_is_begun_anew(simulator: Simulator, state_dir: Path, content: str) -> None:
    fetch_some(simulator, state_dir, 1)
    file = budget_file(state_dir)
    file.write_text(content)
    assert fetch_some(simulator, state_dir, 2).waited == 0
    assert json.loads(file.read_text())["remaining"] > 0


def test_a_lock_not_freed_stops_nobody(simulator: Simulator, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_budget, "LOCK_TIMEOUT", 0.05)
    fetch_some(simulator, state_dir, 1)
    looks = []
    locked = FolderStore.locked_document
    monkeypatch.setattr(
        FolderStore, "locked_document", lambda *args, **options: looks.append(args) or locked(*args, **options)
    )
    with budget_file(state_dir).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert fetch_some(simulator, state_dir, 2).requests == 2
    # One was patient, and nobody after it.
    assert len(looks) == 1


def test_pages_are_read_at_once_and_put_together_in_order(simulator: Simulator, state_dir: Path) -> None:
    """While the second page hangs, the third comes; the second is asked for again."""
    simulator.fault("hang", path="/instances", skip=1, seconds=5)
    sleeper = Sleeper()
    progress = Progress(clock=lambda: sleeper.now, sleep=sleeper.sleep)
    instances = fetch_all(a_client(simulator, state_dir, progress, timeout=1), "/instances")
    assert [instance["id"] for instance in instances] == list(range(1, 61))
    pages = [request["query"].get("page", "1") for request in simulator.log()]
    assert (pages[0], sorted(pages[1:3]), len(pages)) == ("1", ["2", "3"], 4)
    assert pages[3] in pages[1:3]
