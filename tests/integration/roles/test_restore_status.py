# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook restore_status: what the next shift is told of an incident, from the journal and by GET alone."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_status
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import run_key
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    NoteKind,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import format_time
from simulator.handle import Simulator
from support import TIME_IN_MESSAGE
from support.controller import Controller, Run, extra_variables
from support.runbook import Runbook, find_sentences
from support.stores import StorePlace, folder_place
from support.worker import Worker

PLAYBOOK = "clawhosters.cloud.restore_status"
INTENDED, ACCEPTED, COMPLETED = OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.COMPLETED
ALICE = {"user": "alice", "host": "node2"}
HOSTILE = "<b>{{ 7 * 7 }}</b>"


class Story:
    """An incident in the journal of the controller, from ``ago`` on."""

    def __init__(self, place: StorePlace, url: str, ago: timedelta = timedelta(hours=1)) -> None:
        self.place, self._url, self._ago = place, url, ago
        self.journal = Journal(place.open(), lambda: datetime.now(UTC) - self._ago)

    def key(self, number: int, incident: str = "INC-1") -> OperationKey:
        return OperationKey("restore", self._url, incident, str(number))

    def restore(self, number: int, *events: OperationEvent, incident: str = "INC-1", **facts: t.Any) -> None:
        """Writes a restore of an instance from its backup, which is the older one of two."""
        taken_at = (datetime.now(UTC) - timedelta(days=3)).isoformat()
        first = {"backup_id": number * 10, "taken_at": taken_at, "instance_name": f"bot-{number}", "by": ALICE}
        for event in events:
            journal_writer.append_event(
                self.journal, self.key(number, incident), event, **(first if event is INTENDED else facts)
            )

    def confirm(self, run: str, *numbers: int, incident: str = "INC-1") -> OperationKey:
        """Writes that a run has confirmed restores of these instances. Returns what it holds."""
        key = run_key(self._url, incident, run)
        facts = {"by": ALICE, "account": "ops", "how": "typed"}
        backups, names = ({str(one): one * 10 for one in numbers}, {str(one): f"bot-{one}" for one in numbers})
        journal_writer.record_note(self.journal, key, NoteKind.CONFIRMED, backups=backups, names=names, **facts)
        return key


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Of each instance N, backup N0 is three days old, and a newer one, N1, two hours."""
    instances = [{"id": number, "name": f"bot-{number}"} for number in (1, 2, 3)]
    backups = [
        {"id": 10 * number + digit, "instance_id": number, "created_at": f"{hours}h ago"}
        for number in (1, 2, 3)
        for digit, hours in ((0, 72), (1, 2))
    ]
    simulator.reset(state={"instances": instances, "backups": backups})


@pytest.fixture
def story(simulator: Simulator, controller: Controller) -> Story:
    return Story(folder_place(controller.home / ".ansible/clawhosters"), simulator.url)


def ask(controller: Controller, incident: str | None = "INC-1", *flags: str, **environment: str | None) -> Run:
    given = extra_variables(restore_incident=incident)
    run = controller.run("ansible-playbook", PLAYBOOK, *given, *flags, **environment)
    assert "Traceback" not in run.screen
    return run


def test_the_next_shift_sees_all_of_an_incident(simulator: Simulator, controller: Controller, story: Story) -> None:
    going_on = story.confirm("run-1", 1, 2, 3)
    story.restore(1, INTENDED, ACCEPTED, COMPLETED)
    story.restore(1, COMPLETED, healthy=True)
    story.restore(2, INTENDED, ACCEPTED)
    simulator.set_instance(1, health_status="unhealthy")
    simulator.set_instance(2, status="deploying", settles_to="running", settles_after_reads=1000)
    other = story.place.journal()
    locked = journal_writer.lock_operation
    with locked(other, going_on), locked(other, story.key(2)):
        run = ask(controller)
    assert run.rc == 0, run.screen
    lines = run.stdout.partition("and how the instances are now]")[2].splitlines()
    assert lines[1] == f"Service {urlsplit(simulator.url).netloc}, account user@example.com (id 1)."
    headline = "1 of 3 instances restored and healthy (1 not healthy now), 1 unknown, 1 not begun"
    told = " ".join(" ".join(lines).split())
    assert f"Incident INC-1: {headline}; a run had not ended." in told
    for said in (
        r"\S+@\S+, process \d+, for \d+ s works on it\.",
        "Runs:",
        rf"bot-1 \(id 1\): Restored from backup 10, sent at .* by alice@node2; seen healthy at {TIME_IN_MESSAGE}\.",
        rf"bot-1 \(id 1\): It is running, unhealthy now\. Its newest backup is 11, taken {TIME_IN_MESSAGE}\.",
        rf"bot-2 \(id 2\): The restore, sent at {TIME_IN_MESSAGE}, was accepted, but its end was not seen\. Run the",
        r"bot-3 \(id 3\): Not begun\. Nothing was sent\. Run the playbook restore again for it: it goes on",
        rf"{TIME_IN_MESSAGE} by alice@node2: 3 instances, in progress\.",
    ):
        assert re.search(said, told), (said, run.stdout)
    assert "the same command" not in run.stdout
    assert {call.split()[0] for call in simulator.calls()} == {"GET"}
    folder = controller.folder / "clawhosters-restore"
    report = json.loads((folder / "INC-1.json").read_text(encoding="utf-8"))
    outcomes = [(one["id"], one["outcome"]) for one in report["instances"]]
    assert outcomes == [(1, "completed"), (2, "in_flight"), (3, "not_begun")]
    assert [(one["state"], one["how"]) for one in report["runs"]] == [("in_progress", "typed")]
    assert find_sentences(report) == []
    page = (folder / "INC-1.html").read_text(encoding="utf-8")
    assert "<td>in progress</td>" in page
    assert f"<h1>{headline}; a run had not ended</h1>" in page
    assert "It is running, unhealthy now. Its newest backup is 11," in page
    # The run was killed.
    killed = ask(controller, "INC-1", "--check")
    assert killed.says("Nobody works on its instances now.")
    assert killed.says("by alice@node2: 3 instances, interrupted.")
    assert "Report:" not in killed.stdout


def test_incidents_are_listed_and_unknown_ones_told(simulator: Simulator, controller: Controller, story: Story) -> None:
    Story(story.place, simulator.url, timedelta(days=40)).restore(3, INTENDED, incident="long-ago")
    empty = ask(controller, None)
    assert empty.says("account user@example.com (id 1).\nThe journal has no incident of the last 30 days.")
    story.restore(2, INTENDED, ACCEPTED, incident="INC-2041")
    story.restore(1, INTENDED, ACCEPTED, COMPLETED, incident=HOSTILE)
    listed = ask(controller, None, CLAWHOSTERS_API_KEY=None)
    assert listed.rc == 0, listed.screen
    found = re.findall(rf"^    {TIME_IN_MESSAGE} (.*?): (\d of \d|\d)", listed.stdout, re.MULTILINE)
    assert [name for name, _count in found] == [HOSTILE, "INC-2041"]
    unknown = ask(controller, "INC-2014")
    assert unknown.rc == 2
    assert unknown.says("The journal has no incident INC-2014. Similar ones are INC-2041.")
    assert ask(controller, None, CLAWHOSTERS_API_KEY="oc_live_other").says("account unknown (401 unauthorized).")
    assert simulator.calls() == ["GET /account"] * 2


def test_the_plan_shows_how_old_an_earlier_restore_is_and_what_came_after(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    old = Story(folder_place(tmp_path / "state"), simulator.url, timedelta(days=30, hours=1, minutes=1))
    old.restore(1, INTENDED, ACCEPTED, COMPLETED)
    simulator.set_instance(1, health_status="unhealthy")
    book = Runbook(worker, tmp_path / "report", {"restore_instances": "bot-1", "restore_healthy_timeout": 30})
    result = book.run()
    shown = " ".join(" ".join(book.plan).split())
    earlier = "a restore of backup 10 has completed, 30 d 1 h ago; no restore will be sent."
    assert f"bot-1 (id 1), running, unhealthy: {earlier}" in shown
    assert "More than a day ago: another incident needs another restore_incident." in shown
    assert "Newer than this backup: id 11 of" in shown
    # It waits for the health, and fails.
    assert (result["failed"], simulator.calls("POST *")) == (True, [])


def test_reasons_that_were_found_before_the_confirmation_are_told_as_past(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    simulator.switch(transition_reads=1)
    simulator.set_instance(2, status="paused")
    book = Runbook(worker, tmp_path, {"restore_confirm": "bot-1"})
    first = book.run(restore_instances=["bot-1", "bot-2", "nobody"])
    assert "bot-2 (id 2): It has the status paused, and only" in "\n".join(first["failures"])
    assert "Buy Claws" in "\n".join(first["failures"])
    # It was resumed.
    simulator.set_instance(2, status="running")
    told = worker.run(internal_restore_status, incident="INC-1", report_dir=str(tmp_path))["lines"]
    shown = " ".join(line.strip() for line in told)
    assert "Incident INC-1: 1 of 3 instances restored and healthy, 2 can't be restored." in shown
    past = rf"bot-2 \(id 2\): It had the status paused at {TIME_IN_MESSAGE}, and only a running or stopped instance .*"
    assert re.search(rf"{past} Run the playbook restore again for it\.", shown), shown
    assert re.search(rf"nobody: There was no instance nobody at {TIME_IN_MESSAGE}\.", shown), shown
    assert "Buy Claws" not in shown
    assert book.report()["counts"] == {"restored": 1, "cannot_be_restored": 2}
    # One that is restored later has none any more.
    assert book.run(restore_instances="bot-2", restore_confirm="bot-2")["failed"] is False
    assert book.report()["counts"] == {"restored": 2, "cannot_be_restored": 1}


def test_what_another_incident_has_restored_since_is_told_everywhere(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    simulator.switch(transition_reads=1)
    book = Runbook(worker, tmp_path / "report", {"restore_instances": "bot-1", "restore_confirm": "bot-1"})
    book.run(restore_backup=10)
    assert book.outcome["instances"][0]["overwritten_by"] is None
    book.run(restore_incident="M-B")
    status = {"incident": "INC-1", "report_dir": str(tmp_path / "report")}
    shown = " ".join(line.strip() for line in worker.run(internal_restore_status, **status)["lines"])
    (by,) = [one["overwritten_by"] for one in book.report()["instances"]]
    assert (by["incident"], by["backup_id"]) == ("M-B", 11)
    told = f"Overwritten since by M-B, backup 11, sent {format_time(datetime.fromisoformat(by['sent_at']))}."
    again = book.run()
    for text in (shown, book.page(), "".join(again["restored"])):
        assert told in text
    for headline in (shown, book.page(), again["msg"]):
        assert "1 overwritten since)" in " ".join(headline.split())
    assert book.outcome["instances"][0]["overwritten_by"] == book.report()["instances"][0]["overwritten_by"] == by
    assert book.report("M-B")["instances"][0]["overwritten_by"] is None


def test_the_story_of_instances_says_from_which_backup_their_data_is(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state"), "report_dir": str(tmp_path / "report")})
    story = Story(folder_place(tmp_path / "state"), simulator.url)
    story.restore(1, INTENDED, ACCEPTED, COMPLETED)
    story.restore(2, INTENDED, ACCEPTED, COMPLETED)
    story.restore(1, INTENDED, ACCEPTED, incident="M-B")

    def tell(**given: t.Any) -> dict[str, t.Any]:
        result = worker.run(internal_restore_status, **given)
        return {**result, "lines": " ".join(" ".join(result.get("lines", [])).split())}

    taken = f"0, taken {TIME_IN_MESSAGE}"
    sent = rf"sent at {TIME_IN_MESSAGE} by alice@node2"
    first = rf"bot-1 \(id 1\): INC-1: backup 1{taken}, {sent}; it was seen restored\. "
    open_end = rf"M-B: backup 1{taken}, {sent}; it was accepted, and its end was not seen\. "
    unclear = "From which backup its data is can't be said: the last restore was by M-B; it was accepted, and its"
    found = tell(instances=["bot-1", "bot-2", "bot-3"])
    assert re.search(first + open_end + unclear, found["lines"]), found
    assert re.search(rf"seen restored\. Its data is from backup 2{taken}, by INC-1\. bot-3", found["lines"]), found
    assert "bot-3 (id 3): The journal has no restore" in found["lines"]
    wrong = tell(instance_ids=[2, 9])
    assert ("bot-2 (id 2): " in wrong["lines"], wrong["problem"]) == (True, "There is no instance with id 9.")
    assert tell(instances="bto-1")["problem"] == "There is no instance bto-1; did you mean bot-1?"
    assert "leave out one of them" in tell(instances="bot-1", incident="INC-1")["msg"]
    assert {call.split()[0] for call in simulator.calls()} == {"GET"}
    assert not (tmp_path / "report").exists()


def test_without_service_or_key_the_journal_shows(simulator: Simulator, controller: Controller, story: Story) -> None:
    story.restore(1, INTENDED, ACCEPTED, COMPLETED)
    story.restore(1, COMPLETED, healthy=True)
    no_key = ask(controller, CLAWHOSTERS_API_KEY=None)
    other_account = ask(controller, CLAWHOSTERS_ACCOUNT="other@example.com")
    simulator.fault("status", path="/*", status=503, times=None)
    for run in (no_key, other_account, ask(controller)):
        assert run.rc == 2, run.screen
        assert run.says("bot-1 (id 1): Restored from backup 10, sent at")
        assert run.says("How the instances are now can't be read; this is what the journal has.")
        assert "Report: " in run.stdout
    assert other_account.says("account is set to other@example.com, but this key is for user@example.com (id 1)")
    story.place.damage(story.key(1).subject)
    damaged = ask(controller)
    assert (damaged.rc, "Restored" in damaged.stdout) == (2, False)
    assert damaged.says("so earlier requests are unknown"), damaged.screen
