# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changing an instance when something goes wrong on the way: no change is lost, repeated blindly, or claimed."""

from __future__ import annotations

import re
import typing as t
from types import ModuleType

import pytest
import requests

from ansible_collections.clawhosters.cloud.plugins.module_utils._http import transport
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_instance
from simulator.handle import Simulator
from support import TIME_IN_MESSAGE
from support.raw_service import raw_service
from support.worker import Worker

POWER = pytest.mark.parametrize(
    ("wanted", "found", "action", "end"),
    [
        ("started", "stopped", "start", "running"),
        ("restarted", "stopped", "start", "running"),
        ("stopped", "running", "stop", "stopped"),
    ],
)


@POWER
@pytest.mark.parametrize("shows", ["old", "busy", "end"])
def test_a_slow_transition_is_waited_for_whatever_it_shows_meanwhile(
    simulator: Simulator, worker: Worker, wanted: str, found: str, action: str, end: str, shows: str
) -> None:
    simulator.set_instance(1, status=found)
    simulator.switch(transition_reads=3, transition_shows=shows)
    result = worker.run(claw_instance, id=1, state=wanted)
    assert (result["failed"], result["changed"], result["instance"]["status"]) == (False, True, end)
    assert simulator.changes() == [f"POST /instances/1/{action}"]


@POWER
@pytest.mark.parametrize("fault", ["reset_after", "hang_after"])
def test_after_a_lost_response_the_effect_is_read_and_nothing_is_resent(
    simulator: Simulator, worker: Worker, wanted: str, found: str, action: str, end: str, fault: str
) -> None:
    simulator.set_instance(1, status=found)
    hangs = fault == "hang_after"
    simulator.fault(fault, method="POST", **({"seconds": 60} if hangs else {}))
    result = worker.run(claw_instance, id=1, state=wanted, timeout=2 if hangs else 30)
    assert (result["failed"], result["changed"]) == (False, True)
    assert simulator.changes() == [f"POST /instances/1/{action}"]


@POWER
@pytest.mark.parametrize("fault", ["reset_before", "json_500"])
def test_start_and_stop_are_repeated_once_when_nothing_is_to_be_seen_of_them(
    simulator: Simulator, worker: Worker, wanted: str, found: str, action: str, end: str, fault: str
) -> None:
    simulator.set_instance(1, status=found)
    simulator.fault(fault, method="POST")
    result = worker.run(claw_instance, id=1, state=wanted)
    assert (result["failed"], result["changed"], result["instance"]["status"]) == (False, True, end)
    assert simulator.changes() == [f"POST /instances/1/{action}"] * 2
    assert sum(simulator.effects().values()) == 1


def test_when_nothing_can_be_read_back_the_outcome_is_called_unknown(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="stopped")
    simulator.fault("reset_after", method="POST")
    simulator.fault("json_500", method="GET", skip=1, times=None)
    assert "was changed, since it can't be read now" in worker.run(claw_instance, id=1)["msg"]
    assert len(simulator.changes()) == 1


@pytest.mark.parametrize("status", [204, 200])
def test_a_deletion_is_waited_for_until_the_record_is_gone(simulator: Simulator, worker: Worker, status: int) -> None:
    simulator.set_instance(1, status="running", billing_mode="daily")
    simulator.switch(delete_answer=status, transition_reads=3)
    result = worker.run(claw_instance, id=1, state="absent")
    assert (result["failed"], result["changed"], result["diff"]["after"]) == (False, True, {})
    assert result["instance"]["status"] == "deleting"


@pytest.mark.parametrize(("wait_timeout", "reads"), [(300, [2, 5]), (3, [2, 4])], ids=["poll", "last look"])
def test_a_record_that_lingers_outside_the_list_counts_as_gone(
    simulator: Simulator, worker: Worker, wait_timeout: int, reads: list[int]
) -> None:
    simulator.set_instance(1, status="running", billing_mode="daily")
    simulator.switch(delete_lingers="detail", per_page_default=100)
    result = worker.run(claw_instance, id=1, state="absent", wait_timeout=wait_timeout)
    assert (result["failed"], result["changed"], result["diff"]["after"]) == (False, True, {})
    calls = simulator.calls()
    assert [calls.count(call) for call in ("GET /instances", "GET /instances/1")] == reads


def test_one_list_without_it_does_not_show_that_an_instance_is_deleted(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="running", billing_mode="daily")
    simulator.switch(delete_lingers="everywhere")
    simulator.fault("wrong_type", path="/instances", body={"data": [{"id": 2, "name": "another", "status": "running"}]})
    assert "not gone within 300 s" in worker.run(claw_instance, id=1, state="absent", wait_timeout=300)["msg"]


@pytest.mark.parametrize(("module", "given"), [(claw_instance, {"id": 1}), (claw_fleet, {"ids": [1]})])
def test_a_record_that_says_deleted_is_gone(
    simulator: Simulator, worker: Worker, module: ModuleType, given: dict[str, t.Any]
) -> None:
    simulator.set_instance(1, status="running", billing_mode="daily")
    simulator.switch(delete_lingers="everywhere", per_page_default=100)
    record = {"id": 1, "name": "web-bot", "status": "Deleted"}
    simulator.fault("wrong_type", path="/instances/1", method="GET", skip=1, times=None, body={"data": record})
    simulator.fault("wrong_type", path="/instances", skip=1, times=None, body={"data": [record]})
    for is_changed in (True, False):
        result = worker.run(module, state="absent", **given)
        assert (result["failed"], result["changed"]) == (False, is_changed), result
    assert worker.sleeper.total == 0
    assert simulator.changes() == ["DELETE /instances/1"]


@pytest.mark.parametrize("answer", [200, 404])
@pytest.mark.parametrize(("module", "given"), [(claw_instance, {"id": 1}), (claw_fleet, {"ids": [1]})])
def test_a_record_kept_without_a_status_counts_as_deleted(
    simulator: Simulator, module: ModuleType, given: dict[str, t.Any], answer: int
) -> None:
    simulator.set_instance(1, status="running", billing_mode="daily")
    simulator.switch(delete_lingers="everywhere", drop_fields=["instance.status"], can_flags="absent")
    if answer == 404:
        simulator.fault("status", status=404, method="DELETE")
    result = Worker(simulator).run(module, state="absent", **given)
    assert (result["failed"], result["changed"]) == (False, answer == 200), result
    assert simulator.changes() == ["DELETE /instances/1"]


def test_a_busy_instance_is_deleted_once_it_has_settled(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="deploying", billing_mode="daily", settles_to="running", settles_after_reads=3)
    result = worker.run(claw_instance, id=1, state="absent")
    assert (result["failed"], result["changed"]) == (False, True)
    assert simulator.changes() == ["DELETE /instances/1"] * 2


def test_without_waiting_a_busy_instance_fails_with_its_status(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="deploying", billing_mode="daily")
    for wanted in ("started", "stopped", "restarted"):
        message = worker.run(claw_instance, id=1, state=wanted, wait=False)["msg"]
        assert "It is deploying. What comes next depends on how that ends" in message
    assert simulator.changes() == []
    assert "is deploying" in worker.run(claw_instance, id=1, state="absent", wait=False)["msg"]


@pytest.mark.parametrize("wanted", ["started", "restarted"])
def test_a_refusal_that_meets_the_wanted_state_is_no_change(simulator: Simulator, worker: Worker, wanted: str) -> None:
    simulator.set_instance(1, status="stopped", settles_to="running", settles_after_reads=1)
    result = worker.run(claw_instance, id=1, state=wanted)
    assert (result["failed"], result["changed"]) == (False, False)
    assert simulator.changes() == ["POST /instances/1/start"]
    assert result["diff"]["before"] == result["diff"]["after"]


PAUSED = "web-bot (id 1) is paused, not stopped: the account's balance ran out."


def test_a_stop_that_meets_a_pause_is_no_change_and_warns(simulator: Simulator) -> None:
    for wait in (True, False):
        simulator.set_instance(1, status="running", settles_to="paused", settles_after_reads=1)
        worker = Worker(simulator)
        result = worker.run(claw_instance, id=1, state="stopped", wait=wait)
        assert (result["failed"], result["changed"], result["instance"]["status"]) == (False, False, "paused")
        assert worker.warnings == [f"{PAUSED} Nothing was changed."]


def test_a_pause_after_an_accepted_stop_is_as_good_and_warns(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(transition_reads=3)
    worker.sleeper.before_sleep = lambda: simulator.set_instance(1, status="paused")
    result = worker.run(claw_instance, id=1, state="stopped")
    assert (result["failed"], result["changed"], result["instance"]["status"]) == (False, True, "paused")
    assert result["diff"]["after"]["status"] == "paused"
    assert worker.warnings == [PAUSED]
    simulator.set_instance(1, status="running")
    result = worker.run(claw_fleet, instances=[{"id": 1}], state="stopped")
    assert result["summary"] == {"ok": 0, "changed": 1, "failed": 0}
    assert len(worker.warnings) == 2


def test_one_that_is_deleted_while_a_deletion_waits_is_as_wanted(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="deploying", billing_mode="daily", settles_to="gone", settles_after_reads=3)
    result = worker.run(claw_instance, id=1, state="absent")
    assert (result["failed"], result["changed"], result["instance"] is None) == (False, False, False)
    assert simulator.changes() == ["DELETE /instances/1"]


@pytest.mark.parametrize("state", ["Its status is stopped", "Its current state can't be read"])
def test_an_unexplained_refusal_is_told_in_the_services_words(simulator: Simulator, worker: Worker, state: str) -> None:
    simulator.set_instance(1, status="stopped")
    simulator.set_state(balance=0)
    if "read" in state:
        simulator.fault("json_500", method="GET", skip=1, times=None)
    result = worker.run(claw_instance, id=1)
    assert result["error"]["status"] == 422
    assert result["error"]["message"] in result["msg"]
    assert state in result["msg"]


@pytest.mark.parametrize("ends", ["error", "deploy_failed", "paused"])
def test_a_start_that_ends_in_trouble_is_told_at_once(simulator: Simulator, worker: Worker, ends: str) -> None:
    simulator.set_instance(1, status="deploying", settles_to=ends, settles_after_reads=2)
    assert worker.run(claw_instance, id=1)["msg"].startswith(f"web-bot (id 1): It has the status {ends}")


DEAD = (
    "It was last seen stopped at {at}. The service has not answered since (the connection broke), and the wait ended "
    "after 20 s (wait_timeout). Run this again to continue waiting."
)
REVOKED = (
    "It was last seen stopped at {at}. The API key is no longer accepted: GET /instances/1 was answered with "
    "401 unauthorized: {words}. Check the API key (api_key, api_key_file, CLAWHOSTERS_API_KEY); create keys under "
    "Dashboard > Settings > API Keys. Run this again to continue waiting."
)
DOWN = (
    "It was last seen running at {at}. Since then, the service has answered with errors only "
    "(503 service_unavailable), and the wait ended after 20 s (wait_timeout). Run this again, "
    "with state: started for what was restarted, to continue."
)


@pytest.mark.parametrize(
    ("fault", "state", "words", "kind"),
    [
        ("reset_before", "started", DEAD, None),
        ("unauthorized", "started", REVOKED, 401),
        ("json_503", "restarted", DOWN, 503),
    ],
)
def test_the_end_of_a_wait_after_an_accepted_change_tells_the_last_state(
    simulator: Simulator, worker: Worker, fault: str, state: str, words: str, kind: int | None
) -> None:
    simulator.set_instance(1, status="stopped" if state == "started" else "running")
    simulator.switch(transition_seconds=600, action_answer="old")
    simulator.fault(fault, method="GET", skip=1, times=None)
    result = worker.run(claw_instance, id=1, state=state, wait_timeout=20)
    pattern = re.escape(words).replace(r"\{at\}", TIME_IN_MESSAGE).replace(r"\{words\}", ".*")
    expected = rf"web-bot \(id 1\): The {state.removesuffix('ed')} was accepted\. {pattern}"
    assert re.fullmatch(expected, result["msg"]), result["msg"]
    assert (result["changed"], result.get("error", {}).get("status")) == (True, kind)
    if fault != "unauthorized":
        assert worker.sleeper.total == pytest.approx(20)
        told = "503, The service is under maintenance" if kind == 503 else "no answer for 10 s (the connection broke)"
        assert worker.lines[0] == f"web-bot: {told}, 10 s of at most 20 s"


def test_a_web_page_with_404_does_not_say_that_an_instance_is_gone(simulator: Simulator) -> None:
    """A proxy has lost its route, or the path of api_url is wrong."""
    with raw_service(lambda _method, _path: (404, {"Content-Type": "text/html"}, b"<h1>Not Found</h1>")) as options:
        result = Worker(simulator, options).run(claw_instance, id=1, state="absent")
    assert (result["failed"], result["error"]["status"]) == (True, 404)
    assert "Is api_url the address of the API?" in result["msg"]


def test_what_never_left_this_machine_is_asked_for_again_and_lost_nothing(
    simulator: Simulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.set_instance(1, status="stopped")
    original, refused = transport._send, []

    def send(connections: t.Any, settings: t.Any, request: t.Any) -> t.Any:
        if request.method == "POST" and len(refused) < refusals:
            refused.append(request)
            raise requests.exceptions.ConnectTimeout
        return original(connections, settings, request)

    monkeypatch.setattr(transport, "_send", send)
    refusals = 2
    message = worker.run(claw_instance, id=1)["msg"]
    assert "was lost" not in message
    assert "no change is visible" in message
    refusals = 3
    result = worker.run(claw_instance, id=1)
    assert (result["failed"], result["changed"]) == (False, True)
    assert simulator.changes() == ["POST /instances/1/start"]


def test_a_look_at_the_list_does_not_outlast_the_deadline(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="running")
    simulator.switch(delete_lingers="detail")
    simulator.fault("rate_limited", path="/instances", retry_after="seconds", seconds=20, times=None)
    result = worker.run(claw_instance, id=1, state="absent", wait_timeout=5, retry_timeout=100)
    assert (result["failed"], result["changed"]) == (True, True)
    assert worker.sleeper.total <= 5


def test_ctrl_c_during_a_wait_says_what_goes_on(simulator: Simulator, worker: Worker) -> None:
    simulator.set_instance(1, status="stopped", name="web-bot")
    simulator.switch(transition_reads=1000)
    worker.run(claw_instance, id=1, state="started", wait_timeout=10)
    assert set(worker.interrupt_texts) == {
        "Accepted, and goes on: start web-bot (id 1).",
        "Run the same command again: it waits for what goes on, and continues with the rest.",
    }
