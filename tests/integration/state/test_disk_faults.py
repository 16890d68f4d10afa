# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fault of the disk ends a run before it sends, and damages nothing: the next run goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    JournalError,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import StoreError
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_instance, claw_journal_info
from simulator.handle import Simulator
from support.disk import FailingDisk
from support.worker import Worker

URL = "https://clawhosters.com/api/v1"
ADVICE = {errno.EIO: "Check that folder and its disk", errno.ENOSPC: "Free space", errno.EDQUOT: "Free space"}


def read(folder: Path) -> list[tuple[str, str]]:
    """Returns name and event of each line, as another process reads them. Fails if they are damaged."""
    return [(entry["name"], entry["event"]) for entry in Journal(FolderStore(str(folder))).read_entries()]


@pytest.mark.parametrize("stays_broken", [False, True])
@pytest.mark.parametrize("earlier", [0, 1, 2, 3])
def test_each_write_and_sync_may_fail_and_nothing_is_damaged(tmp_path: Path, earlier: int, stays_broken: bool) -> None:
    """The line that failed is gone; if the disk stays broken it may be there, as after a kill."""
    number, has_failed = -1, True
    while has_failed:
        number += 1
        folder = tmp_path / f"state-{number}"
        journal = Journal(FolderStore(str(folder)))
        keys = [OperationKey("restore", URL, f"INC-{name}", "7") for name in range(earlier + 2)]
        for key in keys[:earlier]:
            journal_writer.append_event(journal, key, OperationEvent.INTENDED)
        before = read(folder)
        failed = (keys[earlier].name, "intended")
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, folder / "journal", errno.EIO, at=number, stays_broken=stays_broken)
            is_recorded = False
            with contextlib.suppress(JournalError):
                with journal_writer.lock_operation(journal, keys[earlier]):
                    journal_writer.append_event(journal, keys[earlier], OperationEvent.INTENDED)
                is_recorded = True
            has_failed = disk.has_failed
        after = read(folder)
        assert after in (
            [*before, failed] if is_recorded or stays_broken else before,
            before if not is_recorded else None,
        )
        found = Journal(FolderStore(str(folder))).find_subjects("restore", URL, failed[0])
        assert failed not in after or found == {keys[0].subject}
        # The disk works again.
        again = Journal(FolderStore(str(folder)))
        with journal_writer.lock_operation(again, keys[-1]):
            journal_writer.append_event(again, keys[-1], OperationEvent.INTENDED)
        assert read(folder) == [*after, (keys[-1].name, "intended")]
        for key in keys[:earlier]:
            assert again.find_subjects("restore", URL, key.name) == {key.subject}
    assert number >= 6


@pytest.mark.parametrize("code", ADVICE, ids=errno.errorcode.get)
def test_a_failed_restore_is_not_sent_until_the_next_run(simulator: Simulator, tmp_path: Path, code: int) -> None:
    state = {"instances": [{"id": 1, "name": "web-bot"}], "backups": [{"id": 11, "instance_id": 1}]}
    simulator.reset(state=state, switches={"transition_reads": 0})
    folder = tmp_path / "state"
    worker = Worker(simulator, {"state_dir": str(folder)})
    number, sent = 0, 0
    while True:
        options: dict[str, t.Any] = {"incident": f"INC-{number}", "instance_id": 1, "wait": False}
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, folder / "journal", code, at=number, stays_broken=False)
            result = worker.run(claw_backup_restore, **options)
            calls, has_failed = disk.calls, disk.has_failed
        posts = len(simulator.calls("POST *"))
        simulator.set_instance(1, status="running")
        if not has_failed:
            break
        if result["failed"]:
            assert posts == sent, (number, calls)
            assert ADVICE[code] in result["msg"]
            assert "state_dir" not in result["msg"]
            assert result["msg"].endswith("Nothing was sent.")
            assert worker.run(claw_backup_restore, **options)["changed"] is True, number
            simulator.set_instance(1, status="running")
        # Whether this run sent it, or the next: no run sends it twice.
        assert worker.run(claw_backup_restore, **options)["changed"] is False
        sent += 1
        assert len(simulator.calls("POST *")) == sent
        assert worker.run(claw_journal_info)["failed"] is False
        number += 1
    assert number >= 8


def test_a_snapshot_that_can_not_be_written_leaves_no_draft(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    store.write_snapshot("watch", "old")
    with pytest.MonkeyPatch.context() as patch:
        FailingDisk(patch, tmp_path, errno.ENOSPC, at=0, stays_broken=True)
        with pytest.raises(StoreError):
            store.write_snapshot("watch", "new")
    assert {path.name for path in tmp_path.iterdir()} == {"watch.json", "watch.lock"}


def test_the_rate_limit_goes_on_alone_on_a_full_disk(simulator: Simulator, tmp_path: Path) -> None:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    with pytest.MonkeyPatch.context() as patch:
        FailingDisk(patch, tmp_path / "state", errno.ENOSPC, at=0, stays_broken=True)
        assert worker.run(claw_instance, id=1)["failed"] is False
    (warning,) = worker.warnings
    assert f"({os.strerror(errno.ENOSPC)}), so the rate limit is not shared with other processes." in warning
    assert warning.endswith("Free space on its disk, or raise the quota.")
