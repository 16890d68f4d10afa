# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database of another encoding than UTF8 is refused in one line: it can't keep each name, or give it back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_instance,
    claw_journal_info,
    claw_state_database,
)
from simulator.handle import Simulator
from support.postgres import ADMIN, JOB, Postgres
from support.stores import database_place
from support.worker import Worker

ENCODINGS = ("LATIN1", "SQL_ASCII", "EUC_JP")
DATABASE = "encoded"
ADVICE = "Create another with ENCODING 'UTF8' TEMPLATE template0"


@pytest.fixture(params=ENCODINGS)
def encoding(request: pytest.FixtureRequest, postgres: Postgres) -> t.Iterator[str]:
    """Yields the encoding of the database ``DATABASE``."""
    name: str = request.param
    postgres.query(
        f"CREATE DATABASE {DATABASE} OWNER {ADMIN} ENCODING '{name}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    yield name
    postgres.query(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def test_a_database_of_another_encoding_is_refused(simulator: Simulator, postgres: Postgres, encoding: str) -> None:
    reason = f"the database in state_database has the encoding {encoding}, not UTF8"
    administrator = Worker(None, {"state_database": postgres.url(ADMIN, database=DATABASE)})
    for check in (True, False):
        result = administrator.run(claw_state_database, role=JOB, check=check)
        assert result["msg"] == f"{reason}. {ADVICE}, and run this again."
    assert postgres.query("SELECT FROM pg_namespace WHERE nspname = 'clawhosters'", database=DATABASE) == []
    worker = Worker(simulator, {"state_database": postgres.url(database=DATABASE)})
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
