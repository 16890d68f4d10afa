# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Tests of the store in PostgreSQL: TLS, secrets, rights, lost connections, and damage."""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ClawHostersError,
    RefusedError,
    SettingsError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.state_database import open_state_database
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import postgres_session, postgres_store
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    JournalError,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_store import ConflictError, JournalLine
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    describe_process,
    lock_operation,
    read_state,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_session import (
    Session,
    StatementError,
    UnreachableError,
    find_secrets,
    parse_connection,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import PostgresStore, lock_key
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import StoreError
from support.certificates import make_certificates
from support.postgres import ADMIN, JOB, PASSWORD, Postgres
from support.processes import run_apart
from support.proxy import TcpProxy
from support.stores import StorePlace

OPERATION = OperationKey("restore", "https://clawhosters.com/api/v1", "INC-1", "7")
OTHER = OperationKey("restore", "https://clawhosters.com/api/v1", "INC-2", "7")


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


# The connection string


def test_all_machines_agree_on_the_lock_of_an_operation() -> None:
    assert lock_key("f" * 64) == 2**63 - 1
    assert lock_key(OPERATION.subject) == 4430384319979445397


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize(
    ("text", "environment", "sslmode"),
    [
        ("host=localhost", {}, None),
        ("postgresql://[::1]/db?sslmode=disable", {}, "disable"),
        ("dbname=state", {}, None),
        ("host=/run/postgresql", {"PGSSLMODE": "disable"}, None),
        ("host=db.example", {"PGSSLMODE": "disable"}, "verify-full"),
        ("host=db.example sslmode=require", {}, "require"),
        ("host=localhost,db.example", {}, "verify-full"),
        ("host=localhost hostaddr=192.0.2.1", {}, "verify-full"),
        ("dbname=state", {"PGHOST": "db.example"}, "verify-full"),
        ("service=far", {}, "verify-full"),
        ("dbname=state", {"PGSERVICE": "far"}, "verify-full"),
        ("service=near", {"PGHOST": "db.example"}, None),
        ("service=far host=localhost", {}, None),
    ],
)
def test_over_a_network_the_server_is_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, environment: dict[str, str], sslmode: str | None
) -> None:
    services = tmp_path / "services"
    services.write_text("[far]\nhost=db.example\nsslmode=disable\n[near]\nhost=127.0.0.1\n", encoding="utf-8")
    for name, value in {"PGSERVICEFILE": str(services), **environment}.items():
        monkeypatch.setenv(name, value)
    params = parse_connection(text)
    assert params.get("sslmode") == sslmode
    assert params.get("gssencmode") == ("disable" if sslmode in ("verify-full", "require") else None)
    assert os.environ.get("PGSERVICE") == environment.get("PGSERVICE")


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
@pytest.mark.parametrize(
    "text", ["postgresql://u:s3cret-1@db.example/db?sslmode=", "password=s3cret-1 host=::1,a sslmode="]
)
def test_what_trusts_any_server_is_refused_over_a_network(text: str, mode: str) -> None:
    with pytest.raises(SettingsError, match=f"sslmode={mode} would trust any server") as caught:
        PostgresStore(text + mode)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["s3cret nonsense", "postgresql://[::s3cret", "host=a s3cret=1", "host='s3cret"])
def test_a_string_that_can_not_be_read_is_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="state_database can't be read") as caught:
        PostgresStore(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("postgresql://u:s3cret@127.0.0.1:99999/db", {}),
        ("host=127.0.0.1 port=s3cret", {}),
        ("host=127.0.0.1,127.0.0.2 port=5432,5433,5434", {}),
        ("host=127.0.0.1 sslmode=verify_full", {}),
        ("host=127.0.0.1", {"PGSSLMODE": "s3cret"}),
        ("host=127.0.0.1 connect_timeout=5s", {}),
        ("host=127.0.0.1 keepalives_idle=s3cret", {}),
    ],
)
def test_an_invalid_value_is_a_wrong_option_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, text: str, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        PostgresStore(text).read_subjects()
    message = str(caught.value)
    assert message.startswith("state_database, or a variable or file that completes it, has a value that libpq rejects")
    assert message.endswith(" Nothing was sent.")
    assert "s3cret" not in message


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize(
    ("text", "passwords"),
    [
        ("postgresql://user:pa%40ss%3Aword@host/db", {"pa@ss:word", "pa%40ss%3Aword"}),
        ("postgres://host/db?user=u&password=pass%20word&sslpassword=other", {"pass word", "other"}),
        ("host=a password=plain-word", {"plain-word"}),
        (r"password = 'it\'s one' host=a", {"it's one"}),
        ("host=a password=abcd", {"abcd"}),
        ("host=a password=abc", set()),
    ],
)
def test_passwords_are_found_in_each_spelling(text: str, passwords: set[str]) -> None:
    assert passwords | {text} <= find_secrets(text)
    assert find_secrets(text) - {text} == passwords or passwords


def test_without_psycopg_a_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ClawHostersError, match=r"needs psycopg 3\.1 or newer, but it is not installed\.") as missing:
        PostgresStore("host=localhost")
    assert f"{sys.executable}: pip install 'psycopg[binary]'" in str(missing.value)


# The server


def test_a_wrong_password_is_said_without_it(postgres: Postgres) -> None:
    store = PostgresStore(postgres.url(password="wr0ng-Passw0rd"))
    with pytest.raises(StoreError, match="the server rejects the user, the password") as caught:
        store.read_subjects()
    assert not [part for part in ("wr0ng", JOB, "127.0.0.1", str(postgres.port)) if part in str(caught.value)]


class TlsProxy(TcpProxy):
    """Ends TLS in front of a server that has none, as the server of the wheel."""

    def __init__(self, port: int, certificate: Path, key: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        super().__init__(port)

    def greet(self, client: socket.socket) -> socket.socket | None:
        request_for_tls = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
        assert client.recv(8) == request_for_tls
        client.sendall(b"S")
        try:
            return self._context.wrap_socket(client, server_side=True)
        except OSError:
            return None


@pytest.mark.usefixtures("plain_environment", "database")
def test_the_server_of_a_network_is_verified_for_real(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    authority, certificate, key = make_certificates(tmp_path, "db.example")
    front = TlsProxy(postgres.port, certificate, key)
    trusted = f"sslrootcert={authority}"

    def connect(options: str, port: int = front.port) -> str:
        login = f"hostaddr=127.0.0.1 port={port} dbname=postgres user={JOB} password={PASSWORD}"
        store = PostgresStore(f"{login} {options}")
        try:
            store.read_subjects()
        except StoreError as error:
            return str(error)
        finally:
            store.close()
        return "connected"

    assert "the server does not support TLS" in connect(f"host=db.example {trusted}", postgres.port)
    assert connect(f"host=db.example {trusted}") == "connected"
    assert connect("host=db.example sslmode=require") == "connected"
    assert connect(f"host=other.example sslmode=verify-ca {trusted}") == "connected"
    assert "no sslrootcert is set" in connect("host=db.example")
    # psycopg 3.1 does not notice that libpq has given up.
    assert re.search("is for another name|no connection within", connect(f"host=other.example {trusted}"))


INSERT_VERSION = "INSERT INTO clawhosters.version VALUES (1)"


def test_a_schema_that_is_missing_newer_or_damaged_is_refused(database: StorePlace, postgres: Postgres) -> None:
    for change, back, words in (
        ("UPDATE clawhosters.version SET version = 2", "UPDATE clawhosters.version SET version = 1", "is newer than"),
        ("DELETE FROM clawhosters.version", INSERT_VERSION, r"version in state_database is damaged \(it has 0 rows"),
        (INSERT_VERSION, f"DELETE FROM clawhosters.version; {INSERT_VERSION}", "it has 2 rows instead of one"),
        ("ALTER SCHEMA clawhosters RENAME TO away", "ALTER SCHEMA away RENAME TO clawhosters", "has no schema"),
        (f"REVOKE ALL ON clawhosters.version FROM {JOB}", "SELECT 1", "does not grant what is needed"),
    ):
        postgres.query(change)
        try:
            with pytest.raises(StoreError, match=words):
                database.open().read_subjects()
            if "damaged" in words:
                admin = postgres.url(ADMIN)
                with pytest.raises(RefusedError, match=words), open_state_database(admin, check_mode=False) as schema:
                    schema.ensure(JOB, None)
        finally:
            postgres.query(back)


def test_jobs_may_not_change_or_remove_what_is_written(database: StorePlace, postgres: Postgres) -> None:
    append_event(database.journal(), OPERATION, OperationEvent.INTENDED)
    session = Session(postgres.url())
    for statement in (
        "UPDATE clawhosters.journal SET line = ''",
        "DELETE FROM clawhosters.journal",
        "TRUNCATE clawhosters.journal",
        "CREATE TABLE clawhosters.mine ()",
        "UPDATE clawhosters.version SET version = 7",
    ):
        with pytest.raises(StoreError, match="does not grant"):
            session.execute(statement)
    session.close()


DEFAULTS = {
    "client_min_messages": ("error", "warning"),  # else a commit that no standby has confirmed would look like one
    "synchronous_commit": ("off", "on"),
    "statement_timeout": ("200ms", "5s"),
    "idle_in_transaction_session_timeout": ("0", "5s"),
    "idle_session_timeout": ("2s", "0"),
    "transaction_timeout": ("2s", "0"),
    "lock_timeout": ("1ms", "0"),
    "default_transaction_isolation": ("serializable", "read committed"),
    "default_transaction_read_only": ("on", "off"),
    "row_security": ("on", "off"),
    "client_encoding": ("LATIN1", "UTF8"),
    "datestyle": ("German", "ISO, YMD"),
    "extra_float_digits": ("-15", "1"),
    "search_path": ("public", "pg_catalog, pg_temp"),
}
"""Settings of a role, and what a session has instead."""


def test_no_default_of_a_role_changes_what_the_guarantees_rest_on(database: StorePlace, postgres: Postgres) -> None:
    postgres.query("; ".join(f"ALTER ROLE {JOB} SET {name} = '{value}'" for name, (value, _own) in DEFAULTS.items()))
    try:
        session = Session(postgres.url())
        settings = {name: session.execute(f"SHOW {name}")[0][0] for name in (*DEFAULTS, "tcp_user_timeout")}
        session.close()
        with pytest.raises(UnreachableError, match="default_transaction_read_only is on for the role or the database"):
            Session(f"{postgres.url()}?target_session_attrs=read-write").execute("SELECT 1")
    finally:
        postgres.query(f"ALTER ROLE {JOB} RESET ALL")
    assert settings == {name: own for name, (_value, own) in DEFAULTS.items()} | {"tcp_user_timeout": "25000"}


def test_a_hold_that_was_lost_lets_nothing_out(database: StorePlace, postgres: Postgres) -> None:
    """The session ends between the lock and the line; also if another use of the store has connected again."""
    for connects_again in (False, True):
        journal = database.journal()
        with lock_operation(journal, OPERATION):
            assert read_state(journal, OPERATION) is None
            postgres.end_sessions()
            if connects_again:
                with pytest.raises(JournalError):
                    journal.read_entries()
                assert read_state(journal, OPERATION) is None
            with pytest.raises(JournalError, match="the connection was lost"):
                append_event(journal, OPERATION, OperationEvent.INTENDED)
        assert postgres.query("SELECT count(*) FROM clawhosters.journal") == [(0,)]


@pytest.mark.parametrize("is_lost", [False, True], ids=["the line is kept", "a failover lost the line"])
def test_an_outcome_is_recorded_over_a_new_connection(database: StorePlace, postgres: Postgres, is_lost: bool) -> None:
    journal = database.journal()
    with lock_operation(journal, OPERATION):
        append_event(journal, OPERATION, OperationEvent.INTENDED)
        if is_lost:
            postgres.query("DELETE FROM clawhosters.journal")
        postgres.end_sessions()
        append_event(journal, OPERATION, OperationEvent.ACCEPTED)
    assert read_state(database.journal(), OPERATION).event is OperationEvent.ACCEPTED


def test_a_failover_leaves_no_gap_in_the_journal(database: StorePlace, postgres: Postgres) -> None:
    """After a failover that lost the line of a run, another run has begun anew."""
    journal = database.journal()
    with lock_operation(journal, OPERATION):
        append_event(journal, OPERATION, OperationEvent.INTENDED, backup_id=1)
        postgres.query("DELETE FROM clawhosters.journal")
        postgres.end_sessions()
        append_event(database.journal(), OPERATION, OperationEvent.INTENDED, backup_id=2)
        with pytest.raises(JournalError, match="Another run has written to the journal"):
            append_event(journal, OPERATION, OperationEvent.COMPLETED)
    state = read_state(database.journal(), OPERATION)
    assert (state.event, state.facts) == (OperationEvent.INTENDED, {"backup_id": 2})
    with pytest.raises(ConflictError):
        database.open().append([JournalLine(OTHER.subject, 7, "a line without the one before it")])
    database.journal().read_entries()


def test_times_are_those_of_the_database(
    database: StorePlace, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of a machine whose clock is an hour slow."""
    here = time.time
    monkeypatch.setattr(time, "time", lambda: here() - 3600)
    journal = database.journal()
    # Before anything else, too: what another run sends from now on is not overwritten.
    assert abs(journal.now().timestamp() - here()) < 600
    append_event(journal, OPERATION, OperationEvent.INTENDED)
    assert abs(journal.now().timestamp() - here()) < 600
    difference = "SELECT extract(epoch FROM written_at - (line::json->>'at')::timestamptz) FROM clawhosters.journal"
    assert abs(postgres.query(difference)[0][0]) < 600
    with lock_operation(journal, OPERATION):
        (holder,) = database.journal().read_holders().values()
        assert re.search(r"for \d\d? s$", holder.format(journal.now().timestamp()))


def test_what_this_run_sent_is_known_without_the_database(database: StorePlace, postgres: Postgres) -> None:
    journal = database.journal()
    append_event(journal, OPERATION, OperationEvent.INTENDED)
    postgres.query("ALTER SCHEMA clawhosters RENAME TO away")
    try:
        assert read_state(journal, OPERATION).event is OperationEvent.INTENDED
        with pytest.raises(JournalError):
            read_state(journal, OTHER)
    finally:
        postgres.query("ALTER SCHEMA away RENAME TO clawhosters")


def fork_with_a_session(options: dict[str, str]) -> None:
    with open_store(options) as store, store.hold(describe_process(OPERATION.subject, "INC-1")):
        backend = store._session.backend
        if child := os.fork():
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        else:
            with store.locked_document("budget", within=1) as document:
                document.new_content = "text"
            os._exit(store._session.backend == backend)
        with open_store(options) as other:
            assert OPERATION.subject in other.holders()
        store.append([JournalLine(OPERATION.subject, 1, "line", OPERATION.name_digest)])


def test_a_child_opens_a_session_of_its_own_and_leaves_its_parents(database: StorePlace) -> None:
    run_apart(fork_with_a_session, database.options)


def test_a_lock_that_is_not_free_in_time_leaves_the_session_usable(database: StorePlace) -> None:
    first, store = database.open(), database.open()
    with first.locked_document("budget", within=1):
        with pytest.raises(StoreError, match="55P03"), store.locked_document("budget", within=0.05):
            pass
        assert store.read_positions() == {}
    # Where nothing was written, it is free all the same.
    with store.locked_document("budget", within=1):
        pass
    first.close()


def test_an_answer_that_does_not_come_is_given_up(
    database: StorePlace, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_session, "TIMEOUT", 1)
    proxy = TcpProxy(postgres.port)
    store = PostgresStore(postgres.url(port=proxy.port))
    journal = Journal(store)
    with lock_operation(journal, OPERATION):
        proxy.hold()
        with pytest.raises(JournalError, match=r"can't be reached \(no answer within"):
            append_event(journal, OPERATION, OperationEvent.INTENDED)
    # Nor does its thread wait on: the server's session would keep its locks.
    deadline = time.monotonic() + 60
    while "clawhosters-database" in {thread.name for thread in threading.enumerate()}:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # The connection is now refused for a while without a look.
    monkeypatch.setattr(postgres_store, "FAILURE_TTL", 1000)
    with pytest.raises(StoreError, match="can't be reached") as failure, store.locked_document("budget", within=1):
        pass
    with pytest.raises(StoreError) as known, store.locked_document("budget", within=1):
        pass
    assert known.value.is_known
    with pytest.raises(StoreError) as again:
        store.read_positions()
    assert again.value is failure.value


def test_after_a_connection_lost_before_its_rollback_another_is_opened(postgres: Postgres) -> None:
    proxy = TcpProxy(postgres.port)
    proxy.cut_after = b"Z\x00\x00\x00\x05E"  # ready, in a failed transaction
    session = Session(postgres.url(port=proxy.port))
    with pytest.raises(StatementError, match="22012"):
        session.execute("BEGIN; SELECT 1 / 0")
    assert session.execute("SELECT 1") == [(1,)]
    session.close()


@pytest.fixture
def absent_standby(database: StorePlace, postgres: Postgres) -> t.Iterator[None]:
    """The server waits for a synchronous standby that is not there."""
    postgres.configure(synchronous_standby_names="absent")
    yield
    postgres.configure(synchronous_standby_names="")


@pytest.mark.usefixtures("absent_standby")
def test_a_commit_that_no_standby_confirms_lets_nothing_out(
    database: StorePlace, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line may turn up later: then the outcome is unknown."""
    monkeypatch.setattr(postgres_session, "TIMEOUT", 1)
    with pytest.raises(JournalError, match="no answer within"):
        append_event(database.journal(), OPERATION, OperationEvent.INTENDED)
    postgres.end_sessions()
    assert read_state(database.journal(), OPERATION).event is OperationEvent.INTENDED


@pytest.mark.usefixtures("absent_standby")
def test_a_commit_that_was_cancelled_is_not_taken_for_one(database: StorePlace, postgres: Postgres) -> None:
    """The server answers with success and a warning: it has committed on itself only."""
    waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

    def cancel() -> None:
        while not postgres.query(waits):
            time.sleep(0.02)

    thread = threading.Thread(target=cancel)
    thread.start()
    journal = database.journal()
    with pytest.raises(JournalError, match="a standby of state_database has not confirmed"):
        append_event(journal, OPERATION, OperationEvent.INTENDED)
    thread.join()
    assert journal.read_positions() == {OPERATION.subject: 1}


def test_an_outage_is_looked_for_once_by_all_processes_of_a_play(tmp_path: Path) -> None:
    path = str(tmp_path / "outage")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    first, second = (PostgresStore(f"host=127.0.0.1 port={port}", path) for _number in range(2))
    words = r"can't be reached \(no server listens at this address\)"
    with pytest.raises(UnreachableError, match=words), first.locked_document("budget", within=1):
        pass
    with pytest.raises(StoreError) as known, second.locked_document("budget", within=1):
        pass
    assert known.value.is_known
    # A journal is always looked for.
    with pytest.raises(UnreachableError, match=words):
        second.read_subjects()


def test_a_pooler_is_refused_before_any_lock(
    database: StorePlace, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler shows a process number of its own."""
    psycopg = postgres_session.load_psycopg()
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", property(lambda _info: 597203352))
    words = r"goes through a connection pooler.* Nothing was sent\."
    with pytest.raises(JournalError, match=words), lock_operation(database.journal(), OPERATION):
        pass
    assert postgres.query("SELECT count(*) FROM clawhosters.holders") == [(0,)]


def test_a_lock_that_could_not_be_released_ends_with_the_task(database: StorePlace, postgres: Postgres) -> None:
    try:
        with open_store(database.options) as store, store.hold(describe_process(OPERATION.subject, "INC-1")):
            postgres.query(f"REVOKE DELETE ON clawhosters.holders FROM {JOB}")
    finally:
        postgres.query(f"GRANT DELETE ON clawhosters.holders TO {JOB}")
    deadline = time.monotonic() + 60
    while database.open().holders():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# The cause that a message names if the database can't be reached


@pytest.mark.parametrize(
    ("connection", "reason"),
    [("host=db.invalid dbname=clawhosters", "the host is unknown"), ("service=nowhere", "its service is not defined")],
)
def test_a_connection_that_fails_is_explained(connection, reason, monkeypatch, tmp_path):
    (tmp_path / "services").touch()
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with pytest.raises(UnreachableError, match=rf"can't be reached \({reason}\)"):
        Session(connection).execute("SELECT 1")
