# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Nothing of another user of the database is ever run, by no session, and no database of another encoding is used."""

from __future__ import annotations

import typing as t

import psycopg
import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_session import Session
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import lock_key
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_instance,
    claw_instance_info,
    claw_journal_info,
    claw_purchase,
    claw_state_database,
)
from simulator.handle import Simulator
from support.postgres import ADMIN, JOB, PASSWORD, Postgres
from support.stores import database_place
from support.worker import Worker

DATABASE = "contested"
MALLORY = "mallory"
RESTORE = {"incident": "INC-1", "instance_id": 1, "wait": False}
ORDER = {"order": "topup", "package_id": 2, "balance_below": 1000}

CODE = f"""
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE SEQUENCE evil.ran;
GRANT ALL ON SEQUENCE evil.ran TO PUBLIC;
CREATE FUNCTION evil.run() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('evil.ran');
    IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user) THEN
        SET ROLE NONE;
        ALTER ROLE {JOB} SUPERUSER;
    END IF;
    RETURN 1;
END $$;
"""
"""A function that makes the job's role a superuser, if a superuser can be led to run it."""
OPERATOR = """
CREATE FUNCTION evil.equals(oid, regnamespace) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.run() = 1 $$;
CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regnamespace, FUNCTION = evil.equals);
"""
VIEW = "CREATE SCHEMA clawhosters; CREATE VIEW clawhosters.version AS SELECT evil.run() AS version;"
TABLE = """
CREATE SCHEMA clawhosters; CREATE TABLE clawhosters.version (version integer DEFAULT evil.run());
INSERT INTO clawhosters.version VALUES (1);
"""
PATH = f"""
CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT evil.run()::text $$;
CREATE FUNCTION evil.pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS $$ SELECT evil.run() $$;
CREATE FUNCTION evil.equals(integer, integer) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.run() = $1 $$;
CREATE OPERATOR evil.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.equals);
CREATE VIEW evil.pg_roles AS SELECT *, evil.run() FROM pg_catalog.pg_roles;
ALTER DATABASE {DATABASE} SET search_path = evil, pg_catalog;
"""
TRIGGER = """
CREATE FUNCTION evil.pull() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.run(); RETURN NEW; END $$;
CREATE TRIGGER pulled BEFORE INSERT ON clawhosters.journal FOR EACH ROW EXECUTE FUNCTION evil.pull();
"""
CONDITION = """
CREATE FUNCTION evil.pull() RETURNS boolean LANGUAGE sql AS $$ SELECT evil.run() = 1 $$;
CREATE TRIGGER pulled BEFORE UPDATE ON clawhosters.version FOR EACH ROW WHEN (evil.pull())
    EXECUTE FUNCTION suppress_redundant_updates_trigger();
"""


@pytest.fixture
def server(postgres: Postgres) -> t.Iterator[Postgres]:
    """A server with a database of its superuser, in which two other roles may make things."""
    postgres.query(f"CREATE ROLE {MALLORY} LOGIN PASSWORD '{PASSWORD}'")
    postgres.query(f"CREATE DATABASE {DATABASE}")
    postgres.query(f"GRANT CREATE ON DATABASE {DATABASE} TO {JOB}, {MALLORY}")
    postgres.query("GRANT CREATE ON SCHEMA public TO PUBLIC", database=DATABASE)
    yield postgres
    postgres.query(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    postgres.query(f"DROP ROLE {MALLORY}")
    postgres.query(f"ALTER ROLE {JOB} NOSUPERUSER")


def run_as(server: Postgres, role: str, *statements: str) -> None:
    """Runs statements as the role."""
    with psycopg.connect(server.url(role, database=DATABASE), autocommit=True) as connection:
        for statement in statements:
            connection.execute(t.cast("t.LiteralString", statement))


def superuser(server: Postgres) -> str:
    """Returns the connection string of the superuser."""
    return f"host={server.folder} port={server.port} user=postgres dbname={DATABASE}"


def require_nothing_was_run(server: Postgres) -> None:
    """Asserts that no code of another role was run, and that no role has got more rights."""
    assert server.query("SELECT rolname FROM pg_roles WHERE rolsuper") == [("postgres",)]
    if server.query("SELECT to_regclass('evil.ran')::text", database=DATABASE) != [(None,)]:
        assert server.query("SELECT is_called FROM evil.ran", database=DATABASE) == [(False,)]


def administer(server: Postgres, *, check: bool = False) -> dict[str, t.Any]:
    """Runs the module as the superuser."""
    return Worker(None, {"state_database": superuser(server)}).run(claw_state_database, role=JOB, check=check)


def make_schema(server: Postgres) -> None:
    result = administer(server)
    assert result["failed"] is False, result


# The administrator's session


def test_an_operator_of_a_job_is_not_run_by_the_administrator(server: Postgres) -> None:
    """It fits the types of a comparison better than one of the server's."""
    run_as(server, JOB, CODE, OPERATOR)
    for changed in (True, False):
        assert administer(server)["changed"] is changed
        require_nothing_was_run(server)


@pytest.mark.parametrize("found", [VIEW, TABLE], ids=["a view", "a table"])
def test_a_schema_of_a_job_is_refused_by_the_administrator(server: Postgres, found: str) -> None:
    run_as(server, JOB, CODE, found)
    for check in (False, True):
        message = administer(server, check=check)["msg"]
        require_nothing_was_run(server)
        assert message == (
            f"the schema clawhosters in state_database belongs to {JOB}, who is neither this connection's user nor a "
            "superuser. Connect as that role if it can be trusted, or else drop the schema clawhosters, which forgets "
            "what was sent, and run this again."
        )
    server.query("DROP SCHEMA clawhosters CASCADE", database=DATABASE)
    assert administer(server)["changed"] is True
    require_nothing_was_run(server)


def test_functions_in_the_path_of_a_database_are_not_run(server: Postgres) -> None:
    """The owner of a database decides about the search path of its sessions."""
    server.query(f"ALTER DATABASE {DATABASE} OWNER TO {JOB}")
    run_as(server, JOB, CODE, PATH)
    assert administer(server)["changed"] is True
    require_nothing_was_run(server)


def test_a_role_that_a_database_sets_makes_no_schema(server: Postgres) -> None:
    """It would own the schema that the administrator makes."""
    server.query(f"ALTER DATABASE {DATABASE} OWNER TO {JOB}")
    run_as(server, JOB, f"ALTER DATABASE {DATABASE} SET role = {JOB}")
    result = administer(server)
    assert "does not grant what is needed" in result["msg"]
    assert result["msg"].endswith("Nothing was changed.")
    run_as(server, JOB, CODE, VIEW)
    result = administer(server)
    assert f"belongs to {JOB}, who is neither" in result["msg"]
    require_nothing_was_run(server)


@pytest.mark.parametrize("code", [TRIGGER, CONDITION], ids=["function", "condition"])
def test_a_trigger_of_another_role_is_refused(server: Postgres, code: str) -> None:
    """It stays when the right to make it is revoked."""
    make_schema(server)
    server.query(f"GRANT ALL ON ALL TABLES IN SCHEMA clawhosters TO {JOB}", database=DATABASE)
    run_as(server, JOB, CODE, code)
    result = administer(server)
    assert "in state_database is no ordinary table, or has a trigger of another role. " in result["msg"]
    require_nothing_was_run(server)
    server.query("DROP SCHEMA evil CASCADE", database=DATABASE)
    server.query(CODE + TRIGGER, database=DATABASE)  # of the administrator
    make_schema(server)


def test_a_view_in_a_trusted_schema_is_refused(server: Postgres) -> None:
    server.query(CODE + VIEW, database=DATABASE)
    result = Worker(None, {"state_database": superuser(server)}).run(claw_state_database)
    assert result["msg"] == (
        "the table clawhosters.version in state_database is no ordinary table, or has a trigger of another role. An "
        "administrator must drop the view or the trigger, and run this again."
    )
    require_nothing_was_run(server)


def test_a_table_of_another_role_in_a_trusted_schema_is_refused(simulator: Simulator, server: Postgres) -> None:
    make_schema(server)
    server.query(f"ALTER TABLE clawhosters.journal OWNER TO {MALLORY}", database=DATABASE)
    for connection, module, options in (
        (superuser(server), claw_state_database, {"role": JOB}),
        (server.url(database=DATABASE), claw_backup_restore, RESTORE),
    ):
        result = Worker(simulator, {"state_database": connection}).run(module, **options)
        assert f"the table clawhosters.journal in state_database belongs to {MALLORY}, who is" in result["msg"]
    assert simulator.calls("POST *") == []


def test_a_schema_that_another_role_makes_then_is_not_taken(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = Session.execute

    def execute_later(session: Session, statements: str, params: t.Any = None) -> t.Any:
        if statements.startswith("CREATE SCHEMA"):
            run_as(server, MALLORY, "CREATE SCHEMA clawhosters")
        return execute(session, statements, params)

    monkeypatch.setattr(Session, "execute", execute_later)
    result = administer(server)
    assert result["msg"].endswith("Nothing was changed.")
    assert server.query("SELECT to_regclass('clawhosters.version')::text", database=DATABASE) == [(None,)]


# Sessions of jobs


@pytest.mark.parametrize("found", [VIEW, TABLE], ids=["a view", "a table"])
def test_a_schema_of_another_role_is_refused_by_jobs(simulator: Simulator, server: Postgres, found: str) -> None:
    simulator.set_state(balance=500)
    grants = f"GRANT USAGE ON SCHEMA clawhosters TO {JOB}; GRANT SELECT ON clawhosters.version TO {JOB}"
    run_as(server, MALLORY, CODE, found, grants)
    worker = Worker(simulator, {"state_database": server.url(database=DATABASE)})
    for module, options in ((claw_backup_restore, RESTORE), (claw_purchase, ORDER)):
        message = worker.run(module, **options)["msg"]
        require_nothing_was_run(server)
        assert message == (
            f"the schema clawhosters in state_database belongs to {MALLORY}, who is neither this connection's user nor "
            "the database's owner nor a superuser, so the journal is not used. An administrator must make that role "
            "the owner of the database if it can be trusted, or else drop the schema clawhosters, which forgets what "
            "was sent: restores and purchases are never sent without a journal. Nothing was sent."
        )
    assert simulator.calls("POST *") == []
    worker.warnings.clear()
    assert worker.run(claw_instance_info, id=1)["failed"] is False
    (warning,) = worker.warnings
    assert f"belongs to {MALLORY}, who is" in warning
    require_nothing_was_run(server)


def test_functions_in_the_path_of_a_database_are_not_run_by_jobs(simulator: Simulator, server: Postgres) -> None:
    make_schema(server)
    server.query(f"ALTER DATABASE {DATABASE} OWNER TO {MALLORY}")
    run_as(
        server,
        MALLORY,
        CODE,
        "CREATE FUNCTION evil.pg_backend_pid() RETURNS integer LANGUAGE sql AS $$ SELECT evil.run() $$",
        "CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM evil.run(); RETURN pg_catalog.clock_timestamp(); END $$",
        f"ALTER DATABASE {DATABASE} SET search_path = evil, pg_catalog",
    )
    worker = Worker(simulator, {"state_database": server.url(database=DATABASE)})
    assert worker.run(claw_backup_restore, **RESTORE)["changed"] is True
    require_nothing_was_run(server)


def test_jobs_use_a_schema_of_their_user_or_of_the_databases_owner(simulator: Simulator, server: Postgres) -> None:
    server.query(f"GRANT CREATE ON DATABASE {DATABASE} TO {ADMIN}")
    job = Worker(simulator, {"state_database": server.url(database=DATABASE)})
    assert job.run(claw_state_database)["changed"] is True
    assert job.run(claw_backup_restore, **RESTORE)["changed"] is True
    server.query("DROP SCHEMA clawhosters CASCADE", database=DATABASE)
    administrator = Worker(None, {"state_database": server.url(ADMIN, database=DATABASE)})
    assert administrator.run(claw_state_database, role=JOB)["changed"] is True
    assert f"belongs to {ADMIN}, who is neither" in job.run(claw_backup_restore, **RESTORE)["msg"]
    server.query(f"ALTER DATABASE {DATABASE} OWNER TO {ADMIN}")
    assert job.run(claw_backup_restore, **RESTORE)["changed"] is True
    assert administrator.run(claw_state_database, role=JOB)["changed"] is False


# Locks that are no run's


def test_a_wait_names_the_database_role_that_holds_the_lock(simulator: Simulator, server: Postgres) -> None:
    """Anyone who may connect can take a lock of any number."""
    make_schema(server)
    simulator.set_state(balance=500)
    worker = Worker(simulator, {"state_database": server.url(database=DATABASE)})
    restore = OperationKey("restore", simulator.url, "INC-1", "1")
    order = OperationKey("purchase", simulator.url, "topup")
    with psycopg.connect(server.url(MALLORY, database=DATABASE), autocommit=True) as connection:
        for operation in (restore, order):
            connection.execute("SELECT pg_advisory_lock(%s)", [lock_key(operation.subject)])
        by = f"held by database role {MALLORY}, process {connection.info.backend_pid}"
        restored = worker.run(claw_backup_restore, **{**RESTORE, "wait": True, "wait_timeout": 30})
        bought = worker.run(claw_purchase, **ORDER)
    assert [line for line in worker.lines if by in line]
    assert f"It was not free within 30 s (wait_timeout), and now it is {by}" in restored["msg"]
    assert f"{by}." in bought["msg"]
    assert simulator.calls("POST *") == []


# Other encodings than UTF8: they can't keep each name, or give it back


ENCODINGS = ("LATIN1", "SQL_ASCII", "EUC_JP")
ENCODED = "encoded"
ADVICE = "Create another with ENCODING 'UTF8' TEMPLATE template0"


@pytest.fixture(params=ENCODINGS)
def encoding(request: pytest.FixtureRequest, postgres: Postgres) -> t.Iterator[str]:
    """Yields the encoding of the database ``ENCODED``."""
    name: str = request.param
    locale = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    postgres.query(f"CREATE DATABASE {ENCODED} OWNER {ADMIN} ENCODING '{name}' {locale}")
    yield name
    postgres.query(f"DROP DATABASE {ENCODED} WITH (FORCE)")


def test_a_database_of_another_encoding_is_refused(simulator: Simulator, postgres: Postgres, encoding: str) -> None:
    reason = f"the database in state_database has the encoding {encoding}, not UTF8"
    administrator = Worker(None, {"state_database": postgres.url(ADMIN, database=ENCODED)})
    for check in (True, False):
        result = administrator.run(claw_state_database, role=JOB, check=check)
        assert result["msg"] == f"{reason}. {ADVICE}, and run this again."
    assert postgres.query("SELECT FROM pg_namespace WHERE nspname = 'clawhosters'", database=ENCODED) == []
    worker = Worker(simulator, {"state_database": postgres.url(database=ENCODED)})
    result = worker.run(claw_backup_restore, incident="INC-日本", instance_id=1, wait=False)
    assert result["msg"] == (
        f"{reason}, so the journal is not used. {ADVICE}: restores and purchases are never sent without a journal. "
        "Nothing was sent."
    )
    assert simulator.calls("POST *") == []
    assert worker.run(claw_journal_info)["msg"].startswith(reason)
    worker.warnings.clear()
    assert worker.run(claw_instance, id=1, state="restarted", wait=False)["changed"] is True
    (warning,) = worker.warnings
    assert warning == f"{reason}, so the rate limit is not shared with other processes. {ADVICE}."


@pytest.mark.parametrize("name", ["INC-日本", "INC-😀", "INC-ü"])
def test_a_role_or_a_variable_with_another_encoding_changes_nothing(
    simulator: Simulator, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with database_place(postgres) as place:
        postgres.query(f"ALTER ROLE {JOB} SET client_encoding = 'LATIN1'")
        try:
            for options in (place.options, {"state_database": f"{postgres.url()}?client_encoding=SQL_ASCII"}):
                worker = Worker(simulator, options)
                sends = options == place.options
                result = worker.run(claw_backup_restore, incident=name, instance_id=1, wait=False)
                assert result["changed"] is sends, result
                assert [one["name"] for one in worker.run(claw_journal_info)["operations"]] == [name]
        finally:
            postgres.query(f"ALTER ROLE {JOB} RESET client_encoding")
    assert len(simulator.calls("POST *")) == 1
