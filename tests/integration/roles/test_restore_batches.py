# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restore runbook in batches: what is sent when, what stops it, what is on record, and how it goes on."""

from __future__ import annotations

import errno
import sys
import threading
import typing as t
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore import executor, reason_texts
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import folder_writer, journal_writer
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role import (
    address_check,
    finish,
    result_texts,
    role_executor,
)
from simulator.handle import Simulator
from support.proxy import recording_proxy
from support.runbook import Runbook
from support.worker import Worker

COUNT = 12
NAMES = [f"bot-{number}" for number in range(1, COUNT + 1)]
POSTS = "POST /backups/*"
LATE = (folder_writer, journal_writer, executor, reason_texts, address_check, role_executor)
SENDING = [module.__name__ for module in (*LATE, finish, result_texts)]
"""Modules that a task needs once it has sent a restore, so that it imports them before that."""


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Twelve instances; the backup of instance N is 100 + N."""
    instances = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
    backups = [{"id": 100 + one["id"], "instance_id": one["id"], "created_at": "2h ago"} for one in instances]
    switches = {"rate_limit": 0, "transition_reads": 2}
    simulator.reset(state={"instances": instances, "backups": backups}, switches=switches)


@pytest.fixture
def runbook(simulator: Simulator, tmp_path: Path) -> Runbook:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    variables = {"restore_serial": [1, 3, "100%"], "restore_healthy_timeout": 60}
    return Runbook(worker, tmp_path / "report", variables)


def restore(runbook: Runbook, names: t.Sequence[str] = NAMES, **variables: t.Any) -> dict[str, t.Any]:
    return runbook.run(restore_instances=",".join(names), restore_confirm=",".join(names), **variables)


def restored(simulator: Simulator) -> list[int]:
    """Returns the instances whose restore was sent, in order."""
    return [int(call.split("/")[2]) - 100 for call in simulator.calls(POSTS)]


@pytest.mark.parametrize("check", [False, True])
def test_a_plan_that_restores_none_hands_on_its_findings(simulator: Simulator, runbook: Runbook, check: bool) -> None:
    result = restore(runbook, ["bot-1", "nobody", "bot-2"], check=check, restore_max_age="1h")
    assert result["failed"] is True
    assert simulator.calls(POSTS) == []
    outcomes = [(one["id"], one["backup_id"], one["outcome"]) for one in runbook.outcome["instances"]]
    assert outcomes == [(1, 101, "not_begun"), (None, None, "not_begun"), (2, 102, "not_begun")]


def test_a_run_whose_plan_fails_hands_on_the_earlier_restores(simulator: Simulator, runbook: Runbook) -> None:
    restore(runbook, ["bot-1"])
    simulator.reset(state={"instances": [{"id": 2, "name": "bot-2"}]})
    restore(runbook, ["bot-1", "bot-2"])
    outcomes = [(one["id"], one["backup_id"], one["outcome"]) for one in runbook.outcome["instances"]]
    assert outcomes == [(1, 101, "completed"), (2, None, "not_begun")]


def test_a_batch_begins_when_all_of_the_one_before_are_healthy(simulator: Simulator, runbook: Runbook) -> None:
    simulator.switch(restore_ends="stopped")
    result = restore(runbook)
    assert result["failed"] is False, result
    assert result["msg"] == "12 instances restored and healthy."
    calls = [call for call in simulator.calls() if call.startswith("POST ")]
    order = [restored(simulator)[:1], sorted(restored(simulator)[1:4]), sorted(restored(simulator)[4:])]
    assert order == [[1], [2, 3, 4], list(range(5, 13))]
    # What came back stopped was started before the next batch began.
    starts = [calls.index(f"POST /instances/{number}/start") for number in range(1, 13)]
    assert starts[0] < min(calls.index(f"POST /backups/{number}/restore") for number in (102, 103, 104))
    assert max(starts[1:4]) < min(calls.index(f"POST /backups/{number}/restore") for number in range(105, 113))
    record = runbook.report()
    for one in record["instances"]:
        events = [mark["event"] for mark in one["events"]]
        assert events == ["sent", "accepted", "seen_begun", "seen_restored", "healthy"]
        assert [mark["at"] for mark in one["events"]] == sorted(mark["at"] for mark in one["events"])
    assert runbook.page().count('<ol class="marks">') == 12
    assert [one["outcome"] for one in runbook.outcome["instances"]] == ["completed"] * 12
    # Again: nothing is left to do.
    simulator.clear_log()
    assert restore(runbook)["failed"] is False
    assert simulator.calls("POST *") == []


def test_a_canary_that_fails_stops_the_rest_until_it_is_healthy(simulator: Simulator, runbook: Runbook) -> None:
    simulator.set_instance(1, health_after="unhealthy")
    failed = restore(runbook)
    assert restored(simulator) == [1]
    assert failed["msg"] == "0 of 12 instances restored and healthy, 1 not healthy, 11 not begun."
    words = "\n".join(failed["failures"])
    assert "bot-1 (id 1): The restore has completed, but the instance was not seen running and healthy." in words
    assert "within 60 s (restore_healthy_timeout)" in words
    cause = "1 restore failed or showed no sign, and restore_max_failures is 0."
    assert f"and 6 more: Not begun: {cause} Nothing was sent." in words
    assert [one["outcome"] for one in runbook.outcome["instances"]] == ["completed"] + ["not_begun"] * 11
    assert [one["result"] for one in runbook.report()["instances"]] == ["not_healthy"] + ["not_begun"] * 11
    rest = "When the failures are dealt with, run the same command again; restore_max_failures=1 goes on despite them."
    assert failed["failures"][-1].endswith(rest)
    # As advised, either way.
    despite = restore(runbook, NAMES[:2], restore_max_failures=1)
    assert despite["msg"] == "1 of 2 instances restored and healthy, 1 not healthy."
    simulator.set_instance(1, health_status="healthy")
    again = restore(runbook)
    assert again["failed"] is False, again
    assert sorted(restored(simulator)) == list(range(1, 13))
    assert "<h1>12 instances restored and healthy</h1>" in runbook.page()


def test_a_canary_without_a_sign_stops_the_rest_until_it_is_run_again(simulator: Simulator, runbook: Runbook) -> None:
    simulator.switch(restore_shows=None)
    failed = restore(runbook)
    assert restored(simulator) == [1]
    counts = "0 of 12 instances restored and healthy, 1 without a sign, 11 not begun."
    assert (failed["failed"], failed["msg"]) == (True, counts)
    (rest,) = failed["failures"]
    assert "Not begun: 1 restore failed or showed no sign, and restore_max_failures is 0." in rest
    assert "bot-1 (id 1): The restore" in failed["restored"][0]
    # What an earlier run has ended without a sign does not count again.
    simulator.switch(restore_shows="deploying")
    again = restore(runbook)
    assert (again["failed"], runbook.outcome["counts"]) == (False, {"without_sign": 1, "restored": 11})
    assert sorted(restored(simulator)) == list(range(1, 13))


def test_a_canary_that_lapses_during_the_next_batch_stops_the_rest(simulator: Simulator, runbook: Runbook) -> None:
    def lapse() -> None:
        if len(restored(simulator)) == 4:
            simulator.set_instance(1, health_status="unhealthy")
            runbook.worker.sleeper.before_sleep = lambda: None

    runbook.worker.sleeper.before_sleep = lapse
    failed = restore(runbook)
    assert sorted(restored(simulator)) == [1, 2, 3, 4]
    assert failed["msg"] == "3 of 12 instances restored and healthy, 1 not healthy, 8 not begun."
    told = "bot-1 (id 1): The restore has completed, but the instance was not seen running and healthy. It was healthy"
    assert told in "\n".join(failed["failures"])
    counts = {"not_healthy": 1, "restored": 3, "not_begun": 8}
    assert failed["ansible_stats"]["data"]["clawhosters_restore"]["counts"] == runbook.report()["counts"] == counts


def test_failures_within_the_limit_stop_nothing_and_are_retried(simulator: Simulator, runbook: Runbook) -> None:
    for number in (102, 104):
        simulator.fault("status", method="POST", path=f"/backups/{number}/restore", status=403, message="Not now")
    failed = restore(runbook, restore_max_failures="2")
    assert sorted(restored(simulator)) == list(range(1, 13))
    assert failed["msg"] == "10 of 12 instances restored and healthy, 2 rejected."
    (done,) = failed["restored"]
    names = ", ".join(f"bot-{number} (id {number})" for number in (1, 3, 5, 6, 7))
    assert done.startswith(f"{names} and 5 more: Restored, and seen healthy.")
    assert failed["failures"][-1].endswith("Fix the cause, then run the same command again.")
    assert restore(runbook, restore_max_failures="2")["failed"] is False
    assert sorted(restored(simulator)) == sorted([*range(1, 13), 2, 4])


def test_one_that_cannot_be_restored_by_the_plan_stops_no_others(simulator: Simulator, runbook: Runbook) -> None:
    simulator.set_instance(1, status="paused")
    result = restore(runbook)
    assert sorted(restored(simulator)) == list(range(2, 13))
    assert result["msg"] == "11 of 12 instances restored and healthy, 1 can't be restored."


def test_a_run_is_on_record_before_it_sends_anything(simulator: Simulator, runbook: Runbook) -> None:
    simulator.fault("slow", method="POST", seconds=300, times=None)
    thread = threading.Thread(target=restore, args=(runbook, NAMES[:2]), kwargs={"restore_serial": "100%"})
    thread.start()
    while simulator.faults()[0]["struck"] == 0:
        assert thread.is_alive()
    (going_on,), page = runbook.report()["runs"], runbook.page()
    assert (going_on["state"], list(going_on["backups"].values())) == ("in_progress", [101, 102])
    assert {one["outcome"] for one in runbook.report()["instances"]} == {"not_begun"}
    simulator.clear_faults()
    thread.join(60)
    assert "<td>in progress</td>" in page
    assert "<td>ended <time" in runbook.page()
    assert {one["outcome"] for one in runbook.report()["instances"]} == {"completed"}


# The collection is updated, or all file descriptors are used, while restores are waited for


def test_addresses_that_only_the_details_show_are_requested(
    simulator: Simulator, runbook: Runbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(NAMES, 1):
        simulator.set_instance(number, subdomain_url=f"http://{name}.example")
    with recording_proxy() as (environment, asked):
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        result = restore(runbook, restore_http_check=True, restore_http_path="/status")
    assert result["is_complete"] is True, result
    assert sorted(set(asked)) == sorted(f"http://{name}.example/status" for name in NAMES)


class NoFurtherImports:
    """Lets no module of the collection be imported once a restore was sent."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def find_spec(self, name: str, *_where: object) -> None:
        """Finds no module: another finder does."""
        if name.startswith("ansible_collections.") and self._simulator.calls(POSTS):
            raise OSError(errno.EMFILE, name)


class End(t.NamedTuple):
    """The kind of a restore's failure, None for one that is restored, and its outcome."""

    kind: str | None
    outcome: str
    switches: dict[str, t.Any]
    variables: dict[str, t.Any]


LOST = End("unknown", "unknown", {}, {})
BAD_ADDRESS = End("bad_address", "completed", {}, {"restore_http_check": True, "restore_healthy_timeout": 30})
ENDS = {
    "stopped": End(None, "completed", {"restore_ends": "stopped"}, {}),
    "error": End("failed", "failed", {"restore_ends": "error"}, {}),
    "response lost": LOST,
    "too long": End("not_over", "in_flight", {"transition_reads": 10_000}, {"restore_wait_timeout": 60}),
}


def prepare(simulator: Simulator, end: End) -> None:
    simulator.switch(**end.switches)
    if end is LOST:
        simulator.fault("close_before", method="POST")


@pytest.fixture
def no_further_imports(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets the modules that are imported only to send a restore, and lets none be imported once it was sent."""
    for name in list(sys.modules):
        package, _dot, module = name.rpartition(".")
        if name in SENDING:
            monkeypatch.delitem(sys.modules, name)
            monkeypatch.delattr(sys.modules[package], module)
    monkeypatch.setattr(sys, "meta_path", [NoFurtherImports(simulator), *sys.meta_path])


@pytest.mark.rest
@pytest.mark.parametrize("end", [*ENDS.values(), BAD_ADDRESS], ids=[*ENDS, "bad address"])
@pytest.mark.usefixtures("no_further_imports")
def test_a_restore_imports_nothing_once_it_was_sent(simulator: Simulator, runbook: Runbook, end: End) -> None:
    prepare(simulator, end)
    restore(runbook, NAMES[:1], **end.variables)
    assert len(simulator.calls(POSTS)) == 1
    (instance,) = runbook.report()["instances"]
    assert (instance["reason"] and instance["reason"]["kind"]) == end.kind


@pytest.mark.rest
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("module", [claw_backup_restore, claw_fleet_restore], ids=["module", "fleet"])
@pytest.mark.usefixtures("no_further_imports")
def test_a_module_imports_nothing_once_its_restore_was_sent(
    simulator: Simulator, runbook: Runbook, module: ModuleType, end: End
) -> None:
    prepare(simulator, end)
    target = {"instance_id": 1} if module is claw_backup_restore else {"instances": [{"id": 1}]}
    result = runbook.worker.run(module, incident="INC-1", wait_timeout=60, **target)
    assert len(simulator.calls(POSTS)) == 1
    (result_of_one,) = result["instances"] if "instances" in result else [result["restore"]]
    assert result_of_one["outcome"] == end.outcome
