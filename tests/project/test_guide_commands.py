# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of the guides, typed one after another, and the examples that the guides are made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from project import guides
from simulator.handle import Simulator
from support import KEY, warm
from support.controller import REPOSITORY, Controller

WITH_COMMANDS = [
    guide for guide in guides.GUIDES if guides.blocks(guide, "shell") and guide.stem not in guides.ELSEWHERE
]
READS = ("doctor.yml",)
"""Examples that change nothing. The commands of their guide run them."""
PLAYS = [
    path
    for path in (REPOSITORY / "examples").glob("*.yml")
    if "\n- name:" in path.read_text(encoding="utf-8") and path.name not in READS
]
INVENTORIES = [
    path
    for path in guides.EXAMPLES
    if path.name in ("fleet.clawhosters.yml", "large.clawhosters.yml", "subdomains.clawhosters.yml")
]
INVENTORY_OF = {"accounts": "accounts"}
"""The inventory of an example that needs another than fleet.clawhosters.yml."""
STAGING_KEY = "oc_live_STAGING_KEY"
VARIABLES = {
    "restore": ("-e", "restore_instances=web-bot", "-e", "restore_incident=INC-1", "-e", "restore_confirm=web-bot"),
}
"""The variables that an example needs when it is run."""


@pytest.fixture
def here(controller: Controller, simulator: Simulator) -> Controller:
    """A controller in a folder with the examples, with the collection where ansible-galaxy installs it.

    A second account has an instance of the same name as the first.
    """
    foreign = {"instances": [{"id": 901, "name": "web-bot", "health_status": "unhealthy"}]}
    simulator.reset(
        state={"instances": 60, "keys": {STAGING_KEY: "foreign"}, "foreign": foreign}, switches={"transition_reads": 1}
    )
    shutil.copytree(REPOSITORY / "examples", controller.folder / "examples")
    (controller.home / ".ansible").mkdir()
    (controller.home / ".ansible/collections").symlink_to(controller.environment["ANSIBLE_COLLECTIONS_PATH"])
    controller.environment["PATH"] = f"{warm.stand_ins()}:{controller.environment['PATH']}"
    return controller


@pytest.mark.parametrize("guide", WITH_COMMANDS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_every_command_of_a_guide_works(here: Controller, guide: Path) -> None:
    script = "\n".join(["set -eux", *guides.blocks(guide, "shell")])
    run = here.run("bash", "-c", script)
    assert run.rc == 0, run.screen
    assert "Traceback" not in run.screen
    assert "ERROR" not in run.screen


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_an_example_is_a_plan_then_a_change_then_nothing(here: Controller, simulator: Simulator, path: Path) -> None:
    inventory = ("-i", f"examples/{INVENTORY_OF.get(path.stem, 'fleet.clawhosters.yml')}")
    keys = here.home / ".clawhosters"
    keys.mkdir(mode=0o700)
    for name, key in {"production": KEY, "staging": STAGING_KEY}.items():
        (keys / f"{name}.key").write_text(key, encoding="utf-8")
        (keys / f"{name}.key").chmod(0o600)
    command = ("ansible-playbook", *inventory, f"examples/{path.name}", *VARIABLES.get(path.stem, ()))
    plan = here.run(*command, "--check", "--diff")
    assert plan.rc == 0, plan.screen
    assert simulator.effects() == {}
    real = here.run(*command)
    assert real.rc == 0, real.screen
    done = simulator.effects()
    assert done
    again = here.run(*command)
    assert again.rc == 0, again.screen
    assert simulator.effects() == done, "an example changes something each time it is run"


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: path.name)
def test_an_example_of_an_inventory_has_hosts(here: Controller, path: Path) -> None:
    run = here.run("ansible-inventory", "-i", f"examples/{path.name}", "--list", "--yaml")
    assert run.rc == 0, run.screen
    assert len(yaml.safe_load(run.stdout)["all"]["children"]["clawhosters"]["hosts"]) == 44


def test_every_example_is_run() -> None:
    elsewhere = {*READS, "fleet_vars.yml", "execution-environment.yml", "credential_type_input.yml"}
    elsewhere |= {"credential_type_injector.yml", "restore_survey.json", "state_database.yml"}
    # See test_controller_tools.py, and the commands of docs/accounts.md.
    elsewhere |= {"staging_credential_type_input.yml", "staging_credential_type_injector.yml", "two_accounts.yml"}
    elsewhere |= {"production.clawhosters.yml", "staging.clawhosters.yml", "customers.clawhosters.yml"}
    elsewhere |= {"decision-environment.yml", "clawhosters.yml", "requirements.yml"}
    # tests/integration: test_fleet_numbers.py, test_fleet_in_git.py and test_chat_example.py.
    elsewhere |= {"clawhosters.rules.yml", "fleet.yml", "post_change.yml", "chat.yml"}
    # test_controller_tools.py runs the project.
    elsewhere |= {path.name for path in guides.EXAMPLES if path.parent.name == "project"}
    covered = {path.name for path in (*PLAYS, *INVENTORIES)} | elsewhere
    assert {path.name for path in guides.EXAMPLES} - covered == set(), "no test runs these"
