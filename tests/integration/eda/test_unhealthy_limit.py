# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In an outage, the playbook restore_unhealthy restores few instances, and then none for an hour.

Its two tasks run in this process, with a simulated clock. What it sent is judged by the log of the service.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_unhealthy as unhealthy
from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.unhealthy_limit import UnhealthyLimit
from simulator.handle import Simulator
from support.runbook import Runbook
from support.worker import Worker

HOUR = 3600.0
EXCESS = "look for a common cause"


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Eight instances that are well, each with a backup."""
    instances = [{"id": number, "name": f"bot-{number}"} for number in range(1, 9)]
    backups = [{"id": 10 * number, "instance_id": number, "created_at": "2h ago"} for number in range(1, 9)]
    simulator.reset(state={"instances": instances, "backups": backups})


@dataclass
class Playbook:
    """The playbook, and when the service got its restores."""

    simulator: Simulator
    worker: Worker
    folder: Path
    at_most: int = 2
    now: float = 1_800_000_000.0
    sent: list[tuple[float, int]] = field(default_factory=list)
    """The times of the restores, with the ids."""
    _events: int = 0

    def set_health(self, health: str, *ids: int) -> None:
        """Lets instances become healthy or unhealthy."""
        for number in ids:
            self.simulator.set_instance(number, health_status=health)

    def decide(self, number: int, *, check: bool = False) -> dict[str, t.Any]:
        """Runs the task that decides about an instance, for an event of its own."""
        self._events += 1
        options = {"id": number, "names": ["all"], "at_most": self.at_most, "cooldown": "0s"}
        decision = self.worker.run(unhealthy, check=check, incident=f"eda-{number}-{self._events}", **options)
        return {**decision, "id": number, "incident": f"eda-{number}-{self._events}"}

    def restore(self, decision: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """Runs the role as the playbook does after a decision. Returns its result; None if that was against it."""
        if decision["reason"]:
            return None
        before = len(self.simulator.calls("POST */restore"))
        number = decision["id"]
        result = Runbook(self.worker, self.folder).run(
            restore_instance_ids=[number],
            restore_confirm=str(number),
            restore_incident=decision["incident"],
            restore_chosen_by="restore_unhealthy",
            restore_at_most=decision["at_most"],
        )
        self.sent += [(self.now, number)] * (len(self.simulator.calls("POST */restore")) - before)
        return result

    def run(self, number: int) -> str:
        """Runs the whole playbook, and returns why it has restored nothing."""
        decision = self.decide(number)
        self.restore(decision)
        return str(decision["reason"])


@pytest.fixture
def playbook(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playbook:
    made = Playbook(simulator, Worker(simulator), tmp_path)
    monkeypatch.setattr(FolderStore, "now", lambda _store: made.now)
    return made


def test_the_last_ones_of_an_outage_are_left_alone_for_an_hour(playbook: Playbook) -> None:
    playbook.set_health("unhealthy", 1, 3, 5, 6, 7, 8)
    assert playbook.run(7).startswith("6 instances are unhealthy now, or chosen by this playbook within the last hour")
    playbook.set_health("healthy", 1, 3, 5, 6)
    playbook.now += 60
    assert "more instances were unhealthy than restore_unhealthy_at_most: nothing is restored until" in playbook.run(7)
    # By a clock that was set back, nobody knows when that was.
    playbook.now -= HOUR
    assert playbook.decide(7, check=True)["reason"] == ""
    playbook.now += 2 * HOUR
    assert playbook.run(7) == ""
    assert [number for _at, number in playbook.sent] == [7]


def test_a_wave_that_takes_one_after_another_is_seen(playbook: Playbook) -> None:
    reasons = []
    for number in (1, 3, 5, 6):
        playbook.set_health("unhealthy", number)
        reasons.append(playbook.run(number))
        playbook.now += 300
    assert [number for _at, number in playbook.sent] == [1, 3]
    assert reasons[:2] == ["", ""]
    assert reasons[2].startswith("3 instances are unhealthy now, or chosen by this playbook within the last hour, and")
    # The restores are as long ago as the refusals are not.
    playbook.now += HOUR - 600
    playbook.set_health("healthy", 6)
    assert "nothing is restored until" in playbook.run(5)


def test_check_mode_notes_nothing(playbook: Playbook) -> None:
    playbook.set_health("unhealthy", 1, 2, 3)
    assert EXCESS in playbook.decide(1, check=True)["reason"]
    playbook.set_health("healthy", 2, 3)
    assert playbook.run(1) == ""


def test_a_refused_restore_does_not_count(playbook: Playbook) -> None:
    playbook.at_most = 1
    playbook.set_health("unhealthy", 1)
    playbook.simulator.fault("status", method="POST", path="*/restore", status=422, times=1)
    assert playbook.run(1) == ""
    playbook.set_health("healthy", 1)
    playbook.set_health("unhealthy", 2)
    assert playbook.run(2) == ""
    assert playbook.simulator.instance(2)["_restored_from"] == 20


def test_an_instance_that_recovers_after_the_decision_is_left_alone(playbook: Playbook) -> None:
    playbook.set_health("unhealthy", 1)
    decision = playbook.decide(1)
    playbook.set_health("healthy", 1)
    playbook.restore(decision)
    assert playbook.sent == []


def test_the_report_says_that_the_playbook_confirmed(playbook: Playbook) -> None:
    playbook.set_health("unhealthy", 1)
    decision = playbook.decide(1)
    playbook.restore(decision)
    book = Runbook(playbook.worker, playbook.folder)
    assert [run["how"] for run in book.report(decision["incident"])["runs"]] == ["restore_unhealthy"]
    assert ">restore_unhealthy<" in book.page(decision["incident"])


def test_two_that_were_allowed_before_either_is_restored_are_seen(playbook: Playbook) -> None:
    playbook.at_most = 1
    decisions = []
    for number in (1, 2):
        playbook.set_health("unhealthy", number)
        decisions.append(playbook.decide(number))
        playbook.set_health("healthy", number)
    assert [decision["reason"] for decision in decisions] == ["", ""]
    for decision in decisions:
        playbook.set_health("unhealthy", decision["id"])
        playbook.restore(decision)
        playbook.set_health("healthy", decision["id"])
    assert [number for _at, number in playbook.sent] == [1]


def test_of_two_runs_that_decide_at_one_moment_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (UnhealthyLimit(Journal(FolderStore(str(tmp_path))), "https://a", 1) for _run in range(2))
    find_reason, pending = UnhealthyLimit.find_reason, [other]

    def find_reason_and_let_another_claim(limit: UnhealthyLimit, unhealthy: set[str]) -> str:
        reason = find_reason(limit, unhealthy)
        if limit is one and pending:
            pending.pop().claim("2", "INC-2")
        return reason

    monkeypatch.setattr(UnhealthyLimit, "find_reason", find_reason_and_let_another_claim)
    with pytest.raises(RefusedError, match=EXCESS):
        one.claim("1", "INC-1")
