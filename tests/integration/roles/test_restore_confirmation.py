# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only what was confirmed is restored, whatever other runs do meanwhile; and whatever is wrong with the evidence."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import re
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    lock_operation,
)
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from simulator.handle import Simulator
from support.controller import Controller, Run
from support.processes import is_running
from support.terminal import run_at_terminal
from support.worker import Worker

PLAYBOOK = "clawhosters.cloud.restore"
POSTS = "POST *"
NAMES = {1: "web-bot", 2: "bare-bot", 7: " \u3000", 8: "shop-bot ", 9: "shop-bot"}


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Instance 7 has a blank name, and 8 and 9 have one name but for a blank; all but 2 have a backup of their id."""
    simulator.reset(
        state={
            "instances": [{"id": number, "name": name} for number, name in NAMES.items()],
            "backups": [
                {"id": number, "instance_id": number, "created_at": "2h ago"} for number in NAMES if number != 2
            ],
        },
        switches={"transition_reads": 1},
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """The journal of the workers here, and of the controller's runs."""
    return Journal(FolderStore(str(tmp_path / "state")))


@pytest.fixture
def worker(simulator: Simulator, tmp_path: Path) -> Worker:
    return Worker(simulator, {"state_dir": str(tmp_path / "state"), "incident": "INC-1", "instance_id": 1})


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


def key(simulator: Simulator, number: int = 1) -> OperationKey:
    return OperationKey("restore", simulator.url, "INC-1", str(number))


def report(controller: Controller) -> dict[str, t.Any]:
    """The JSON of the incident."""
    path = controller.folder / "clawhosters-restore/INC-1.json"
    content: dict[str, t.Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


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


def test_a_question_is_at_the_terminal_when_the_output_goes_into_a_file(
    simulator: Simulator, controller: Controller
) -> None:
    redirected = ["bash", "-c", '"$@" > log 2>&1', "bash", *command(1)]
    screen = run_at_terminal(controller, redirected, "type exactly: ", ["1"])
    assert (screen.rc, simulator.calls(POSTS)) == (0, ["POST /backups/1/restore"]), screen.text
    assert "DATA LOSS: all changes since" in screen.text
    assert "PLAY" not in screen.text


def test_a_terminal_that_is_closed_at_the_prompt_leaves_no_process(
    simulator: Simulator, controller: Controller
) -> None:
    screen = run_at_terminal(controller, command(1), close_at="type exactly: ")
    assert len(screen.left) > 1, "Ansible and its worker"
    wait_for_end(screen.left)
    assert simulator.calls(POSTS) == []


@pytest.mark.rest
def test_a_terminal_that_is_closed_in_a_restore_lets_the_run_finish(
    simulator: Simulator, controller: Controller
) -> None:
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


# What another run changes


@pytest.mark.rest
@pytest.mark.parametrize(
    ("status", "events", "told"),
    [
        ("running", [OperationEvent.ACCEPTED, OperationEvent.COMPLETED], ["Another run works on it: "]),
        (
            "deploying",
            [OperationEvent.REFUSED],
            [
                ", deploying: a restore of backup 1 was sent, and its end was not seen.",
                "This run waits for it.",
                "Another run was to send the restore, and did not. Nothing was sent.",
                "Run the same command again to send it.",
            ],
        ),
    ],
    ids=["it completes", "it is refused"],
)
def test_a_plan_to_wait_for_another_run_sends_nothing_however_that_ends(
    simulator: Simulator,
    controller: Controller,
    journal: Journal,
    status: str,
    events: list[OperationEvent],
    told: list[str],
) -> None:
    """The request of the other run is in the journal: as long as that run lives, nothing is unknown yet."""
    simulator.set_instance(1, status=status, settles_to="running", settles_after_reads=1000)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with lock_operation(journal, key(simulator)):
            append_event(journal, key(simulator), OperationEvent.INTENDED, backup_id=1)
            waiting = pool.submit(restore, controller, 1)
            # Its page is there before it waits for the other run.
            while not (controller.folder / "clawhosters-restore/INC-1.html").exists():
                assert not waiting.done(), waiting.result().screen
                time.sleep(0.05)
            for event in events:
                append_event(journal, key(simulator), event)
            simulator.set_instance(1, status="running")
        run = waiting.result()
    assert [text for text in told if not run.says(text)] == [], run.screen
    assert simulator.calls(POSTS) == []
    kinds = [one["reason"] and one["reason"]["kind"] for one in report(controller)["instances"]]
    assert (run.rc, kinds) == ((0, [None]) if status == "running" else (2, ["not_sent"]))


def meanwhile(
    worker: Worker, journal: Journal, monkeypatch: pytest.MonkeyPatch, change: t.Callable[[], object]
) -> t.ContextManager[object]:
    """Another run holds the restore; when it is waited for, it makes its change, and is done."""
    other = contextlib.ExitStack()
    assert other.enter_context(lock_operation(journal, key(worker.simulator)))
    sleep = worker.sleeper.sleep

    def once(seconds: float) -> None:
        # Not one of the moments for which requests side by side wait for each other.
        if seconds >= 1:
            monkeypatch.setattr(worker.sleeper, "sleep", sleep)
            change()
            other.close()
        sleep(seconds)

    monkeypatch.setattr(worker.sleeper, "sleep", once)
    return other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "paused"}, "web-bot (id 1) has the status paused"),
        ({"name": "shop-bot2"}, "and is shop-bot2, running, healthy now. Nothing was sent."),
    ],
)
def test_the_instance_is_read_again_after_another_run_was_waited_for(
    worker: Worker, journal: Journal, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], words: str
) -> None:
    with meanwhile(worker, journal, monkeypatch, lambda: worker.simulator.set_instance(1, **change)):
        result = worker.run(claw_backup_restore, instance_name="web-bot")
    assert words in result["msg"]
    assert worker.simulator.calls(POSTS) == []


def test_another_run_that_is_not_over_in_time_is_told_as_what_it_is(worker: Worker, journal: Journal) -> None:
    with lock_operation(journal, key(worker.simulator)):
        result = worker.run(claw_backup_restore, wait_timeout=30)
    held = r"It was not free within 30 s \(wait_timeout\), and now it is held by \S+@\S+, process \d+, for \d+ s, for "
    assert re.search(
        rf"{held}incident INC-1\. Nothing was sent\. Run the same task again when that run has ended", result["msg"]
    )
    assert result["restore"]["outcome"] == "in_flight"
    assert worker.simulator.calls(POSTS) == []


# The evidence


@pytest.mark.rest
@pytest.mark.slow
def test_evidence_that_can_no_longer_be_written_warns_and_stops_nothing(
    simulator: Simulator, controller: Controller
) -> None:
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


def test_an_unusable_evidence_folder_fails_before_anything_is_sent(
    simulator: Simulator, controller: Controller
) -> None:
    controller.write("a-file", "")
    run = restore(controller, 1, restore_confirm="web-bot", restore_report_dir="a-file")
    assert run.rc != 0
    assert run.says(f"{controller.folder}/a-file/INC-1.html can't be written: File exists. Nothing was sent.")
    assert simulator.calls() == []


@pytest.mark.rest
def test_two_runs_of_an_incident_at_the_same_time_are_both_on_the_page(
    simulator: Simulator, controller: Controller
) -> None:
    processes = [
        subprocess.Popen(
            command(1, restore_confirm="web-bot"),
            cwd=controller.folder,
            env={**controller.environment, "RESULTS_FILE": str(controller.folder / f"results-{number}")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    screens = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], screens
    assert simulator.calls(POSTS) == ["POST /backups/1/restore"]
    runs = report(controller)["runs"]
    assert [one["state"] for one in runs] == ["ended", "ended"]
    (instance,) = report(controller)["instances"]
    assert instance["outcome"] == "completed"
