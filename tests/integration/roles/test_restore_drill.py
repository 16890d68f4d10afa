# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook restore_drill proves one backup a run, on instances that may be overwritten, if these are healthy."""

from __future__ import annotations

import re
import time
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_drill as drill
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.proven_backups import find_proofs
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from simulator.handle import Simulator
from support.controller import Controller, Run, extra_variables
from support.stores import StorePlace, folder_place
from support.worker import Worker

NAMES = ["test-bot", "demo-bot"]


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    names = {3: "test-bot", 4: "demo-bot", 5: "{{ 1 / 0 }}", 6: "web-bot", 7: "twin", 8: "twin"}
    instances = [{"id": number, "name": name} for number, name in names.items()]
    backups = [{"id": 10 * number, "instance_id": number, "created_at": "2h ago"} for number in names]
    simulator.reset(state={"instances": instances, "backups": backups}, switches={"transition_reads": 1})


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    """In test_at_most_once.py and test_journal.py, the store may be of either kind."""
    return folder_place(tmp_path / "state")


@pytest.fixture(autouse=True)
def one_day() -> None:
    """There is one drill a day, by UTC: no test begins shortly before midnight."""
    now = datetime.now(UTC)
    if (now + timedelta(minutes=5)).date() > now.date():
        time.sleep(305)


def record(
    place: StorePlace,
    url: str,
    number: int,
    days_ago: float,
    incident: str = "INC-1",
    event: str = "completed",
    **facts: object,
) -> None:
    """Records a restore that has ended."""
    journal, key = place.journal(), OperationKey("restore", url, incident, str(number))
    # The second event is later by a moment, and must not be later than now.
    journal._now = lambda: datetime.now(UTC) - timedelta(days=days_ago, seconds=2)
    journal_writer.append_event(journal, key, OperationEvent.INTENDED, backup_id=10 * number)
    journal_writer.append_event(journal, key, OperationEvent(event), status="running", **facts)


def choose(
    simulator: Simulator, place: StorePlace, names: t.Any = tuple(NAMES), ids: t.Any = (5,), every: str = "7d"
) -> dict[str, t.Any]:
    return Worker(simulator, place.options).run(drill, instances=names, ids=ids, every=every)


# The choice


def test_the_one_that_was_proven_longest_ago_is_next(simulator: Simulator, place: StorePlace) -> None:
    record(place, simulator.url, 3, 9, healthy=True)
    record(place, simulator.url, 4, 20, healthy=True)
    record(place, simulator.url, 5, 30, healthy=True)
    record(place, simulator.url, 5, 8, healthy=True, incident="INC-2")
    record(place, "https://other.example/api/v1", 4, 1, healthy=True)
    result = choose(simulator, place)
    assert result["instance_id"] == 4
    assert result["incident"] == f"drill-4-{datetime.now(UTC):%Y-%m-%d}"
    assert result["lines"][-1] == "To be restored now: demo-bot (id 4)."
    assert "demo-bot (id 4): last proven 20 d 0 h ago, due." in result["lines"]
    assert choose(simulator, place, every="21d")["instance_id"] is None
    record(place, simulator.url, 4, 0.5, healthy=True, incident="INC-3")
    assert choose(simulator, place)["instance_id"] == 3
    assert simulator.calls("POST *") == []


def test_one_restored_in_vain_does_not_keep_the_others_waiting(simulator: Simulator, place: StorePlace) -> None:
    assert choose(simulator, place)["instance_id"] == 3, "of those never proven the first"
    record(place, simulator.url, 3, 1)
    record(place, simulator.url, 5, 1, incident="drill-5-yesterday")
    result = choose(simulator, place)
    assert result["instance_id"] == 4
    assert "test-bot (id 3): never proven; restored for INC-1, not due." in result["lines"]
    record(place, simulator.url, 4, 0, incident=result["incident"], event="accepted")
    assert choose(simulator, place, ["demo-bot"], ids=())["instance_id"] == 4, "that of today is continued"


def test_a_drill_that_did_not_end_healthy_is_due_on_the_next_day(simulator: Simulator, place: StorePlace) -> None:
    record(place, simulator.url, 3, 20, healthy=True)
    record(place, simulator.url, 3, 1.1, incident="drill-3-first")
    record(place, simulator.url, 4, 9, healthy=True)
    (others_first, then) = (choose(simulator, place, names, ids=()) for names in (NAMES, ["test-bot"]))
    day = (datetime.now(UTC) - timedelta(days=1.1)).strftime("%F")
    told = f"drill-3-first did not end healthy, and nothing has proven a backup since {day}"
    failure = f"test-bot (id 3): {told}."
    assert (others_first["instance_id"], others_first["problem"]) == (4, failure), "it was tried later"
    assert (then["instance_id"], then["problem"]) == (3, ""), "its own restore proves it, or fails"
    assert then["lines"][1] == f"test-bot (id 3): last proven 20 d 0 h ago; {told}, due."
    checked = Worker(simulator, place.options).run(drill, check=True, instances=["test-bot"], ids=[], every="7d")
    assert checked["problem"] == failure
    record(place, simulator.url, 3, 0.5, incident="INC-7")
    waits = choose(simulator, place, ["test-bot"], ids=())
    assert (waits["instance_id"], waits["problem"]) == (None, failure)
    assert waits["lines"][1].endswith("; restored for INC-7, not due.")
    record(place, simulator.url, 3, 0.1, healthy=True, incident="INC-8")
    assert choose(simulator, place, ["test-bot"], ids=())["problem"] == "", "any proof ends it"


@pytest.mark.parametrize(
    ("days_ago", "facts", "due"),
    [
        (0, {"event": "failed"}, "due tomorrow"),
        (0, {}, "due tomorrow"),
        (0, {"healthy": True, "seen": False}, "due tomorrow"),
        (1, {"event": "refused"}, "due"),
    ],
    ids=["failed", "not healthy", "no sign of it", "refused"],
)
def test_a_drill_that_proved_nothing_is_told_and_lets_others_go_first(
    simulator: Simulator, place: StorePlace, days_ago: float, facts: dict[str, t.Any], due: str
) -> None:
    day = f"{datetime.now(UTC) - timedelta(days=days_ago):%Y-%m-%d}"
    record(place, simulator.url, 3, days_ago, f"drill-3-{day}", **facts)
    result = choose(simulator, place, NAMES, ids=())
    told = f"drill-3-{day} did not end healthy, and nothing has proven a backup since {day}"
    assert (result["instance_id"], result["lines"][1]) == (4, f"test-bot (id 3): never proven; {told}, {due}.")
    assert result["problem"] == f"test-bot (id 3): {told}."
    assert choose(simulator, place, ["test-bot"], ids=())["instance_id"] == (3 if due == "due" else None)


def test_an_unknown_outcome_waits_for_the_next_day(simulator: Simulator, place: StorePlace) -> None:
    incident = f"drill-3-{datetime.now(UTC):%Y-%m-%d}"
    record(place, simulator.url, 3, 0, incident=incident, event="unclear")
    assert choose(simulator, place, ["test-bot"], ids=())["lines"][1] == "test-bot (id 3): never proven, due tomorrow."


def test_after_three_failures_the_next_older_backup_is_tried(simulator: Simulator, place: StorePlace) -> None:
    simulator.control("POST", "/backups", {"id": 29, "instance_id": 3, "created_at": "30h ago"})
    backups = []
    for days_ago in (5, 4, 3, 2):
        choice = choose(simulator, place, ["test-bot"], ids=())
        backups.append(choice["backup"])
        record(place, simulator.url, 3, days_ago, incident=f"drill-3-{days_ago}")
    assert backups == ["latest", "latest", "latest", 29]
    assert f"since {datetime.now(UTC) - timedelta(days=5):%F}" in choice["lines"][1]
    assert choice["lines"][-1] == "To be restored now: test-bot (id 3), from backup 29, since newer ones have failed."


def test_a_drill_whose_end_may_come_is_not_told_as_failed(simulator: Simulator, place: StorePlace) -> None:
    minute = 1 / 1440
    record(place, simulator.url, 3, 10 * minute, incident="drill-3-other-day")
    key = OperationKey("restore", simulator.url, "drill-3-other-day", "3")
    with journal_writer.lock_operation(place.journal(), key):
        result = choose(simulator, place, ["test-bot"], ids=())
    assert (result["instance_id"], result["problem"]) == (None, "")
    result = choose(simulator, place, ["test-bot"], ids=())
    assert (result["instance_id"], "did not end healthy" in result["lines"][1]) == (3, True), "no run waits any more"
    record(place, simulator.url, 4, 20 * minute, incident="drill-4-other-day")
    assert choose(simulator, place, ["demo-bot"], ids=())["instance_id"] == 4
    # A clock that was wrong silences nothing.
    record(place, simulator.url, 3, -365, incident="drill-3-ahead")
    assert choose(simulator, place, ["test-bot"], ids=())["instance_id"] == 3


def test_a_damaged_journal_of_a_candidate_stops_the_drill(simulator: Simulator, place: StorePlace) -> None:
    place.damage()  # of an instance that is not meant
    assert choose(simulator, place)["instance_id"] == 3
    place.damage(OperationKey("restore", simulator.url, "", "4").subject)
    assert "so earlier requests are unknown" in choose(simulator, place)["msg"]


def test_names_that_fit_none_or_several_are_told(simulator: Simulator, place: StorePlace) -> None:
    result = choose(simulator, place, ["tset-bot", "twin", "demo-bot"], ["4", 99])
    assert result["instance_id"] == 4
    assert result["problem"] == (
        "There is no instance tset-bot; did you mean test-bot? 2 instances are named twin (ids 7, 8): give the id. "
        "There is no instance with id 99."
    )
    assert " ".join(result["lines"][1:4]) == result["problem"]
    nothing = choose(simulator, place, [" "], " ")["msg"]
    assert nothing.startswith("restore_drill_instances and restore_drill_ids are empty.")
    assert nothing.endswith("Nothing was sent.")
    simulator.set_instance(6, name="9")
    assert choose(simulator, place, [], 9)["problem"] == "There is no instance with id 9."
    named = choose(simulator, place, [], ["test-bot"])
    assert named["msg"] == "restore_drill_ids must be numbers: test-bot. Nothing was sent."
    wrong = choose(simulator, place, ["3"], ["test-bot"], every="soon")["msg"]
    told = re.findall(r"restore_drill_(\w+ (?:is|has|must))", wrong)
    assert told == ["instances has", "ids must", "every is"]
    assert wrong.count("Nothing was sent.") == 1


def test_one_that_can_not_be_restored_does_not_keep_the_others_waiting(simulator: Simulator, place: StorePlace) -> None:
    simulator.set_instance(3, status="paused")
    simulator.set_backup(40, status="failed")
    # Its newest backup is not usable for a restore either, which would be refused each day.
    simulator.set_backup(50, created_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    result = choose(simulator, place, [*NAMES, "web-bot"])
    assert result["instance_id"] == 6
    assert "id 5): never proven; it has no usable backup, passed over." in "".join(result["lines"])
    assert "test-bot (id 3): never proven; it is paused, health unknown now, passed over." in result["lines"]
    assert "demo-bot (id 4): never proven; it has no usable backup, passed over." in result["lines"]


@pytest.mark.parametrize("names", ["9", 9, ["demo-bot", "9"], "\u0669"], ids=ascii)
def test_digits_among_names_are_refused_with_advice(simulator: Simulator, place: StorePlace, names: t.Any) -> None:
    simulator.set_instance(6, name="9")
    number = names[-1] if isinstance(names, list) else names
    assert choose(simulator, place, names)["msg"] == (
        f"restore_drill_instances has {number}, but takes names only. Set restore_drill_ids for instances by their "
        "ids. Nothing was sent."
    )
    assert simulator.calls() == []


def test_a_list_may_be_json_and_there_is_one_drill_a_day(simulator: Simulator, place: StorePlace) -> None:
    assert choose(simulator, place, '["demo-bot"]', "[5]")["instance_id"] == 4
    record(place, simulator.url, 4, 0, healthy=True, incident=f"drill-4-{datetime.now(UTC):%Y-%m-%d}")
    result = choose(simulator, place, ["demo-bot"], [], every="1s")
    assert re.fullmatch(r"demo-bot \(id 4\): last proven .* ago, not due\.", result["lines"][1])
    assert result["instance_id"] is None
    assert choose(simulator, place, [], ["5"], every="1s")["instance_id"] == 5
    assert "at most 100 years" in choose(simulator, place, every="999999d")["msg"]


# The playbook


def run_drill(controller: Controller, *flags: str, **variables: t.Any) -> Run:
    run = controller.run("ansible-playbook", "clawhosters.cloud.restore_drill", *extra_variables(**variables), *flags)
    assert "Traceback" not in run.screen
    return run


def test_a_failed_drill_fails_each_run_until_a_proof(simulator: Simulator, controller: Controller) -> None:
    place = folder_place(controller.home / ".ansible/clawhosters")
    record(place, simulator.url, 3, 1, incident="drill-3-yesterday")
    record(place, simulator.url, 4, 20, healthy=True)
    other = run_drill(controller, restore_drill_instances="test-bot,demo-bot")
    assert (other.rc, simulator.calls("POST *")) == (2, ["POST /backups/40/restore"]), other.screen
    assert other.says("test-bot (id 3): drill-3-yesterday did not end healthy, and nothing has proven a backup since 2")
    own = run_drill(controller, restore_drill_instances="test-bot,demo-bot")
    assert (own.rc, simulator.calls("POST *")[1:]) == (0, ["POST /backups/30/restore"]), own.screen
    nothing = run_drill(controller, restore_drill_instances="test-bot,demo-bot")
    assert (nothing.rc, "Nothing is due." in nothing.stdout) == (0, True), nothing.screen


def test_a_drill_by_name_restores_only_what_still_bears_it(simulator: Simulator, controller: Controller) -> None:
    listed = [{"id": 4, "name": "demo-bot", "status": "running", "health_status": "healthy"}]
    simulator.set_instance(4, name="prod")
    simulator.fault("wrong_type", method="GET", path="/instances", body={"data": listed})
    renamed = run_drill(controller, restore_drill_instances="demo-bot")
    assert (renamed.rc, simulator.calls("POST *")) == (2, [])
    assert renamed.says("The instance with id 4 is named prod, not demo-bot"), renamed.screen
    simulator.set_instance(4, name="demo-bot")
    again = run_drill(controller, restore_drill_instances="demo-bot")
    assert (again.rc, simulator.calls("POST *")) == (0, ["POST /backups/40/restore"]), again.screen


def test_the_variables_of_the_choice_are_refused(simulator: Simulator, controller: Controller) -> None:
    run = run_drill(controller, restore_drill_ids=5, restore_instance_ids=6)
    assert run.rc == 2
    assert "This playbook chooses the instance, the backup and the incident." in run.screen
    assert simulator.calls() == []


# The proofs in the journal


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    backup = {"id": 11, "instance_id": 1, "created_at": "2h ago"}
    state = {"instances": [{"id": 1, "name": "web-bot"}], "backups": [backup]}
    simulator.reset(state=state, switches={"transition_reads": 2, "health_lag_reads": 3})
    return Worker(simulator, {**place.options, "incident": "INC-1"})


def test_health_is_recorded_once_and_does_not_move_the_time_of_the_restore(worker: Worker, place: StorePlace) -> None:
    first = worker.run(claw_backup_restore, instance_id=1)
    assert find_proofs(place.journal().read_states(), worker.simulator.url, datetime.now(UTC)) == {}
    again = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)
    assert again["instance"]["health_status"] == "healthy"
    assert again["restore"] == first["restore"]
    assert len(find_proofs(place.journal().read_states(), worker.simulator.url, datetime.now(UTC))) == 1
    text = place.read_journal()
    worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)
    assert place.read_journal() == text


def test_a_repair_long_after_the_restore_proves_nothing(worker: Worker, place: StorePlace) -> None:
    journal, key = place.journal(), OperationKey("restore", worker.simulator.url, "INC-1", "1")
    journal._now = lambda: datetime.now(UTC) - timedelta(days=2)
    journal_writer.append_event(journal, key, OperationEvent.INTENDED, backup_id=11)
    journal_writer.append_event(journal, key, OperationEvent.COMPLETED, status="running")
    assert worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)["failed"] is False
    assert find_proofs(place.journal().read_states(), worker.simulator.url, datetime.now(UTC)) == {}
