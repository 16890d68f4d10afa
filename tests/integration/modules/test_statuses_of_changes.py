# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Some statuses of a response refuse a change; all others may follow its effect."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_addon,
    claw_backup_restore,
    claw_fleet,
    claw_fleet_restore,
    claw_instance,
)
from simulator.handle import Simulator
from support.worker import Worker

REFUSALS = (400, 401, 402, 403, 404, 405, 410, 415, 422, 429)
"""These were not executed."""
UNCLEAR = (300, 408, 409, 499, 500)
"""A proxy, or a rewritten service, may send these after the effect. All others: test_at_most_once.py."""
REDIRECTS = (302, 307)
DENIALS: tuple[t.Any, ...] = (
    {"success": False, "data": {"id": 1, "status": "running"}},
    [{"error": {"code": "busy", "message": "Busy"}}],
    {"status": 409, "data": None},
)
"""Bodies of a 200 that says that nothing was changed. More: test_acceptance.py."""
RESTORE = "POST /backups/*/restore"


@pytest.fixture
def worker(simulator: Simulator, tmp_path: Path) -> Worker:
    """Instance 1 runs and has the backup 11. Its status does not show a restore."""
    simulator.reset(
        state={
            "balance": 500,
            "instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "off-bot", "status": "stopped"}],
            "backups": [{"id": 11, "instance_id": 1, "created_at": "5h ago"}],
            "addons": [{"id": 5, "instance_id": 1, "addon_type": "llm", "usage_limit": 100}],
        },
        switches={"restore_shows": None, "transition_seconds": 0},
    )
    return Worker(simulator, {"state_dir": str(tmp_path / "state"), "retry_timeout": 0})


def answer(simulator: Simulator, status: t.Any, method: str, *, after_effect: bool, times: int = 1) -> None:
    """Makes the next changes get this status, or 200 and this body, after their effect or instead of it."""
    options = {"method": method, "status": status, "after_effect": after_effect, "times": times}
    if isinstance(status, (dict, list)):
        simulator.fault("wrong_type", **{**options, "status": 200, "body": status})
    elif status in REDIRECTS:
        simulator.fault("redirect", location="/x", **options)
    else:
        simulator.fault("status", **options)


def restore_one(worker: Worker, **options: t.Any) -> dict[str, t.Any]:
    result = worker.run(claw_backup_restore, incident="INC-1", instance_id=1, **options)
    return {"text": str(result.get("msg")), "outcome": result.get("restore", {}).get("outcome")}


def restore_fleet(worker: Worker, **options: t.Any) -> dict[str, t.Any]:
    result = worker.run(claw_fleet_restore, incident="INC-1", instances=[{"id": 1}], **options)
    return {"text": str(result.get("msg")), "outcome": result["instances"][0]["outcome"]}


@pytest.mark.parametrize("restore", [restore_one, restore_fleet], ids=["module", "fleet"])
@pytest.mark.parametrize("status", [*UNCLEAR, *REDIRECTS])
def test_a_restore_is_not_sent_again_after_a_status_that_may_follow_it(
    simulator: Simulator, worker: Worker, status: int, restore: t.Callable[..., dict[str, t.Any]]
) -> None:
    answer(simulator, status, "POST", after_effect=True)
    for _run in range(2):
        result = restore(worker)
        assert result["outcome"] == "unknown"
        assert "It is unknown whether the restore of web-bot (id 1) was carried out" in result["text"]
        assert "force: true" in result["text"]
    assert simulator.calls(RESTORE) == ["POST /backups/11/restore"]
    assert simulator.effects()["restores"] == 1
    assert restore(worker, force=True)["outcome"] == "completed"
    assert len(simulator.calls(RESTORE)) == 2


@pytest.mark.parametrize("restore", [restore_one, restore_fleet], ids=["module", "fleet"])
@pytest.mark.parametrize("status", REFUSALS)
def test_a_restore_that_was_refused_can_be_sent_again(
    simulator: Simulator, worker: Worker, status: int, restore: t.Callable[..., dict[str, t.Any]]
) -> None:
    answer(simulator, status, "POST", after_effect=False)
    refused = restore(worker)
    assert refused["outcome"] in (None, "refused")
    assert "was rejected or not sent; nothing was changed." in refused["text"]
    assert restore(worker)["outcome"] == "completed"
    assert simulator.effects()["restores"] == 1


# Changes that can be read again


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refused_change_says_that_nothing_was_changed(simulator: Simulator, worker: Worker, status: int) -> None:
    answer(simulator, status, "POST", after_effect=False, times=2)
    alone = worker.run(claw_instance, id=1, state="restarted")["msg"]
    fleet = worker.run(claw_fleet, ids=[1], state="restarted")["msg"]
    assert fleet.startswith("1 of 1 entries failed: entry 1, web-bot (id 1): POST /instances/1/restart ")
    answer(simulator, status, "PATCH", after_effect=False)
    addon = worker.run(claw_addon, id=5, config={"usage_limit": 7})["msg"]
    for message in (alone, fleet, addon):
        assert f"was answered with {status}" in message
    assert "The request changed nothing." in alone
    assert "The request changed nothing." in fleet
    assert addon.endswith("was not changed.")


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("status", [408, 409, 425, 499, 500, *DENIALS])
def test_a_change_that_is_not_visible_after_an_unclear_status_is_an_error(
    simulator: Simulator, worker: Worker, status: t.Any, wait: bool
) -> None:
    """A start is repeated once after a 5xx, and not after an answer that refuses it."""
    requests = 2 if status == 500 else 1
    answer(simulator, status, "POST", after_effect=False, times=requests)
    result = worker.run(claw_instance, id=2, wait=wait)
    assert (result["failed"], result["error"]["status"]) == (True, 200 if status in DENIALS else status)
    told = "Its status is stopped: no change is visible. It is unknown whether one was made. Run this again."
    assert told in result["msg"]
    assert simulator.calls("POST *") == ["POST /instances/2/start"] * requests
    answer(simulator, status, "POST", after_effect=True)
    restarted = worker.run(claw_instance, id=1, state="restarted", wait=wait)
    assert "does not show whether it was restarted. Nothing was sent again: look at it, " in restarted["msg"]
    assert simulator.calls("POST */restart") == ["POST /instances/1/restart"]


@pytest.mark.parametrize("is_readable", [True, False], ids=["read again", "not readable"])
@pytest.mark.parametrize("module", [claw_instance, claw_fleet], ids=["alone", "in a fleet"])
@pytest.mark.parametrize(("status", "hints"), [(402, 1), (422, 1), (401, 0), (500, 0), (DENIALS[0], 1)])
def test_a_refused_deletion_of_a_monthly_instance_hints_at_its_subscription(
    simulator: Simulator, worker: Worker, module: ModuleType, status: t.Any, hints: int, is_readable: bool
) -> None:
    simulator.set_instance(1, billing_mode="monthly")
    answer(simulator, status, "DELETE", after_effect=False)
    if not is_readable:
        simulator.fault("json_500", method="GET", skip=1, times=None)
    options = {"id": 1} if module is claw_instance else {"ids": [1]}
    result = worker.run(module, **options, state="absent")
    assert result["msg"].count("This instance has a monthly subscription. Cancel it in the dashboard") == hints
    assert ("no change is visible. It is unknown" in result["msg"]) is (is_readable and status in (500, DENIALS[0]))
    assert simulator.calls("DELETE *") == ["DELETE /instances/1"]


@pytest.mark.parametrize("status", [409, 425, 499, *DENIALS])
def test_fleet_and_add_on_are_read_after_an_unclear_status(simulator: Simulator, worker: Worker, status: t.Any) -> None:
    answer(simulator, status, "POST", after_effect=True)
    fleet = worker.run(claw_fleet, instances=[{"id": 2, "state": "started"}])
    assert (fleet["failed"], fleet["summary"]["changed"]) == (False, 1), fleet
    answer(simulator, status, "PATCH", after_effect=True)
    addon = worker.run(claw_addon, id=5, config={"usage_limit": 7})
    assert (addon["failed"], addon["changed"]) == (False, True), addon
    answer(simulator, status, "PATCH", after_effect=False)
    unchanged = worker.run(claw_addon, id=5, config={"usage_limit": 8})
    assert "Nothing was sent again; run the task again." in unchanged["msg"]
    assert simulator.effects() == {"starts": 1, "patches": 1}


@pytest.mark.parametrize("module", [claw_instance, claw_fleet], ids=["alone", "in a fleet"])
def test_a_deletion_answered_with_404_is_not_believed(simulator: Simulator, worker: Worker, module: ModuleType) -> None:
    options: dict[str, t.Any] = {"id": 1} if module is claw_instance else {"ids": [1]}
    for wait, told in ((True, "It was not gone within 60 s"), (False, "It still exists: its status is running. ")):
        answer(simulator, 404, "DELETE", after_effect=False)
        message = worker.run(module, **options, state="absent", wait=wait, wait_timeout=60)["msg"]
        assert told in message
        assert " An earlier request was rejected: DELETE /instances/1 was answered with 404" in message


def test_an_answer_about_another_instance_does_not_show_a_restart(simulator: Simulator, worker: Worker) -> None:
    answer(simulator, {"data": {"id": 2, "name": "off-bot", "status": "running"}}, "POST", after_effect=False)
    message = worker.run(claw_instance, id=1, state="restarted")["msg"]
    assert "answered with 200: the answer is about instance 2. Its status is running, which does not show" in message


def test_a_status_of_the_changed_instance_does_not_deny_the_change(simulator: Simulator, worker: Worker) -> None:
    answer(simulator, {"success": True, "data": {"id": 1, "status": "error"}}, "POST", after_effect=True)
    result = worker.run(claw_instance, id=1, state="restarted", wait=False)
    assert (result["changed"], result["failed"]) == (True, True)
    assert "The restart was accepted. It should be restarted, but its status is error now" in result["msg"]
