# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database that is gone, slow or full, or fails over, and how many sessions a play has."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import postgres_session
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_instance_info, claw_purchase
from simulator.handle import Simulator
from support.cases import Case
from support.controller import Controller
from support.debian import as_root, left_out
from support.postgres import JOB, NOBODY, Postgres, Standby
from support.proxy import TcpProxy
from support.stage import JOURNAL, PURCHASE, RESTORE, Stage, choose_moments
from support.stores import prepare
from support.worker import Worker

FORKS = 50


# Slow, and silent


UNRECORDED = "The request was accepted, and counts as done, but the journal could not be written."


@pytest.mark.parametrize("case", [RESTORE, PURCHASE], ids=str)
def test_a_link_that_falls_silent_at_any_line(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    postgres: Postgres,
    case: Case,
    request: pytest.FixtureRequest,
) -> None:
    """Nothing was sent, or the run goes on to the end of what it sent, and fails if it can't record that."""
    scope = "between the lines of the journal"
    lines = Stage(simulator, tmp_path, collections, case, 0, postgres).run(scope=scope).lines
    silences = max(1, request.config.getoption("kills") // 10)
    chance = choose_moments(request, f"{case}, silent link", silences)
    for number in range(silences):
        proxy = TcpProxy(postgres.port)
        stage = Stage(simulator, tmp_path, collections, case, number, postgres, postgres.url(port=proxy.port))
        at = chance.randint(1, lines)
        result = stage.run(at, scope, proxy.hold).result
        why = f"silent from line {at} of {lines}: {result}"
        if simulator.calls("POST *"):
            assert result["changed"] is True, why
            assert not result["failed"] or UNRECORDED in result["msg"], why
        else:
            assert result["msg"].endswith("Nothing was sent."), why
        # One connection for the run, and one more look for what it has to record.
        assert proxy.connections <= 2, why
        proxy.release()
        assert not stage.judge(stage.run()), why


# Gone


@pytest.mark.parametrize("is_loop", [False, True], ids=["tasks", "a loop"])
def test_a_play_pays_once_for_an_outage_that_begins_in_it(
    controller: Controller, simulator: Simulator, postgres: Postgres, is_loop: bool
) -> None:
    prepare(postgres)
    proxy = TcpProxy(postgres.port)
    controller.environment["CLAWHOSTERS_STATE_DATABASE"] = postgres.url(port=proxy.port)
    options = {"state": "restarted", "wait": False}
    numbers = list(range(1, 9))
    tasks: list[dict[str, t.Any]] = [{"clawhosters.cloud.claw_instance": {"id": one, **options}} for one in numbers]
    if is_loop:
        tasks = [{"clawhosters.cloud.claw_instance": {"id": "{{ item }}", **options}, "loop": numbers}]

    def hold() -> None:
        while not simulator.calls():
            time.sleep(0.01)
        proxy.hold()

    thread = threading.Thread(target=hold)
    thread.start()
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    thread.join()
    assert run.rc == 0, run.screen
    assert len(simulator.calls("POST *")) == 8
    assert run.screen.count("so the rate limit is not shared") == 1
    # The task that met the outage may have had its connection from before; others may have ended until then.
    assert proxy.connections < 8
    restore = {"clawhosters.cloud.claw_backup_restore": {"incident": "INC-1", "instance_id": 1}}
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [restore]}])
    proxy.release()
    assert run.result["msg"].endswith("Nothing was sent.")


# Full


@pytest.fixture
def full_disk(postgres: Postgres) -> t.Iterator[t.Callable[[], None]]:
    """The journal is on a small disk of its own. Returns what fills it."""
    # Not below the folder of pytest, which another session closes to other users.
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    user = os.geteuid() or NOBODY
    if not as_root("mount", "-t", "tmpfs", "-o", f"size=1m,uid={user},mode=755", "tmpfs", str(folder)):
        left_out("a full disk", "only root may mount one")
    try:
        space = folder / "space"
        space.mkdir(mode=0o700)
        if user == NOBODY:
            os.chown(space, NOBODY, NOBODY)
        prepare(postgres)
        postgres.query("TRUNCATE clawhosters.journal")
        postgres.query(f"CREATE TABLESPACE small LOCATION '{space}'")
        # A page has room for one line.
        postgres.query("ALTER TABLE clawhosters.journal SET (fillfactor = 10)")
        postgres.query("ALTER TABLE clawhosters.journal SET TABLESPACE small")

        def fill() -> None:
            with contextlib.suppress(OSError), (folder / "file").open("wb", buffering=0) as file:
                while file.write(b"0" * 4096):
                    pass

        yield fill
        (folder / "file").unlink(missing_ok=True)
        postgres.query("ALTER TABLE clawhosters.journal RESET (fillfactor)")
        postgres.query("ALTER TABLE clawhosters.journal SET TABLESPACE pg_default")
        postgres.query("DROP TABLESPACE small")
    finally:
        assert as_root("umount", str(folder))
        folder.rmdir()


def test_a_full_disk_lets_nothing_out(
    simulator: Simulator, postgres: Postgres, full_disk: t.Callable[[], None]
) -> None:
    simulator.set_state(balance=500)
    full_disk()
    worker = Worker(simulator, {"state_database": postgres.url()})
    for module, options in (
        (claw_backup_restore, {"incident": "INC-1", "instance_id": 1}),
        (claw_purchase, {"order": "one", "package_id": 1, "balance_below": 1000}),
    ):
        result = worker.run(module, **options)
        assert "state_database can't be used (SQLSTATE 53100)" in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
    assert worker.run(claw_instance_info, id=1)["failed"] is False
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize("case", [RESTORE, PURCHASE], ids=str)
def test_a_disk_that_fills_up_after_the_request(
    simulator: Simulator,
    tmp_path: Path,
    collections: Path,
    postgres: Postgres,
    full_disk: t.Callable[[], None],
    case: Case,
) -> None:
    stage = Stage(simulator, tmp_path, collections, case, 0, postgres)
    first = stage.run(1, "after the request", full_disk).result
    assert (first["failed"], first["changed"]) == (True, True)
    assert UNRECORDED in first["msg"]
    assert postgres.query("SELECT count(*) FROM clawhosters.journal") == [(1,)]
    # The line of the request is there, so it is not sent again.
    assert not stage.judge(stage.run())
    assert len(simulator.calls("POST *")) == 1


# Sessions


def test_each_fork_has_a_session_and_none_is_left(
    controller: Controller, simulator: Simulator, postgres: Postgres
) -> None:
    prepare(postgres)
    proxy = TcpProxy(postgres.port)
    controller.environment["CLAWHOSTERS_STATE_DATABASE"] = postgres.url(port=proxy.port)
    hosts = {f"host-{number}": {} for number in range(2 * FORKS)}
    inventory = controller.write("hosts.yml", {"all": {"hosts": hosts}})
    task = {"clawhosters.cloud.claw_instance_info": {"id": 1}}
    plays = [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
    run = controller.playbook(plays, "-i", str(inventory), "--forks", str(FORKS))
    assert run.rc == 0, run.screen
    assert "[WARNING]" not in run.screen
    assert len(simulator.calls()) == proxy.connections == 2 * FORKS
    deadline = time.monotonic() + postgres_session.TIMEOUT * 4
    while postgres.query(f"SELECT 1 FROM pg_stat_activity WHERE usename = '{JOB}'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Failover


@pytest.mark.parametrize("case", [RESTORE, PURCHASE], ids=str)
def test_a_synchronous_standby_loses_nothing(
    simulator: Simulator, tmp_path: Path, collections: Path, case: Case, request: pytest.FixtureRequest
) -> None:
    """The primary crashes at a line of a run, and the standby takes over for the rest of it."""

    def crash(primary: Postgres, standby: Standby, written: list[t.Any]) -> None:
        written.append(primary.query(JOURNAL))
        primary.kill()
        standby.promote()

    scope = "around what is sent"
    with Postgres() as server:
        lines = Stage(simulator, tmp_path, collections, case, 0, server).run(scope=scope).lines
    kills = max(1, request.config.getoption("kills") // 10)
    chance = choose_moments(request, f"{case}, failover", kills)
    for number in range(kills):
        with Postgres() as primary:
            prepare(primary)
            with Standby(primary) as standby:
                primary.configure(synchronous_standby_names="standby")
                stage = Stage(simulator, tmp_path, collections, case, number, primary, standby.failover_url())
                at, written = chance.randint(1, lines), []
                crash_now = functools.partial(crash, primary, standby, written)
                first = stage.run(at, scope, crash_now)
                if not written:  # How many lines wait for a lock depends on the moment: this run had fewer.
                    crash_now()
                why = f"crashed at {at} of {lines} lines: {first}"
                assert standby.query(JOURNAL)[: len(written[0])] == written[0], why
                assert simulator.calls("POST *") or "Nothing was sent." in first.result["msg"], why
                assert not stage.judge(stage.run()), why
