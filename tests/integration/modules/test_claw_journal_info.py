# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of restores and purchases: who sent what, when, and with which outcome."""

from __future__ import annotations

import os
import platform
import pwd
import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    describe_sender,
)
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_fleet_restore,
    claw_journal_info,
    claw_purchase,
)
from simulator.handle import Simulator
from support.controller import Controller
from support.stores import StorePlace
from support.worker import Worker

ME = {"user": pwd.getpwuid(os.geteuid()).pw_name, "host": platform.node()}


@pytest.fixture(autouse=True)
def world(simulator: Simulator) -> None:
    """An account that can buy Claws and restore one instance."""
    simulator.reset(
        state={
            "balance": 500,
            "instances": [{"id": 1, "name": "web-bot"}],
            "backups": [{"id": 11, "instance_id": 1, "created_at": "2h ago"}],
            "packages": [{"id": 2, "claws": 1000, "price": 10}],
        }
    )


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    return Worker(simulator, {**place.options, "retry_timeout": 0})


def listed(worker: Worker, *kinds: str, **filters: t.Any) -> list[dict[str, t.Any]]:
    result = worker.run(claw_journal_info, kinds=list(kinds) or None, api_key=None, **filters)
    assert result["failed"] is False, result["msg"]
    operations: list[dict[str, t.Any]] = result["operations"]
    return operations


def test_by_is_the_user_of_the_process_whatever_it_is_told(controller: Controller) -> None:
    told = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "ceo")
    tasks = [
        {"clawhosters.cloud.claw_backup_restore": {"instance_id": 1, "incident": "INC-1"}},
        {"clawhosters.cloud.claw_journal_info": {}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "environment": told, "tasks": tasks}
    run = controller.playbook([play], **told)
    assert run.rc == 0, run.screen
    assert [one["by"] for one in run.all[-1]["operations"]] == [ME]


def test_by_is_the_number_of_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_001)
    monkeypatch.setenv("LOGNAME", "ceo")
    assert describe_sender() == {"user": "4000001", "host": platform.node()}


def test_a_restore_is_listed_with_its_backup_and_times(worker: Worker) -> None:
    worker.run(claw_fleet_restore, incident="INC-1", instances=[{"id": 1}])
    (restore,) = listed(worker, incident=" INC-1 ")
    assert (restore["by"], restore["instance_name"], restore["backup_id"]) == (ME, "web-bot", 11)
    assert datetime.fromisoformat(restore["taken_at"]) < datetime.now(UTC) - timedelta(hours=1)
    assert restore["sent_at"] <= restore["accepted_at"] <= restore["completed_at"]
    assert listed(worker, order="INC-1") == []


def test_an_incident_without_restores_is_told_with_similar_ones(worker: Worker) -> None:
    for incident in ("INC-2041", "topup"):
        worker.run(claw_backup_restore, incident=incident, instance_id=1)
    worker.warnings.clear()
    assert listed(worker, incident="inc-2014") == []
    assert listed(worker, incident="drill", instance_id=1) == []
    assert len(listed(worker, incident=" INC-2041", since="24h")) == 1
    assert listed(worker, "purchase", incident="INC-2014") == []
    assert worker.warnings == [
        "The journal has no restore of incident inc-2014. Similar ones are INC-2041.",
        "The journal has no restore of incident drill.",
    ]


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
    worker.run(claw_purchase, order="topup", package_id=2, balance_below=1000)
    old = OperationKey("restore", worker.simulator.url, "INC-0", "3")
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    journal = place.journal()
    journal._now = lambda: yesterday
    append_event(journal, old, OperationEvent.INTENDED, backup_id=7)
    assert [one["kind"] for one in listed(worker, since="24h")] == ["purchase"]
    assert [one["kind"] for one in listed(worker, since=f"{yesterday:%F}T00:00Z")] == ["purchase", "restore"]
    assert listed(worker, since=(datetime.now(UTC) + timedelta(seconds=40)).isoformat()) == []
    assert len(listed(worker, since="52w")) == 2
    for text in ("yesterday", "24", "2026-13-01", ""):
        assert "since is '" in worker.run(claw_journal_info, since=text)["msg"]
