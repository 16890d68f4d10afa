# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Behind PgBouncer in transaction mode, locks of a session would be lost: restores and purchases are refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import psycopg
import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_instance_info,
    claw_purchase,
)
from simulator.handle import Simulator
from support.debian import require_package
from support.postgres import JOB, NOBODY, PASSWORD, Postgres, free_port
from support.stores import prepare
from support.worker import Worker

SETTINGS = """
[databases]
postgres = host=127.0.0.1 port={server} dbname=postgres user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = {clients}
"""


@pytest.fixture(scope="module")
def program() -> str:
    """The path of PgBouncer."""
    return require_package(
        "pgbouncer", lambda: shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"), "the transaction pooler"
    )


@contextlib.contextmanager
def pooler(program: str, server: Postgres, folder: Path, clients: int, sessions: int) -> t.Iterator[str]:
    """Yields a connection string that goes through PgBouncer."""
    port = free_port()
    path = folder / "pgbouncer.ini"
    values = {"user": JOB, "password": PASSWORD, "port": port, "server": server.port}
    path.write_text(SETTINGS.format(**values, clients=clients, sessions=sessions), encoding="utf-8")
    # It refuses to run as root.
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    with (
        path.open() as file,
        subprocess.Popen(
            [program, "-q", "/dev/stdin"], stdin=file, cwd="/", stderr=subprocess.DEVNULL, **user
        ) as process,
    ):
        try:
            url = f"postgresql://{JOB}@127.0.0.1:{port}/postgres"
            _wait_until_it_answers(url)
            yield url
        finally:
            process.kill()


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                assert connection.execute("SELECT current_user").fetchall() == [(JOB,)]
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize(("clients", "sessions"), [(1, 1), (50, 5)], ids=["one client", "many clients"])
def test_a_transaction_pooler_is_refused_before_any_lock(
    simulator: Simulator, postgres: Postgres, program: str, tmp_path: Path, clients: int, sessions: int
) -> None:
    simulator.set_state(balance=500)
    prepare(postgres)
    with pooler(program, postgres, tmp_path, clients, sessions) as url:
        worker = Worker(simulator, {"state_database": url})
        restored = worker.run(claw_backup_restore, incident="INC-1", instance_id=1)
        bought = worker.run(claw_purchase, order="one", package_id=1, balance_below=1000)
        read = worker.run(claw_instance_info, id=1)
        locks = postgres.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
        with psycopg.connect(url, autocommit=True) as connection:  # to a session that others use, too
            assert connection.execute("SHOW search_path").fetchall() == [('"$user", public',)]
    for result in (restored, bought):
        assert "state_database goes through a connection pooler, which does not keep locks" in result["msg"]
        assert "Name the server itself" in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
    assert read["failed"] is False
    (warning,) = set(worker.warnings)
    assert "goes through a connection pooler" in warning
    assert "so the rate limit is not shared" in warning
    assert locks == []
    for table in ("journal", "holders", "budgets"):
        assert postgres.query(f"SELECT 1 FROM clawhosters.{table}") == []
    assert simulator.calls("POST *") == []
