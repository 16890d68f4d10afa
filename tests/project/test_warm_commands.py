# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The warm processes of tests/support/warm.py hide nothing: what they run is what a start of the command runs."""

from __future__ import annotations

import re

import pytest

from support import warm
from support.controller import Controller, started

pytestmark = pytest.mark.rest

COMMANDS = {
    "inventory": ("ansible-inventory", "-i", "test.clawhosters.yml", "--list"),
    "playbook": ("ansible-playbook", "good.yml", "-v"),
    "playbook, failing": ("ansible-playbook", "bad.yml"),
    "page that is missing": ("ansible-doc", "clawhosters.cloud.nothing"),
}
DIFFERING = re.compile(r"\d+ (?:d|h|min|s)\b|\d+\.\d+|\d\d:\d\d:\d\d|\"(?:latency|date|remaining|request_id)\": [^,}]*")
"""Times, ages and other words that differ from run to run."""


@pytest.fixture
def here(controller: Controller) -> Controller:
    controller.write("test.clawhosters.yml", {"plugin": "clawhosters.cloud.instances"})
    tasks = {"good": {"claw_instance_info": {"id": 3}}, "bad": {"claw_instance": {"id": 999}}}
    for name, task in tasks.items():
        play = {"hosts": "localhost", "gather_facts": False, "collections": ["clawhosters.cloud"], "tasks": [task]}
        controller.write(f"{name}.yml", [play])
    return controller


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_what_it_is_when_it_is_started(here: Controller, command: tuple[str, ...]) -> None:
    forked = warm.run(command, here.folder, here.environment, 60)
    stood_in = started((str(warm.stand_ins() / command[0]), *command[1:]), here.folder, here.environment)
    fresh = started(command, here.folder, here.environment)
    assert forked is not None
    for run in (forked, stood_in):
        assert run.returncode == fresh.returncode
        assert DIFFERING.sub("?", run.stdout) == DIFFERING.sub("?", fresh.stdout)
        assert DIFFERING.sub("?", run.stderr) == DIFFERING.sub("?", fresh.stderr)


def test_a_warm_process_serves_commands_with_other_settings(here: Controller) -> None:
    minimal = {**here.environment, "ANSIBLE_STDOUT_CALLBACK": "minimal"}
    runs = [warm.run(COMMANDS["playbook"], here.folder, one, 60) for one in (here.environment, minimal)]
    shown = [run and "PLAY RECAP" in run.stdout for run in runs]
    assert shown == [True, False]
