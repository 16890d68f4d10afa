# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines whose clocks differ by two hours, or are set: what is sent at most once, the rate limit, who holds what."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
)
from simulator.handle import Simulator
from support import KEY
from support.cases import Case
from support.debian import require_package
from support.postgres import Postgres
from support.stage import PURCHASE, RESTORE, Stage, choose_moments
from support.stores import prepare

SKEWS = ("+1h", "-1h")


class Skew(t.Protocol):
    def __call__(self, skew: str) -> dict[str, str]:
        """Returns the environment of a process whose clock is wrong by ``skew``."""


@pytest.fixture(scope="module")
def skewed() -> Skew:
    def find() -> Path | None:
        return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

    library = str(require_package("libfaketime", find, "the skewed clocks"))
    return lambda skew: {"LD_PRELOAD": library, "FAKETIME": skew}


class Machine:
    """A machine with a home of its own, whose clock is wrong."""

    def __init__(self, folder: Path, collections: Path, environment: dict[str, str]) -> None:
        folder.mkdir()
        self._folder = folder
        self._environment = {"HOME": str(folder), "PYTHONPATH": str(collections), **environment}

    def start(self, module: str, options: dict[str, t.Any]) -> subprocess.Popen[str]:
        """Starts a module; its result is the output."""
        path = self._folder / "arguments.json"
        path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}), encoding="utf-8")
        return self.start_python("-m", module, str(path))

    def start_python(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts Python."""
        command = [sys.executable, *arguments]
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def machines(tmp_path: Path, collections: Path, skewed: Skew) -> list[Machine]:
    return [Machine(tmp_path / skew, collections, skewed(skew)) for skew in SKEWS]


@pytest.fixture
def options(simulator: Simulator, postgres: Postgres) -> dict[str, t.Any]:
    """Options that all machines have in common."""
    prepare(postgres)
    return {"api_url": simulator.url, "api_key": KEY, "state_database": postgres.url()}


def test_the_clocks_are_really_wrong(machines: list[Machine]) -> None:
    times = [
        float(machine.start_python("-c", "import time; print(time.time())").communicate(timeout=60)[0])
        for machine in machines
    ]
    assert 7000 < times[0] - times[1] < 7400


def test_one_restore_is_sent_by_all(simulator: Simulator, machines: list[Machine], options: dict[str, t.Any]) -> None:
    simulator.switch(transition_reads=3)
    restore = {**options, "incident": "INC-1", "instance_id": 1}
    running = [machine.start(claw_backup_restore.__name__, restore) for machine in machines]
    results = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    assert [result["restore"]["outcome"] for result in results] == ["completed"] * 2
    assert sorted(result["changed"] for result in results) == [False, True]
    # Both tell the time of the database.
    assert len({result["restore"]["sent_at"] for result in results}) == 1
    assert len(simulator.calls("POST *")) == 1


@pytest.mark.parametrize("case", [RESTORE, PURCHASE], ids=str)
@pytest.mark.parametrize("skews", [SKEWS, SKEWS[::-1]], ids=["fast first", "slow first"])
def test_killed_on_one_machine_and_run_again_on_the_other(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    postgres: Postgres,
    case: Case,
    skews: tuple[str, str],
    skewed: Skew,
    request: pytest.FixtureRequest,
) -> None:
    first, second = map(skewed, skews)
    scope = "between the lines of the journal"
    lines = Stage(simulator, tmp_path, collections, case, 0, postgres).run(scope=scope).lines
    kills = max(1, request.config.getoption("kills") // 5)
    for at in choose_moments(request, f"{case}, clocks {skews}", kills).sample(range(1, lines + 1), kills):
        stage = Stage(simulator, tmp_path, collections, case, at, postgres)
        assert stage.run(at, scope, environment=first).was_killed
        assert not stage.judge(stage.run(environment=second)), f"killed at {at} of {lines} lines"


def test_who_holds_a_restore_and_for_how_long(
    simulator: Simulator, tmp_path: Path, collections: Path, postgres: Postgres, skewed: Skew
) -> None:
    def look(stage: Stage, environment: dict[str, str], found: list[t.Any]) -> None:
        found.append(stage.run(environment=environment, wait_timeout=5).result)

    fast, slow = map(skewed, SKEWS)
    for first, second in ((fast, slow), (slow, fast)):
        stage = Stage(simulator, tmp_path, collections, RESTORE, 0, postgres)
        found: list[t.Any] = []
        meanwhile = functools.partial(look, stage, second, found)
        assert stage.run(1, "after the request", meanwhile, environment=first).result["failed"] is False
        (waited,) = found
        assert waited["restore"]["outcome"] == "in_flight"
        (seconds,) = re.findall(r"held by \S+@\S+, process \d+, for (\d+) s", waited["msg"])
        assert int(seconds) < 600
        assert len(simulator.calls("POST *")) == 1


def test_one_key_has_one_limit(simulator: Simulator, machines: list[Machine], options: dict[str, t.Any]) -> None:
    """Each machine sends more than a window allows."""
    simulator.switch(rate_limit=20, rate_window_seconds=1, rate_window="clock")
    code = f"""
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store
options = {options!r}
with open_store(options) as store:
    client = Client(parse_settings(options, print), store=store)
    for number in range(1, 31):
        client.fetch(f"/instances/{{number}}")
"""
    running = [machine.start_python("-c", code) for machine in [*machines, *machines]]
    assert [process.wait(120) for process in running] == [0] * 4
    statuses = [request["status"] for request in simulator.log()]
    # One that is sent at the end of a window may arrive in the next: one of each machine, in each window.
    assert (statuses.count(200), len(statuses) - 120 <= 4 * 120 / 20) == (120, True), statuses
