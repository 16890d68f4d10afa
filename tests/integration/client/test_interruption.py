# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C in a terminal shows what was done until then, and how to continue."""

from __future__ import annotations

import re
import typing as t

import pytest

from simulator.handle import Simulator
from support.controller import BIN, Controller
from support.stores import read_journal
from support.terminal import run_at_terminal

RESTORE = {"incident": "INC-1", "instance_name": "web-bot"}


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "shop-bot", "status": "stopped"}],
            "backups": [{"id": 12, "instance_id": 1, "created_at": "2h ago"}],
        },
        switches={"transition_seconds": 600},
    )


def interrupt(controller: Controller, module: str, options: dict[str, t.Any], is_time: t.Callable[[], bool]) -> str:
    """Runs a task at a terminal, presses Ctrl-C when it is time, and returns the screen."""
    tasks = [{f"clawhosters.cloud.{module}": options}]
    playbook = controller.write("playbook.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    controller.environment["CLAWHOSTERS_STATE_DIR"] = str(controller.folder / "state")
    command = [str(BIN / "ansible-playbook"), str(playbook)]
    return run_at_terminal(controller, command, interrupt=is_time).text


@pytest.mark.rest
@pytest.mark.slow
def test_ctrl_c_while_a_restore_is_waited_for(simulator: Simulator, controller: Controller) -> None:
    state_dir = controller.folder / "state"
    screen = interrupt(controller, "claw_backup_restore", RESTORE, lambda: "accepted" in read_journal(state_dir))
    assert re.search(
        r"\nThe restore of web-bot was accepted at \S+ UTC and goes on\. Run the same command again to wait for it\.\n",
        screen,
    ), screen
    assert screen.count("goes on") == 1
    assert simulator.effects() == {"restores": 1}


@pytest.mark.slow
def test_ctrl_c_before_a_restore_is_sent(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("hang", path="/backups", seconds=60)
    screen = interrupt(controller, "claw_backup_restore", RESTORE, lambda: bool(simulator.calls("GET /backups*")))
    assert "\nNothing was sent for incident INC-1.\n" in screen
    assert simulator.effects() == {}
