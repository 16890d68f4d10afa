# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of the guides, typed one after another, and the examples that the guides are made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from project import guides
from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller

READS = ("doctor.yml", "nightly.yml", "start_tier.yml")
"""Examples that change nothing, alone. The commands of their guide run them, or a test of their own."""
RESTARTS = ("rescue.yml", "restart_tier.yml", "restart_tier_by_host.yml")
"""Examples that restart instances: each run is meant to."""
PLAYS = [
    path
    for path in (REPOSITORY / "examples").glob("*.yml")
    if "\n- name:" in path.read_text(encoding="utf-8") and path.name not in READS
]
INVENTORY_OF = {"accounts": "accounts"}
"""The inventory of an example that needs another than fleet.clawhosters.yml."""
VARIABLES = {
    "purchase": ("-e", "balance_below=1000000"),
    "restore": ("-e", "restore_instances=web-bot", "-e", "restore_incident=INC-1", "-e", "restore_confirm=web-bot"),
}
"""The variables that an example needs when it is run."""


@pytest.fixture
def here(controller: Controller, simulator: Simulator) -> Controller:
    """A controller in a folder with the examples, and an account."""
    guides.set_up(controller, simulator)
    return controller


@pytest.mark.parametrize(
    "guide",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem == "getting-started" else pytest.mark.rest)
        for path in guides.WITH_COMMANDS
    ],
)
@pytest.mark.slow
def test_a_guide_can_be_followed(controller: Controller, simulator: Simulator, guide: Path) -> None:
    guides.set_up(controller, simulator, guide.stem)
    run = guides.follow(guide, controller, simulator)
    assert run.rc == 0, run.screen
    assert not re.search("Traceback|no hosts matched", run.screen), run.screen


@pytest.mark.rest
@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_an_example_is_a_plan_then_a_change_then_nothing(here: Controller, simulator: Simulator, path: Path) -> None:
    inventory = ("-i", f"examples/{INVENTORY_OF.get(path.stem, 'fleet.clawhosters.yml')}")
    keys = here.home / ".clawhosters"
    keys.mkdir(mode=0o700)
    for name, key in {"production": KEY, "staging": guides.STAGING_KEY}.items():
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
    if path.name not in RESTARTS:
        assert simulator.effects() == done, "an example changes something each time it is run"


@pytest.mark.parametrize(
    ("example", "group", "begun"),
    [("unhealthy", "unhealthy", 5), pytest.param("restart_tier_by_host", "tier_pro", 2, marks=pytest.mark.rest)],
)
def test_an_example_begins_no_further_batch_after_a_failure(
    here: Controller, simulator: Simulator, example: str, group: str, begun: int
) -> None:
    for number in (1, 3, 5, 6, 7):
        simulator.set_instance(number, health_status="unhealthy")
    hosts = yaml.safe_load(here.run("ansible-inventory", "-i", "examples/fleet.clawhosters.yml", "--list").stdout)
    first, *others = (hosts["_meta"]["hostvars"][name]["claw_id"] for name in hosts[group]["hosts"])
    assert len(others) >= begun
    simulator.fault("status", method="POST", status=422, path=f"/instances/{first}/restart")
    run = here.run("ansible-playbook", "-i", "examples/fleet.clawhosters.yml", f"examples/{example}.yml")
    assert run.rc == 2, run.screen
    restarts = [call for call in simulator.calls("POST *") if call.endswith("/restart")]
    assert len(restarts) == begun, run.screen


@pytest.mark.parametrize(
    "example", ["restart_tier", *(pytest.param(one, marks=pytest.mark.rest) for one in ("stop_tier", "fleet_restore"))]
)
def test_an_example_that_fails_shows_the_message_alone(here: Controller, simulator: Simulator, example: str) -> None:
    simulator.fault("status", method="POST", status=403)
    run = here.run("ansible-playbook", f"examples/{example}.yml", ANSIBLE_CONFIG="examples/ansible.cfg")
    assert run.rc == 2, run.screen
    assert run.says("was answered with 403"), run.screen
    assert "retries" not in run.screen, run.screen
