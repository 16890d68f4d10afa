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
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    NoteKind,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    lock_operation,
    record_note,
)
from simulator.handle import Simulator
from support.controller import Controller, Run, extra_variables
from support.runbook import Runbook
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
            append_event(self.journal, self.key(number, incident), event, **(first if event is INTENDED else facts))

    def confirm(self, run: str, *numbers: int, incident: str = "INC-1") -> OperationKey:
        """Writes that a run has confirmed restores of these instances. Returns what it holds."""
        key = run_key(self._url, incident, run)
        facts = {"by": ALICE, "account": "ops", "how": "typed"}
        backups, names = ({str(one): one * 10 for one in numbers}, {str(one): f"bot-{one}" for one in numbers})
        record_note(self.journal, key, NoteKind.CONFIRMED, backups=backups, names=names, **facts)
        return key


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Of each instance N, backup N0 is three days old, and a newer one, N1, two hours."""
    numbers = range(1, 4)
    simulator.reset(
        state={
            "instances": [{"id": number, "name": f"bot-{number}"} for number in numbers],
            "backups": [
                {"id": 10 * number + age, "instance_id": number, "created_at": ("72h ago", "2h ago")[age]}
                for number in numbers
                for age in (0, 1)
            ],
        }
    )


@pytest.fixture
def story(simulator: Simulator, controller: Controller) -> Story:
    return Story(folder_place(controller.home / ".ansible/clawhosters"), simulator.url)


def ask(controller: Controller, incident: str | None = "INC-1", *flags: str, **environment: str | None) -> Run:
    run = controller.run(
        "ansible-playbook", PLAYBOOK, *extra_variables(restore_incident=incident), *flags, **environment
    )
    assert "Traceback" not in run.screen
    return run


def test_the_next_shift_sees_what_is_done_who_works_on_it_and_how_it_is_now(
    simulator: Simulator, controller: Controller, story: Story
) -> None:
    going_on = story.confirm("run-1", 1, 2, 3)
    story.restore(1, INTENDED, ACCEPTED, COMPLETED)
    story.restore(1, COMPLETED, healthy=True)
    story.restore(2, INTENDED, ACCEPTED)
    simulator.set_instance(1, health_status="unhealthy")
    simulator.set_instance(2, status="deploying", settles_to="running", settles_after_reads=1000)
    other = story.place.journal()
    with lock_operation(other, going_on), lock_operation(other, story.key(2)):
        run = ask(controller)
    assert run.rc == 0, run.screen
    lines = run.stdout.partition("and how the instances are now]")[2].splitlines()
    assert lines[1] == f"Service {urlsplit(simulator.url).netloc}, account user@example.com (id 1)."
    headline = "0 of 3 instances restored"
    assert f"Incident INC-1: {headline}." in " ".join(" ".join(lines).split())
    for said in (
        r"\S+@\S+, process \d+, for \d+ s works on bot-2 \(id 2\)\.",
        r"bot-1 \(id 1\): Restored from backup 10, sent at .* by alice@node2; seen healthy at .* UTC\.",
        r"bot-1 \(id 1\): It is running, unhealthy now\. Its newest backup is 11, taken .* UTC\.",
        r"bot-2 \(id 2\): The restore of backup 20 was accepted at .*; its end was not observed\.",
        r"bot-3 \(id 3\): .*The restore had not begun yet\.",
        r"Run the same command again|run the playbook restore again",
        r"20.* UTC by alice@node2: 3 instances, in progress\.",
    ):
        assert re.search(said, " ".join(" ".join(lines).split()), re.IGNORECASE), (said, run.stdout)
    assert {call.split()[0] for call in simulator.calls()} == {"GET"}
    folder = controller.folder / "clawhosters-restore"
    report = json.loads((folder / "INC-1.json").read_text(encoding="utf-8"))
    assert [(one["id"], one["outcome"]) for one in report["instances"]] == [
        (1, "ok"),
        (2, "unfinished"),
        (3, "unfinished"),
    ]
    assert [one["state"] for one in report["runs"]] == ["in progress"]
    page = (folder / "INC-1.html").read_text(encoding="utf-8")
    assert "<td>in progress</td>" in page
    assert f"<h1>{headline}; a run was in progress</h1>" in page
    assert "It is running, unhealthy now. Its newest backup is 11," in page
    # The run was killed.
    killed = ask(controller, "INC-1", "--check")
    assert killed.says("Nobody works on it now.")
    assert killed.says("by alice@node2: 3 instances, interrupted.")
    assert "Report:" not in killed.stdout


def test_incidents_are_listed_and_an_unknown_one_is_told_with_similar_ones(
    simulator: Simulator, controller: Controller, story: Story
) -> None:
    Story(story.place, simulator.url, timedelta(days=40)).restore(3, INTENDED, incident="long-ago")
    empty = ask(controller, None)
    assert empty.says("account user@example.com (id 1).\nThe journal has no incident of the last 30 days.")
    story.restore(2, INTENDED, ACCEPTED, incident="INC-2041")
    story.restore(1, INTENDED, ACCEPTED, COMPLETED, incident=HOSTILE)
    listed = ask(controller, None, CLAWHOSTERS_API_KEY=None)
    assert listed.rc == 0, listed.screen
    found = re.findall(r"^    20\S+ \S+ UTC (.*?): (\d of \d|\d)", listed.stdout, re.MULTILINE)
    assert [name for name, _count in found] == [HOSTILE, "INC-2041"]
    unknown = ask(controller, "INC-2014")
    assert unknown.rc == 2
    assert unknown.says("The journal has no incident INC-2014. Similar ones are INC-2041.")
    assert ask(controller, None, CLAWHOSTERS_API_KEY="oc_live_other").says("account unknown (401 unauthorized).")
    assert simulator.calls() == ["GET /account"] * 2


def test_a_restore_of_days_ago_leads_to_another_name(simulator: Simulator, controller: Controller) -> None:
    old = Story(
        folder_place(controller.home / ".ansible/clawhosters"), simulator.url, timedelta(days=2, hours=1, minutes=1)
    )
    old.restore(1, INTENDED, ACCEPTED, COMPLETED)
    assert ask(controller).says(
        "The last restore was sent 2 d 1 h ago. What has happened since is another incident: give it another name."
    )


def test_the_plan_shows_how_old_an_earlier_restore_is_and_what_came_after(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    old = Story(folder_place(tmp_path / "state"), simulator.url, timedelta(days=30, hours=1, minutes=1))
    old.restore(1, INTENDED, ACCEPTED, COMPLETED)
    simulator.set_instance(1, health_status="unhealthy")
    book = Runbook(worker, tmp_path / "report", {"restore_instances": "bot-1", "restore_healthy_timeout": 30})
    result = book.run()
    shown = " ".join(" ".join(book.plan).split())
    said = "bot-1 (id 1), running, unhealthy: already restored from backup 10, 30 d 1 h ago; no restore will be sent."
    assert said in shown
    assert "That is more than a day ago: another incident needs another restore_incident." in shown
    assert "Newer than the restored backup: id 11 of" in shown
    # It waits for the health, and fails.
    assert (result["failed"], simulator.calls("POST *")) == (True, [])


def test_obstacles_that_were_found_before_the_confirmation_are_known(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    simulator.switch(transition_reads=1)
    simulator.set_instance(2, status="paused")
    book = Runbook(worker, tmp_path, {"restore_confirm": "bot-1"})
    before = book.run(restore_instances=["bot-1", "bot-2", "nobody"])["failures"]
    told = worker.run(internal_restore_status, incident="INC-1", report_dir=str(tmp_path))["lines"]
    assert told[1].startswith("Incident INC-1: 1 of 3 instances restored and healthy")
    shown = " ".join(line.strip() for line in told)
    assert all(line in shown for line in before if line.startswith(("bot-2", "nobody")))
    assert [one["tag"] for one in book.report()["instances"]] == ["restored", "not finished", "not finished"]
    # One that is restored later has none any more.
    simulator.set_instance(2, status="running")
    assert book.run(restore_instances="bot-2", restore_confirm="bot-2")["failed"] is False
    assert "2 of 3 instances" in book.report()["headline"]


def test_without_service_or_key_the_journal_is_shown_and_the_playbook_fails(
    simulator: Simulator, controller: Controller, story: Story
) -> None:
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
