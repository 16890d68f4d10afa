# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two incidents restore one instance at the same moment, in two processes: neither overwrites what it does not know of.

`make integration` interleaves them a few times, `make crash` 200 times in each store.
"""

from __future__ import annotations

import re
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store
from simulator.handle import Simulator
from support.killed import Ending
from support.postgres import Postgres
from support.stage import RESTORE, Stage, choose_moments

SCOPE = "around what is sent"
RUNS = {"INC-1": 31, "INC-2": 32}
"""The backup that each of the two restores."""


def options_of(incident: str) -> dict[str, t.Any]:
    return {"incident": incident, "instance_id": 113, "backup_id": RUNS[incident]}


def interleave(stage: Stage, at: int, other_at: int) -> dict[str, Ending]:
    """Runs the first until it is at a line, then the second, all of it or to a line too, and then the rest of both."""
    endings: dict[str, Ending] = {}
    stands, is_over = threading.Event(), threading.Event()

    def run(incident: str, at: int, meanwhile: t.Callable[[], None]) -> None:
        endings[incident] = stage.run(at, SCOPE, meanwhile, **options_of(incident))

    def wait() -> None:
        stands.set()
        is_over.wait()

    def run_other() -> None:
        run("INC-2", other_at, wait)
        stands.set()

    other = threading.Thread(target=run_other)

    def begin_other() -> None:
        other.start()
        stands.wait()

    run("INC-1", at, begin_other)
    is_over.set()
    if other.ident is None:
        # The first has not come to its line.
        other.start()
    other.join()
    return endings


def judge(stage: Stage, endings: dict[str, Ending]) -> str:
    """Returns what is wrong: two requests of which the second did not know of the first, or a silent refusal."""
    incidents = {f"POST /backups/{backup}/restore": incident for incident, backup in RUNS.items()}
    sent = [incidents[call] for call in stage.simulator.calls("POST *")]
    if len(sent) != len(set(sent)) or not sent:
        return f"sent {sent}"
    first, second = sent[0], next(incident for incident in RUNS if incident != sent[0])
    ending = endings[second]
    if second not in sent:
        message = ending.result.get("msg", "")
        # Where the first stands still, it may keep the lock of the journal itself.
        is_known = re.search(rf"ncident {first} (sent|was about to send) a restore of it", message)
        reasons = ("is held by ", "the journal is not used", "Something works on it")
        is_told = is_known or any(reason in message for reason in reasons)
        return "" if ending.result["failed"] and is_told else f"{second} does not say why it sent nothing: {ending}"
    with open_store(stage.store, FolderStore) as store:
        states = Journal(store).read_states()
    (position,) = [state.position for key, state in states.items() if key.name == first]
    known = ending.known_position
    fault = f"{second} knew {known} lines, and overwrote what {first} sent in line {position}"
    return "" if position <= known else fault


def test_two_incidents_never_overwrite_what_they_do_not_know_of(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    server: Postgres | None,
    kills: int,
    request: pytest.FixtureRequest,
) -> None:
    count = 4 * kills if kills >= 50 else 2 * kills
    chance = choose_moments(request, f"two incidents, {'database' if server else 'folder'}", count)
    lines = Stage(simulator, tmp_path, collections, RESTORE, 0, server).run(scope=SCOPE, **options_of("INC-1")).lines
    outcomes = set()
    for number in range(1, count + 1):
        stage = Stage(simulator, tmp_path, collections, RESTORE, number, server)
        # In every third case the second does all it can while the first stands still.
        at, other_at = chance.randint(1, lines), 0 if number % 3 == 0 else chance.randint(1, lines)
        endings = interleave(stage, at, other_at)
        wrong = judge(stage, endings)
        assert not wrong, f"interleaved at lines {at} and {other_at} of {lines}: {wrong}"
        outcomes.add(len(simulator.calls("POST *")))
    assert kills < 50 or outcomes == {1, 2}


def test_a_run_waits_for_what_another_has_sent_since(simulator: Simulator, tmp_path: Path, collections: Path) -> None:
    stage = Stage(simulator, tmp_path, collections, RESTORE, 1)
    others: list[Ending] = []

    def send() -> None:
        others.append(stage.run(scope=SCOPE, wait=False, **options_of("INC-1")))

    ending = stage.run(1, "between the readings", send, **options_of("INC-1"))
    assert others[0].result["restore"]["outcome"] == "in_flight"
    assert ending.result["restore"]["outcome"] == "completed", ending
    assert (others[0].result["changed"], ending.result["changed"]) == (True, False)
    assert simulator.calls("POST *") == ["POST /backups/31/restore"]


@pytest.mark.parametrize(("status", "scope"), [("running", "between the readings"), ("deploying", "after the lists")])
def test_a_restore_that_ends_while_the_account_is_read_is_still_the_reason(
    simulator: Simulator, tmp_path: Path, collections: Path, status: str, scope: str
) -> None:
    stage = Stage(simulator, tmp_path, collections, RESTORE, 1)
    simulator.set_instance(113, status=status)

    def end() -> None:
        simulator.set_instance(113, status="running")
        stage.run(scope=SCOPE, **options_of("INC-1"))

    ending = stage.run(1, scope, end, **options_of("INC-2"))
    assert "ncident INC-1 sent a restore of it" in ending.result["msg"], ending
    assert simulator.calls("POST *") == ["POST /backups/31/restore"]
