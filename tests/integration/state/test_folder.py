# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal in state_dir counts only while nobody else can have written it, and damage is never forgetting."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_instance, claw_purchase
from simulator.handle import Simulator
from support.stores import folder_place
from support.users import Owners
from support.worker import Worker

RESTORE = {"incident": "INC-1", "instance_id": 1, "wait": False}
ORDER = {"order": "2026-02-topup", "package_id": 2, "balance_below": 1000}
SPENDERS = {claw_backup_restore: RESTORE, claw_purchase: ORDER}
NOT_SHARED = (
    "so the rate limit is not shared with other processes. Correct owner and mode, or set state_dir to a folder of "
    "your own, which forgets what was sent."
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def worker(simulator: Simulator, state: Path) -> Worker:
    simulator.set_state(balance=500)
    return Worker(simulator, {"state_dir": str(state)})


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_finds_what_its_incident_sent_before_another_one(simulator: Simulator, worker: Worker) -> None:
    """Another incident was the last to restore it: its line is the last of that instance."""
    simulator.reset(state={"instances": [{"id": 1, "name": "web-bot"}], "backups": [{"id": 12, "instance_id": 1}]})
    for incident in ("INC-1", "INC-2"):
        result = worker.run(claw_backup_restore, incident=incident, instance_name="web-bot", wait=False)
        assert result["changed"] is True
        simulator.set_instance(1, status="running")
    result = worker.run(claw_backup_restore, incident="INC-1", backup_id=12, wait=False)
    assert result["changed"] is False
    assert len(simulator.calls("POST *")) == 2


def test_a_folder_of_another_user_is_no_memory_and_stops_nothing_else(
    simulator: Simulator, worker: Worker, state: Path, owners: Owners
) -> None:
    for event in (OperationEvent.INTENDED, OperationEvent.COMPLETED):
        forged = OperationKey("restore", simulator.url, "INC-1", "1")
        append_event(folder_place(state).journal(), forged, event, backup_id=12)
    owners.give(state, *state.rglob("*"))
    before = kept(state)
    for module, options in SPENDERS.items():
        result = worker.run(module, **options)
        assert "state belongs to another user" in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls("POST *") == []
    worker.warnings.clear()
    assert worker.run(claw_instance, id=1, state="restarted", wait=False)["changed"] is True
    assert [warning.partition(" belongs to another user (uid ")[0] for warning in worker.warnings] == [str(state)]
    assert worker.warnings[0].endswith(NOT_SHARED)
    assert kept(state) == before


@pytest.mark.parametrize("module", SPENDERS)
def test_where_no_folder_can_be_created_nothing_is_sent(simulator: Simulator, worker: Worker, module: t.Any) -> None:
    """Below /proc, even root can create none, and the error is that of a missing folder."""
    result = worker.run(module, state_dir="/proc/clawhosters/state", **SPENDERS[module])
    assert "/proc/clawhosters/state can't be used (no folder can be created there)" in result["msg"]
    assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls("POST *") == []
    assert worker.run(claw_instance, state_dir="/proc/clawhosters/state", id=1)["failed"] is False
    assert NOT_SHARED in worker.warnings[-1]


@pytest.mark.parametrize(
    ("state_dir", "reason"),
    [
        ("state", "state_dir 'state' is not an absolute path"),
        ("", "state_dir '' is not an absolute path"),
        ("~/state", "state_dir is ~/state, and no home folder can be found for ~"),
        ("~nobody-here/state", "state_dir is ~nobody-here/state, and no home folder can be found for ~"),
        ("{}/~nobody-here/state", "/~nobody-here/state, and no home folder can be found for ~"),
    ],
)
def test_a_folder_that_differs_with_the_current_one_is_no_memory(
    simulator: Simulator, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_dir: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "~")  # as os.path.expanduser leaves it for a user without HOME and entry in passwd
    worker.defaults["state_dir"] = state_dir.format(tmp_path)
    for module, options in SPENDERS.items():
        for check in (True, False):
            result = worker.run(module, check=check, **options)
            assert reason in result["msg"]
            assert "Set state_dir, or CLAWHOSTERS_STATE_DIR, to the absolute path of one folder" in result["msg"]
            assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls("POST *") == []
    worker.warnings.clear()
    assert worker.run(claw_instance, id=1, state="restarted", wait=False)["changed"] is True
    assert [reason in warning for warning in worker.warnings] == [True]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", SPENDERS)
def test_check_mode_makes_nothing(simulator: Simulator, worker: Worker, state: Path, module: t.Any) -> None:
    assert worker.run(module, check=True, **SPENDERS[module])["changed"] is True
    assert not state.exists()
    assert worker.warnings == []
