# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed at any moment and run again: nothing is sent twice that must not be, and the end is reached or said to be
unknown. `make test` takes a few moments, `make crash` fifty of each kind.
"""

from __future__ import annotations

import concurrent.futures
import random
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.cases import CASES, STATE, SWITCHES, Case, World
from support.controller import REPOSITORY, Controller
from support.killed import SCOPES, Ending, kill_tree, run_killed
from support.postgres import Postgres
from support.stores import prepare

NAMES = ("backup_restore of the latest", "backup_restore by id", "purchase", "fleet", "fleet_restore")
SUBJECTS = [case for case in CASES if case.name in NAMES]
SENT_ONCE = {"restores": "POST /backups/*/restore", "purchases": "POST /billing/buy_claws"}
Property = t.Callable[[str, object], None]


class Stage:
    """One subject in a fresh world with an empty store, run as often as it takes."""

    def __init__(
        self,
        simulator: Simulator,
        folder: Path,
        collections: Path,
        case: Case,
        number: int,
        database: Postgres | None = None,
    ) -> None:
        self.simulator, self.folder, self.collections, self.case = simulator, folder, collections, case
        self.store = {"state_dir": str(folder / f"state-{number}")}
        if database:
            prepare(database)
            self.store = {"state_database": database.url()}
        self.runs = 0
        simulator.reset(state=STATE, switches=SWITCHES)

    def run(self, at: int = 0, scope: str = "all", **options: t.Any) -> Ending:
        """One run, killed at that line."""
        self.runs += 1
        given = {"api_url": self.simulator.url, **self.store, **self.case.options, **options}
        return run_killed(self.folder, self.collections, self.case.module, given, at, scope)

    def judge(self, ending: Ending) -> list[str]:
        """What is wrong after the last run, which nobody killed."""
        found = []
        result = ending.result
        effects = self.simulator.effects()
        for effect, route in SENT_ONCE.items():
            calls = self.simulator.calls(route)
            if len(calls) > len(set(calls)) or effects.get(effect, 0) > self.case.asked.get(effect, 0):
                found.append(f"sent twice: {route}")
        # Whoever runs a restart again asks for another one; but no run may ask twice.
        if effects.get("restarts", 0) > self.runs or effects.get("deletes", 0) > 1:
            found.append(f"done too often: {effects}")
        if not result["failed"]:
            if not self.case.goal(World(self.simulator.state()), World(self.simulator.state()), result):
                found.append("no failure, and yet it is not as wanted")
            if self.case.module == "claw_purchase" and effects != {"purchases": 1}:
                found.append(f"no failure, and yet {effects}")
        elif not (self.case.is_once and "unknown whether" in result["msg"]):
            found.append(f"failed: {result['msg']}")
        elif self.case.module != "claw_purchase" and not (
            "unknown" in restore_outcomes(result) and "force: true" in result["msg"]
        ):
            found.append(f"it does not say how to go on: {result}")
        return found


def restore_outcomes(result: dict[str, t.Any]) -> set[str]:
    """Returns what became of the restores of a task."""
    entries = result["instances"] if "instances" in result else [result["restore"]]
    return {entry["outcome"] for entry in entries}


def setting(request: pytest.FixtureRequest, name: str) -> t.Any:
    return request.config.getoption(name)


@pytest.mark.parametrize("case", SUBJECTS, ids=str)
@pytest.mark.parametrize("scope", ["all", "around what is sent"])
def test_killed_at_random_moments_and_run_again(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    case: Case,
    scope: str,
    request: pytest.FixtureRequest,
    record_property: Property,
) -> None:
    given = setting(request, "kill_seed")
    seed = random.SystemRandom().randrange(10**9) if given is None else given
    chance = random.Random(seed)
    # Half of the moments are anywhere, half where it matters.
    kills = max(1, setting(request, "kills") // 2)
    record_property("kills", [f"{case}, {scope}", kills, seed])
    lines = Stage(simulator, tmp_path, collections, case, 0).run(scope=scope).lines
    assert lines > 0
    for number in range(1, kills + 1):
        stage = Stage(simulator, tmp_path, collections, case, number)
        # Some are killed twice; a line that the second run does not reach is no harm.
        moments = [chance.randint(1, lines) for _kill in range(chance.choice((1, 1, 2)))]
        for at in moments:
            stage.run(at, scope)
        assert not stage.judge(stage.run()), f"killed at {moments} of {lines} lines, --kill-seed={seed}"


ONCE = [case for case in SUBJECTS if case.is_once]


@pytest.mark.parametrize("case", ONCE, ids=str)
@pytest.mark.parametrize("store", ["folder", "database"])
def test_killed_between_any_two_lines_of_the_journal(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    case: Case,
    store: str,
    request: pytest.FixtureRequest,
    record_property: Property,
) -> None:
    scope = "between the lines of the journal"
    database = request.getfixturevalue("postgres") if store == "database" else None
    lines = Stage(simulator, tmp_path, collections, case, 0, database).run(scope=scope).lines
    assert lines > 20
    kills = setting(request, "kills")
    moments = list(range(1, lines + 1)) if kills >= 50 else random.Random(0).sample(range(1, lines + 1), kills)
    record_property("kills", [f"{case}, each line, {store}", len(moments), 0])
    outcomes = set()
    for at in moments:
        stage = Stage(simulator, tmp_path, collections, case, at, database)
        assert stage.run(at, scope).was_killed
        ending = stage.run()
        assert not stage.judge(ending), f"killed at {at} of {lines} lines"
        outcomes.add(ending.result["failed"])
        if ending.result["failed"] and case.module != "claw_purchase":
            assert restore_outcomes(stage.run(force=True).result) == {"completed"}
    assert kills < 50 or outcomes == {True, False}


@pytest.mark.parametrize("case", ONCE, ids=str)
@pytest.mark.slow
def test_the_database_is_killed_around_a_request(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    case: Case,
    request: pytest.FixtureRequest,
    record_property: Property,
) -> None:
    """The server crashes at a random moment of a run, and is there again for the next one."""
    given = setting(request, "kill_seed")
    seed = random.SystemRandom().randrange(10**9) if given is None else given
    chance = random.Random(seed)
    kills = max(1, setting(request, "kills") // 5)
    record_property("kills", [f"{case}, the database", kills, seed])
    with Postgres() as server:
        for number in range(kills):
            stage = Stage(simulator, tmp_path, collections, case, number, server)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                first = pool.submit(stage.run)
                # Most of the time goes to the start of the process, until its first request.
                deadline = time.monotonic() + 60
                while not simulator.calls():
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.15))
                server.kill()
                first.result()
            server.start()
            ending = stage.run()
            assert not stage.judge(ending), f"--kill-seed={seed}, number {number}"


def test_every_scope_is_still_there() -> None:
    """A function that was renamed would leave its scope unseen."""
    for place in " ".join(SCOPES.values()).split():
        name, _colon, function = place.partition(":")
        source = (REPOSITORY / "plugins/module_utils" / name).read_text(encoding="utf-8")
        assert f"def {function}" in source, place


@pytest.mark.parametrize("fault", ["hang", "hang_after"])
@pytest.mark.slow
def test_a_playbook_that_is_killed_with_all_its_processes_can_be_run_again(
    simulator: Simulator, controller: Controller, fault: str
) -> None:
    simulator.reset(state=STATE, switches={**SWITCHES, "transition_reads": 2})
    simulator.fault(fault, method="POST", seconds=60)
    options = {"incident": "INC-1", "instance_name": "web-bot", "state_dir": str(controller.folder / "state")}
    task = {"clawhosters.cloud.claw_backup_restore": options}
    path = controller.write("killed.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])
    running = subprocess.Popen(
        ["ansible-playbook", str(path)],
        cwd=controller.folder,
        env=controller.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    # The log tells of a request when it has ended; that the fault has struck shows at once.
    while simulator.faults() or (fault == "hang_after" and not simulator.effects()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kill_tree(running.pid)
    running.wait()
    again = controller.run("ansible-playbook", str(path)).result
    outcome = {"hang": "unknown", "hang_after": "completed"}[fault]
    assert again["restore"]["outcome"] == outcome, again
    assert simulator.calls("POST *") == ["POST /backups/32/restore"]
