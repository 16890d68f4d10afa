# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of restores, purchases and changes: who sent what, when, and with which outcome."""

from __future__ import annotations

import os
import platform
import pwd
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_changes import open_changes
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import describe_sender
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_addon,
    claw_backup_restore,
    claw_fleet,
    claw_fleet_restore,
    claw_instance,
    claw_journal_info,
    claw_purchase,
)
from simulator.handle import Simulator
from support.controller import Controller
from support.postgres import JOB, Postgres
from support.stores import StorePlace, database_place
from support.worker import Worker

ME = {"user": pwd.getpwuid(os.geteuid()).pw_name, "host": platform.node()}
ALL = ["restore", "purchase", "change"]
SECRET = "hunter2-in-the-config"


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    state = {
        "balance": 500,
        "instances": [
            {"id": 1, "name": "web-bot"},
            {"id": 2, "name": "shop\nbot\u202e", "status": "stopped"},
            {"id": 3, "name": "news-bot"},
        ],
        "backups": [{"id": 11, "instance_id": 1, "created_at": "2h ago"}],
        "addons": [{"id": 5, "instance": "web-bot", "addon_type": "llm"}],
        "packages": [{"id": 2, "claws": 1000, "price": 10}],
    }
    simulator.reset(state=state, switches={"addon_unknown_keys": "ignored"})
    return Worker(simulator, {**place.options, "retry_timeout": 0})


def listed(worker: Worker, *kinds: str, **filters: t.Any) -> list[dict[str, t.Any]]:
    result = worker.run(claw_journal_info, kinds=list(kinds) or None, api_key=None, **filters)
    assert result["failed"] is False, result["msg"]
    operations: list[dict[str, t.Any]] = result["operations"]
    return operations


def outline(operations: list[dict[str, t.Any]]) -> list[tuple[t.Any, ...]]:
    return [(one["action"], one["instance_id"], one["addon_id"], one["outcome"]) for one in operations]


def test_each_change_is_listed_with_who_sent_it(worker: Worker) -> None:
    worker.run(claw_instance, id=1, state="stopped", api_url=f"{worker.simulator.url.replace('http', 'HTTP')}/")
    worker.run(claw_instance, id=3, state="restarted")
    worker.run(claw_fleet, instances=[{"id": 2}, {"id": 3, "state": "absent"}, {"id": 1, "state": "stopped"}])
    worker.run(claw_addon, id=5, config={"provider": SECRET}, write_only=["provider"])
    changes = listed(worker, "change")
    assert sorted(outline(changes), key=str) == [
        ("delete", 3, None, "accepted"),
        ("restart", 3, None, "accepted"),
        ("start", 2, None, "accepted"),
        ("stop", 1, None, "accepted"),
        ("update", 1, 5, "accepted"),
    ]
    assert [one["at"] for one in changes] == sorted((one["at"] for one in changes), reverse=True)
    assert {one["service"] for one in changes} == {worker.simulator.url}
    assert all(one["by"] == ME and one["incident"] is None and one["kind"] == "change" for one in changes)
    names = {one["instance_id"]: one["instance_name"] for one in changes if one["action"] != "update"}
    assert names == {1: "web-bot", 2: "shop bot\N{REPLACEMENT CHARACTER}", 3: "news-bot"}
    assert SECRET not in str(changes)
    assert listed(worker) == []
    assert outline(listed(worker, "change", instance_id=2)) == [("start", 2, None, "accepted")]


def test_by_is_the_user_of_the_process_whatever_it_is_told(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}],
            "backups": [{"id": 11, "instance_id": 1, "created_at": "2h ago"}],
        }
    )
    told = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "ceo")
    tasks = [
        {"clawhosters.cloud.claw_instance": {"id": 1, "state": "restarted"}},
        {"clawhosters.cloud.claw_backup_restore": {"instance_id": 1, "incident": "INC-1"}},
        {"clawhosters.cloud.claw_journal_info": {"kinds": ALL}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "environment": told, "tasks": tasks}
    run = controller.playbook([play], **told)
    assert run.rc == 0, run.screen
    assert [one["by"] for one in run.all[-1]["operations"]] == [ME, ME]


def test_by_is_the_number_of_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_001)
    monkeypatch.setenv("LOGNAME", "ceo")
    assert describe_sender() == {"user": "4000001", "host": platform.node()}


def test_check_mode_and_what_is_as_wanted_leave_no_change(worker: Worker) -> None:
    worker.run(claw_instance, id=1, state="stopped", check=True)
    worker.run(claw_instance, id=1, state="started")
    worker.run(claw_addon, id=5, config={"provider": SECRET}, write_only=["provider"], check=True)
    assert listed(worker, *ALL) == []


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        ({"kind": "status", "status": 403, "message": "No"}, ["refused"]),
        ({"kind": "status", "status": 422, "message": "No"}, ["refused"]),
        ({"kind": "reset_after"}, ["accepted"]),
        ({"kind": "reset_before", "times": None}, ["unknown", "unknown"]),
    ],
)
def test_the_outcome_of_a_change_is_what_was_seen_of_it(
    worker: Worker, fault: dict[str, t.Any], outcomes: list[str]
) -> None:
    worker.simulator.fault(**{"method": "POST", **fault})
    worker.run(claw_instance, id=1, state="stopped")
    assert [one["outcome"] for one in listed(worker, "change")] == outcomes


def test_a_change_that_never_left_this_machine_is_not_listed(worker: Worker, place: StorePlace) -> None:
    worker.run(claw_instance, id=1, state="stopped", wait=False)
    gone = Worker(None, {**place.options, "api_url": "http://127.0.0.1:9/api/v1", "retry_timeout": 0})
    gone.run(claw_instance, id=1, state="started")
    assert len(listed(worker, "change")) == 1


def test_a_start_inside_a_restore_has_its_incident(worker: Worker) -> None:
    worker.simulator.switch(restore_ends="stopped")
    worker.run(claw_fleet_restore, incident="INC-1", instances=[{"id": 1}], wait_timeout=60)
    worker.run(claw_instance, id=3, state="stopped")
    found = listed(worker, *ALL, incident=" INC-1 ")
    assert [one["kind"] for one in found] == ["change", "restore"]
    change, restore = found
    assert (change["action"], change["incident"]) == ("start", "INC-1")
    assert restore["by"] == ME
    assert restore["instance_name"] == "web-bot"
    assert datetime.fromisoformat(restore["taken_at"]) < datetime.now(UTC) - timedelta(hours=1)
    assert restore["sent_at"] <= restore["accepted_at"] <= restore["completed_at"]
    assert listed(worker, *ALL, order="INC-1") == []
    assert len(listed(worker, *ALL)) == 3


def test_refused_operations_are_listed_unless_an_earlier_one_counts(worker: Worker) -> None:
    worker.simulator.fault("status", method="POST", status=402, message="Pay first")
    worker.run(claw_backup_restore, incident="INC-1", instance_id=1)
    worker.simulator.fault("status", method="POST", status=403, message="No")
    worker.run(claw_purchase, order="topup", package_id=2, balance_below=1000)
    purchase, restore = listed(worker)
    assert (purchase["kind"], purchase["outcome"], purchase["by"]) == ("purchase", "refused", ME)
    assert (purchase["sent_at"] is not None, purchase["accepted_at"]) == (True, None)
    assert (restore["kind"], restore["outcome"], restore["accepted_at"]) == ("restore", "refused", None)
    worker.run(claw_purchase, order="topup", package_id=2, balance_below=1000)
    (purchase,) = listed(worker, "purchase")
    assert purchase["sent_at"] <= purchase["accepted_at"] == purchase["completed_at"]
    worker.run(claw_backup_restore, incident="INC-1", instance_id=1)
    worker.simulator.fault("status", method="POST", status=403, message="No")
    worker.run(claw_backup_restore, incident="INC-1", instance_id=1, force=True)
    (restore,) = listed(worker, "restore")
    assert restore["outcome"] == "completed"
    assert restore["completed_at"]


def test_since_takes_a_time_or_an_age(worker: Worker, place: StorePlace) -> None:
    worker.run(claw_instance, id=1, state="stopped")
    old = OperationKey("restore", worker.simulator.url, "INC-0", "3")
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    journal = place.journal()
    journal._now = lambda: yesterday
    journal.append(old, OperationEvent.INTENDED, backup_id=7)
    assert [one["kind"] for one in listed(worker, *ALL, since="24h")] == ["change"]
    assert [one["kind"] for one in listed(worker, *ALL, since=yesterday.isoformat()[:10])] == ["change", "restore"]
    assert listed(worker, *ALL, since=(datetime.now(UTC) + timedelta(seconds=40)).isoformat()[:19]) == []
    assert len(listed(worker, *ALL, since="52w")) == 2
    for text in ("yesterday", "24", "2026-13-01", ""):
        result = worker.run(claw_journal_info, since=text)
        assert "since is '" in result["msg"]


def test_entries_that_are_damaged_are_left_out_with_a_warning(
    worker: Worker, place: StorePlace, request: pytest.FixtureRequest
) -> None:
    worker.run(claw_instance, id=1, state="stopped")
    damaged = ['{"at": "2', "[]", '{"at": null}', "[" * 5000]
    open_changes(place.open()).add_changes(damaged)
    assert len(listed(worker, "change")) == 1
    assert "Entries of the change log that can't be read are left out: 4." in worker.warnings


def test_a_change_log_without_a_whole_entry_is_no_empty_list(worker: Worker, place: StorePlace) -> None:
    open_changes(place.open()).add_changes(['{"at": "2', "[]"])
    result = worker.run(claw_journal_info, kinds=["change"])
    repair = {
        "state_dir": "Move its files, changes-*.jsonl, away",
        "state_database": "An administrator must delete the rows of the table clawhosters.changes",
    }
    assert result["msg"] == (
        "2 of 2 entries of the change log are damaged, so the change log can't be read. "
        f"{repair[next(iter(place.options))]}: nothing that is sent depends on it."
    )
    assert worker.run(claw_journal_info)["operations"] == []


# What can't be written


def test_a_change_log_that_can_not_be_written_is_one_warning(
    simulator: Simulator, worker: Worker, tmp_path: Path, place: StorePlace, request: pytest.FixtureRequest
) -> None:
    if "state_dir" in place.options:
        month = datetime.now(UTC).strftime("%Y-%m")
        (tmp_path / f"state/changes-{month}.jsonl").mkdir(parents=True)
        (tmp_path / "state").chmod(0o700)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        postgres.query(f"REVOKE ALL ON clawhosters.changes FROM {JOB}")
    result = worker.run(claw_fleet, state="restarted", instances=[{"id": 1}, {"id": 3}])
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 0}
    (warning,) = worker.warnings
    assert "so the change log lacks changes that were sent" in warning
    assert worker.run(claw_journal_info, kinds=["change"])["failed"] is True
    assert worker.run(claw_journal_info)["operations"] == []


def test_old_files_are_removed_with_the_first_entry_of_a_month(simulator: Simulator, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    now = datetime.now(UTC)
    names = [f"changes-{now - timedelta(days=days):%Y-%m}.jsonl" for days in (160, 90)]
    for name in names:
        (folder / name).write_text("", encoding="utf-8")
    Worker(simulator, {"state_dir": str(folder)}).run(claw_instance, id=1, state="restarted", wait=False)
    assert {path.name for path in folder.glob("changes-*")} == {names[1], f"changes-{now:%Y-%m}.jsonl"}


def test_a_schema_without_change_log_is_one_warning_and_stops_nothing(simulator: Simulator, postgres: Postgres) -> None:
    """Jobs of this version go on with the schema of the version before, until an administrator upgrades it."""
    with database_place(postgres) as place:
        postgres.query("DROP TABLE clawhosters.changes")
        postgres.query("UPDATE clawhosters.version SET version = 2")
        worker = Worker(simulator, place.options)
        worker.run(claw_fleet, state="restarted", wait=False, instances=[{"id": 1}, {"id": 3}])
        (warning,) = worker.warnings
        assert "the schema in state_database is older than this collection" in warning
        assert "An administrator must run clawhosters.cloud.claw_state_database." in warning
        restored = worker.run(claw_backup_restore, incident="INC-1", instance_id=1)
        assert restored["restore"]["outcome"] == "completed"
        assert [one["name"] for one in worker.run(claw_journal_info)["operations"]] == ["INC-1"]
        assert "so the change log can't be read" in worker.run(claw_journal_info, kinds=["change"])["msg"]
    with database_place(postgres) as place:  # runs claw_state_database's upgrade
        worker = Worker(simulator, place.options)
        worker.run(claw_instance, id=1, state="restarted", wait=False)
        assert worker.warnings == []
        assert len(listed(worker, "change")) == 1
