# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs are stopped at random moments, and by the log of the service nothing is sent that this forbids.

`make crash` takes fifty moments of each kind.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet
from simulator.handle import Simulator
from support.controller import BIN, Controller
from support.killed import Ending, run_killed
from support.stage import choose_moments
from support.worker import Worker

pytestmark = pytest.mark.rest

STATES = ("stopped", "restarted", "absent")


def fleet(count: int) -> dict[str, t.Any]:
    """A world of running instances with a backup each."""
    numbers = range(1, count + 1)
    return {
        "instances": [{"id": number, "name": f"bot-{number}", "billing_mode": "daily"} for number in numbers],
        "backups": [{"id": 10 + number, "instance_id": number, "created_at": "5h ago"} for number in numbers],
    }


def requests_of(simulator: Simulator, number: int) -> list[tuple[str, bool]]:
    """Returns the changes of an instance that were requested, its restore too, and whether each was executed."""
    own = (f"/instances/{number}/", f"/backups/{10 + number}/")
    entries = [entry for entry in simulator.log() if entry["method"] != "GET"]
    return [(entry["path"], bool(entry["effect"])) for entry in entries if f"{entry['path']}/".startswith(own)]


class Scene:
    """A change of one or three instances, one after another, while ``target`` is restored. It shows nothing of that."""

    def __init__(
        self, simulator: Simulator, folder: Path, collections: Path, module: str, chance: random.Random
    ) -> None:
        self.simulator, self.folder, self.collections, self.module = simulator, folder, collections, module
        self.store = {"state_dir": str(folder / "state"), "api_url": simulator.url}
        states = [chance.choice(STATES) for _one in range(3 if module == "claw_fleet" else 1)]
        self.options: dict[str, t.Any] = {"id": 1, "state": states[0]}
        if module == "claw_fleet":
            entries = [{"id": one, "name": f"bot-{one}", "state": state} for one, state in enumerate(states, 1)]
            self.options = {"instances": entries, "serial": 1, "max_failures": 9}
        self.target, self.refusals = chance.randint(1, len(states)), chance.choice((0, 0, 1, 3))

    def run(self, at: int) -> Ending:
        """Runs the change, which stands still at that line while the restore begins."""
        self.simulator.reset(state=fleet(3), switches={"transition_reads": 1, "restore_shows": None})
        for method in ("POST", "DELETE") if self.refusals else ():
            path = f"/instances/{self.target}*"
            self.simulator.fault("rate_limited", method=method, path=path, times=self.refusals)
        scope, options = "before the last look", {**self.store, **self.options}
        return run_killed(self.folder, self.collections, self.module, options, at, scope, meanwhile=self._restore)

    def _restore(self) -> None:
        options = {"incident": "INC-1", "instance_id": self.target, "wait": False}
        Worker(self.simulator, dict(self.store)).run(claw_backup_restore, **options)

    def judge(self, result: dict[str, t.Any]) -> tuple[bool, str]:
        """Returns True if the restore prevented the change, and what is wrong."""
        sent = requests_of(self.simulator, self.target)
        path = f"/backups/{10 + self.target}/restore"
        was_prevented = [path for path, was_executed in sent if was_executed] == [path]
        # One that was changed may have lapsed by the restore.
        failed = [one["msg"] for one in result.get("instances", [result]) if one["failed"] and not one["changed"]]
        told = ["has sent a restore of it for incident INC-1" in one for one in failed]
        is_wrong = (path, True) in sent[:-1] or told != [True] * was_prevented
        return was_prevented, f"restored {self.target}: {sent}, {result}" if is_wrong else ""


@pytest.mark.parametrize("module", ["claw_instance", "claw_fleet"])
def test_no_change_follows_a_restore_that_begins_during_the_run(
    simulator: Simulator, tmp_path: Path, collections: Path, request: pytest.FixtureRequest, module: str, kills: int
) -> None:
    chance = choose_moments(request, f"restores during {module}", kills)
    outcomes = set()
    for number in range(kills):
        folder = tmp_path / str(number)
        folder.mkdir()
        scene = Scene(simulator, folder, collections, module, chance)
        at = chance.randint(1, scene.run(0).lines)
        was_prevented, fault = scene.judge(scene.run(at).result)
        assert not fault, f"at line {at}: {fault}"
        outcomes.add(was_prevented)
    assert kills < 50 or outcomes == {True, False}


# The controller process

BATCHES = 4


def command_of(controller: Controller, way: str, incident: str) -> list[str]:
    """Returns the command that changes the instances in batches of one."""
    ids = list(range(1, BATCHES + 1))
    if way == "role":
        confirmed = ",".join(f"bot-{number}" for number in ids)
        variables = {"instance_ids": ids, "incident": incident, "confirm": confirmed}
        given = [part for name, value in variables.items() for part in ("-e", json.dumps({f"restore_{name}": value}))]
        return ["clawhosters.cloud.restore", *given]
    tasks: dict[str, dict[str, t.Any]] = {
        "fleet": {"clawhosters.cloud.claw_fleet": {"ids": ids, "state": "restarted", "serial": 1}},
        "restores": {"clawhosters.cloud.claw_fleet_restore": {"ids": ids, "incident": incident}},
    }
    return [str(controller.write("play.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": [tasks[way]]}]))]


@dataclass
class Disturbed:
    """A command in batches of one. ``signals``: when its first process got each signal."""

    simulator: Simulator
    process: subprocess.Popen[str]
    signals: list[tuple[signal.Signals, float]]

    def wait_for(self, count: int) -> None:
        """Waits until so many changes were requested."""
        deadline = time.monotonic() + 120
        while len(self._changed_at()) < count:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _changed_at(self) -> list[float]:
        return [entry["at"] for entry in self.simulator.log() if entry["method"] != "GET"]

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """Sends a signal to the process, or to all of its group."""
        (os.killpg if to_group else os.kill)(self.process.pid, number)
        self.signals.append((number, time.time()))

    def judge(self) -> tuple[int, str]:
        """Waits until the workers have ended, too. Returns the number of changes, and what is wrong."""
        screen, _errors = self.process.communicate(timeout=120)
        changed_at = self._changed_at()
        ends = [*(at for _number, at in self.signals[1:]), time.time()]
        for (number, at), end in zip(self.signals, ends, strict=True):
            late = [moment - at for moment in changed_at if at < moment < end]
            # One was perhaps being sent.
            if len(late) > 1 and number is not signal.SIGCONT:
                return len(changed_at), f"{len(late)} changes after {number.name}, the last {late[-1]:.1f} s: {screen}"
        is_whole = self.signals[-1][0] is signal.SIGCONT
        if is_whole and (self.process.returncode, len(changed_at)) != (0, BATCHES):
            return len(changed_at), f"it did not go on: {screen}"
        return len(changed_at), ""


def start(simulator: Simulator, controller: Controller, command: list[str]) -> Disturbed:
    """Starts a command in a session of its own, which SIGHUP ends even if the tests run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = subprocess.Popen(
        [str(BIN / "ansible-playbook"), *command],
        cwd=controller.folder,
        env=controller.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Disturbed(simulator, process, [])


@pytest.mark.parametrize("way", ["fleet", "restores", "role"])
def test_nothing_is_sent_without_a_controller_process(
    simulator: Simulator, controller: Controller, request: pytest.FixtureRequest, way: str, kills: int
) -> None:
    chance = choose_moments(request, f"signals during {way}", kills)
    counts = set()
    for number in range(kills):
        controller.environment["CLAWHOSTERS_STATE_DIR"] = str(controller.folder / f"state-{number}")
        simulator.reset(state=fleet(BATCHES), switches={"transition_seconds": 0.5})
        run = start(simulator, controller, command_of(controller, way, f"INC-{number}"))
        run.wait_for(chance.randint(1, BATCHES - 1))
        time.sleep(chance.uniform(0, 2))
        first = chance.choice((signal.SIGKILL, signal.SIGHUP, signal.SIGSTOP))
        run.send(first, to_group=chance.random() < 0.3)
        if first is signal.SIGSTOP:
            time.sleep(chance.uniform(0, 4))
            run.send(chance.choice((signal.SIGCONT, signal.SIGKILL)), to_group=True)
        count, fault = run.judge()
        assert not fault, f"{run.signals}: {fault}"
        counts.add(count)
    assert kills < 50 or counts == set(range(1, BATCHES + 1))


# A plan that is applied, killed, and applied again


class PlannedFleet:
    """Applies one plan until a run of it ends, and judges what all runs have sent."""

    COUNT = 4
    SCOPE = "around what is sent"

    def __init__(self, simulator: Simulator, folder: Path, collections: Path, chance: random.Random) -> None:
        self.simulator, self.folder, self.collections, self.chance = simulator, folder, collections, chance
        self.state = fleet(self.COUNT)
        for instance in self.state["instances"]:
            instance["status"] = chance.choice(("running", "running", "stopped"))
        self.shows = chance.choice(("old", "busy", "end"))
        states = [chance.choice(("started", *STATES)) for _one in range(self.COUNT)]
        entries = [
            {**({"name": f"bot-{one}"} if chance.random() < 0.3 else {"id": one}), "state": state}
            for one, state in enumerate(states, 1)
        ]
        self.options: dict[str, t.Any] = {"instances": entries}
        if chance.random() < 0.6:
            self.options |= {"serial": chance.choice(([1], [1, 2], [2])), "max_failures": 0}

    def apply(self, at: int, place: str) -> Ending:
        """Applies the plan, and kills that at a line; 0 means never."""
        own = {"plan": self.plan, "state_dir": str(self.folder / place), "api_url": self.simulator.url}
        options = {**self.options, **own}
        return run_killed(self.folder, self.collections, "claw_fleet", options, at, self.SCOPE)

    def begin(self) -> None:
        """Resets the service, and makes the plan."""
        self.simulator.reset(state=self.state, switches={"transition_reads": 2, "transition_shows": self.shows})
        self.plan = Worker(self.simulator).run(claw_fleet, check=True, **self.options)["plan"]
        self.simulator.clear_log()

    def run(self) -> tuple[int, str]:
        """Returns how many of up to three runs were killed, and what is wrong after one that was not."""
        self.begin()
        lines = self.apply(0, "rehearsal").lines
        self.begin()
        kills = 0
        for _run in range(self.chance.randint(1, 3)):
            kills += self.apply(self.chance.randint(1, lines), "state").was_killed
        return kills, self.judge(self.apply(0, "state").result)

    def judge(self, result: dict[str, t.Any]) -> str:
        """Returns what the runs have sent that they must not, or the last one has left undone."""
        verbs = {"delete": "DELETE /instances/{}"}
        planned = {
            verbs.get(entry["action"], f"POST /instances/{{}}/{entry['action']}").format(entry["id"]): entry
            for entry in self.plan["entries"]
        }
        sent = [(f"{one['method']} {one['path']}", one["effect"]) for one in self.simulator.log()]
        changes = [call for call, _effect in sent if not call.startswith("GET")]
        deleted = [call for call, effect in sent if call.startswith("DELETE") and effect]
        twice = {call for call in changes if "restart" in call and changes.count(call) > 1}
        twice |= {call for call in deleted if deleted.count(call) > 1}
        if twice or set(changes) - planned.keys():
            return f"sent twice {twice}, not planned {set(changes) - planned.keys()}: {self.plan}, {sent}"
        unclear = {one["id"] for one in result.get("instances", ()) if "It may have been restarted" in one["msg"]}
        if result["failed"] and (not unclear or result["summary"]["failed"] > len(unclear)):
            return f"it is not continued: {self.plan}, {sent}, {result}"
        ends = {"start": "running", "restart": "running", "stop": "stopped"}
        now = {one["id"]: one["status"] for one in self.simulator.state()["instances"]}
        for call, entry in planned.items():
            is_told = call in changes or entry["id"] in unclear
            if now.get(entry["id"]) != ends.get(entry["action"]) or not is_told:
                return f"{call} is not done: {now}, {sent}, {result}"
        return ""


def test_the_same_command_continues_a_plan_that_was_killed(
    simulator: Simulator, tmp_path: Path, collections: Path, request: pytest.FixtureRequest, kills: int
) -> None:
    chance = choose_moments(request, "kills of an applied plan", kills)
    killed = 0
    for number in range(kills):
        folder = tmp_path / str(number)
        folder.mkdir()
        count, fault = PlannedFleet(simulator, folder, collections, chance).run()
        assert not fault, fault
        killed += count
    assert killed >= kills // 2
