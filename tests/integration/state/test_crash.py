# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed at any moment and run again: nothing is sent twice that must not be, and the end is reached or said to be
unknown. `make crash` takes fifty moments of each kind.
"""

from __future__ import annotations

import functools
import random
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_status
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import read_incident
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store
from simulator.handle import Simulator
from support.cases import Case
from support.controller import REPOSITORY
from support.killed import CODE, SCOPES, Ending
from support.postgres import Postgres
from support.runbook import MODULE
from support.stage import JOURNAL, ONCE, Stage, choose_moments, restore_outcomes
from support.worker import Worker

pytestmark = pytest.mark.rest

Property = t.Callable[[str, object], None]


def name_of(server: Postgres | None) -> str:
    return "database" if server else "folder"


@pytest.mark.parametrize("case", ONCE, ids=str)
def test_killed_between_any_two_lines_of_the_journal(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    case: Case,
    server: Postgres | None,
    kills: int,
    record_property: Property,
) -> None:
    scope = "between the lines of the journal"
    lines = Stage(simulator, tmp_path, collections, case, 0, server).run(scope=scope).lines
    assert lines > 20
    moments = list(range(1, lines + 1)) if kills >= 50 else random.Random(0).sample(range(1, lines + 1), kills)
    record_property("kills", [f"{case}, each line, {name_of(server)}", len(moments), None])
    outcomes = set()
    for at in moments:
        stage = Stage(simulator, tmp_path, collections, case, at, server)
        ending = stage.run(at, scope)
        if not ending.was_killed:
            # A run that does not wait for a lock has fewer lines.
            assert ending.lines < at
            continue
        ending = stage.run()
        assert not stage.judge(ending), f"killed at {at} of {lines} lines"
        outcomes.add(ending.result["failed"])
        if ending.result["failed"] and case.module != "claw_purchase":
            assert restore_outcomes(stage.run(force=True).result) == {"completed"}
    assert kills < 50 or outcomes == {True, False}


RUNBOOK = Case("the runbook", MODULE)
GIVEN = {"restore_instances": "web-bot,alpha", "restore_confirm": "web-bot,alpha"}
POSTS = ["POST /backups/11/restore", "POST /backups/32/restore"]


class RestoreTask:
    """The incident after a run of the role, as its store tells it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        self.worker = Worker(stage.simulator, stage.store)

    def run(self, at: int = 0) -> Ending:
        """Runs the role, killed at that line."""
        return self.stage.run(at, "the runbook", **GIVEN, restore_report_dir=str(self.folder / "reports"))

    def run_states(self) -> list[str]:
        """Returns the states of the runs, by whether they are in the journal. It must be intact."""
        with open_store(self.stage.store, FolderStore) as store:
            runs = read_incident(Journal(store), self.stage.simulator.url, "INC-1").runs
        return [run.state for run in runs]

    def status(self) -> dict[str, t.Any]:
        """Returns the result of the playbook ``restore_status``."""
        return self.worker.run(internal_restore_status, incident="INC-1", report_dir=str(self.folder / "status"))

    def require_interrupted(self) -> None:
        """Requires that the status tells of the run that was killed, if it had confirmed anything."""
        states, status = self.run_states(), self.status()
        if not states:
            assert "The journal has no incident INC-1." in status["msg"]
            return
        assert states in (["interrupted"], ["ended"])
        assert status["problem"] == ""
        assert any(f", {states[0]}" in line for line in status["lines"]), status["lines"]

    def require_continued(self, ending: Ending) -> None:
        """Requires that the run after that has brought both to their end, or says of which that is unknown."""
        calls = sorted(self.stage.simulator.calls("POST /backups/*"))
        assert calls == sorted(set(calls))
        result = ending.result
        assert self.run_states()[-1] == "ended"
        outcomes = [one["outcome"] for one in result["ansible_stats"]["data"]["clawhosters_restore"]["instances"]]
        if set(outcomes) == {"completed", "not_begun"}:
            # What the killed run had accepted showed no sign: the next batch needs one more run.
            assert "restore_max_failures" in "".join(result["failures"]), result
            self.require_continued(self.run())
            return
        if result["failed"]:
            assert set(outcomes) <= {"unknown", "completed", "not_begun"}, result
            assert "restore_force=true" in "".join(result["failures"]), result
        else:
            assert (calls, outcomes) == (POSTS, ["completed"] * 2), result
        lines, states = self.status()["lines"], self.run_states()
        assert all(any(f", {state}" in line for line in lines) for state in states), lines


def test_the_runbook_is_killed_at_a_line_and_continued(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    server: Postgres | None,
    kills: int,
    request: pytest.FixtureRequest,
) -> None:
    chance = choose_moments(request, f"the runbook, {name_of(server)}", kills)

    def begin(number: int) -> RestoreTask:
        return RestoreTask(Stage(simulator, tmp_path, collections, RUNBOOK, number, server), tmp_path / str(number))

    lines = begin(0).run().lines
    assert lines > 200
    for at in chance.sample(range(1, lines + 1), min(kills, lines)):
        incident = begin(at)
        try:
            if incident.run(at).was_killed:
                if server:
                    server.end_sessions()  # it may notice late that their process is gone
                incident.require_interrupted()
            incident.require_continued(incident.run())
        except AssertionError as error:
            raise AssertionError(f"killed at {at} of {lines} lines") from error


@pytest.mark.parametrize("case", ONCE, ids=str)
@pytest.mark.slow
def test_the_database_is_killed_around_a_request(
    simulator: Simulator, tmp_path: Path, collections: Path, case: Case, kills: int, request: pytest.FixtureRequest
) -> None:
    """The server crashes at a line of a run. In every other run it is back at once, else for the next run."""

    def crash(server: Postgres, written: list[t.Any], is_back_at_once: bool) -> None:
        written += server.query(JOURNAL)
        server.kill()
        if is_back_at_once:
            server.start()

    kills = max(2, kills // 5)
    chance = choose_moments(request, f"{case}, the database", kills)
    scope = "around what is sent"
    with Postgres() as server:
        lines = Stage(simulator, tmp_path, collections, case, 0, server).run(scope=scope).lines
        for number in range(kills):
            stage = Stage(simulator, tmp_path, collections, case, number, server)
            at, written = chance.randint(1, lines), []
            is_back_at_once = number % 2 == 1
            first = stage.run(at, scope, functools.partial(crash, server, written, is_back_at_once))
            if not is_back_at_once:
                server.start()
            why = f"killed at {at} of {lines} lines: {first}"
            assert server.query(JOURNAL)[: len(written)] == written, why
            sent = simulator.calls("POST *")
            assert sent or "Nothing was sent." in first.result["msg"], why
            assert not stage.judge(stage.run()), why


def test_every_scope_is_still_there() -> None:
    """A function that was renamed would leave its scope unseen."""
    for place in " ".join(SCOPES.values()).split():
        name, _colon, function = place.partition(":")
        (path,) = (path for folder in CODE if (path := REPOSITORY / folder.strip("/") / name).exists())
        assert f"def {function}" in path.read_text(encoding="utf-8"), place
