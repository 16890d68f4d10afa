# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_state_database: what it makes, what it mends, what it imports, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event, read_state
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import PostgresStore
from ansible_collections.clawhosters.cloud.plugins.modules import claw_state_database
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller
from support.postgres import ADMIN, JOB, PASSWORD, Postgres
from support.stores import folder_place
from support.worker import Worker


@pytest.mark.rest
def test_the_schema_is_a_plan_then_made_then_unchanged(
    controller: Controller, postgres: Postgres, fresh: str, simulator: Simulator
) -> None:
    folder = controller.folder / "state"
    journal = Journal(FolderStore(str(folder)))
    key = OperationKey("restore", simulator.url, "INC-1", "7")
    for event in (OperationEvent.INTENDED, OperationEvent.COMPLETED):
        append_event(journal, key, event, backup_id=31)
    variables = {"admin_database": postgres.url(ADMIN, database=fresh), "import_dir": str(folder)}
    command = ["ansible-playbook", str(REPOSITORY / "examples/controller/state_database.yml"), "-vvvv", "--diff"]
    command += ["-e", f"@{controller.write('variables.yml', variables)}"]
    plan = controller.run(*command, "--check")
    assert plan.result["changed"] is True
    assert postgres.query("SELECT to_regnamespace('clawhosters')::text", database=fresh) == [(None,)]
    real = controller.run(*command)
    before, after = plan.result["diff"]["before"], plan.result["diff"]["after"]
    assert before == {"version": 0, "granted": None, "imported": 0}
    assert after == {"version": 1, "granted": JOB, "imported": 2}
    assert real.result["diff"] == plan.result["diff"]
    again = controller.run(*command)
    assert again.result["changed"] is False
    assert not [run.screen for run in (plan, real, again) if PASSWORD in run.screen or ADMIN in run.screen]
    missing = controller.task({}, module="claw_state_database")
    assert "state_database is not set." in missing.result["msg"]
    store = PostgresStore(postgres.url(database=fresh))
    state = read_state(Journal(store), key)
    store.close()
    assert state is not None
    assert (state.event, state.facts) == (OperationEvent.COMPLETED, {"backup_id": 31})
    assert simulator.calls() == []


def test_rights_that_are_missing_or_too_many_are_mended(postgres: Postgres, fresh: str) -> None:
    worker = Worker(None, {"state_database": postgres.url(ADMIN, database=fresh)})
    assert worker.run(claw_state_database)["schema"] == {"version": 1, "granted": None, "imported": 0}
    assert worker.run(claw_state_database, role=JOB)["changed"] is True
    for change in (
        "GRANT DELETE ON clawhosters.journal TO",
        "REVOKE INSERT ON clawhosters.snapshots FROM",
        "GRANT CREATE ON SCHEMA clawhosters TO",
    ):
        postgres.query(f"{change} {JOB}", database=fresh)
        assert worker.run(claw_state_database, role=JOB, check=True)["changed"] is True
        assert worker.run(claw_state_database, role=JOB)["changed"] is True
        assert worker.run(claw_state_database, role=JOB)["changed"] is False
    rights = (
        "SELECT privilege_type FROM information_schema.role_table_grants WHERE table_name = 'journal' AND grantee = %s"
    )
    assert sorted(postgres.query(rights, [JOB], database=fresh)) == [("INSERT",), ("SELECT",)]


@pytest.mark.parametrize("check", [True, False])
def test_what_can_not_be_made_changes_nothing(postgres: Postgres, fresh: str, tmp_path: Path, check: bool) -> None:
    url = postgres.url(ADMIN, database=fresh)
    damaged = tmp_path / "damaged"
    folder_place(damaged).damage()
    for options, words in (
        ({"state_database": None}, "state_database is not set."),
        ({"state_database": url, "role": "nobody-here"}, "There is no role nobody-here: create it first."),
        ({"state_database": url, "import_dir": str(tmp_path / "none")}, "There is no journal in import_dir"),
        ({"state_database": url, "import_dir": str(damaged)}, "has no mark in journal-marks, so earlier requests are"),
        ({"state_database": f"{url}?sslmode=nonsense"}, "has a value that libpq rejects"),
        ({"state_database": postgres.url(ADMIN, "wr0ng-Passw0rd")}, "the server rejects the user, the password"),
    ):
        result = Worker(None).run(claw_state_database, check=check, **options)
        assert result["failed"] is True
        assert words in result["msg"]
    result = Worker(None).run(claw_state_database, check=check, state_database=postgres.url(JOB, database=fresh))
    assert "Use a user who may create a schema" in result["msg"]
    assert postgres.query("SELECT to_regnamespace('clawhosters')::text", database=fresh) == [(None,)]


def test_a_journal_that_differs_is_not_imported(postgres: Postgres, fresh: str, tmp_path: Path) -> None:
    worker = Worker(None, {"state_database": postgres.url(ADMIN, database=fresh)})
    key = OperationKey("restore", "https://a", "INC-1", "7")
    append_event(Journal(FolderStore(str(tmp_path / "one"))), key, OperationEvent.INTENDED)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for name, event in (("one", OperationEvent.ACCEPTED), ("two", OperationEvent.UNCLEAR)):
        append_event(Journal(FolderStore(str(tmp_path / name))), key, event)
    assert worker.run(claw_state_database, import_dir=str(tmp_path / "one"))["changed"] is True
    result = worker.run(claw_state_database, import_dir=str(tmp_path / "two"))
    assert "both hold lines of one restore or purchase, and they differ. Nothing was changed." in result["msg"]
    assert postgres.query("SELECT count(*) FROM clawhosters.journal", database=fresh) == [(2,)]


def test_folders_of_several_machines_are_imported_in_turn(postgres: Postgres, fresh: str, tmp_path: Path) -> None:
    """Both have restored one instance, for an incident of their own."""
    worker = Worker(None, {"state_database": postgres.url(ADMIN, database=fresh)})
    keys = [OperationKey("restore", "https://a", f"INC-{number}", "7") for number in (1, 2)]
    for key in keys:
        journal = Journal(FolderStore(str(tmp_path / key.name)))
        for event in (OperationEvent.INTENDED, OperationEvent.COMPLETED):
            append_event(journal, key, event, backup_id=key.name)
        append_event(journal, OperationKey("purchase", "https://a", f"order of {key.name}"), OperationEvent.INTENDED)
    for _time in range(2):
        changes = [worker.run(claw_state_database, import_dir=str(tmp_path / key.name)) for key in keys]
        assert [change["schema"]["imported"] for change in changes] == [3, 3]
        assert [change["changed"] for change in changes] == [not _time] * 2
    store = PostgresStore(postgres.url(ADMIN, database=fresh))
    states = Journal(store).read_states([keys[0].subject])
    # What was sent since stays, and a folder that knows less is imported already.
    append_event(Journal(store), keys[0], OperationEvent.INTENDED)
    store.close()
    known = {key: (state.event, state.facts) for key, state in states.items()}
    assert known == {key: (OperationEvent.COMPLETED, {"backup_id": key.name}) for key in keys}
    assert worker.run(claw_state_database, import_dir=str(tmp_path / "INC-1"))["changed"] is False
