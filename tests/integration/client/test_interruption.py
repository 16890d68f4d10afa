# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C in a terminal shows what was done until then, and how to continue."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet
from simulator.handle import Simulator
from support.controller import BIN, Controller
from support.terminal import run_at_terminal
from support.worker import Worker


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    backup = {"id": 12, "instance_id": 1, "created_at": "2h ago"}
    state = {"instances": [{"id": 1, "name": "web-bot"}], "backups": [backup]}
    simulator.reset(state=state, switches={"transition_seconds": 600})


def interrupt(controller: Controller, module: str, options: dict[str, t.Any], is_time: t.Callable[[], bool]) -> str:
    """Runs a task at a terminal, presses Ctrl-C when it is time, and returns the screen."""
    tasks = [{f"clawhosters.cloud.{module}": options}]
    playbook = controller.write("playbook.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    controller.environment["CLAWHOSTERS_STATE_DIR"] = str(controller.folder / "state")
    command = [str(BIN / "ansible-playbook"), str(playbook)]
    return run_at_terminal(controller, command, interrupt=is_time).text


@pytest.mark.slow
def test_ctrl_c_before_a_restore_is_sent(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("hang", path="/backups", seconds=60)
    restore = {"incident": "INC-1", "instance_name": "web-bot"}
    screen = interrupt(controller, "claw_backup_restore", restore, lambda: bool(simulator.calls("GET /backups*")))
    assert "\nNothing was sent for incident INC-1.\n" in screen
    assert simulator.effects() == {}


@pytest.mark.slow
@pytest.mark.parametrize("has_plan", [False, True])
def test_ctrl_c_in_a_fleet_lists_what_it_did(simulator: Simulator, controller: Controller, has_plan: bool) -> None:
    names = ("done-bot", "lost-bot", "slow-bot", "left-bot")
    instances: list[dict[str, t.Any]] = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    instances[2] |= {"status": "stopped", "health_after": "unhealthy"}
    simulator.reset(state={"instances": instances})
    states = ("stopped", "restarted", "started", "absent")
    entries = [{"id": number, "state": state} for number, state in enumerate(states, 1)]
    options: dict[str, t.Any] = {"instances": entries, "serial": [1, 2], "wait_healthy": True}
    if has_plan:
        options["plan"] = Worker(simulator).run(claw_fleet, check=True, **options)["plan"]
        options["timeout"] = 1  # a restart of a plan is sent alone
    simulator.fault("hang", method="POST", path="/instances/2/restart", seconds=60)
    simulator.clear_log()
    screen = interrupt(controller, "claw_fleet", options, lambda: len(simulator.calls("POST *")) == 3)
    advice = """\
The same command would restart these again: lost-bot (id 2).
Leave them out, or give them the state started; then run it again for the rest.
"""
    if has_plan:
        advice = "Run the same command again: it waits for what goes on, and continues with the\n    rest.\n"
    told = """
Done: stop done-bot (id 1).
Accepted, and goes on: start slow-bot (id 3).
Perhaps sent: restart lost-bot (id 2).
Not begun: delete left-bot (id 4).
"""
    assert told + advice in screen, screen
