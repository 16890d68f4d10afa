# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One service has one spelling, and so has one incident: another one never means a second restore or purchase."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_fleet_restore,
    claw_instance_info,
    claw_journal_info,
    claw_purchase,
)
from simulator.handle import Simulator
from support.runbook import Runbook
from support.stores import StorePlace
from support.worker import Worker

COMPOSED, DECOMPOSED = "INC-\xe9", "INC-e\u0301"
HIDDEN = "INC-1\u200b"
POSTS = "POST *"
RESTORE = {"incident": "INC-1", "instance_id": 1}


@pytest.fixture(autouse=True)
def world(simulator: Simulator) -> None:
    backup = {"id": 12, "instance_id": 1, "created_at": "2h ago"}
    state = {"instances": [{"id": 1, "name": "web-bot"}], "backups": [backup], "balance": 500}
    simulator.reset(state=state, switches={"transition_reads": 1})


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    return Worker(simulator, dict(place.options))


# The service


@pytest.mark.slice
def test_however_the_address_is_spelled_an_incident_restores_once(simulator: Simulator, worker: Worker) -> None:
    rest = f"{urlsplit(simulator.url).port}/api/v1"
    spellings = (f"http://localhost:{rest}", f"HTTP://LocalHost:{rest}/", f"http://localhost:0{rest}")
    results = [worker.run(claw_backup_restore, **RESTORE, api_url=spelling) for spelling in spellings]
    assert [result["changed"] for result in results] == [True, False, False]
    assert simulator.calls(POSTS) == ["POST /backups/12/restore"]


def test_spellings_of_an_address_share_one_budget(simulator: Simulator, tmp_path: Path) -> None:
    port = urlsplit(simulator.url).port
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    for spelling in (simulator.url, f"HTTP://127.0.0.1:0{port}/api/v1/"):
        assert worker.run(claw_instance_info, id=1, api_url=spelling)["failed"] is False
    assert len(list((tmp_path / "state").glob("budget-*.json"))) == 1


# The incident and the order


@pytest.mark.slice
def test_two_compositions_of_a_name_are_one_incident(simulator: Simulator, worker: Worker) -> None:
    assert worker.run(claw_backup_restore, incident=COMPOSED, instance_id=1)["changed"] is True
    assert worker.run(claw_backup_restore, incident=DECOMPOSED, instance_id=1)["changed"] is False
    assert worker.run(claw_fleet_restore, incident=DECOMPOSED, instances=[{"id": 1}])["changed"] is False
    (operation,) = worker.run(claw_journal_info, incident=DECOMPOSED)["operations"]
    assert operation["name"] == COMPOSED
    assert simulator.calls(POSTS) == ["POST /backups/12/restore"]


@pytest.mark.slice
def test_a_name_with_hidden_characters_is_refused_at_once(simulator: Simulator, worker: Worker, tmp_path: Path) -> None:
    role = Runbook(worker, tmp_path / "reports").run(restore_instance_ids="1", restore_incident=HIDDEN)
    messages = {
        "incident": worker.run(claw_backup_restore, incident=HIDDEN, instance_id=1)["msg"],
        "incident ": worker.run(claw_fleet_restore, incident=HIDDEN, instances=[{"id": 1}])["msg"],
        "order": worker.run(claw_purchase, order=HIDDEN, package_id=2, balance_below=1000)["msg"],
        "restore_incident": role["msg"],
    }
    for option, message in messages.items():
        said = f"{option.strip()} has a character that can't be seen: U+200B (ZERO WIDTH SPACE), at position 6 of 6."
        assert message.startswith(said)
        assert message.endswith("Nothing was sent.")
    assert simulator.calls() == []


@pytest.mark.slice
def test_two_compositions_of_a_name_are_one_order(simulator: Simulator, worker: Worker) -> None:
    given = {"package_id": 2, "balance_below": 1000}
    assert worker.run(claw_purchase, order=COMPOSED, **given)["changed"] is True
    assert worker.run(claw_purchase, order=DECOMPOSED, **given)["changed"] is False
    assert simulator.calls(POSTS) == ["POST /billing/buy_claws"]
    (operation,) = worker.run(claw_journal_info, order=DECOMPOSED)["operations"]
    assert (operation["kind"], operation["name"]) == ("purchase", COMPOSED)
