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

INSTANCE = {"clawhosters.cloud.claw_instance_info": {"id": 3}}
FAILING = {"clawhosters.cloud.claw_instance": {"id": 999, "state": "started"}}

COMMANDS: dict[str, tuple[str, ...]] = {
    "version": ("ansible", "--version"),
    "ad hoc": ("ansible", "localhost", "-m", "clawhosters.cloud.claw_instance_info", "-a", "id=3"),
    "page that is missing": ("ansible-doc", "clawhosters.cloud.nothing"),
    "inventory": ("ansible-inventory", "-i", "test.clawhosters.yml", "--list"),
    "playbook": ("ansible-playbook", "good.yml", "-v"),
    "playbook, failing": ("ansible-playbook", "bad.yml"),
    "playbook of the collection": ("ansible-playbook", "clawhosters.cloud.fleet_report", "--check"),
    "no such option": ("ansible-playbook", "--nonsense"),
}
DIFFERING = re.compile(
    r"\d+ (d|h|min)( \d+ (h|min))?|\d+\.\d+(e-\d+)?|\d\d:\d\d(:\d\d)?( UTC)?|2\d{3}-\d\d-\d\d\S*|0x[0-9a-f]+|'date': .*"
    r"|\"(latency|date|remaining|request_id)\": [^,]*|'request_id': [^,]*|(remaining|request_id): .*"
)
"""Times, ages and other words that differ from run to run."""


@pytest.fixture
def here(controller: Controller) -> Controller:
    """A controller with some files to run."""
    controller.write("test.clawhosters.yml", {"plugin": "clawhosters.cloud.instances"})
    controller.write("bad.clawhosters.yml", {"plugin": "clawhosters.cloud.instances", "min_hosts": 1000})
    for name, task in (("good", INSTANCE), ("bad", FAILING)):
        controller.write(f"{name}.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])
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


def test_a_command_of_a_script_reads_its_own_input_and_configuration(here: Controller) -> None:
    path = f"{warm.stand_ins()}:{here.environment['PATH']}"
    script = """
        ansible-playbook /dev/stdin < good.yml
        mkdir elsewhere && cd elsewhere && printf '[defaults]\nforce_color = true\n' > ansible.cfg
        ansible-playbook ../good.yml | grep -q '\\[0;32m' && echo it is coloured
    """
    run = here.run("bash", "-euc", script, PATH=path, ANSIBLE_NOCOLOR=None)
    assert run.rc == 0, run.screen
    assert "ok=1" in run.stdout
    assert "it is coloured" in run.stdout


def test_what_ansible_reads_when_it_is_imported_is_read_for_each_command(here: Controller) -> None:
    def colours(**environment: str) -> bool:
        return "\x1b[" in here.run("ansible-playbook", "good.yml", **environment).screen

    assert not colours()
    assert colours(ANSIBLE_FORCE_COLOR="true", ANSIBLE_NOCOLOR="false")
    assert not colours()
    for path in (here.folder / "ansible.cfg", here.home / ".ansible.cfg"):
        path.write_text("[defaults]\nforce_color = true\n[colors]\nchanged = purple\n", encoding="utf-8")
        assert colours(ANSIBLE_NOCOLOR="false"), path
        path.unlink()
    assert not colours(ANSIBLE_NOCOLOR="false")


@pytest.mark.parametrize(
    ("setting", "value", "command"),
    [
        ("ANSIBLE_CACHE_PLUGIN", "nothing", "playbook"),
        ("ANSIBLE_CALLBACK_RESULT_FORMAT", "yaml", "playbook"),
        ("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "false", "inventory, failing"),
        ("ANSIBLE_INVENTORY_ENABLED", "ini", "inventory"),
        ("ANSIBLE_STDOUT_CALLBACK", "minimal", "playbook"),
    ],
)
def test_a_warm_process_serves_commands_with_other_settings(
    here: Controller, setting: str, value: str, command: str
) -> None:
    assert setting in warm.SETTINGS
    argv = COMMANDS.get(command, ("ansible-inventory", "-i", "bad.clawhosters.yml", "--list"))
    environment = {**here.environment, setting: value}
    without = warm.run(argv, here.folder, here.environment, 60)
    processes = len(warm._processes)
    forked = warm.run(argv, here.folder, environment, 60)
    fresh = started(argv, here.folder, environment)
    again = warm.run(argv, here.folder, here.environment, 60)
    assert len(warm._processes) == processes
    shown = [run and (run.returncode, DIFFERING.sub("?", run.stdout + run.stderr)) for run in (forked, without, again)]
    assert shown[0] == (fresh.returncode, DIFFERING.sub("?", fresh.stdout + fresh.stderr))
    assert shown[0] != shown[1] == shown[2]
