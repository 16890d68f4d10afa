# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State in a database: the journal's list, secrets, and what happens without it, over real commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_health_info,
    claw_instance_info,
    claw_journal_info,
    claw_purchase,
)
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.hosts import read_hosts
from support.postgres import JOB, PASSWORD, Postgres
from support.stores import StorePlace
from support.worker import Worker

RESTORE = {"incident": "INC-1", "instance_id": 1, "wait": False}
ORDER = {"order": "2026-02-topup", "package_id": 2, "balance_below": 1000}


# claw_journal_info


def test_a_holder_is_shown_only_with_the_incident_that_it_works_on(simulator: Simulator, place: StorePlace) -> None:
    worker = Worker(simulator, place.options)
    keys = [OperationKey("restore", simulator.url, name, "1") for name in ("INC-1", f"INC-2 {'x' * 300}")]
    for key in keys:
        journal_writer.append_event(place.journal(), key, OperationEvent.INTENDED, backup_id=7)
    with journal_writer.lock_operation(place.journal(), keys[1]):
        operations = worker.run(claw_journal_info, instance_id=1)["operations"]
    found = {one["name"]: (one["outcome"], one["holder"] is not None) for one in operations}
    assert found == {keys[0].name: ("unknown", False), keys[1].name: ("in_flight", True)}


def test_the_journal_is_listed_with_who_holds_what(simulator: Simulator, place: StorePlace) -> None:
    simulator.set_state(balance=500)
    worker = Worker(simulator, place.options)
    assert worker.run(claw_journal_info)["operations"] == []
    assert worker.run(claw_purchase, **ORDER)["changed"] is True
    worker.run(claw_backup_restore, **RESTORE)
    simulator.reset()
    key = OperationKey("restore", simulator.url, "INC-2", "2")
    other = place.journal()
    with journal_writer.lock_operation(other, key):
        journal_writer.append_event(other, key, OperationEvent.INTENDED, backup_id=7)
        operations = worker.run(claw_journal_info, api_key=None)["operations"]
        assert [entry["name"] for entry in operations] == ["INC-2", "INC-1", "2026-02-topup"]
        (held,) = worker.run(claw_journal_info, check=True, instance_id=2)["operations"]
        assert held["outcome"] == "in_flight"
        assert set(held["holder"]) == {"user", "host", "process", "since"}
        assert isinstance(held["holder"]["process"], int)
    (left,) = worker.run(claw_journal_info, incident=" INC-2 ")["operations"]
    assert (left["outcome"], left["holder"], left["backup_id"], left["instance_id"]) == ("unknown", None, 7, 2)
    (order,) = worker.run(claw_journal_info, order="2026-02-topup")["operations"]
    assert (order["kind"], order["outcome"], order["package_id"]) == ("purchase", "completed", 2)
    assert order["sent_at"] <= order["completed_at"]
    assert worker.run(claw_journal_info, order="INC-2")["operations"] == []
    assert worker.run(claw_journal_info, order="2026-02-topup", instance_id=2)["operations"] == []
    both = worker.run(claw_journal_info, incident="INC-2", order="2026-02-topup")["operations"]
    assert {one["name"] for one in both} == {"INC-2", "2026-02-topup"}
    assert simulator.calls() == []
    place.damage()
    result = worker.run(claw_journal_info)
    assert result["failed"] is True
    assert "operations" not in result
    assert "so earlier requests are unknown" in result["msg"]


# Secrets


@pytest.fixture
def job(controller: Controller, database: StorePlace, simulator: Simulator) -> Controller:
    """A controller whose jobs use the database."""
    simulator.set_state(balance=500)
    controller.environment["CLAWHOSTERS_STATE_DATABASE"] = database.options["state_database"]
    return controller


def test_a_play_shows_nothing_of_its_database(job: Controller, simulator: Simulator, postgres: Postgres) -> None:
    url = job.environment["CLAWHOSTERS_STATE_DATABASE"]
    wrong = url.replace(PASSWORD, "wr0ng-Passw0rd")
    tasks = [
        {"clawhosters.cloud.claw_backup_restore": RESTORE},
        {"clawhosters.cloud.claw_backup_restore": {**RESTORE, "state_database": url}},
        {"clawhosters.cloud.claw_purchase": ORDER},
        {"clawhosters.cloud.claw_instance_info": {"id": "{{ item }}"}, "loop": [1, 2, 3]},
        {"clawhosters.cloud.claw_journal_info": {}, "register": "journal"},
        {"ansible.builtin.debug": {"var": "journal"}},
        {"clawhosters.cloud.claw_journal_info": {"state_database": wrong}, "ignore_errors": True},
    ]
    run = job.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], "-vvvv", "--diff")
    assert run.rc == 0, run.screen
    assert len(simulator.calls("POST *")) == 2
    secrets = [PASSWORD, "wr0ng-Passw0rd", JOB, str(postgres.port)]
    assert not [secret for secret in secrets if secret in run.screen.replace(simulator.url, "")]
    files = [path for path in job.left() if path.is_file() and path.name != "playbook.yml"]
    assert not [path for path in files for secret in secrets[:3] if secret.encode() in path.read_bytes()]
    (left,) = (job.home / ".ansible/clawhosters").iterdir()
    assert left.name.startswith("database-"), "it remembers that there is a database, and no more"
    assert left.read_bytes() == b"used"
    assert not postgres.query(f"SELECT 1 FROM pg_stat_activity WHERE usename = '{JOB}' AND state <> 'idle'")


@pytest.mark.parametrize(
    ("database", "words"),
    [
        ("postgresql://user:s3cret-Word@192.0.2.1/db?sslmode=prefer", "would trust any server on the network"),
        ("postgresql://user:s3cret-Word@[::/db", "state_database can't be read."),
        ("postgresql://user:s3cret-Word@127.0.0.1:99999/db", "has a value that libpq rejects"),
    ],
)
def test_a_refused_string_fails_every_task(simulator: Simulator, tmp_path: Path, database: str, words: str) -> None:
    worker = Worker(simulator, {"state_database": database})
    tasks = [(claw_instance_info, {}), (claw_backup_restore, RESTORE)]
    if "libpq" not in words:
        # It needs no store, so libpq is not asked.
        tasks.append((claw_health_info, {}))
    messages = [worker.run(module, **options)["msg"] for module, options in tasks]
    settings = {"api_key": KEY, "api_url": simulator.url, "state_database": database}
    messages.append(read_hosts(tmp_path, settings, worker.sleeper)["msg"])
    assert all(words in message and "s3cret" not in message for message in messages), messages
    assert simulator.calls() == []


# Out of reach


def test_without_a_schema_reads_go_on_with_a_warning(simulator: Simulator, postgres: Postgres, fresh: str) -> None:
    worker = Worker(simulator, {"state_database": postgres.url(database=fresh)})
    assert worker.run(claw_instance_info, id=1)["failed"] is False
    (warning,) = worker.warnings
    assert "has no schema of this collection, so the rate limit is not shared" in warning
    assert "claw_state_database" in warning
    for module, options in ((claw_backup_restore, RESTORE), (claw_journal_info, {})):
        result = worker.run(module, **options)
        assert "has no schema of this collection" in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls("POST *") == []
