# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State in a database: the journal's list, secrets, and what happens without it, over real commands."""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t
from pathlib import Path
from urllib.parse import quote

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_instance_info,
    claw_journal_info,
    claw_purchase,
)
from simulator.handle import Simulator
from support.controller import Controller
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
        place.journal().append(key, OperationEvent.INTENDED, backup_id=7)
    other = place.journal()
    with other.lock(keys[1]):
        operations = worker.run(claw_journal_info, instance_id=1)["operations"]
    found = {one["name"]: (one["outcome"], one["holder"] is not None) for one in operations}
    assert found == {keys[0].name: ("unknown", False), keys[1].name: ("in_flight", True)}


def test_the_journal_is_listed_with_who_holds_what(simulator: Simulator, place: StorePlace) -> None:
    simulator.set_state(balance=500)
    worker = Worker(simulator, place.options)
    assert worker.run(claw_journal_info)["operations"] == []
    bought = worker.run(claw_purchase, **ORDER)
    assert bought["changed"] is True
    worker.run(claw_backup_restore, **RESTORE)
    simulator.reset()
    key = OperationKey("restore", simulator.url, "INC-2", "2")
    other = place.journal()
    with other.lock(key):
        other.append(key, OperationEvent.INTENDED, backup_id=7)
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


def left_in_files(controller: Controller, texts: t.Iterable[str]) -> list[Path]:
    """Returns the files below the controller's folders that hold one of ``texts``."""
    files = [path for path in controller.left() if path.is_file() and path.name != "playbook.yml"]
    return [path for path in files if any(text.encode() in path.read_bytes() for text in texts)]


def test_a_play_uses_the_database_and_shows_nothing_of_it(
    job: Controller, simulator: Simulator, postgres: Postgres
) -> None:
    url = job.environment["CLAWHOSTERS_STATE_DATABASE"]
    tasks = [
        {"clawhosters.cloud.claw_backup_restore": RESTORE},
        {"clawhosters.cloud.claw_backup_restore": {**RESTORE, "state_database": url}},
        {"clawhosters.cloud.claw_purchase": ORDER},
        {"clawhosters.cloud.claw_instance_info": {"id": "{{ item }}"}, "loop": [1, 2, 3]},
        {"clawhosters.cloud.claw_journal_info": {}, "register": "journal"},
        {"ansible.builtin.debug": {"var": "journal"}},
        {
            "clawhosters.cloud.claw_journal_info": {"state_database": url.replace(PASSWORD, "wr0ng-Passw0rd")},
            "ignore_errors": True,
        },
    ]
    run = job.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], "-vvvv", "--diff")
    assert run.rc == 0, run.screen
    assert len(simulator.calls("POST *")) == 2
    secrets = [PASSWORD, "wr0ng-Passw0rd", JOB, str(postgres.port)]
    assert not [secret for secret in secrets if secret in run.screen.replace(simulator.url, "")]
    assert left_in_files(job, [PASSWORD, "wr0ng-Passw0rd", JOB]) == []
    (left,) = (job.home / ".ansible/clawhosters").iterdir()
    assert left.name.startswith("database-"), "it remembers that there is a database, and no more"
    assert left.read_bytes() == b""
    assert not postgres.query(f"SELECT 1 FROM pg_stat_activity WHERE usename = '{JOB}' AND state <> 'idle'")


@pytest.mark.rest
@pytest.mark.parametrize(
    ("database", "words"),
    [
        ("postgresql://user:s3cret-Word@192.0.2.1/db?sslmode=prefer", "would trust any server on the network"),
        ("postgresql://user:s3cret-Word@[::/db", "state_database can't be read."),
        ("postgresql://user:s3cret-Word@127.0.0.1:99999/db", "has an invalid port."),
    ],
)
def test_a_string_that_is_refused_fails_every_task(
    controller: Controller, simulator: Simulator, database: str, words: str
) -> None:
    controller.environment["CLAWHOSTERS_STATE_DATABASE"] = database
    tasks = [
        {f"clawhosters.cloud.{module}": options, "ignore_errors": True}
        for module, options in (("claw_instance_info", {}), ("claw_health_info", {}), ("claw_backup_restore", RESTORE))
    ]
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], "-vvvv")
    assert [words in result["msg"] for result in run.all] == [True] * 3
    listed = controller.inventory({"state_database": database})
    assert listed.rc != 0
    assert listed.says(words)
    assert not [text for text in ("s3cret", quote("s3cret-Word")) if text in run.screen + listed.screen]
    assert simulator.calls() == []


# Out of reach


class Silent:
    """Accepts connections, and never answers."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self._accepted: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"postgresql://user:s3cret-Word@127.0.0.1:{self.listener.getsockname()[1]}/db"

    def count(self) -> int:
        """Returns how many connections there were."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._accepted.append(self.listener.accept()[0])
        return len(self._accepted)


@pytest.mark.rest
@pytest.mark.slow
def test_a_play_waits_for_a_silent_database_once(controller: Controller, simulator: Simulator) -> None:
    simulator.set_state(balance=500)
    silent = Silent()
    controller.environment["CLAWHOSTERS_STATE_DATABASE"] = silent.url
    inventory = controller.write("silent.clawhosters.yml", {"plugin": "clawhosters.cloud.instances"})
    tasks: list[dict[str, t.Any]] = [
        {"clawhosters.cloud.claw_instance": {"id": number, "state": "restarted", "wait": False}} for number in (1, 2, 3)
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = controller.playbook([play], "-i", str(inventory))
    assert run.rc == 0, run.screen
    assert silent.count() == 1
    assert run.screen.count("so the rate limit is not shared") == 1
    assert len(simulator.calls("POST *")) == 3
    spending = [
        {f"clawhosters.cloud.{name}": options, "ignore_errors": True}
        for name, options in (("claw_backup_restore", RESTORE), ("claw_purchase", ORDER))
    ]
    run = controller.playbook([{**play, "tasks": spending}])
    for result in run.all:
        assert "state_database can't be reached (no connection within" in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
    assert len(simulator.calls("POST *")) == 3
    assert "s3cret" not in run.screen


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


@pytest.mark.rest
def test_the_fleet_report_reads_the_database(job: Controller, simulator: Simulator, database: StorePlace) -> None:
    journal = database.journal()
    for event in (OperationEvent.INTENDED, OperationEvent.COMPLETED):
        journal.append(OperationKey("restore", simulator.url, "INC-DB", "1"), event, backup_id=31)
    page = job.folder / "page.html"
    run = job.run("ansible-playbook", "clawhosters.cloud.fleet_report", "-e", f"fleet_report_path={page}", "-vvvv")
    assert run.rc == 0, run.screen
    assert "INC-DB" in page.read_text(encoding="utf-8")
    assert PASSWORD not in run.screen + page.read_text(encoding="utf-8")


@pytest.mark.rest
@pytest.mark.slow
def test_the_record_of_an_incident_has_the_runs_of_all_machines(job: Controller, simulator: Simulator) -> None:
    """The second run is on another machine: nothing of the first is in its folder."""
    simulator.reset(state={"instances": [{"id": 1, "name": "web-bot"}], "backups": [{"id": 12, "instance_id": 1}]})
    given = {"restore_instances": "web-bot", "restore_incident": "INC-1", "restore_confirm": "web-bot"}
    runs = []
    for node in ("one", "two"):
        variables = json.dumps({**given, "restore_report_dir": str(job.folder / node)})
        run = job.run("ansible-playbook", "clawhosters.cloud.restore", "-e", variables, "-vvvv")
        assert run.rc == 0, run.screen
        assert PASSWORD not in run.screen
        runs.append(json.loads((job.folder / node / "INC-1.json").read_text(encoding="utf-8"))["runs"])
    assert [len(found) for found in runs] == [1, 2]
    assert runs[1][0] == runs[0][0]
    assert len(simulator.calls("POST /backups/*")) == 1
