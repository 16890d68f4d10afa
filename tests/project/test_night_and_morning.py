# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples stop_tier and start_tier: exactly what was stopped is started, in whatever order they are run."""

from __future__ import annotations

import subprocess
import time

import pytest

from project import guides
from simulator.handle import Simulator
from support.controller import BIN, Controller
from support.killed import kill_tree

pytestmark = [pytest.mark.rest, pytest.mark.slow]
BOTS = [{"id": number, "name": f"bot-{number}", "tier": "budget"} for number in (1, 2, 3)]
OTHERS = [{"id": 4, "name": "by-hand", "tier": "budget", "status": "stopped"}, {"id": 5, "name": "pro", "tier": "pro"}]


@pytest.fixture
def here(controller: Controller, simulator: Simulator) -> Controller:
    guides.set_up(controller, simulator)
    simulator.reset(state={"instances": [*BOTS, *OTHERS]}, switches={"transition_reads": 1})
    return controller


def play(here: Controller, name: str, rc: int = 0) -> None:
    run = here.run("ansible-playbook", f"examples/{name}_tier.yml")
    assert run.rc == rc, run.screen


def find_running(simulator: Simulator) -> set[int]:
    return {one["id"] for one in simulator.state()["instances"] if one["status"] == "running"}


def test_each_may_be_run_first_and_twice(here: Controller, simulator: Simulator) -> None:
    preview = here.run("ansible-playbook", "examples/stop_tier.yml", "--check", "--diff")
    assert ("+[1, 2, 3]" in preview.stdout, "+[]" in preview.stdout) == (True, False)
    play(here, "start")
    assert simulator.calls("POST *") == []
    for _night in range(2):
        play(here, "stop")
        assert find_running(simulator) == {5}
    for _morning in range(2):
        play(here, "start")
        assert find_running(simulator) == {1, 2, 3, 5}
    simulator.set_instance(1, status="stopped")
    play(here, "start")
    assert find_running(simulator) == {2, 3, 5}


def test_what_failed_or_was_changed_by_hand_since_is_left(here: Controller, simulator: Simulator) -> None:
    simulator.fault("status", method="POST", status=422, path="/instances/1/stop")
    play(here, "stop", rc=2)
    simulator.set_instance(1, status="stopped")
    simulator.remove_instance(2)
    simulator.fault("status", method="POST", status=422, path="/instances/3/start")
    play(here, "start", rc=2)
    assert find_running(simulator) == {5}
    simulator.clear_faults()
    play(here, "start")
    assert find_running(simulator) == {3, 5}


def test_a_night_that_was_killed_is_known_in_the_morning(here: Controller, simulator: Simulator) -> None:
    simulator.switch(transition_reads=None)
    simulator.fault("hang_after", method="POST", path="/instances/3/stop")
    # Not the stand-in in the PATH: what that starts has another parent.
    command = [str(BIN / "ansible-playbook"), "examples/stop_tier.yml"]
    with subprocess.Popen(command, cwd=here.folder, env=here.environment, start_new_session=True) as night:
        while find_running(simulator) != {5}:
            time.sleep(0.05)
        kill_tree(night.pid)
    simulator.clear_faults()
    play(here, "start")
    assert find_running(simulator) == {1, 2, 3, 5}
