# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C in a terminal shows what was done until then, and how to continue."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import typing as t

import pytest

from simulator.handle import Simulator
from support.controller import BIN, Controller

TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
CTRL_C = b"\x03"
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
    """Runs a task in a terminal, presses Ctrl-C when it is time, and returns the screen."""
    tasks = [{f"clawhosters.cloud.{module}": options}]
    playbook = controller.write("playbook.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    run = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, str(BIN / "ansible-playbook"), str(playbook)],
        cwd=controller.folder,
        env={**controller.environment, "TERM": "xterm", "CLAWHOSTERS_STATE_DIR": str(controller.folder / "state")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not is_time():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for _press in range(20):
        # ansible-core loses some.
        t.cast("t.IO[bytes]", run.stdin).write(CTRL_C)
        t.cast("t.IO[bytes]", run.stdin).flush()
        try:
            run.wait(3)
            break
        except subprocess.TimeoutExpired:
            continue
    screen, _none = run.communicate(timeout=60)
    return screen.decode().replace("\r\n", "\n")


@pytest.mark.slow
def test_ctrl_c_while_a_restore_is_waited_for(simulator: Simulator, controller: Controller) -> None:
    journal = controller.folder / "state/journal.jsonl"
    screen = interrupt(
        controller, "claw_backup_restore", RESTORE, lambda: journal.exists() and "accepted" in journal.read_text()
    )
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
    assert "\nNothing was sent for the restore of web-bot.\n" in screen
    assert simulator.effects() == {}


@pytest.mark.slow
def test_ctrl_c_while_a_start_is_waited_for(simulator: Simulator, controller: Controller) -> None:
    screen = interrupt(controller, "claw_instance", {"id": 2}, lambda: len(simulator.calls("GET /instances/2")) > 1)
    assert "\nThe start of shop-bot (id 2) was accepted and goes on. Run this again to wait for it.\n" in screen, screen
