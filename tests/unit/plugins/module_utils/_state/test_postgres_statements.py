# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Every statement that is sent to the database names what it uses by schema, and compares values of one type."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service import state_database
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import (
    postgres_schema,
    postgres_session,
    postgres_store,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_store import JournalLine
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_session import Session
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import Outage, PostgresStore
from ansible_collections.clawhosters.cloud.plugins.modules import claw_state_database
from support.postgres import ADMIN, JOB, Postgres
from support.worker import Worker

OPERATION = OperationKey("restore", "https://clawhosters.com/api/v1", "INC-1", "7")
SUBJECT = OPERATION.subject
MODULES = (postgres_schema, postgres_session, postgres_store, state_database)
DATABASE = "statements"

COMPARISONS = r"""
CREATE SEQUENCE public.comparisons;
GRANT ALL ON SEQUENCE public.comparisons TO PUBLIC;
DO $do$
DECLARE
    types text[] := '{oid,regnamespace,regclass,regrole,name,text,"\"char\"",int2,int4,int8}';
    one text; other text; operator text;
BEGIN
    FOREACH one IN ARRAY types LOOP FOREACH other IN ARRAY types LOOP
        CONTINUE WHEN one = other;
        EXECUTE format('CREATE FUNCTION public.compare(%s, %s) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN PERFORM nextval(''public.comparisons''); RETURN false; END $$', one, other);
        FOREACH operator IN ARRAY ARRAY['=', '<>', '<', '>'] LOOP
            EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.compare)',
                operator, one, other);
        END LOOP;
    END LOOP; END LOOP;
END $do$
"""
"""Makes operators that compare values of unequal types, and count that. For equal types there are only the server's."""


@pytest.fixture
def server(postgres: Postgres) -> t.Iterator[Postgres]:
    postgres.query(f"CREATE DATABASE {DATABASE} OWNER {ADMIN}")
    yield postgres
    postgres.query(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def use_everything(server: Postgres, folder: Path) -> None:
    """Makes the schema, and uses each method of the store."""
    key = OperationKey("restore", "https://clawhosters.com/api/v1", "INC-2", "8")
    Journal(FolderStore(str(folder))).append(key, OperationEvent.INTENDED)
    administrator = Worker(None, {"state_database": server.url(ADMIN, database=DATABASE), "role": JOB})
    for options in ({}, {"import_dir": str(folder)}, {"import_dir": str(folder)}):
        assert administrator.run(claw_state_database, **options)["failed"] is False
    store, other = (PostgresStore(server.url(database=DATABASE), Outage()) for _number in range(2))
    for text in ("{}", None):
        with store.locked_document("budget", within=1) as document:
            if text:
                document.write(text)
    lines = [JournalLine(SUBJECT, number, str(number), OPERATION.name_digest) for number in (1, 2)]
    store.append(lines[0])
    store.append(lines[1], earlier=lines[:1])
    assert sorted(len(one.lines) for one in store.read_subjects()) == [1, 2]
    assert [len(one.lines) for one in store.read_subjects([SUBJECT])] == [2]
    assert store.find_subjects(OPERATION.name_digest) == {SUBJECT}
    assert sorted(store.read_positions().values()) == [1, 2]
    with store.hold(SUBJECT, "INC-1"), other.hold(SUBJECT, "INC-2") as holder:
        assert holder.name == "INC-1"
        assert list(store.holders()) == [SUBJECT]
    for text in ("first", "second"):
        store.write_snapshot("watch", text)
    assert store.read_snapshot("watch") == "second"
    store.close()
    other.close()


def test_every_statement_names_its_objects_with_their_schema(server: Postgres, tmp_path: Path) -> None:
    statements = log_statements(server, lambda: use_everything(server, tmp_path / "state"))
    sent = "\n".join(statements)
    unseen = [name for name, pattern in known_statements().items() if not re.search(pattern, sent)]
    assert unseen == []
    relations = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace = 'pg_catalog'::regnamespace"
    catalog = {name for (name,) in server.query(relations)}
    assert {name for statement in statements for name in find_bare_names(statement, catalog)} == set()
    sessions = [statement for statement in statements if "set_config" in statement]
    assert len(sessions) == 5
    assert {session.partition("SELECT")[0].strip() for session in sessions} == {
        "BEGIN; SET LOCAL search_path = pg_catalog, pg_temp;"
    }
    assert statements[0] == sessions[0]


def log_statements(server: Postgres, use: t.Callable[[], None]) -> list[str]:
    """Returns the statements that the server executes for the two roles meanwhile."""
    log = server.folder / "log"
    start = log.stat().st_size
    for role in (ADMIN, JOB):
        server.query(f"ALTER ROLE {role} SET log_statement = 'all'")
    try:
        use()
    finally:
        for role in (ADMIN, JOB):
            server.query(f"ALTER ROLE {role} RESET log_statement")
    text = log.read_bytes()[start:].decode()
    found = re.findall(r"^20\S+ .* LOG:  statement: (.*(?:\n\t.*)*)", text, re.MULTILINE)
    return [statement.replace("\n\t", "\n") for statement in found]


def known_statements() -> dict[str, str]:
    """Returns patterns of the statements in the constants of the modules, by their names."""
    texts = {f"{module.__name__}.{name}": text for module in MODULES for name, text in vars(module).items()}
    return {
        name: re.sub(r"%\\\(\w+\\\)s", ".*?", re.escape(text.strip()))
        for name, text in texts.items()
        if isinstance(text, str) and re.match(r"\s*(BEGIN|SELECT|INSERT|UPDATE|DELETE|WITH|CREATE)\b", text)
    }


def find_bare_names(statement: str, catalog: set[str]) -> set[str]:
    """Returns the functions, relations and types in a statement that are named without their schema.

    Our statements write keywords in upper case, and names in lower case.
    """
    plain = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "''", statement)
    tokens = re.findall(r"[\w.]+|''|::|\S", plain)
    local = set(re.findall(r"\bAS (\w+)", plain)) | set(re.findall(r"\b(\w+) AS \(", plain))
    grammar = {"coalesce", "extract", "bigint", "integer", "smallint", "double", "timestamp", "session_user"}
    two_words = {("timestamp", "with"), ("with", "time"), ("time", "zone"), ("double", "precision")}
    bare = set()
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if not re.fullmatch(r"[a-z_]\w*", token) or token in grammar:
            continue
        is_function = after == "(" and before != "AS"
        is_granted = before == "ON" and after in ("TO", "FROM")
        is_relation = before in ("FROM", "JOIN", "INTO", "TABLE", "UPDATE") and token not in local
        is_type = before == "::" or (re.fullmatch(r"[a-z_]\w*", before) and (before, token) not in two_words)
        if is_function or is_granted or is_relation or is_type or token in catalog - local:
            bare.add(f"{before} {token}")
    return bare


def test_only_values_of_one_type_are_compared(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the search path of a database whose owner wants operators of its own to be used."""
    configure = postgres_session._CONFIGURE.replace("pg_catalog, pg_temp", "public, pg_catalog, pg_temp")
    monkeypatch.setattr(postgres_session, "_CONFIGURE", configure)
    server.query(COMPARISONS, database=DATABASE)
    use_everything(server, tmp_path / "state")
    session = Session(server.url(database=DATABASE))
    assert session.execute("SHOW search_path") == [("public, pg_catalog, pg_temp",)]
    called = "SELECT is_called FROM public.comparisons"
    assert session.execute(called) == [(False,)]
    session.execute("SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('public')")
    assert session.execute(called) == [(True,)]
    session.close()
