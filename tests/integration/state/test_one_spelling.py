# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One service has one spelling, and so has one incident: another one never means a second restore or purchase."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_instance_info, claw_journal_info, claw_purchase
from simulator.handle import Simulator
from support.controller import Controller, Run
from support.stores import StorePlace
from support.worker import Worker

COMPOSED, DECOMPOSED = "INC-\xe9", "INC-e\u0301"
HIDDEN = "INC-1\u200b"
POSTS = "POST *"


@pytest.fixture(autouse=True)
def world(simulator: Simulator) -> None:
    """Instance 1 has a backup."""
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}],
            "backups": [{"id": 12, "instance_id": 1, "created_at": "2h ago"}],
            "balance": 500,
        },
        switches={"transition_reads": 1},
    )


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    return Worker(simulator, {**place.options})


def run_tasks(controller: Controller, *tasks: dict[str, t.Any]) -> Run:
    """Runs all of the tasks, whichever fail, and keeps their state in one folder."""
    play = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": list(tasks)}
    run = controller.playbook([play], CLAWHOSTERS_STATE_DIR=str(controller.folder / "state"))
    assert "Traceback" not in run.screen
    return run


def restore(**options: t.Any) -> dict[str, t.Any]:
    return {"clawhosters.cloud.claw_backup_restore": {"instance_id": 1, **options}}


# The service


@pytest.mark.slice
def test_however_the_address_is_spelled_an_incident_restores_once(simulator: Simulator, controller: Controller) -> None:
    port = urlsplit(simulator.url).port
    accepted = [
        f"http://localhost:{port}/api/v1",
        f"HTTP://LocalHost:{port}/api/v1/",
        f"http://localhost:0{port}/api/v1",
    ]
    refused = {
        "": "it is blank; perhaps a variable was not resolved",
        f"http://localhost.:{port}/api/v1": "its host ends in a dot",
        f"http://localhost:{port}/api/../api/v1": "its path has an empty segment, . or ..",
        f"http://localhost:{port}//api/v1": "its path has an empty segment, . or ..",
        f"http://localhost:{port}/api/%761": "it contains a percent sign",
        f"http://user:s3cret@localhost:{port}/api/v1": "it contains user information",
    }
    spellings = [*accepted, *refused]
    run = run_tasks(controller, *(restore(incident="INC-1", api_url=spelling) for spelling in spellings))
    assert [result["changed"] for result in run.all[: len(accepted)]] == [True, False, False], run.screen
    for result, problem in zip(run.all[len(accepted) :], refused.values(), strict=True):
        assert result["msg"].startswith(f"api_url can't be used: {problem}.")
        assert result["msg"].endswith("Nothing was sent.")
        assert "s3cret" not in result["msg"]
    assert simulator.calls(POSTS) == ["POST /backups/12/restore"]


def test_spellings_of_an_address_share_one_budget(simulator: Simulator, tmp_path: Path) -> None:
    port = urlsplit(simulator.url).port
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    for spelling in (simulator.url, f"HTTP://127.0.0.1:0{port}/api/v1/"):
        assert worker.run(claw_instance_info, id=1, api_url=spelling)["failed"] is False
    assert len(list((tmp_path / "state").glob("budget-*.json"))) == 1


def test_spellings_of_an_address_make_one_host(simulator: Simulator, controller: Controller) -> None:
    port = urlsplit(simulator.url).port
    arguments = []
    for name, spelling in (("one", simulator.url), ("two", f"HTTP://127.0.0.1:0{port}/api/v1/")):
        config = {"plugin": "clawhosters.cloud.instances", "api_url": spelling, "group": name}
        arguments += ["-i", str(controller.write(f"{name}.clawhosters.yml", config))]
    run = controller.run("ansible-inventory", *arguments, "--list")
    printed = json.loads(run.stdout)
    assert (printed["one"]["hosts"], printed["two"]["hosts"]) == (["web-bot"], ["web-bot"])


# The incident and the order


@pytest.mark.slice
def test_two_compositions_of_a_name_are_one_incident(simulator: Simulator, controller: Controller) -> None:
    fleet = {"incident": DECOMPOSED, "instances": [{"id": 1}]}
    run = run_tasks(
        controller,
        restore(incident=COMPOSED),
        restore(incident=DECOMPOSED),
        {"clawhosters.cloud.claw_fleet_restore": fleet},
        {"clawhosters.cloud.claw_journal_info": {"incident": DECOMPOSED}},
    )
    assert [result["changed"] for result in run.all] == [True, False, False, False], run.screen
    (operation,) = run.all[-1]["operations"]
    assert operation["name"] == COMPOSED
    assert simulator.calls(POSTS) == ["POST /backups/12/restore"]


@pytest.mark.rest
@pytest.mark.slow
def test_the_runbook_knows_an_incident_by_either_composition(simulator: Simulator, controller: Controller) -> None:
    for name, changed in ((COMPOSED, 1), (DECOMPOSED, 0)):
        given = {"restore_instances": "web-bot", "restore_confirm": "web-bot", "restore_incident": name}
        run = controller.run("ansible-playbook", "clawhosters.cloud.restore", "-e", json.dumps(given))
        assert run.rc == 0, run.screen
        assert run.changed_tasks == changed
        # What later jobs get, and the record, have the one name.
        assert run.results[-1]["result"]["ansible_stats"]["data"]["clawhosters_restore"]["incident"] == COMPOSED
    assert len(list(controller.folder.glob("clawhosters-restore/*.html"))) == 1
    assert simulator.calls(POSTS) == ["POST /backups/12/restore"]


@pytest.mark.slice
def test_a_name_with_a_hidden_character_is_refused_before_any_request(
    simulator: Simulator, controller: Controller
) -> None:
    purchase = {"order": HIDDEN, "package_id": 2, "balance_below": 1000}
    fleet = {"incident": HIDDEN, "instances": [{"id": 1}]}
    role = {"name": "clawhosters.cloud.restore"}
    variables = {"restore_instance_ids": [1], "restore_incident": HIDDEN, "restore_confirm": "1"}
    run = run_tasks(
        controller,
        restore(incident=HIDDEN),
        {"clawhosters.cloud.claw_fleet_restore": fleet},
        {"clawhosters.cloud.claw_purchase": purchase},
        {"ansible.builtin.include_role": role, "vars": variables},
    )
    messages = [one["result"]["msg"] for one in run.results if one["outcome"] == "failed" and "msg" in one["result"]]
    for option in ("incident", "order", "restore_incident"):
        said = f"{option} has a character that can't be seen: U+200B (ZERO WIDTH SPACE), at position 6 of 6."
        assert any(message.startswith(said) for message in messages), messages
    assert len(messages) >= 4
    assert all(message.endswith("Nothing was sent.") for message in messages[:4])
    assert simulator.calls() == []


@pytest.mark.slice
def test_two_compositions_of_a_name_are_one_order(simulator: Simulator, worker: Worker) -> None:
    given = {"package_id": 2, "balance_below": 1000}
    assert worker.run(claw_purchase, order=COMPOSED, **given)["changed"] is True
    assert worker.run(claw_purchase, order=DECOMPOSED, **given)["changed"] is False
    assert simulator.calls(POSTS) == ["POST /billing/buy_claws"]
    (operation,) = worker.run(claw_journal_info, order=DECOMPOSED)["operations"]
    assert (operation["kind"], operation["name"]) == ("purchase", COMPOSED)
