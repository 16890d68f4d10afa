# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that uses a database has a folder, too: nothing is sent that only one of them knows."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_fleet_restore,
    claw_instance_info,
    claw_journal_info,
    claw_purchase,
    claw_state_database,
)
from simulator.handle import Simulator
from support import KEY
from support.postgres import ADMIN, PASSWORD, Postgres
from support.runbook import Runbook
from support.stores import StorePlace, folder_place
from support.users import Owners
from support.worker import Worker

OTHER_KEY = "oc_live_another_0000"
ORDER = {"order": "2026-02-topup", "package_id": 2, "balance_below": 1000}
SPENDERS: dict[t.Any, dict[str, t.Any]] = {
    claw_backup_restore: {"incident": "INC-1", "instance_id": 1},
    claw_fleet_restore: {"incident": "INC-1", "instances": [{"id": 1}], "wait_healthy": False},
    claw_purchase: ORDER,
}
OTHERS: dict[t.Any, dict[str, t.Any]] = {
    claw_backup_restore: {"incident": "INC-1", "instance_id": 2},
    claw_fleet_restore: {"incident": "INC-2", "instances": [{"id": 1}], "wait_healthy": False},
    claw_purchase: {**ORDER, "order": "2026-03-topup"},
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def alone(simulator: Simulator, state: Path) -> Worker:
    """Runs tasks without the database."""
    simulator.set_state(balance=500)
    simulator.switch(transition_reads=1)  # or a restore could not be seen
    return Worker(simulator, {"state_dir": str(state)})


@pytest.fixture
def together(alone: Worker, database: StorePlace) -> Worker:
    """Runs tasks with the database, and the same folder."""
    return Worker(alone.simulator, {**alone.defaults, **database.options})


def know(simulator: Simulator, state: Path, *, incident: str = "INC-1") -> None:
    """Puts a restore of instance 1 into the journal of the folder."""
    key = OperationKey("restore", simulator.url, incident, "1")
    append_event(folder_place(state).journal(), key, OperationEvent.INTENDED, backup_id=12)


# What the folder knows


@pytest.mark.parametrize("module", SPENDERS)
def test_what_the_folder_alone_knows_is_refused_until_it_is_imported(
    simulator: Simulator, alone: Worker, together: Worker, postgres: Postgres, state: Path, module: t.Any
) -> None:
    options = SPENDERS[module]
    assert alone.run(module, **options)["changed"] is True
    sent = simulator.calls("POST *")
    forced = [] if module is claw_purchase else [{"force": True}]
    for check in (True, False):
        for more in ({}, *forced):
            result = together.run(module, check=check, **options, **more)
            assert result["failed"] is True
            assert f"The journal in {state} contains a " in result["msg"]
            assert f"import_dir: {state}" in result["msg"]
            assert "Nothing was sent." in result["msg"]
    assert simulator.calls("POST *") == sent
    assert together.run(claw_journal_info)["operations"] == []
    admin = {"state_database": postgres.url(ADMIN), "import_dir": str(state)}
    assert together.run(claw_state_database, **admin)["changed"] is True
    again = together.run(module, **options)
    assert (again["failed"], again["changed"]) == (False, False), again
    assert simulator.calls("POST *") == sent


def test_what_folder_and_record_know_is_imported_for_the_role(
    simulator: Simulator, alone: Worker, together: Worker, state: Path, tmp_path: Path
) -> None:
    variables = {"restore_instance_ids": "1", "restore_confirm": "1"}
    assert Runbook(alone, tmp_path / "reports", variables).run()["failed"] is False
    sent = simulator.calls("POST *")
    for check in (True, False):
        (failure,) = Runbook(together, tmp_path / "reports", variables).run(check=check)["failures"]
        assert f"The journal in {state} contains a restore for INC-1, sent at" in failure
        assert f"import_dir: {state}" in failure
        assert failure.endswith("When the folder is imported, run the same command again.")
    assert simulator.calls("POST *") == sent


@pytest.mark.parametrize("module", OTHERS)
def test_a_journal_that_was_not_imported_stops_all_of_its_service(
    simulator: Simulator, alone: Worker, together: Worker, state: Path, module: t.Any
) -> None:
    elsewhere = {"api_url": simulator.url.replace("127.0.0.1", "localhost")}
    alone.run(claw_backup_restore, **SPENDERS[claw_backup_restore])
    simulator.clear_log()
    for check in (True, False):
        result = together.run(module, check=check, **OTHERS[module])
        assert (result["failed"], f"import_dir: {state}" in str(result)) == (True, True)
    assert simulator.calls("POST *") == []
    assert together.run(module, **OTHERS[module], **elsewhere)["changed"] is True
    assert len(simulator.calls("POST *")) == 1


def test_what_both_know_is_what_the_database_says(simulator: Simulator, together: Worker, state: Path) -> None:
    restore = SPENDERS[claw_backup_restore]
    assert together.run(claw_backup_restore, **restore)["changed"] is True
    know(simulator, state)
    assert together.run(claw_backup_restore, **restore)["failed"] is False
    assert together.run(claw_backup_restore, **restore, force=True)["changed"] is False


def test_a_journal_not_imported_is_found_before_a_restore(simulator: Simulator, together: Worker, state: Path) -> None:
    know(simulator, state)
    result = together.run(claw_fleet_restore, incident="INC-1", instances=[{"id": 2}, {"id": 1}])
    assert [entry["outcome"] for entry in result["instances"]] == ["refused", "refused"]
    assert f"import_dir: {state}" in result["instances"][1]["msg"]
    assert simulator.calls("POST *") == []


def test_what_the_folder_learns_after_the_plan_is_not_sent(simulator: Simulator, together: Worker, state: Path) -> None:
    simulator.fault("status", method="POST", status=429, times=1)
    together.sleeper.before_sleep = lambda: know(simulator, state) if simulator.calls("POST *") else None
    result = together.run(claw_backup_restore, **SPENDERS[claw_backup_restore])
    assert f"import_dir: {state}" in result["msg"]
    assert result["msg"].endswith("Nothing was sent.")
    assert "restores" not in simulator.effects()
    assert len(simulator.calls("POST *")) == 1


@pytest.mark.parametrize("module", SPENDERS)
@pytest.mark.parametrize("spoil", ["emptied", "a folder", "a link", "of another user"])
def test_a_journal_of_the_folder_that_can_not_be_read_may_know_it(
    simulator: Simulator, together: Worker, state: Path, owners: Owners, module: t.Any, spoil: str
) -> None:
    know(simulator, state, incident="INC-0")
    order = OperationKey("purchase", simulator.url, str(SPENDERS[claw_purchase]["order"]))
    append_event(folder_place(state).journal(), order, OperationEvent.INTENDED)
    for number, path in enumerate([*state.glob("journal/*.jsonl")]):
        elsewhere = state / f"elsewhere-{number}"
        if spoil == "emptied":
            path.write_bytes(b"")
        elif spoil == "of another user":
            owners.give(path)
        else:
            path.rename(elsewhere)
            path.mkdir() if spoil == "a folder" else path.symlink_to(elsewhere)
    for check in (True, False):
        result = together.run(module, check=check, **SPENDERS[module])
        assert result["failed"] is True
        assert f"The journal in {state} may contain it, but can't be read." in result["msg"]
        assert "Nothing was sent." in result["msg"]
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize("folder", ["missing", "below a file", "unwritable", "of another user", "of all", "no path"])
def test_with_a_database_a_folder_that_is_no_memory_stops_nothing(
    simulator: Simulator, together: Worker, state: Path, owners: Owners, folder: str
) -> None:
    if folder == "below a file":
        state.write_text("", encoding="utf-8")
        together.defaults["state_dir"] = str(state / "state")
    elif folder == "unwritable":
        together.defaults["state_dir"] = "/proc/none/state"
    elif folder == "no path":
        together.defaults["state_dir"] = "a\0b"
    elif folder != "missing":
        know(simulator, state)
        if folder == "of all":
            state.chmod(0o777)
        else:
            owners.give(state, *state.rglob("*"))
    before = kept(state) if state.is_dir() else None
    for module in (claw_backup_restore, claw_purchase):
        assert together.run(module, **SPENDERS[module])["changed"] is True
        assert together.run(module, **SPENDERS[module])["failed"] is False
    assert together.warnings == []
    assert len(simulator.calls("POST *")) == 2
    assert before is None or kept(state) == before


def kept(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What the database knows


@pytest.mark.parametrize("module", SPENDERS)
def test_without_the_database_that_was_used_a_restore_or_purchase_warns(
    simulator: Simulator, alone: Worker, together: Worker, state: Path, module: t.Any
) -> None:
    assert together.run(claw_backup_restore, check=True, **OTHERS[claw_backup_restore])["changed"] is True
    assert not state.exists()
    together.run(claw_backup_restore, **OTHERS[claw_backup_restore])
    assert [warning for warning in together.warnings if "database" in warning] == []
    names = [path.name for path in state.iterdir()]
    texts = "".join([*names, *(content.decode() for content in kept(state).values())])
    assert [secret for secret in (KEY, PASSWORD, "postgresql") if secret in texts] == []
    for check in (True, False):
        assert alone.run(module, check=check, **SPENDERS[module])["changed"] is True
    told = [warning for warning in alone.warnings if "in a database, and state_database is not set" in warning]
    assert len(told) == 2
    assert str(state) in told[0]


def test_other_tasks_services_and_keys_do_not_warn(simulator: Simulator, alone: Worker, together: Worker) -> None:
    together.run(claw_backup_restore, **OTHERS[claw_backup_restore])
    alone.run(claw_instance_info, id=1)
    alone.run(claw_journal_info)
    for other in ({"api_key": OTHER_KEY}, {"api_url": simulator.url.replace("127.0.0.1", "localhost")}):
        alone.run(claw_backup_restore, check=True, **SPENDERS[claw_backup_restore], **other)
    assert [warning for warning in alone.warnings if "database" in warning] == []
