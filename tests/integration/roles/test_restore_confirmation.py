# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only what was confirmed is restored, whatever other runs do meanwhile; and whatever is wrong with the evidence."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.controller import Controller, Run
from support.processes import is_running
from support.terminal import run_at_terminal

PLAYBOOK = "clawhosters.cloud.restore"
POSTS = "POST *"
NAMES = {1: "web-bot", 2: "bare-bot", 7: " \u3000", 8: "shop-bot ", 9: "shop-bot"}


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Instance 7 has a blank name, and 8 and 9 have one name but for a blank; all but 2 have a backup of their id."""
    instances = [{"id": number, "name": name} for number, name in NAMES.items()]
    backups = [{"id": number, "instance_id": number, "created_at": "2h ago"} for number in NAMES if number != 2]
    simulator.reset(state={"instances": instances, "backups": backups}, switches={"transition_reads": 1})


@pytest.fixture
def controller(controller: Controller, tmp_path: Path) -> Controller:
    controller.environment["CLAWHOSTERS_STATE_DIR"] = str(tmp_path / "state")
    return controller


def command(*ids: int, **variables: t.Any) -> list[str]:
    given = {"restore_instance_ids": list(ids), "restore_incident": "INC-1", "restore_healthy_timeout": 60, **variables}
    return ["ansible-playbook", PLAYBOOK, "-e", json.dumps(given)]


def restore(controller: Controller, *ids: int, **variables: t.Any) -> Run:
    run = controller.run(*command(*ids, **variables))
    assert "Traceback" not in run.screen
    return run


def report(controller: Controller) -> dict[str, t.Any]:
    """The JSON of the incident."""
    path = controller.folder / "clawhosters-restore/INC-1.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


# What confirms


@pytest.mark.parametrize("value", [None, False, []])
def test_a_value_that_is_no_text_confirms_nothing_whatever_the_name(
    simulator: Simulator, controller: Controller, value: object
) -> None:
    simulator.set_instance(1, name=str(value))
    run = restore(controller, 1, restore_confirm=value)
    assert run.rc != 0
    # ansible-core 2.18 takes null for no value of a text at all.
    refusals = ("restore_confirm is empty, and there is no terminal", "argument 'restore_confirm' is of type")
    assert any(map(run.says, refusals)), run.screen
    assert simulator.calls(POSTS) == []


def wait_for_end(processes: t.Sequence[int]) -> None:
    """Waits until the processes of a closed terminal have ended."""
    deadline = time.monotonic() + 60
    while alive := [one for one in processes if is_running(one)]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.2)


def test_a_question_is_at_the_terminal_if_output_goes_to_a_file(simulator: Simulator, controller: Controller) -> None:
    redirected = ["bash", "-c", '"$@" > log 2>&1', "bash", *command(1)]
    screen = run_at_terminal(controller, redirected, "type exactly: ", ["1"])
    assert (screen.rc, simulator.calls(POSTS)) == (0, ["POST /backups/1/restore"]), screen.text
    assert "DATA LOSS: all changes since" in screen.text
    assert "PLAY" not in screen.text


def test_a_terminal_closed_at_the_prompt_leaves_no_process(simulator: Simulator, controller: Controller) -> None:
    screen = run_at_terminal(controller, command(1), close_at="type exactly: ")
    assert len(screen.left) > 1, "Ansible and its worker"
    wait_for_end(screen.left)
    assert simulator.calls(POSTS) == []


@pytest.mark.rest
def test_a_terminal_closed_in_a_restore_lets_the_run_finish(simulator: Simulator, controller: Controller) -> None:
    simulator.switch(transition_reads=10_000)
    screen = run_at_terminal(controller, command(1), "type exactly: ", ["1"], close_at="web-bot: deploying, 10 s")
    simulator.set_instance(1, status="running")
    wait_for_end(screen.left)
    (ended,) = report(controller)["runs"]
    assert (ended["state"], simulator.calls(POSTS)) == ("ended", ["POST /backups/1/restore"])


def test_a_play_that_ignores_errors_confirms_nothing(simulator: Simulator, controller: Controller) -> None:
    play = [{"hosts": "localhost", "ignore_errors": True, "roles": ["clawhosters.cloud.restore"]}]
    path = controller.write("play.yml", play)
    variables = "restore_instances=web-bot restore_incident=INC-1 restore_confirm=nobody"
    run = controller.run("ansible-playbook", str(path), "-e", variables)
    assert run.stdout.count("...ignoring") == 1, run.screen
    assert run.says("Not confirmed. restore_confirm is: nobody. It must be: web-bot. Nothing was sent.")
    assert simulator.calls(POSTS) == []
    assert [one["reason"]["kind"] for one in report(controller)["instances"]] == ["not_confirmed"]


# The evidence


@pytest.mark.rest
@pytest.mark.slow
def test_evidence_that_cannot_be_written_warns_and_stops_nothing(simulator: Simulator, controller: Controller) -> None:
    (controller.folder / "clawhosters-restore/INC-1.html").mkdir(parents=True)
    run = restore(controller, 1, 2, restore_confirm="web-bot")
    assert simulator.calls(POSTS) == ["POST /backups/1/restore"]
    said = f"{controller.folder}/clawhosters-restore/INC-1.html can't be written: Is a directory."
    assert run.says(f"[WARNING]: {said}")
    assert run.rc == 2
    assert run.stdout.count(said) == 1
    alone = restore(controller, 1, restore_confirm="web-bot")
    assert alone.rc == 0, alone.screen
    assert said in alone.stdout


def test_an_unusable_evidence_folder_fails_before_any_request(simulator: Simulator, controller: Controller) -> None:
    controller.write("a-file", "")
    run = restore(controller, 1, restore_confirm="web-bot", restore_report_dir="a-file")
    assert run.rc != 0
    assert run.says(f"{controller.folder}/a-file/INC-1.html can't be written: File exists. Nothing was sent.")
    assert simulator.calls() == []
