# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks run in the controller, and all that holds for a module holds for them (interface 1a)."""

from __future__ import annotations

import json
import sys
import typing as t

import pytest
import yaml

from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller

UNREACHABLE = {
    "ansible_connection": "ssh",
    "ansible_host": "192.0.2.1",
    "ansible_ssh_common_args": "-o ConnectTimeout=1",
}
INSTANCE = "clawhosters.cloud.claw_instance"
MODULES = yaml.safe_load((REPOSITORY / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]["all"]


@pytest.fixture(autouse=True)
def two_known_instances(simulator: Simulator) -> None:
    """One that runs, one that is stopped."""
    simulator.reset(state={"instances": [{"id": 1, "name": "runs"}, {"id": 2, "name": "rests", "status": "stopped"}]})


def play(*tasks: dict[str, t.Any], **keywords: t.Any) -> list[dict[str, t.Any]]:
    return [{"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}]


@pytest.fixture
def far_away(controller: Controller) -> str:
    """An inventory of one host that nothing can connect to."""
    return str(controller.write("hosts.yml", {"all": {"hosts": {"far": UNREACHABLE}}}))


def test_a_warning_of_a_task_is_shown(simulator: Simulator, controller: Controller) -> None:
    simulator.reset()
    # The newest backup of this instance failed.
    run = controller.task({"instance_id": 2, "usable": True}, module="claw_backup_info")
    assert run.says("[WARNING]: 1 backup left out: id"), run.screen
    both = controller.task({"id": 1, "instance_id": 2})
    assert both.says("[WARNING]: Both option id and its alias instance_id are set."), both.screen


def test_a_host_that_no_one_can_reach_still_works(simulator: Simulator, controller: Controller, far_away: str) -> None:
    run = controller.playbook(play({INSTANCE: {"id": 2, "state": "started"}}), "-i", far_away)
    assert run.rc == 0, run.screen
    assert run.result["changed"] is True
    assert simulator.effects() == {"starts": 1}


@pytest.mark.slice
@pytest.mark.parametrize("level", ["play", "block", "task"])
def test_environment_reaches_the_task_from_every_level(controller: Controller, far_away: str, level: str) -> None:
    environment = {
        "environment": {
            "CLAWHOSTERS_API_KEY": KEY,
            "CLAWHOSTERS_API_URL": controller.environment["CLAWHOSTERS_API_URL"],
        }
    }
    task: dict[str, t.Any] = {INSTANCE: {"id": 1}}
    plays = {
        "play": play(task, **environment),
        "block": play({"block": [task], **environment}),
        "task": play({**task, **environment}),
    }[level]
    run = controller.playbook(plays, "-i", far_away, CLAWHOSTERS_API_KEY=None, CLAWHOSTERS_API_URL=None)
    assert run.rc == 0, run.screen
    leaked = controller.playbook(
        [*plays, *play(task)], "-i", far_away, CLAWHOSTERS_API_KEY=None, CLAWHOSTERS_API_URL=None
    )
    assert "No API key was given" in leaked.screen


def test_the_inner_environment_wins(controller: Controller, far_away: str) -> None:
    task = {INSTANCE: {"id": 1}, "environment": {"CLAWHOSTERS_API_KEY": KEY}}
    run = controller.playbook(play(task, environment={"CLAWHOSTERS_API_KEY": "bad\nkey"}), "-i", far_away)
    assert run.rc == 0, run.screen


@pytest.mark.parametrize("name", [INSTANCE, "group/clawhosters.cloud.all"])
def test_module_defaults_apply(controller: Controller, far_away: str, name: str) -> None:
    defaults = {name: {"api_key": KEY, "state": "stopped"} if name == INSTANCE else {"api_key": KEY}}
    run = controller.playbook(
        play({INSTANCE: {"id": 1}}, module_defaults=defaults), "-i", far_away, CLAWHOSTERS_API_KEY=None
    )
    assert run.rc == 0, run.screen
    assert run.result["instance"]["status"] == ("stopped" if name == INSTANCE else "running")


def test_short_names_and_defaults_of_one_module(simulator: Simulator, controller: Controller, far_away: str) -> None:
    tasks: list[dict[str, t.Any]] = [{"claw_instance": {"id": 1}}, {"claw_instance_info": {"id": 1}}]
    defaults = {INSTANCE: {"state": "stopped"}}
    run = controller.playbook(play(*tasks, collections=["clawhosters.cloud"], module_defaults=defaults), "-i", far_away)
    assert run.rc == 0, run.screen
    assert run.all[1]["instances"][0]["status"] == "stopped"
    assert simulator.effects() == {"stops": 1}


def test_check_and_diff_from_command_line_and_task(simulator: Simulator, controller: Controller, far_away: str) -> None:
    run = controller.playbook(play({INSTANCE: {"id": 2}}), "-i", far_away, "--check", "--diff")
    assert run.result["changed"] is True
    assert '-    "status": "stopped"' in run.stdout
    assert '+    "status": "running"' in run.stdout
    run = controller.playbook(play({INSTANCE: {"id": 2}, "check_mode": True}), "-i", far_away)
    assert run.result["changed"] is True
    assert simulator.effects() == {}


def test_loop_until_and_register(simulator: Simulator, controller: Controller, far_away: str) -> None:
    simulator.set_instance(1, status="deploying", settles_to="running", settles_after_reads=3)
    run = controller.playbook(
        play(
            {
                "clawhosters.cloud.claw_instance_info": {"id": 1},
                "register": "read",
                "until": "read.instances[0].status == 'running'",
                "retries": 5,
                "delay": 0,
            },
            {INSTANCE: {"id": "{{ item }}", "state": "stopped"}, "loop": [1, 2], "register": "stopped"},
            {"ansible.builtin.assert": {"that": ["stopped.results | map(attribute='changed') == [true, false]"]}},
        ),
        "-i",
        far_away,
    )
    assert run.rc == 0, run.screen


def test_a_loop_uses_one_connection(simulator: Simulator, controller: Controller, far_away: str) -> None:
    run = controller.playbook(play({INSTANCE: {"id": 1}, "loop": list(range(5))}), "-i", far_away)
    assert run.rc == 0, run.screen
    assert len({entry["client"] for entry in simulator.log()}) == 1


def test_ad_hoc(controller: Controller, far_away: str) -> None:
    run = controller.run("ansible", "all", "-i", far_away, "-m", INSTANCE, "-a", "id=1 state=stopped")
    assert run.rc == 0, run.screen
    assert '"status": "stopped"' in run.stdout


def test_async_is_refused_before_anything_is_sent(simulator: Simulator, controller: Controller, far_away: str) -> None:
    options = {"api_key": KEY}
    tasks = [{f"clawhosters.cloud.{name}": options, "async": 60, "poll": 1, "ignore_errors": True} for name in MODULES]
    run = controller.playbook(play(*tasks), "-i", far_away)
    assert [result["msg"] for result in run.all] == [
        f"clawhosters.cloud.{name} can't run with async: a job could outlive the run unnoticed, and one claw_fleet "
        "task waits for many instances at once. Remove async from the task, or -B from an ad-hoc command. Nothing was "
        "sent."
        for name in MODULES
    ]
    assert KEY not in run.screen + json.dumps(run.all)
    assert simulator.calls() == []


def test_become_changes_nothing(simulator: Simulator, controller: Controller, far_away: str) -> None:
    become = {"become": True, "become_user": "another", "vars": {"ansible_become_exe": "/no/sudo"}}
    run = controller.playbook(play({INSTANCE: {"id": 2}}, **become), "-i", far_away)
    assert run.rc == 0, run.screen
    assert simulator.effects() == {"starts": 1}


def test_the_module_is_complete_without_its_action(simulator: Simulator, controller: Controller) -> None:
    arguments = controller.write("arguments.json", json.dumps({"ANSIBLE_MODULE_ARGS": {"id": 2, "state": "started"}}))
    run = controller.run(
        sys.executable,
        "-m",
        "ansible_collections.clawhosters.cloud.plugins.modules.claw_instance",
        str(arguments),
        PYTHONPATH=controller.environment["ANSIBLE_COLLECTIONS_PATH"],
    )
    result = json.loads(run.stdout)
    assert result["changed"] is True
    assert result["instance"]["status"] == "running"
    assert simulator.effects() == {"starts": 1}


@pytest.mark.slow
def test_a_wait_tells_what_for_on_standard_error(simulator: Simulator, controller: Controller, far_away: str) -> None:
    simulator.set_instance(1, status="deploying")
    run = controller.playbook(play({INSTANCE: {"id": 1, "wait_timeout": 11}}), "-i", far_away)
    assert "runs: deploying, 10 s of at most 11 s" in run.stderr
    assert "s of at most" not in run.stdout
