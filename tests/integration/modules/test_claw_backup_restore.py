# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore is sent at most once for an incident, whatever happens on the way (interface 3, contract 7)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import describe_sender
from ansible_collections.clawhosters.cloud.plugins.module_utils._time_options import parse_duration
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.full_disk import full_disk
from support.sleeper import KilledError
from support.stores import StorePlace, read_journal
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
    assert check["changed"] is True
    assert check["restore"]["outcome"] == "planned"
    assert place.journal().read_text() == ""
    real = worker.run(claw_backup_restore, instance_name="web-bot")
    assert real["changed"] is True
    assert real["diff"] == check["diff"]
    assert real["restore"]["outcome"] == "completed"
    assert real["restore"]["sent_at"] <= real["restore"]["completed_at"]
    assert real["backup"]["id"] == 12
    assert real["instance"]["status"] == "running"
    again = worker.run(claw_backup_restore, instance_name="web-bot")
    assert again["changed"] is False
    assert again["restore"] == real["restore"]
    assert again["backup"]["id"] == 12
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]
    assert restores(simulator) == 1


def test_a_restore_of_an_instance_deleted_meanwhile_is_a_change(simulator: Simulator, worker: Worker) -> None:
    def delete() -> None:
        if restores(simulator):
            simulator.remove_instance(1)

    worker.sleeper.before_sleep = delete
    result = worker.run(claw_backup_restore, instance_id=1)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["msg"] == "web-bot (id 1) does not exist any more: it was deleted during this run."
    assert (result["backup"]["id"], result["restore"]["outcome"]) == (12, "in_flight")


def test_the_newest_usable_backup_is_taken_and_what_is_left_out_is_said(worker: Worker) -> None:
    result = worker.run(claw_backup_restore, check=True, instance_id=1)
    assert result["backup"]["id"] == 12
    assert any(warning.startswith("web-bot (id 1): 1 backup left out: id 13 (its") for warning in worker.warnings)


def test_another_backup_for_the_same_incident_is_refused_by_name(simulator: Simulator, worker: Worker) -> None:
    worker.run(claw_backup_restore, backup_id=11)
    result = worker.run(claw_backup_restore, backup_id=12)
    assert result["changed"] is False
    assert result["backup"]["id"] == 11
    assert any("so backup 12 is not restored" in warning for warning in worker.warnings)
    assert restores(simulator) == 1


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
        assert result["msg"].isprintable()
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize("status", ["deleting", "hibernating"])
def test_only_a_settled_instance_is_restored_unless_forced(simulator: Simulator, worker: Worker, status: str) -> None:
    simulator.set_instance(1, status=status)
    result = worker.run(claw_backup_restore, instance_id=1)
    refused = f"web-bot (id 1) has the status {status}, and only a running or stopped instance can be restored"
    assert refused in result["msg"]
    assert simulator.calls("POST *") == []
    simulator.switch(restore_allowed=[status])
    assert worker.run(claw_backup_restore, instance_id=1, force=True)["restore"]["outcome"] == "completed"


@pytest.mark.parametrize("fault", [("status", 422), ("status", 402), ("forbidden", None), ("unauthorized", None)])
def test_a_refusal_leaves_the_incident_free(
    simulator: Simulator, worker: Worker, fault: tuple[str, int | None]
) -> None:
    kind, status = fault
    simulator.fault(kind, method="POST", **({"status": status, "code": "no", "message": "No"} if status else {}))
    result = worker.run(claw_backup_restore, instance_id=1)
    assert result["failed"] is True
    assert "you can run the same incident again" in result["msg"]
    assert result["error"]["status"] in (401, 402, 403, 422)
    assert worker.run(claw_backup_restore, instance_id=1)["changed"] is True
    assert restores(simulator) == 1


def test_a_rate_limit_is_waited_out_and_a_lasting_one_frees_the_incident(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("rate_limited", method="POST", times=None)
    result = worker.run(claw_backup_restore, instance_id=1)
    assert result["error"]["status"] == 429
    assert "you can run the same incident again" in result["msg"]
    assert "or increase retry_timeout" in result["msg"]
    simulator.clear_faults()
    simulator.fault("rate_limited", method="POST", times=2)
    assert worker.run(claw_backup_restore, instance_id=1)["changed"] is True
    assert restores(simulator) == 1


def test_after_an_unknown_outcome_nothing_advises_to_try_again(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("json_503", method="POST")
    result = worker.run(claw_backup_restore, instance_id=1)
    assert re.search(
        r"was answered with 503 [^.]*\. This is an error of the service\. It is unknown whether the restore .* was "
        r"executed: its status is running now\. Check it; nothing is sent again for this incident without force: "
        r"true\.$",
        result["msg"],
    ), result["msg"]


def test_killed_in_a_rate_limit_sends_nothing_and_the_next_run_restores(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("rate_limited", method="POST")

    def kill() -> None:
        if not simulator.faults():
            raise KilledError

    worker.sleeper.before_sleep = kill
    with pytest.raises(KilledError):
        worker.run(claw_backup_restore, instance_id=1)
    worker.sleeper.before_sleep = lambda: None
    assert worker.run(claw_backup_restore, instance_id=1)["restore"]["outcome"] == "completed"
    assert restores(simulator) == 1


@pytest.mark.parametrize("fault", ["reset_before", "json_500", "html_502", "html_200"])
def test_a_lost_response_without_a_sign_of_a_restore_is_not_sent_again(
    simulator: Simulator, worker: Worker, fault: str
) -> None:
    simulator.fault(fault, method="POST")
    for _run in range(2):
        result = worker.run(claw_backup_restore, instance_id=1)
        assert result["failed"] is True
        assert "was executed: its status is running now" in result["msg"]
        assert "force: true" in result["msg"]
        assert result["restore"]["outcome"] == "unknown"
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]
    assert worker.run(claw_backup_restore, instance_id=1, force=True)["restore"]["outcome"] == "completed"
    assert restores(simulator) == 1


@pytest.mark.parametrize("fault", ["reset_after", "close_after", "truncated"])
def test_a_lost_answer_with_a_busy_instance_is_a_restore_under_way(
    simulator: Simulator, worker: Worker, fault: str
) -> None:
    simulator.fault(fault, method="POST")
    result = worker.run(claw_backup_restore, instance_id=1)
    assert result["restore"]["outcome"] == "completed"
    assert any("so the restore has begun" in warning for warning in worker.warnings)
    assert restores(simulator) == 1


def test_a_lost_response_for_an_instance_that_was_busy_is_unknown(simulator: Simulator, worker: Worker) -> None:
    """With force a busy instance is restored. That it is still busy then is no sign that this restore has begun."""
    simulator.set_instance(1, status="deploying")
    simulator.fault("reset_before", method="POST")
    result = worker.run(claw_backup_restore, instance_id=1, force=True)
    assert result["failed"] is True
    assert "was executed: its status is deploying now" in result["msg"]
    assert result["restore"]["outcome"] == "unknown"
    assert restores(simulator) == 0


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("answer", ["backup", "instance", "empty"])
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
    if shows is None:
        # What the requests take counts, too.
        assert worker.sleeper.total + time.monotonic() - begun >= 10


@pytest.mark.parametrize("ends", ["error", "deploy_failed", "paused", "deleting"])
def test_a_restore_that_ends_badly_is_told_now_and_when_run_again(
    simulator: Simulator, worker: Worker, ends: str
) -> None:
    simulator.switch(restore_ends=ends)
    for _run in range(2):
        result = worker.run(claw_backup_restore, instance_id=1)
        assert result["failed"] is True
        assert f"{ends} now" in result["msg"]
        assert result["restore"]["outcome"] == "failed"
    assert worker.sleeper.total < 60
    assert restores(simulator) == 1


def test_time_that_runs_out_says_how_to_go_on_and_the_next_run_does(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(transition_reads=8)
    result = worker.run(claw_backup_restore, instance_id=1, wait_timeout=20)
    assert result["failed"] is True
    assert "Run the same task again: it continues waiting" in result["msg"]
    assert result["restore"]["outcome"] == "in_flight"
    again = worker.run(claw_backup_restore, instance_id=1)
    assert again["changed"] is False
    assert again["restore"]["outcome"] == "completed"
    assert restores(simulator) == 1


OPEN = (
    "This run sent nothing; the restore of web-bot, sent at {sent_at}, is still open. {advice}run the same task "
    "again: it continues waiting, and sends nothing."
)
TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2} UTC"


def told_open(advice: str) -> re.Pattern[str]:
    """Returns the end of the message of a run that reads an open restore in the journal alone."""
    return re.compile(OPEN.format(sent_at=TIME, advice=advice), re.IGNORECASE)


def test_a_dead_service_is_told_while_waiting_at_its_end_and_by_the_next_run(
    simulator: Simulator, worker: Worker
) -> None:
    simulator.switch(transition_reads=30)

    def die() -> None:
        calls = simulator.calls()
        if restores(simulator) and calls[calls.index("POST /backups/12/restore") :].count("GET /instances/1") == 2:
            simulator.fault("reset_before", method="GET", times=None)

    worker.sleeper.before_sleep = die
    result = worker.run(claw_backup_restore, instance_name="web-bot", wait_timeout=60)
    worker.sleeper.before_sleep = lambda: None
    for seconds, line in zip((10, 20, 30), worker.lines[:3], strict=True):
        assert re.fullmatch(
            rf"web-bot: no answer for \d+ s \(the connection broke\), {seconds} s of at most 60 s",
            line,
        )
    assert re.fullmatch(
        rf"The restore of web-bot was accepted at {TIME}\. It was last seen deploying at {TIME}\. The service has not "
        r"answered since \(the connection broke\), and the wait ended after 60 s \(wait_timeout\)\. Run the same task "
        "again: it continues waiting, and sends nothing.",
        result["msg"],
    )
    assert worker.sleeper.total == pytest.approx(60, abs=1)
    restore = result["restore"]
    assert (restore["outcome"], restore["failure"]) == ("in_flight", "unreachable")
    assert restore["last_seen"]["status"] == result["instance"]["status"] == "deploying"
    assert datetime.fromisoformat(restore["last_seen"]["at"]) >= datetime.fromisoformat(restore["sent_at"])
    for target in ({"instance_name": "web-bot"}, {"instance_id": 1}, {"backup_id": 12}):
        again = worker.run(claw_backup_restore, **target)
        assert again["msg"].startswith("GET /")
        assert told_open("").search(again["msg"]), again["msg"]
        assert again["changed"] is False
        assert again["instance"] == {"id": 1, "name": "web-bot"}
        assert (again["restore"]["outcome"], again["restore"]["failure"]) == ("in_flight", "unreachable")
        assert again["restore"]["sent_at"] == restore["sent_at"]
    for other in ({"instance_name": "test-bot"}, {"instance_id": 2}, {"instance_id": 1, "incident": "INC-2"}):
        assert "still open" not in worker.run(claw_backup_restore, **other)["msg"]
    simulator.clear_faults()
    assert worker.run(claw_backup_restore, instance_name="web-bot")["restore"]["outcome"] == "completed"
    simulator.fault("reset_before", method="GET", times=None)
    done = worker.run(claw_backup_restore, instance_name="web-bot")
    assert re.search(rf"This run sent nothing; the restore of web-bot, sent at {TIME}, has completed\.$", done["msg"])
    assert restores(simulator) == 1


def test_a_revoked_key_is_told_with_what_was_seen_last_and_what_to_do(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(transition_reads=30)

    def revoke() -> None:
        if restores(simulator):
            simulator.set_state(keys={KEY: "revoked"})

    worker.sleeper.before_sleep = revoke
    result = worker.run(claw_backup_restore, instance_name="web-bot")
    assert re.fullmatch(
        rf"The restore of web-bot was accepted at {TIME}\. The API key is no longer accepted: GET /instances/1 was "
        r"answered with 401 unauthorized: .*\. Check the API key \(.*\); create keys under Dashboard > Settings > API "
        rf"Keys\. It was last seen deploying at {TIME}\. With a valid key, run the same task again: it continues "
        "waiting, and sends nothing.",
        result["msg"],
    )
    assert (result["restore"]["failure"], result["error"]["status"]) == ("unauthorized", 401)
    again = worker.run(claw_backup_restore, instance_name="web-bot")
    assert told_open("With a valid key, ").search(again["msg"]), again["msg"]
    assert (again["restore"]["failure"], again["error"]["status"]) == ("unauthorized", 401)
    simulator.set_state(keys={KEY: "valid"})
    worker.sleeper.before_sleep = lambda: None
    assert worker.run(claw_backup_restore, instance_name="web-bot")["restore"]["outcome"] == "completed"
    assert restores(simulator) == 1


def test_a_restored_instance_that_stays_unhealthy_does_not_read_as_done(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, health_after="unhealthy")
    result = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True, wait_timeout=25)
    assert worker.lines == [f"web-bot: running, unhealthy, {seconds} s of at most 25 s" for seconds in (10, 20)]
    assert result["msg"].startswith("It was restored. It is running, unhealthy, and not healthy within 25 s")
    assert (result["restore"]["outcome"], result["changed"]) == ("completed", True)
    assert (result["restore"]["failure"], result["restore"]["last_seen"]["health_status"]) == ("timeout", "unhealthy")
    again = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True, wait_timeout=25)
    assert (again["failed"], again["restore"]["outcome"], again["changed"]) == (True, "completed", False)
    simulator.set_instance(1, health_status="healthy")
    assert worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)["failed"] is False
    assert restores(simulator) == 1


@pytest.mark.parametrize("ends", ["stopped", "pending_configuration"])
def test_no_wait_for_the_health_of_a_restored_stopped_instance(simulator: Simulator, worker: Worker, ends: str) -> None:
    simulator.switch(restore_ends=ends)
    result = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)
    assert (result["failed"], result["restore"]["outcome"]) == (False, "completed")
    assert worker.warnings[-1] == f"web-bot (id 1) is {ends}, so its health is not waited for."


def test_a_running_instance_does_not_read_as_done_before_its_restore_does(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(restore_shows=None)
    assert worker.run(claw_backup_restore, instance_id=1)["restore"]["outcome"] == "completed"
    assert worker.lines == ["web-bot: running (restore not yet verified), 10 s of at most 900 s"]


def test_without_waiting_it_is_under_way_and_the_next_run_sees_the_end(simulator: Simulator, worker: Worker) -> None:
    first = worker.run(claw_backup_restore, instance_id=1, wait=False)
    assert first["changed"] is True
    assert first["restore"]["outcome"] == "in_flight"
    again = worker.run(claw_backup_restore, instance_id=1)
    assert again["changed"] is False
    assert again["restore"]["outcome"] == "completed"
    assert restores(simulator) == 1


OWN, OTHER = "INC-1", "INC-2"
INTENDED, UNCLEAR, FAILED = OperationEvent.INTENDED, OperationEvent.UNCLEAR, OperationEvent.FAILED


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("holder", "events", "outcome"),
    [
        (OTHER, [], None),
        (OWN, [], None),
        (OWN, [INTENDED], "in_flight"),
        (OTHER, [INTENDED], "unknown"),
        (OTHER, [INTENDED, UNCLEAR], "unknown"),
        (OTHER, [INTENDED, OperationEvent.ACCEPTED], "in_flight"),
        (OTHER, [INTENDED, FAILED], "failed"),
        (OTHER, [INTENDED, OperationEvent.COMPLETED], "completed"),
    ],
)
def test_without_waiting_only_what_this_incident_sent_is_under_way(
    simulator: Simulator,
    worker: Worker,
    place: StorePlace,
    holder: str,
    events: list[OperationEvent],
    outcome: str | None,
    check: bool,
) -> None:
    """``holder``: the incident whose run works on the instance. ``events``: what this one has sent before."""
    journal = place.journal()
    own, held = (OperationKey("restore", simulator.url, incident, "1") for incident in (OWN, holder))
    for event in events:
        journal.append(own, event, backup_id=12, by=describe_sender())
    with place.journal().lock(held) as is_free:
        assert is_free
        result = worker.run(claw_backup_restore, check=check, instance_id=1, wait=False)
    assert not result.get("changed")
    assert result["failed"] is (outcome not in ("in_flight", "completed"))
    if outcome is None:
        who = describe_sender()
        assert f"web-bot (id 1) is held by {who['user']}@{who['host']} for incident {holder} since 20" in result["msg"]
        assert "Nothing was sent." in result["msg"]
        assert "restore" not in result
    else:
        state = journal.read_state(own)
        assert state
        assert (result["restore"]["outcome"], result["restore"]["sent_at"]) == (outcome, state.sent_at)
        assert result["restore"]["by"] == describe_sender()
    assert simulator.calls(RESTORE) == []


@pytest.mark.rest
@pytest.mark.usefixtures("world")
def test_three_incidents_at_once_send_one_restore_and_two_failures(
    simulator: Simulator, controller: Controller
) -> None:
    simulator.fault("slow", method="POST", seconds=8)
    first = process(controller, wait=False)
    until(lambda: "intended" in read_journal(controller.folder / "state"))
    others = [process(controller, wait=False, incident=incident) for incident in ("INC-2", "INC-3")]
    for result in map(result_of, others):
        assert result["failed"] is True
        assert "web-bot (id 1) is held by " in result["msg"]
        assert " for incident INC-1 since " in result["msg"]
    assert result_of(first)["restore"]["outcome"] == "in_flight"
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]


def test_healthy_is_waited_for_when_asked(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(health_lag_reads=5)
    result = worker.run(claw_backup_restore, instance_id=1, wait_healthy=True)
    assert result["instance"]["health_status"] == "healthy"


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


@pytest.mark.parametrize(
    "switches",
    [
        {"rename_fields": {"backup.instance_id": "instance.id", "backup.instance_name": "instance.name"}},
        {"drop_fields": ["backup.instance_id"]},
        {"drop_fields": ["backup.instance_name"]},
        {"rename_fields": {"backup.created_at": "taken_at"}},
        {"drop_fields": ["backup.size_bytes", "backup.expires_at", "backup.backup_type"]},
        {"id_as_string": True},
        {"timestamps": "fraction"},
        {"timestamps": "offset"},
        {"add_fields": {"backup.region": "moon"}},
        {"restore_safety_copy": True},
        {"list_order": "reversed"},
    ],
)
def test_the_backups_object_may_look_otherwise(
    simulator: Simulator, worker: Worker, switches: dict[str, t.Any]
) -> None:
    simulator.switch(**switches)
    result = worker.run(claw_backup_restore, instance_name="web-bot")
    assert result["restore"]["outcome"] == "completed", result["msg"]
    assert str(result["backup"]["id"]) == "12"


def test_backups_that_show_no_instance_are_never_guessed_at(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(drop_fields=["backup.instance_id", "backup.instance_name"])
    assert "does not guess" in worker.run(claw_backup_restore, instance_id=1)["msg"]
    assert "does not show its instance" in worker.run(claw_backup_restore, backup_id=12)["msg"]
    assert simulator.calls("POST *") == []
    result = worker.run(claw_backup_restore, backup_id=12, instance_id=1)
    assert result["restore"]["outcome"] == "completed"
    assert any("may not be a backup of" in warning for warning in worker.warnings)


# Killed, and run again; with the real commands


def process(controller: Controller, **options: t.Any) -> subprocess.Popen[str]:
    """The module in a process of its own, as a task that can be killed."""
    arguments = {"incident": "INC-1", "instance_id": 1, "state_dir": str(controller.folder / "state"), **options}
    path = controller.write(f"arguments-{time.monotonic_ns()}.json", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    module = "ansible_collections.clawhosters.cloud.plugins.modules.claw_backup_restore"
    environment = {**controller.environment, "PYTHONPATH": controller.environment["ANSIBLE_COLLECTIONS_PATH"]}
    return subprocess.Popen(
        [sys.executable, "-m", module, str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: t.Callable[[], bool]) -> None:
    """Waits until something is seen to have happened."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill(running: subprocess.Popen[str]) -> None:
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()


def result_of(running: subprocess.Popen[str]) -> dict[str, t.Any]:
    out, err = running.communicate(timeout=120)
    assert out, err
    return json.loads(out.strip().splitlines()[-1])


@pytest.mark.usefixtures("world")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("hang", "unknown"), ("hang_after", "completed"), (None, "completed")],
    ids=["before the effect", "before the answer", "while it waits"],
)
def test_killed_around_the_post_the_next_run_sends_nothing(
    simulator: Simulator, controller: Controller, fault: str | None, outcome: str
) -> None:
    simulator.switch(transition_reads=5)
    if fault:
        simulator.fault(fault, method="POST", seconds=30)
    running = process(controller)
    if fault == "hang":
        until(lambda: bool(simulator.calls("POST *")))
    elif fault:
        until(lambda: restores(simulator) == 1)
    else:
        until(lambda: "accepted" in read_journal(controller.folder / "state"))
    kill(running)
    result = result_of(process(controller))
    assert (result.get("failed", False), result["changed"]) == (outcome == "unknown", False)
    assert result["restore"]["outcome"] == outcome
    assert ("the run ended there" in result.get("msg", "")) is (outcome == "unknown")
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]
    assert restores(simulator) == (0 if outcome == "unknown" else 1)


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_two_runs_at_the_same_moment_send_one_restore(simulator: Simulator, controller: Controller) -> None:
    runs = [process(controller) for _run in range(4)]
    results = [result_of(running) for running in runs]
    assert sorted(result["changed"] for result in results) == [False, False, False, True]
    assert [result["msg"] for result in results if result.get("failed")] == []
    assert {result["restore"]["outcome"] for result in results} == {"completed"}
    assert simulator.calls(RESTORE) == ["POST /backups/12/restore"]


@pytest.mark.rest
@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_a_run_beside_one_under_way_waits_for_it_or_says_so(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("slow", method="POST", seconds=12, after_effect=True)
    first = process(controller)
    until(lambda: restores(simulator) == 1)
    aside = result_of(process(controller, wait=False))
    assert aside["changed"] is False
    assert aside["restore"]["outcome"] == "in_flight"
    assert result_of(process(controller))["restore"]["outcome"] == "completed"
    assert result_of(first)["changed"] is True
    assert restores(simulator) == 1


def test_what_another_run_sent_before_it_died_is_gone_on_with(
    simulator: Simulator, worker: Worker, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = OperationKey("restore", simulator.url, "INC-1", "1")
    journal = place.journal()
    with contextlib.ExitStack() as other:
        assert other.enter_context(journal.lock(key))
        sleep = worker.sleeper.sleep

        def meanwhile(seconds: float) -> None:
            if journal.read_state(key) is None:
                journal.append(key, OperationEvent.INTENDED, backup_id=12)
                simulator.set_instance(1, status="deploying", settles_to="running", settles_after_reads=3)
                other.close()
            sleep(seconds)

        monkeypatch.setattr(worker.sleeper, "sleep", meanwhile)
        result = worker.run(claw_backup_restore, instance_id=1)
    assert result["restore"]["outcome"] == "completed"
    assert result["changed"] is False
    assert result["instance"]["status"] == "running"
    assert simulator.calls(RESTORE) == []


def test_a_backup_of_an_instance_that_is_gone_is_named_with_it(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(drop_fields=["backup.instance_name"])
    simulator.fault("not_found", path="/instances/1", times=None)
    said = "Backup 12 is of an instance that is gone. There is no instance with id 1. Nothing was sent."
    assert worker.run(claw_backup_restore, backup_id=12)["msg"] == said


@pytest.mark.usefixtures("world")
@pytest.mark.slow
def test_in_a_playbook(simulator: Simulator, controller: Controller) -> None:
    options = {"incident": "INC-1", "instance_name": "web-bot", "state_dir": str(controller.folder / "state")}
    plan = controller.task(options, "--check", "--diff", module="claw_backup_restore")
    assert '+    "restored_from": {' in plan.stdout
    run = controller.task(options, module="claw_backup_restore")
    assert run.result["restore"]["outcome"] == "completed"
    assert (controller.folder / "state").stat().st_mode & 0o777 == 0o700
    for path in (controller.folder / "state").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
        assert path.is_dir() or KEY not in path.read_text(encoding="utf-8", errors="replace")


# What went wrong beside the service


@pytest.mark.parametrize(("ahead", "chosen"), [("1h", 11), ("6m", 11), ("4m", 12)])
def test_a_backup_of_the_future_is_passed_over_and_has_no_age(
    simulator: Simulator, worker: Worker, ahead: str, chosen: int
) -> None:
    moment = datetime.now(UTC) + (parse_duration("ahead", ahead) or timedelta())
    simulator.set_backup(12, created_at=moment.isoformat())
    assert worker.run(claw_backup_restore, check=True, instance_id=1)["backup"]["id"] == chosen
    assert any("id 12 (it is dated in the future, " in warning for warning in worker.warnings) is (chosen == 11)
    # The age of the one that is restored is judged.
    assert "max_age (0 s)" in worker.run(claw_backup_restore, check=True, backup_id=11, max_age="0h")["msg"]
    limited = worker.run(claw_backup_restore, check=True, instance_id=1, max_age="36h")
    assert ("Backup 11 of web-bot (id 1) was taken at" in limited.get("msg", "")) is limited["failed"] is (chosen == 11)
    given = worker.run(claw_backup_restore, check=True, backup_id=12, max_age="36h")
    assert ("in the future. Its age is unknown" in given.get("msg", "")) is (chosen == 11)


@pytest.mark.parametrize(
    ("options", "path", "other", "words"),
    [
        (
            {"instance_id": 1},
            "/instances/1",
            {"id": 2, "name": "test-bot"},
            "Instance 1 was requested, but 2 was returned",
        ),
        (
            {"backup_id": 12},
            "/backups/12",
            {"id": 11, "instance_id": 1, "status": "completed"},
            "Backup 12 was requested, but 11 was returned",
        ),
    ],
)
def test_nothing_is_done_with_another_one_than_was_asked_for(
    simulator: Simulator, worker: Worker, options: dict[str, t.Any], path: str, other: dict[str, t.Any], words: str
) -> None:
    simulator.fault("wrong_type", path=path, body={"data": other})
    assert words in worker.run(claw_backup_restore, **options)["msg"]
    assert simulator.calls("POST *") == []


def test_an_expired_backup_of_a_finished_restore_neither_fails_nor_resends(
    simulator: Simulator, worker: Worker
) -> None:
    first = worker.run(claw_backup_restore, backup_id=12, instance_id=1)
    simulator.control("DELETE", "/backups/12")
    again = worker.run(claw_backup_restore, backup_id=12, instance_id=1)
    assert again["changed"] is False
    assert again["restore"] == first["restore"]
    assert str(again["backup"]["id"]) == "12"
    # The journal knows whose it was.
    by_backup_alone = worker.run(claw_backup_restore, backup_id=12)
    assert (by_backup_alone["failed"], by_backup_alone["restore"]) == (False, first["restore"])
    assert worker.run(claw_backup_restore, backup_id=12, incident="INC-2")["failed"] is True
    assert restores(simulator) == 1


def test_a_journal_that_fails_before_the_post_sends_nothing(simulator: Simulator, worker: Worker) -> None:
    with full_disk(from_the_first=True):
        result = worker.run(claw_backup_restore, instance_id=1)
    assert result["msg"] == "No space left on device. Nothing was sent."
    assert simulator.calls("POST *") == []
    assert worker.run(claw_backup_restore, instance_id=1)["changed"] is True


@pytest.mark.parametrize("wait", [True, False])
def test_an_outcome_that_can_not_be_recorded_is_no_success(simulator: Simulator, worker: Worker, wait: bool) -> None:
    with full_disk(from_the_first=False):
        result = worker.run(claw_backup_restore, instance_id=1, wait=wait)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "the journal could not be written. No space left" in result["msg"]
    assert result["restore"]["outcome"] == "unknown", "as the journal has it"
    assert any("the journal could not be written. No space left" in warning for warning in worker.warnings)
    simulator.set_instance(1, status="running")
    again = worker.run(claw_backup_restore, instance_id=1)
    assert again["restore"]["outcome"] == "unknown"
    assert restores(simulator) == 1
