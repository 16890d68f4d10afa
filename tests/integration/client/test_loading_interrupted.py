# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C while the code that sends a restore is loaded says that nothing was sent."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from simulator.handle import Simulator
from support import worker as workers
from support.cases import STATE
from support.runbook import Runbook

LATE = (
    "restore_task",
    "restore_batch",
    "restore_batches",
    "restore_runner",
    "starter",
    "messages",
    "connection_errors",
)
"""Loaded only if something is sent."""


class Notes:
    """Finds no module, and keeps what Ctrl-C would show while each of the collection is imported."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.shown: dict[str, list[str]] = {}

    def find_spec(self, name: str, *_where: object) -> None:
        """Finds no module: another finder does."""
        if name.startswith("ansible_collections.") and self.progress:
            self.shown[name.rpartition(".")[2]] = self.progress.interrupt_notes

    def begin(self, *args: t.Any, **options: t.Any) -> Progress:
        """Returns the progress of a task."""
        self.progress = Progress(*args, **options)
        return self.progress


def restore_one(worker: workers.Worker, _folder: Path) -> dict[str, t.Any]:
    return worker.run(claw_backup_restore, incident="INC-1", instance_id=113)


def restore_many(worker: workers.Worker, _folder: Path) -> dict[str, t.Any]:
    return worker.run(claw_fleet_restore, incident="INC-1", ids=[113])


def restore_by_role(worker: workers.Worker, folder: Path) -> dict[str, t.Any]:
    return Runbook(worker, folder).run(restore_instance_ids=[113], restore_confirm="113")


@pytest.mark.parametrize("restore", [restore_one, restore_many, restore_by_role])
def test_ctrl_c_while_what_sends_is_loaded_says_that_nothing_was_sent(
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    restore: t.Callable[[workers.Worker, Path], dict[str, t.Any]],
) -> None:
    simulator.reset(state=STATE)
    for name in [name for name in sys.modules if name.rpartition(".")[2] in LATE and name.startswith("ansible_c")]:
        monkeypatch.delitem(sys.modules, name)
    notes = Notes()
    monkeypatch.setattr(sys, "meta_path", [notes, *sys.meta_path])
    monkeypatch.setattr(workers, "Progress", notes.begin)
    assert restore(workers.Worker(simulator, {"state_dir": str(tmp_path / "state")}), tmp_path / "report")["changed"]
    loaded = [name for name in LATE if name in notes.shown]
    assert {"restore_batch", "restore_runner", "messages"} <= set(loaded)
    assert {name: notes.shown[name] for name in loaded if "sent" not in "".join(notes.shown[name])} == {}
    assert all("nothing" in text.lower() for name in loaded for text in notes.shown[name][-1:])
