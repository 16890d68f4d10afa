# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of the runbook beside its journal: what it says was sent is not sent again, and no run forgets of it."""

from __future__ import annotations

import concurrent.futures
import json
import shutil
import time
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.controller import Controller, Run
from support.postgres import Postgres
from support.proxy import TcpProxy
from support.stores import prepare

NAMES = ["web-bot", "shop-bot", "team-bot"]
POSTS = [f"POST /backups/{number}1/restore" for number in (1, 2, 3)]


@pytest.fixture
def account(simulator: Simulator) -> Simulator:
    """Three instances, each with a backup."""
    simulator.reset(
        state={
            "instances": [{"id": number, "name": name} for number, name in enumerate(NAMES, start=1)],
            "backups": [{"id": 10 * number + 1, "instance_id": number} for number in (1, 2, 3)],
        },
        switches={"transition_reads": 1},
    )
    return simulator


def restore(controller: Controller, *names: str, check: bool = False, **environment: str) -> Run:
    """Runs the runbook for INC-15."""
    given = {"restore_instances": [*names], "restore_confirm": ",".join(names), "restore_incident": "INC-15"}
    command = ["ansible-playbook", "clawhosters.cloud.restore", "-e", json.dumps({**given, "restore_serial": "100%"})]
    return controller.run(*command, *(["--check"] if check else []), **environment)


def record_path(controller: Controller) -> Path:
    return controller.folder / "clawhosters-restore/INC-15.json"


def read_runs(controller: Controller) -> list[dict[str, t.Any]]:
    runs: list[dict[str, t.Any]] = json.loads(record_path(controller).read_text(encoding="utf-8"))["runs"]
    return runs


def test_with_another_state_dir_nothing_on_record_is_sent_again(account: Simulator, controller: Controller) -> None:
    assert restore(controller, *NAMES[:2]).rc == 0
    assert sorted(account.calls("POST *")) == POSTS[:2]
    elsewhere = controller.folder / "another-state"
    for check in (True, False):
        run = restore(controller, *NAMES, check=check, CLAWHOSTERS_STATE_DIR=str(elsewhere))
        assert run.rc == 2, run.screen
        assert run.says(f"{record_path(controller)} says that a restore of web-bot (id 1) was sent for incident INC-15")
        assert run.says(f"the journal in {elsewhere} does not know it")
        assert run.says("Set state_dir or state_database to the journal with which it was sent")
        # It is in the plan, before the confirmation.
        assert "CAN'T BE RESTORED" in run.stdout.partition("Confirm and restore")[0]
    # The third is of no record, and the others stop it not.
    assert sorted(account.calls("POST *")) == POSTS
    again = restore(controller, *NAMES, CLAWHOSTERS_STATE_DIR=str(elsewhere))
    assert again.rc == 2
    assert sorted(account.calls("POST *")) == POSTS


def test_with_an_older_copy_of_state_dir_nothing_is_sent_again(account: Simulator, controller: Controller) -> None:
    state, copy = controller.home / ".ansible/clawhosters", controller.folder / "copy"
    assert restore(controller, NAMES[0]).rc == 0
    shutil.copytree(state, copy)
    assert restore(controller, *NAMES[1:]).rc == 0
    assert sorted(account.calls("POST *")) == POSTS
    shutil.rmtree(state)
    copy.rename(state)
    run = restore(controller, *NAMES)
    assert run.rc == 2, run.screen
    assert run.says(f"the journal in {state} does not know it")
    assert "web-bot (id 1): already restored" in run.stdout
    assert sorted(account.calls("POST *")) == POSTS


def test_what_a_run_knew_is_kept_when_the_database_was_away_at_its_end(
    account: Simulator, controller: Controller, postgres: Postgres
) -> None:
    prepare(postgres)
    proxy = TcpProxy(postgres.port)

    def hold() -> None:
        while postgres.query("SELECT count(*) FROM clawhosters.journal") < [(6,)]:
            time.sleep(0.01)
        proxy.hold()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        restore(controller, *NAMES, CLAWHOSTERS_STATE_DATABASE=postgres.url(port=proxy.port))
        held.result()
    proxy.release()
    (first,) = read_runs(controller)
    assert [one["sent_at"] is not None for one in first["instances"]] == [True] * 3
    again = restore(controller, *NAMES, CLAWHOSTERS_STATE_DATABASE=postgres.url())
    assert again.rc == 0, again.screen
    assert sorted(account.calls("POST *")) == POSTS
    kept, second = read_runs(controller)
    assert kept == first
    # Other machines read it there.
    shared = postgres.query("SELECT content FROM clawhosters.runs WHERE incident = 'INC-15' ORDER BY written_at")
    assert [json.loads(text)["revision"] for (text,) in shared] == [first["revision"], second["revision"]]
    assert json.loads(shared[0][0]) == first


@pytest.mark.rest
@pytest.mark.parametrize("content", ["", "[]", "[" * 50_000], ids=["empty", "list", "deep"])
def test_a_run_in_the_database_that_can_not_be_read_hides_no_other(
    account: Simulator, controller: Controller, postgres: Postgres, content: str
) -> None:
    prepare(postgres)
    url = postgres.url()
    assert restore(controller, NAMES[0], CLAWHOSTERS_STATE_DATABASE=url).rc == 0
    record_path(controller).unlink()
    postgres.query(f"INSERT INTO clawhosters.runs (incident, run, content) VALUES ('INC-15', 'damaged', '{content}')")
    again = restore(controller, NAMES[0], CLAWHOSTERS_STATE_DATABASE=url)
    assert again.rc == 0, again.screen
    assert len(read_runs(controller)) == 2


@pytest.mark.rest
def test_a_record_that_can_not_be_read_is_told_before_the_question(account: Simulator, controller: Controller) -> None:
    assert restore(controller, NAMES[0]).rc == 0
    record_path(controller).write_bytes(record_path(controller).read_bytes()[:100])
    run = restore(controller, *NAMES[:2], check=True)
    assert run.says(f"The record {record_path(controller)} can't be read: it may say that this was sent already.")
    # It is renamed, and the next run tells of it still.
    assert restore(controller, NAMES[1]).rc == 0
    (damaged,) = record_path(controller).parent.glob("INC-15.json.unreadable-*")
    assert restore(controller, *NAMES, check=True).says(f"The record {damaged} can't be read")
    # What the journal knows is in doubt for nobody.
    assert "can't be read" not in restore(controller, *NAMES[:2], check=True).stdout
    assert account.calls("POST *") == POSTS[:2]
