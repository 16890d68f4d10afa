# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen of the restore runbook: few lines, a prompt that repeats the plan, and each failure once."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event
from simulator.handle import Simulator
from support import KEY, TIME_IN_MESSAGE
from support.controller import BIN, REPOSITORY, TIMEOUT, Controller, Run, extra_variables
from support.stores import folder_place, read_journal
from support.terminal import CTRL_C, Screen, run_at_terminal

PLAYBOOK = "clawhosters.cloud.restore"
POSTS = "POST *"
NAMES = ("web-bot", "sick-bot", "old-bot", "news-bot", "bare-bot")
INTENDED, ACCEPTED, COMPLETED = OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.COMPLETED


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Five instances; the backups of instance N are N1 and, a day older, N2. The last one has none."""
    instances = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
    backups = [
        {"id": 10 * number + day, "instance_id": number, "created_at": f"{24 * day + 2}h ago"}
        for number in range(1, 5)
        for day in (1, 2)
    ]
    simulator.reset(state={"instances": instances, "backups": backups}, switches={"transition_reads": 1})
    simulator.set_instance(2, health_status="unhealthy")
    simulator.set_instance(3, status="stopped")


@pytest.fixture
def journal(controller: Controller, simulator: Simulator) -> t.Callable[..., None]:
    """Writes the events of a restore of an instance into the journal."""

    def write(incident: str, number: int, *events: OperationEvent) -> None:
        key = OperationKey("restore", simulator.url, incident, str(number))
        for event in events:
            notes = {"backup_id": 10 * number + 1, "instance_name": NAMES[number - 1]}
            append_event(folder_place(controller.home / ".ansible/clawhosters").journal(), key, event, **notes)

    return write


def command(*names: str, **variables: t.Any) -> list[str]:
    given = {"restore_instances": ",".join(names) or None, "restore_incident": "INC-1", **variables}
    return ["ansible-playbook", PLAYBOOK, *extra_variables(**given)]


def restore(controller: Controller, *names: str, flags: tuple[str, ...] = (), **variables: t.Any) -> Run:
    confirmed = command(*names, restore_confirm=",".join(names), **variables)
    run = controller.run(*confirmed, *flags, ANSIBLE_SHOW_CUSTOM_STATS="true")
    assert "Traceback" not in run.screen
    assert "set_fact" not in run.screen
    assert KEY not in run.screen
    return run


def at_a_terminal(controller: Controller, *names: str, answers: tuple[str, ...], **variables: t.Any) -> Screen:
    return run_at_terminal(controller, command(*names, **variables), "type exactly: ", answers)


def answer(run: Run) -> dict[str, t.Any]:
    """Returns the result of the task that does everything."""
    (result,) = [result for result in run.all if "plan" in result]
    return result


def failures(run: Run) -> str:
    assert run.rc == 2, run.screen
    return "\n".join(answer(run)["failures"])


def custom_stats(run: Run) -> dict[str, t.Any]:
    """Returns the data that set_stats would have handed to the controller."""
    text = run.stdout.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2]
    return json.loads(text)["clawhosters_restore"]


def report(controller: Controller) -> dict[str, t.Any]:
    path = controller.folder / "clawhosters-restore/INC-1.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def rows(text: str) -> list[str]:
    """Returns the rows of a terminal of 80 columns."""
    return [row for line in text.splitlines() for row in re.findall(".{1,80}", line) or [""]]


def tasks(run: Run) -> list[str]:
    return re.findall(r"^TASK \[(?:clawhosters.cloud.restore : )?(.*?)\] \*", run.stdout, re.MULTILINE)


def test_a_restore_of_one_is_one_task_and_sets_its_outcome(simulator: Simulator, controller: Controller) -> None:
    run = restore(controller, "web-bot")
    assert run.rc == 0, run.screen
    # Ansible validates the arguments in a task of its own.
    kept = "Keep the outcome for the rest of the play"
    assert tasks(run)[1:] == ['Restore for incident "INC-1"', kept, "Require that each instance is restored"]
    folder = controller.folder / "clawhosters-restore"
    assert f"Report: {folder}/INC-1.html\n" in run.stdout
    outcome = custom_stats(run)
    assert outcome["incident"] == "INC-1"
    (one,) = outcome["instances"]
    assert sorted(one) == ["backup_id", "completed_at", "id", "outcome", "overwritten_by", "sent_at"]
    assert (outcome["counts"], one["overwritten_by"]) == ({"restored": 1}, None)
    assert (one["id"], one["backup_id"], one["outcome"]) == (1, 11, "completed")
    assert one["sent_at"] <= one["completed_at"]
    assert "web-bot" not in json.dumps(outcome)
    simulator.fault("unauthorized", path="/account")
    assert custom_stats(restore(controller, "web-bot")) == outcome
    for journal in (controller.home / ".ansible/clawhosters/journal").iterdir():
        journal.write_bytes(journal.read_bytes() + b"damage\n")
    (unread,) = custom_stats(restore(controller, "web-bot"))["instances"]
    assert (unread["outcome"], unread["sent_at"]) == ("unknown", None)


@pytest.fixture
def forty(simulator: Simulator) -> list[str]:
    """The names of forty instances with a backup each, of the same number."""
    names = {number: f"bot-{number}" for number in range(1, 41)}
    instances = [{"id": number, "name": name} for number, name in names.items()]
    backups = [{"id": number, "instance_id": number, "created_at": "2h ago"} for number in names]
    simulator.reset(state={"instances": instances, "backups": backups})
    return list(names.values())


@pytest.mark.rest
@pytest.mark.slow
def test_forty_with_two_failures_take_100_rows(simulator: Simulator, controller: Controller, forty: list[str]) -> None:
    simulator.switch(transition_reads=2)
    for number in (7, 23):
        simulator.fault("status", method="POST", path=f"/backups/{number}/restore", status=422, message="Not now")
    controller.environment["ANSIBLE_CONFIG"] = str(REPOSITORY / "examples/ansible.cfg")
    variables = {"restore_serial": "1,5,100%", "restore_max_failures": 3}
    screen = at_a_terminal(controller, *forty, answers=(",".join(forty),), **variables)
    assert screen.rc == 2, screen.text
    assert "38 of 40 instances restored and healthy, 2 rejected" in screen.text
    assert re.search(r"bot-7 \(id 7\), bot-23 \(id 23\): For example bot-7 \(id 7\): The restore was", screen.text)
    assert screen.text.count("Not now") == 1
    assert len(rows(screen.text)) <= 100, screen.text


@pytest.mark.rest
@pytest.mark.slow
def test_one_with_a_wrong_answer_first_takes_48_rows_at_most(controller: Controller) -> None:
    controller.environment["ANSIBLE_CONFIG"] = str(REPOSITORY / "examples/ansible.cfg")
    screen = at_a_terminal(controller, "web-bot", answers=("web", "web-bot"))
    assert screen.rc == 0, screen.text
    assert "You typed: web. It must be: web-bot." in screen.text
    assert len(rows(screen.text)) <= 48, screen.text


def test_the_prompt_names_service_and_loss_and_asks_again_twice(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("status", method="POST", status=422, message="Not now", times=None)
    wanted = "web-bot,sick-bot,old-bot,news-bot"
    answers = ("web-bot", "sick-bot,web-bot", wanted)
    screen = at_a_terminal(controller, *NAMES, answers=answers, restore_max_failures=4)
    service = f"Service {urlsplit(simulator.url).netloc}, account user@example.com (id 1)."
    plan, _question, prompt = screen.text.partition("An empty answer or Ctrl-C sends nothing.")
    for row in (
        re.escape(service),
        r"web-bot \(id 1\), running, healthy: restore backup 11, 1 d 2 h old\.",
        rf"    DATA LOSS: all changes since {TIME_IN_MESSAGE}\.",
        r"    Running and healthy now\.",
        r"sick-bot \(id 2\), running, unhealthy: restore backup 21, 1 d 2 h old\.",
        r"old-bot \(id 3\), stopped(, \w+)?: restore backup 31, 1 d 2 h old\.",
        r"bare-bot \(id 5\): CAN'T BE RESTORED\.",
        r"    It has no usable backup\.",
    ):
        assert re.search(f"^{row}\\s*$", plan, re.MULTILINE), row
    assert prompt.splitlines()[1] == f"To overwrite, type exactly: {wanted}"
    assert prompt.count("DATA LOSS") == 0
    assert f"You typed: web-bot. It must be: {wanted}." in prompt
    assert f"You typed: sick-bot,web-bot. It must be: {wanted}." in prompt
    # Then Ansible shows the failure, in a form that depends on its version.
    shown = re.split(r"\[ERROR\]|fatal: ", screen.text.partition("Restore for incident")[2])[0]
    # A path stays in one line, to be copied.
    lines = [line for line in shown.splitlines() if not line.startswith(("Report: ", "JSON: "))]
    assert max(map(len, lines)) <= 80
    assert len(simulator.calls(POSTS)) == 4
    assert "restore_confirm=" not in screen.text


@pytest.mark.rest
def test_after_ctrl_c_at_the_prompt_nothing_is_sent(simulator: Simulator, controller: Controller) -> None:
    screen = at_a_terminal(controller, "web-bot", answers=(CTRL_C,))
    assert screen.rc == 2
    assert "web-bot (id 1): Not confirmed. Interrupted at the prompt. Nothing was sent." in screen.text
    assert simulator.calls(POSTS) == []


@pytest.mark.slow
@pytest.mark.parametrize("written", ["accepted", "intended"])
def test_ctrl_c_during_a_wait_says_what_goes_on(simulator: Simulator, controller: Controller, written: str) -> None:
    """Also while it waits for the answer to the one request."""
    simulator.switch(transition_reads=10_000)
    if written == "intended":
        simulator.fault("slow", method="POST", seconds=5)
    state_dir = controller.home / ".ansible/clawhosters"
    confirmed = command("web-bot", restore_confirm="web-bot")
    screen = run_at_terminal(controller, confirmed, interrupt=lambda: written in read_journal(state_dir))
    said = (
        "Incident INC-1: this run has sent 1 of 1 restore, and 0 completed; what the\n"
        "    service has accepted goes on. Run the same command again: it waits for what\n"
    )
    assert said in screen.text
    assert simulator.effects() == {"restores": 1}
    assert [run["state"] for run in report(controller)["runs"]] == ["interrupted"]
    (one,) = report(controller)["instances"]
    assert one["sent_at"]
    assert (one["result"], one["reason"]["kind"]) == ("unknown", "not_over")


def test_the_plan_knows_restores_for_other_incidents(
    simulator: Simulator, controller: Controller, journal: t.Callable[..., None]
) -> None:
    journal("inc-1", 1, INTENDED, ACCEPTED, COMPLETED)
    journal("INC-T", 2, INTENDED, ACCEPTED)
    simulator.set_instance(2, status="deploying", settles_to="running", settles_after_reads=1000)
    journal("INC-1", 4, INTENDED, ACCEPTED)
    run = restore(controller, "web-bot", "sick-bot", "news-bot", flags=("--check",))
    text = " ".join(line.strip() for line in answer(run)["plan"])
    assert re.search(rf"Incident inc-1 sent a restore of it at {TIME_IN_MESSAGE}; it has completed\.", text)
    assert "sick-bot (id 2): CAN'T BE RESTORED. It has the status deploying, and only" in text
    assert re.search(rf"Incident INC-T sent a restore of it at {TIME_IN_MESSAGE}", text)
    sent = "a restore of backup 41 was sent, and its end was not seen. Sent at 20"
    assert f"news-bot (id 4), running, healthy: {sent}" in text
    assert text.count("This run waits for it.") == 1
    assert "Something works on it: look at it in the dashboard first, then run the same command" in failures(run)
    assert "force" not in run.stdout
    assert [one["outcome"] for one in custom_stats(run)["instances"]] == ["planned", "not_begun", "in_flight"]
    # What is under way is not sent again.
    assert custom_stats(run)["counts"] == {"would_be_restored": 1, "restored_already": 1, "cannot_be_restored": 1}
    assert answer(run)["msg"] == "1 of 3 instances would be restored, 1 restored already, 1 can't be restored."


def test_each_failure_is_on_the_screen_once_with_its_own_advice(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("status", method="POST", path="/backups/11/restore", status=422, message="Backup is corrupt")
    simulator.fault("status", method="POST", path="/backups/41/restore", status=403, message="No permission")
    run = restore(controller, "web-bot", "news-bot", "bare-bot", restore_healthy_timeout=0, restore_serial="100%")
    shown = " ".join(run.screen.split())
    assert shown.count("Backup is corrupt") == shown.count("No permission") == 1
    assert [one["outcome"] for one in custom_stats(run)["instances"]] == ["refused", "refused", "not_begun"]
    words = failures(run)
    older = rf"To try an older backup, restore it alone with restore_backup=12, taken {TIME_IN_MESSAGE}\."
    assert re.search(older, words)
    assert "restore_confirm" not in words
    # As advised.
    again = restore(controller, "web-bot", restore_backup=12)
    assert again.rc == 0, again.screen
    assert simulator.calls(POSTS)[-1] == "POST /backups/12/restore"


JSON_CALLBACK = """
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "lines_json"

    def v2_runner_on_ok(self, result):
        self._display.display(json.dumps(result._result))
"""


def test_a_callback_that_prints_json_has_standard_output_alone(simulator: Simulator, controller: Controller) -> None:
    simulator.set_instance(1, name="<b>{{ 7 * 7 }}</b>\x1b[31m")
    (controller.folder / "callbacks").mkdir()
    controller.write("callbacks/lines_json.py", JSON_CALLBACK)
    callbacks = f"{controller.environment['ANSIBLE_CALLBACK_PLUGINS']}:{controller.folder}/callbacks"
    options = {"ANSIBLE_CALLBACK_PLUGINS": callbacks, "ANSIBLE_STDOUT_CALLBACK": "lines_json"}
    run = controller.run(*command(restore_instance_ids=[1, 5], restore_confirm="1"), **options)
    assert run.rc == 2, run.screen
    # Ansible validates the arguments in a task of its own, and the last one is set_fact.
    (_validated, printed, kept) = [json.loads(line) for line in run.stdout.splitlines() if line.strip()]
    assert printed["msg"] == "1 of 2 instances restored and healthy, 1 can't be restored."
    assert kept["ansible_facts"]["clawhosters_restore"]["counts"] == {"restored": 1, "cannot_be_restored": 1}
    assert printed["plan"][1].startswith("<b>{{ 7 * 7 }}</b>")
    assert "\x1b" not in "".join([*printed["plan"], *printed["restored"]])
    # Else it is on the screen.
    shown = restore(controller, restore_instance_ids=[1], flags=("--check",))
    assert "\n<b>{{ 7 * 7 }}</b>" in shown.stdout
    assert "\x1b" not in shown.screen


@pytest.mark.parametrize(
    ("seconds", "last_read"), [(0, "PLAY ["), pytest.param(12, "DATA LOSS", marks=pytest.mark.rest)]
)
def test_a_run_ends_with_its_code_when_nobody_reads_its_output(
    simulator: Simulator, controller: Controller, seconds: float, last_read: str
) -> None:
    """As with a pipe into a program that ends first. After ten seconds, a line of progress is due."""
    simulator.switch(transition_seconds=seconds, transition_reads=None)
    typed = [str(BIN / "ansible-playbook"), *command("web-bot", restore_confirm="web-bot")[1:]]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(typed, cwd=controller.folder, env=controller.environment, text=True, **streams) as run:
        assert run.stdout
        assert any(last_read in line for line in run.stdout)
        run.stdout.close()
        try:
            assert run.wait(TIMEOUT) == 0
        finally:
            run.kill()
    assert [one["outcome"] for one in report(controller)["instances"]] == ["completed"]
