# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores as they were confirmed: nothing else is sent, and the page tells what happened."""

from __future__ import annotations

import html
import re
import time
import typing as t
from datetime import datetime
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import describe_sender
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from simulator.handle import Simulator
from support.runbook import Runbook
from support.worker import Worker

COUNT = 14
NAMES = [f"bot-{number}" for number in range(1, COUNT + 1)]
POSTS = "POST /backups/*"
WHO = "{user}@{host}".format(**describe_sender())
Meanwhile = t.Callable[[t.Callable[[], object]], bool]


class AtPrompt(list[str]):
    """Keeps the prompts, and calls ``act`` at each: while the user reads it, something changes."""

    def __init__(self, act: t.Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def append(self, prompt: str) -> None:
        super().append(prompt)
        self._act()


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """The newest backup of instance N is 100 + N, the one before it 200 + N."""
    health = {"health_status": "unhealthy", "health_after": "healthy"}
    instances = [{"id": number, "name": name, **health} for number, name in enumerate(NAMES, 1)]
    backups = [
        {"id": age * 100 + number, "instance_id": number, "created_at": f"{2 * age}h ago"}
        for number in range(1, COUNT + 1)
        for age in (1, 2)
    ]
    switches = {"rate_limit": 0, "transition_reads": 2}
    simulator.reset(state={"instances": instances, "backups": backups}, switches=switches)


@pytest.fixture
def runbook(simulator: Simulator, tmp_path: Path) -> Runbook:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    return Runbook(worker, tmp_path / "report", {"restore_healthy_timeout": 60})


def restore(runbook: Runbook, *names: str, **variables: t.Any) -> dict[str, t.Any]:
    return runbook.run(restore_instances=",".join(names), restore_confirm=",".join(names), **variables)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"health_status": "healthy"}, "was bot-1, running, unhealthy in the plan, and is bot-1, running, healthy now"),
        ({"name": "other-bot"}, "was bot-1, running, unhealthy in the plan, and is other-bot, running, unhealthy now"),
    ],
    ids=["health", "name"],
)
def test_what_changes_while_the_prompt_waits_is_not_overwritten(
    simulator: Simulator, runbook: Runbook, change: dict[str, str], said: str
) -> None:
    runbook.prompts = AtPrompt(lambda: simulator.set_instance(1, **change))
    result = runbook.run(restore_instances="bot-1", answers=["bot-1"])
    words = "\n".join(result["failures"])
    assert f"bot-1 (id 1): It {said}. Nothing was sent." in words
    assert words.lower().count("nothing was sent") == 1
    assert simulator.calls("POST *") == []


def fail_backup(simulator: Simulator) -> None:
    simulator.set_backup(101, status="failed")


def remove_backup(simulator: Simulator) -> None:
    simulator.control("DELETE", "/backups/101")


def change_account(simulator: Simulator) -> None:
    simulator.set_state(account={"id": 2, "email": "other@example.com"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fail_backup, "Backup 101 of bot-1 (id 1) can't be used any more: its status is failed."),
        (remove_backup, "Backup 101 of bot-1 (id 1) does not exist any more."),
        (change_account, "The account is other@example.com (id 2) now."),
    ],
)
@pytest.mark.parametrize("names", [["bot-1"], ["bot-1", "bot-2"]], ids=["one", "two"])
def test_a_backup_or_account_that_changes_at_the_prompt_stops_the_run(
    simulator: Simulator, runbook: Runbook, change: t.Callable[[Simulator], object], said: str, names: list[str]
) -> None:
    # The plan says of another backup what becomes true of the chosen one.
    simulator.set_backup(201, status="failed", created_at="1h ago")
    runbook.prompts = AtPrompt(lambda: change(simulator))
    result = runbook.run(restore_instances=names, answers=[",".join(names)])
    words = "\n".join(result["failures"])
    assert f"What was confirmed has changed. {said} Nothing was sent." in words
    assert words.endswith("Run the same command again to confirm the current plan.")
    assert simulator.calls("POST *") == []


def test_a_backup_that_changes_before_its_batch_begins_is_not_sent(simulator: Simulator, runbook: Runbook) -> None:
    # The first progress line comes after the confirmation, before the first batch.
    runbook.worker.lines = AtPrompt(lambda: simulator.set_backup(102, status="failed"))
    result = restore(runbook, "bot-1", "bot-2", "bot-3", restore_serial=[1, 2])
    told = "Backup 102 of bot-2 (id 2) can't be used any more: its status is failed."
    assert f"bot-2 (id 2): What was confirmed has changed. {told} Nothing was sent." in "\n".join(result["failures"])
    assert simulator.calls(POSTS) == ["POST /backups/101/restore", "POST /backups/103/restore"]
    assert [one["outcome"] for one in runbook.outcome["instances"]] == ["completed", "not_begun", "completed"]


@pytest.fixture(params=["prompt", "second batch"])
def meanwhile(request: pytest.FixtureRequest, runbook: Runbook) -> Meanwhile:
    """Sets what happens once, at the prompt or before the second batch. Returns True for the prompt."""

    def set_action(act: t.Callable[[], object]) -> bool:
        left = [act]
        at_prompt = AtPrompt(lambda: [left.pop()() for _one in left[:]])
        if request.param == "prompt":
            runbook.prompts = at_prompt
        else:
            runbook.worker.lines = at_prompt
        return request.param == "prompt"

    return set_action


def send_elsewhere(simulator: Simulator, tmp_path: Path, incident: str) -> None:
    """Another run sends a restore of bot-2, of which the service shows its backup alone."""
    elsewhere = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    sent = elsewhere.run(claw_backup_restore, instance_id=2, incident=incident, wait=False)
    assert sent["restore"]["outcome"] == "in_flight"


RUN: dict[str, t.Any] = {
    "restore_instances": ["bot-1", "bot-2", "bot-3"],
    "restore_serial": [1, 2],
    # The first one shows no sign of its restore, where no status does.
    "restore_max_failures": 1,
    "answers": ["bot-1,bot-2,bot-3"],
}


def test_what_another_run_of_the_incident_sent_is_awaited(
    simulator: Simulator, runbook: Runbook, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    simulator.switch(restore_shows=None)
    meanwhile(lambda: send_elsewhere(simulator, tmp_path, "INC-1"))
    result = runbook.run(**RUN)
    assert result["failures"] == []
    assert sorted(simulator.calls(POSTS)) == [f"POST /backups/{number}/restore" for number in (101, 102, 103)]
    assert {one["outcome"] for one in runbook.outcome["instances"]} == {"completed"}
    unseen = rf".*bot-2 \(id 2\).*: The restore, sent at [^,]* by {WHO}, was accepted, and no sign of it was seen\."
    assert any(re.match(unseen, line) for line in result["restored"])


def test_what_another_incident_restores_is_told(
    simulator: Simulator, runbook: Runbook, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    simulator.switch(restore_shows=None)
    is_prompt = meanwhile(lambda: send_elsewhere(simulator, tmp_path, "INC-9"))
    words = "\n".join(runbook.run(**RUN)["failures"])
    now = f"bot-2 (id 2): {WHO} restores it now for incident INC-9."
    assert f"{'' if is_prompt else 'bot-2 (id 2): '}What was confirmed has changed. {now} Nothing was sent." in words
    expected = [102] if is_prompt else [101, 102, 103]
    assert sorted(simulator.calls(POSTS)) == [f"POST /backups/{number}/restore" for number in expected]


def test_the_plan_names_who_restores_from_which_backup(simulator: Simulator, runbook: Runbook, tmp_path: Path) -> None:
    simulator.switch(restore_shows=None, transition_reads=1000)
    send_elsewhere(simulator, tmp_path, "INC-9")
    runbook.run(restore_instances=["bot-2"], answers=[""])
    plan = " ".join(line.strip() for line in runbook.plan)
    assert f"1 backup left out: id 102 ({WHO} restores it now for incident INC-9)." in plan
    simulator.set_backup(102, status="completed")
    runbook.run(restore_instances=["bot-2"], answers=[""])
    plan = " ".join(line.strip() for line in runbook.plan)
    assert re.search(rf"Incident INC-9 sent a restore of it at .* by {WHO}; .* It is the same backup\.", plan), plan
    runbook.run(restore_instances=["bot-2"], restore_backup=202, answers=[""])
    assert "the same backup" not in " ".join(runbook.plan)


def test_an_instance_deleted_meanwhile_is_told(simulator: Simulator, runbook: Runbook, meanwhile: Meanwhile) -> None:
    is_prompt = meanwhile(lambda: simulator.remove_instance(2))
    words = "\n".join(runbook.run(**RUN)["failures"])
    assert "Backup 102" not in words
    changed = "What was confirmed has changed. bot-2 (id 2) does not exist any more: it was deleted. Nothing was sent."
    assert changed in words
    expected = [] if is_prompt else ["POST /backups/101/restore", "POST /backups/103/restore"]
    assert sorted(simulator.calls(POSTS)) == expected


def test_a_batch_whose_backups_can_not_be_read_again_is_not_sent(simulator: Simulator, runbook: Runbook) -> None:
    def break_backups() -> None:
        simulator.fault("status", method="GET", path="/backups/102", status=403, times=None)

    runbook.worker.lines = AtPrompt(break_backups)
    result = restore(runbook, "bot-1", "bot-2")
    told = "The restore was rejected or not sent; nothing was changed. GET /backups/102 was answered with 403 "
    assert f"bot-2 (id 2): {told}" in "\n".join(result["failures"])
    assert simulator.calls(POSTS) == ["POST /backups/101/restore"]


def test_what_does_not_change_at_the_prompt_costs_two_requests_more(simulator: Simulator, runbook: Runbook) -> None:
    simulator.set_backup(101, status="failed")
    for number, answers in enumerate(([], ["bot-1"])):
        simulator.clear_log()
        confirm = "" if answers else "bot-1"
        options: dict[str, t.Any] = {"restore_confirm": confirm, "restore_backup": 101}
        runbook.run(restore_instances="bot-1", restore_incident=f"INC-{number}", answers=answers, **options)
        first = [call.split()[0] for call in simulator.calls()].index("POST")
        assert first == (7 if answers else 5), simulator.calls()


def test_a_backup_that_only_the_list_shows_has_not_changed(simulator: Simulator, runbook: Runbook) -> None:
    simulator.fault("status", method="GET", path="/backups/101", status=404, times=None)
    assert runbook.run(restore_instances="bot-1", answers=["bot-1"])["failed"] is False
    assert simulator.calls(POSTS) == ["POST /backups/101/restore"]


def test_a_second_run_records_when_the_first_one_sent_and_completed(simulator: Simulator, runbook: Runbook) -> None:
    assert restore(runbook, "bot-1")["failed"] is False
    (first,) = runbook.report()["instances"]
    again = restore(runbook, "bot-1")
    assert again["failed"] is False
    (second,) = runbook.report()["instances"]
    (known,) = runbook.outcome["instances"]
    for one in (first, second):
        assert (one["sent_at"], one["completed_at"]) == (known["sent_at"], known["completed_at"])
        marks = {mark["event"]: mark["at"] for mark in one["events"]}
        assert (marks["sent"], marks["seen_restored"]) == (known["sent_at"], known["completed_at"])
    assert runbook.page().count(f'seen restored <time datetime="{known["completed_at"]}">') == 1
    (told,) = again["restored"]
    assert told.startswith("bot-1 (id 1): Restored from backup 101, sent at 20")
    assert told.removeprefix("bot-1 (id 1): ") in html.unescape(runbook.page())


def test_a_restore_without_a_sign_is_nowhere_called_one(simulator: Simulator, runbook: Runbook) -> None:
    simulator.switch(restore_shows=None)
    result = restore(runbook, "bot-1")
    told = "was accepted, and no sign of it was seen"
    assert result["msg"] == "0 of 1 instance restored and healthy, 1 without a sign."
    assert [one["outcome"] for one in runbook.outcome["instances"]] == ["completed"]
    screen = "\n".join([*result["restored"], *restore(runbook, "bot-1")["restored"], *runbook.plan])
    (shown,) = runbook.report()["instances"]
    assert [mark["event"] for mark in shown["events"]] == ["sent", "accepted", "no_sign_seen", "healthy"]
    assert (shown["result"], shown["seen"]) == ("without_sign", False)
    assert runbook.page().count(">without a sign</span>") == 1
    for text in (screen, runbook.page()):
        assert told in text
        assert not re.search(r"(?<!instance )restored (?!and healthy)|Restored\.|seen restored", text), text


def test_each_time_on_the_page_lies_between_the_requests_around_it(simulator: Simulator, runbook: Runbook) -> None:
    """Whatever the clock of the service says: times are those of the journal."""
    simulator.switch(restore_ends="stopped")
    simulator.set_clock(-3 * 3600)
    simulator.clear_log()
    assert restore(runbook, "bot-1")["failed"] is False
    log = [*simulator.log(), {"method": "", "at": time.time()}]
    sent, started = (number for number, one in enumerate(log) if one["method"] == "POST")
    last_request = {"sent": sent - 1, "accepted": sent, "seen begun": sent + 1, "seen restored": started - 1}
    last_request["healthy"] = len(log) - 2
    marks = re.findall(r'<li>([a-z ]+) <time datetime="(.*?)">', runbook.page())
    assert [title for title, _at in marks] == [*last_request]
    for title, at in marks:
        number, shown = last_request[title], datetime.fromisoformat(at).timestamp()
        # The journal has milliseconds.
        assert log[number]["at"] - 0.002 <= shown <= log[number + 1]["at"] + 0.002, title


def test_without_its_database_a_run_claims_nothing_of_earlier_ones(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_database": "postgresql://nobody@127.0.0.1:1/none"})
    result = restore(Runbook(worker, tmp_path / "report"), *NAMES[:5])
    unread = "Earlier restores can't be read now."
    assert result["msg"] == f"{unread} Nothing was sent."
    (state,) = result["failures"]
    assert state.startswith("bot-1, bot-2, bot-3, bot-4, bot-5: Planning failed. state_")
    assert f" without a journal. {unread} Nothing was sent. " in state


def test_the_page_sums_up_many_instances_in_a_table(simulator: Simulator, runbook: Runbook) -> None:
    simulator.fault("status", method="POST", path="/backups/103/restore", status=422)
    restore(runbook, *NAMES, restore_serial="100%")
    page = runbook.page()
    table = page[page.index("<table>") : page.index("</table>")]
    assert page.index("<table>") < page.index("<article>")
    assert table.count("<tr>") == 1 + COUNT
    assert table.count(">restored</span>") == COUNT - 1
    assert len(re.findall(r'<time datetime="', table)) == 2 * (COUNT - 1)
    restore(runbook, *NAMES[:12], restore_incident="INC-2")
    assert 'id="overview"' not in runbook.page("INC-2")
