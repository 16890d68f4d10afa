# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore is sent at most once for an incident, whatever happens on the way (interface 3, contract 7)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore import executor
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    describe_sender,
    lock_operation,
    read_state,
)
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from simulator.handle import Simulator
from support.controller import Controller
from support.full_disk import full_disk
from support.stores import StorePlace
from support.worker import Worker

RESTORE = "POST /backups/*/restore"


@pytest.fixture
def world(simulator: Simulator) -> None:
    """Instance 1 runs and has backups: 11 is old, 12 is newer, 13 is the newest but failed; 21 is of instance 2."""
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "test-bot"}, {"id": 3, "name": "bare"}],
            "backups": [
                {"id": 11, "instance_id": 1, "created_at": "50h ago"},
                {"id": 12, "instance_id": 1, "created_at": "26h ago"},
                {"id": 13, "instance_id": 1, "created_at": "2h ago", "status": "failed"},
                {"id": 21, "instance_id": 2, "created_at": "3h ago"},
            ],
        },
        switches={"transition_reads": 2},
    )


@pytest.fixture
def worker(simulator: Simulator, world: None, place: StorePlace) -> Worker:
    return Worker(simulator, {**place.options, "incident": "INC-1"})


def restores(simulator: Simulator) -> int:
    """How many restores the service carried out; how many were asked for is in calls()."""
    return simulator.effects().get("restores", 0)


def test_in_check_mode_for_real_and_again(simulator: Simulator, worker: Worker, place: StorePlace) -> None:
    check = worker.run(claw_backup_restore, check=True, instance_name="web-bot")
    assert (check["changed"], check["restore"]["outcome"]) == (True, "planned")
    assert place.read_journal() == ""
    real = worker.run(claw_backup_restore, instance_name="web-bot")
    assert (real["changed"], real["restore"]["outcome"]) == (True, "completed")
    assert real["diff"] == check["diff"]
    assert real["restore"]["sent_at"] <= real["restore"]["completed_at"]
    assert (real["backup"]["id"], real["instance"]["status"]) == (12, "running")
    again = worker.run(claw_backup_restore, instance_name="web-bot")
    assert (again["changed"], again["restore"], again["backup"]["id"]) == (False, real["restore"], 12)
    # A forced command from the shell's history does no harm either, whatever backup is the newest now.
    simulator.add_backup(id=99, instance_id=1, created_at="1m ago")
    forced = worker.run(claw_backup_restore, instance_name="web-bot", force=True)
    assert (forced["failed"], forced["changed"], forced["restore"]) == (False, False, real["restore"])
    assert any("sends no other restore. Use another incident for that." in one for one in worker.warnings)
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]
    assert restores(simulator) == 1


def test_a_restore_of_an_instance_deleted_meanwhile_is_a_change(simulator: Simulator, worker: Worker) -> None:
    def delete() -> None:
        if restores(simulator):
            simulator.remove_instance(1)

    worker.sleeper.before_sleep = delete
    result = worker.run(claw_backup_restore, instance_id=1)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["msg"].startswith("web-bot (id 1) was deleted after its restore was accepted.")
    assert (result["backup"]["id"], result["restore"]["outcome"]) == (12, "in_flight")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"instance_id": 1, "max_age": "soon"}, "max_age is 'soon'"),
        ({"instance_id": 1, "min_interval": "soon"}, "min_interval is 'soon'"),
        ({"instance_id": 1, "before": "yesterday"}, "before is 'yesterday'"),
        ({"instance_id": 1, "incident": "  "}, "incident is empty"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(
    simulator: Simulator, worker: Worker, options: dict[str, t.Any], words: str
) -> None:
    for check in (True, False):
        result = worker.run(claw_backup_restore, check=check, **options)
        assert result["failed"] is True
        assert words in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
        assert result["msg"].isprintable()
    assert simulator.calls("POST *") == []


def test_a_rate_limit_is_waited_out_and_a_lasting_one_frees_the_incident(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("rate_limited", method="POST", times=None)
    result = worker.run(claw_backup_restore, instance_id=1)
    assert result["error"]["status"] == 429
    assert "was rejected or not sent; nothing was changed." in result["msg"]
    assert "or increase retry_timeout" in result["msg"]
    simulator.clear_faults()
    # Until it has sent a restore, its name is not one that another can be mistaken for.
    for is_used in (False, True):
        worker.run(claw_backup_restore, check=True, instance_id=1, incident="inc-1")
        assert ("whose name differs in case alone" in str(worker.warnings)) is is_used
        if not is_used:
            simulator.fault("rate_limited", method="POST", times=2)
            assert worker.run(claw_backup_restore, instance_id=1)["changed"] is True
    assert restores(simulator) == 1


DENIALS: dict[str, tuple[dict[str, t.Any], str]] = {
    "error": ({"error": {"code": "corrupt", "message": "Nothing was restored."}}, "corrupt: Nothing was restored"),
    "no success": ({"success": False, "message": "Nothing was restored."}, "200: Nothing was restored"),
    "status": ({"data": {"id": 12, "status": "Restore failed"}}, "the status in the answer is Restore failed"),
    "backup": ({"data": {"id": 11}}, "the answer is about backup 11"),
    "instance": ({"data": {"id": 12, "instance_id": 2}}, "the answer is about instance 2"),
}


@pytest.mark.parametrize("denial", DENIALS)
def test_a_success_that_says_otherwise_is_an_unknown_outcome(simulator: Simulator, worker: Worker, denial: str) -> None:
    body, words = DENIALS[denial]
    simulator.fault("wrong_type", method="POST", body=body)
    first, again = (worker.run(claw_backup_restore, instance_id=1) for _run in range(2))
    assert words in first["msg"]
    assert "Its status is running." in first["msg"]
    assert first["restore"]["outcome"] == again["restore"]["outcome"] == "unknown"
    assert "answered with status 200, which does not show" in again["msg"]
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]
    simulator.fault("wrong_type", method="POST", body=body, after_effect=True)
    forced = worker.run(claw_backup_restore, instance_id=1, force=True)
    assert forced["restore"]["outcome"] == "completed"
    assert any("so the restore has begun" in warning for warning in worker.warnings)


@pytest.mark.parametrize("fault", ["reset_after", "truncated", "truncated_json", "redirect", "status"])
def test_a_lost_answer_with_a_busy_instance_is_a_restore_under_way(
    simulator: Simulator, worker: Worker, fault: str
) -> None:
    options = {"redirect": {"location": "/x"}, "status": {"status": 409}}.get(fault, {})
    simulator.fault(fault, method="POST", after_effect=True, **options)
    for _run in range(2):
        assert worker.run(claw_backup_restore, instance_id=1)["restore"]["outcome"] == "completed"
    assert any("so the restore has begun" in warning for warning in worker.warnings)
    assert restores(simulator) == 1


def test_a_lost_response_for_an_instance_that_was_busy_is_unknown(simulator: Simulator, worker: Worker) -> None:
    """With force a busy instance is restored. That it is still busy then is no sign that this restore has begun."""
    simulator.set_instance(1, status="deploying")
    simulator.fault("reset_before", method="POST")
    result = worker.run(claw_backup_restore, instance_id=1, force=True)
    assert (result["failed"], result["restore"]["outcome"]) == (True, "unknown")
    assert "Its status is deploying." in result["msg"]
    assert restores(simulator) == 0


@pytest.mark.parametrize(("status", "answer"), [(200, "backup"), (201, "instance"), (202, "empty"), (204, "empty")])
def test_any_success_is_a_success(simulator: Simulator, worker: Worker, status: int, answer: str) -> None:
    simulator.switch(restore_status=status, restore_answer=answer)
    assert worker.run(claw_backup_restore, instance_id=1)["restore"]["outcome"] == "completed"


@pytest.mark.parametrize("shows", ["deploying", "restoring", None])
@pytest.mark.parametrize("ends", ["running", "stopped", "pending_configuration"])
def test_a_restore_is_over_when_the_instance_has_settled_however_it_showed(
    simulator: Simulator, worker: Worker, shows: str | None, ends: str
) -> None:
    simulator.switch(restore_shows=shows, restore_ends=ends)
    begun = time.monotonic()
    result = worker.run(claw_backup_restore, instance_id=1)
    assert result["restore"]["outcome"] == "completed"
    assert result["instance"]["status"] == ends
    # A stopped instance that ran before may be the restore at work.
    is_seen = shows is not None or ends == "stopped"
    assert result["restore"]["seen"] is is_seen
    assert ("was accepted, and no sign of it was seen" in str(worker.warnings)) is not is_seen
    if shows is None:
        # What the requests take counts, too.
        assert worker.sleeper.total + time.monotonic() - begun >= 10


SIGNS: dict[str, t.Callable[[Simulator], object]] = {
    "a time": lambda simulator: simulator.switch(add_fields={"instance.restored_at": datetime.now(UTC).isoformat()}),
    "the backup": lambda simulator: simulator.switch(add_fields={"instance.restored_backup_id": 12}),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_fields_of_the_instance_are_signs_of_a_restore(simulator: Simulator, worker: Worker, sign: str) -> None:
    simulator.switch(restore_shows=None, add_fields={"instance.restored_backup_id": 7})
    worker.sleeper.before_sleep = lambda: simulator.calls(RESTORE) and SIGNS[sign](simulator)
    assert worker.run(claw_backup_restore, instance_id=1)["restore"]["seen"] is True


def test_a_sign_that_an_earlier_run_has_seen_is_remembered(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(transition_reads=1000)
    assert worker.run(claw_backup_restore, instance_id=1, wait_timeout=30)["restore"]["outcome"] == "in_flight"
    simulator.set_instance(1, status="running")
    assert worker.run(claw_backup_restore, instance_id=1)["restore"]["seen"] is True


def test_an_instance_that_was_busy_before_shows_no_sign(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="deploying")
    simulator.switch(restore_shows=None, restore_allowed=["deploying", "running"])
    worker.sleeper.before_sleep = lambda: simulator.set_instance(1, status="running")
    result = worker.run(claw_backup_restore, instance_id=1, force=True)
    assert (result["restore"]["outcome"], result["restore"]["seen"]) == ("completed", False)


@pytest.mark.parametrize("ends", ["error", "deploy_failed", "paused", "deleting"])
def test_a_restore_that_ends_badly_is_told_in_every_run(simulator: Simulator, worker: Worker, ends: str) -> None:
    simulator.switch(restore_ends=ends)
    for _run in range(2):
        result = worker.run(claw_backup_restore, instance_id=1)
        assert (result["failed"], result["restore"]["outcome"]) == (True, "failed")
        assert f"Its status is {ends}." in result["msg"]
    assert worker.sleeper.total < 60
    assert restores(simulator) == 1


def test_a_restored_instance_that_stays_unhealthy_does_not_read_as_done(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, health_after="unhealthy")
    result = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True, wait_timeout=25)
    assert worker.lines == [f"web-bot: running, unhealthy, {seconds} s of at most 25 s" for seconds in (10, 20)]
    assert result["msg"].startswith(
        "The restore of web-bot (id 1) has completed, but the instance was not seen running and healthy. "
        "It was not healthy within 25 s (wait_timeout), and now it is running, unhealthy."
    )
    assert (result["restore"]["outcome"], result["changed"]) == ("completed", True)
    again = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True, wait_timeout=25, force=True)
    assert (again["failed"], again["restore"]["outcome"], again["changed"]) == (True, "completed", False)
    simulator.set_instance(1, health_status="healthy")
    assert worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)["failed"] is False
    assert restores(simulator) == 1


@pytest.mark.parametrize("ends", ["stopped", "pending_configuration"])
def test_no_wait_for_the_health_of_a_restored_stopped_instance(simulator: Simulator, worker: Worker, ends: str) -> None:
    simulator.switch(restore_ends=ends)
    result = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)
    assert (result["failed"], result["restore"]["outcome"]) == (False, "completed")
    assert worker.warnings[-1] == f"The status of web-bot (id 1) is {ends}, so its health is not waited for."


def test_a_running_instance_does_not_read_as_done_before_its_restore_does(
    simulator: Simulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By the next line, after 20 s, it has completed, however slow this machine is.
    monkeypatch.setattr(executor, "SHORTEST_RESTORE", 14.0)
    simulator.switch(restore_shows=None)
    assert worker.run(claw_backup_restore, instance_id=1)["restore"]["outcome"] == "completed"
    assert worker.lines == ["web-bot: running (restore not yet verified), 10 s of at most 900 s"]


OWN, OTHER = "INC-1", "INC-2"
INTENDED, FAILED = OperationEvent.INTENDED, OperationEvent.FAILED
Events = list[OperationEvent]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("holder", "events", "outcome"),
    [
        (OTHER, [], ""),
        (OWN, [INTENDED], "in_flight"),
        (OTHER, [INTENDED], "unknown"),
        (OTHER, [INTENDED, OperationEvent.ACCEPTED], "in_flight"),
        (OTHER, [INTENDED, FAILED], "failed"),
        (OTHER, [INTENDED, OperationEvent.COMPLETED], "completed"),
    ],
)
def test_without_waiting_only_what_this_incident_sent_is_under_way(
    simulator: Simulator, worker: Worker, place: StorePlace, holder: str, events: Events, outcome: str, check: bool
) -> None:
    """``holder``: the incident whose run works on the instance. ``events``: what this one has sent before."""
    journal = place.journal()
    own, held = (OperationKey("restore", simulator.url, incident, "1") for incident in (OWN, holder))
    for event in events:
        append_event(journal, own, event, backup_id=12, by=describe_sender())
    with lock_operation(place.journal(), held) as is_free:
        assert is_free
        result = worker.run(claw_backup_restore, check=check, instance_id=1, wait=False)
    assert not result.get("changed")
    assert result["failed"] is (outcome not in ("in_flight", "completed"))
    if not outcome:
        who = describe_sender()
        assert f"web-bot (id 1) is held by {who['user']}@{who['host']}, process " in result["msg"]
        assert f" s, for incident {holder}. Nothing was sent." in result["msg"]
        assert "restore" not in result
    else:
        state = read_state(journal, own)
        assert state
        assert (result["restore"]["outcome"], result["restore"]["sent_at"]) == (outcome, state.sent_at)
        assert result["restore"]["by"] == describe_sender()
    assert simulator.calls(RESTORE) == []


@pytest.mark.parametrize("trouble", ["so the journal is not used", "so earlier requests are unknown"])
def test_a_journal_that_cannot_be_used_fails_before_the_post(
    simulator: Simulator, worker: Worker, place: StorePlace, trouble: str
) -> None:
    if "not used" in trouble:
        place.spoil()
    else:
        place.damage(OperationKey("restore", simulator.url, "INC-1", "1").subject)
    result = worker.run(claw_backup_restore, instance_id=1)
    assert trouble in result["msg"]
    assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls("POST *") == []


def test_backups_that_show_no_instance_are_never_guessed_at(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(drop_fields=["backup.instance_id", "backup.instance_name"])
    assert "does not show whether backup 21, 12, 11 belongs" in worker.run(claw_backup_restore, instance_id=1)["msg"]
    assert "does not show its instance" in worker.run(claw_backup_restore, backup_id=12)["msg"]
    assert simulator.calls("POST *") == []
    result = worker.run(claw_backup_restore, backup_id=12, instance_id=1)
    assert result["restore"]["outcome"] == "completed"
    assert any("may not be a backup of" in warning for warning in worker.warnings)


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_two_runs_at_the_same_moment_send_one_restore(simulator: Simulator, controller: Controller) -> None:
    arguments = {"incident": "INC-1", "instance_id": 1, "state_dir": str(controller.folder / "state")}
    path = controller.write("arguments.json", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    command = [sys.executable, "-m", claw_backup_restore.__name__, str(path)]
    environment = {**controller.environment, "PYTHONPATH": controller.environment["ANSIBLE_COLLECTIONS_PATH"]}
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _run in range(4)]
    results = [json.loads(running.communicate(timeout=120)[0].strip().splitlines()[-1]) for running in runs]
    assert sorted(result["changed"] for result in results) == [False, False, False, True]
    assert [result["msg"] for result in results if result.get("failed")] == []
    assert {result["restore"]["outcome"] for result in results} == {"completed"}
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]


def test_a_backup_of_an_instance_that_is_gone_is_named_with_it(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(drop_fields=["backup.instance_name"])
    simulator.fault("not_found", path="/instances/1", times=None)
    said = "There is no instance with id 1, for backup 12. Nothing was sent. "
    assert worker.run(claw_backup_restore, backup_id=12)["msg"].startswith(said)


# What went wrong beside the service


@pytest.mark.parametrize(("kind", "number", "other"), [("instance", 1, 2), ("backup", 12, 11)])
def test_nothing_is_done_with_another_one_than_was_asked_for(
    simulator: Simulator, worker: Worker, kind: str, number: int, other: int
) -> None:
    data = {"id": other, "instance_id": 1, "name": "test-bot", "status": "completed"}
    simulator.fault("wrong_type", path=f"/{kind}s/{number}", body={"data": data})
    message = worker.run(claw_backup_restore, **{f"{kind}_id": number})["msg"]
    assert f"{kind.title()} {number} was requested, but {other} was returned" in message
    assert simulator.calls("POST *") == []


def test_a_finished_restore_outlives_its_backup(simulator: Simulator, worker: Worker) -> None:
    first = worker.run(claw_backup_restore, backup_id=12, instance_id=1)
    simulator.control("DELETE", "/backups/12")
    again = worker.run(claw_backup_restore, backup_id=12, instance_id=1)
    assert (again["changed"], again["restore"], str(again["backup"]["id"])) == (False, first["restore"], "12")
    # The journal knows whose it was.
    by_backup_alone = worker.run(claw_backup_restore, backup_id=12)
    assert (by_backup_alone["failed"], by_backup_alone["restore"]) == (False, first["restore"])
    assert worker.run(claw_backup_restore, backup_id=12, incident="INC-2")["failed"] is True
    assert restores(simulator) == 1


@pytest.mark.parametrize("wait", [True, False])
def test_an_outcome_that_can_not_be_recorded_is_no_success(simulator: Simulator, worker: Worker, wait: bool) -> None:
    with full_disk():
        result = worker.run(claw_backup_restore, instance_id=1, wait=wait)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "the journal could not be written. No space left" in result["msg"]
    assert result["restore"]["outcome"] == "unknown", "as the journal has it"
    assert any("the journal could not be written. No space left" in warning for warning in worker.warnings)
    simulator.set_instance(1, status="running")
    again = worker.run(claw_backup_restore, instance_id=1)
    assert again["restore"]["outcome"] == "unknown"
    assert restores(simulator) == 1
