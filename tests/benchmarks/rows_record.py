# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth of the cost of refused restores in the runbook, and of the change log that its record reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.change_listing import list_changes
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from benchmarks.measure import BenchError, Workplace
from benchmarks.rows_plan import GROWTH, measure_growth
from benchmarks.services import UNLIMITED
from benchmarks.table import Row
from simulator.handle import Simulator
from support.runbook import Runbook
from support.worker import Worker

REFUSED, ENTRIES = 50, 150_000
"""Restores, and entries of the change log of a month."""

_incidents = count(1)


def measure_record(workplace: Workplace, runs: int) -> tuple[list[Row], str]:
    """Returns the rows, and a note on them."""
    with Simulator(instances=1, transition_seconds=0, switches={"rate_limit": UNLIMITED}) as simulator:
        refused = measure_growth(
            f"{REFUSED} restores, all refused", lambda size: _build_refused(workplace, simulator, size), REFUSED, runs
        )
    changes = measure_growth(
        f"the last hour of {ENTRIES:,} changes", lambda size: _build_changes(workplace, size), ENTRIES, runs
    )
    note = (
        f"{GROWTH}x the work: processor of the runbook in one process, from the variables to the end, when the service "
        "refuses all restores of its only batch; and of reading the changes of the last hour for its record, with more "
        "of them earlier in the month."
    )
    return [refused, changes], note


def _build_refused(workplace: Workplace, simulator: Simulator, size: int) -> Callable[[], object]:
    numbers = range(1, size + 1)

    def run() -> None:
        simulator.reset(
            state={
                "instances": [{"id": number, "name": f"vm-{number}"} for number in numbers],
                "backups": [{"id": size + number, "instance_id": number, "created_at": "2h ago"} for number in numbers],
            },
            switches={"rate_limit": UNLIMITED},
        )
        simulator.fault("status", method="POST", status=422, times=None)
        folder = workplace.folder / f"refused-{next(_incidents)}"
        ids = ",".join(map(str, numbers))
        variables = {"restore_instance_ids": ids, "restore_confirm": ids, "restore_serial": "100%"}
        worker = Worker(simulator, {"state_dir": str(folder / "state"), "page_size": 100})
        Runbook(worker, folder / "report", variables).run()
        if len(simulator.calls("POST *")) != size:
            raise BenchError(f"Not all of {size} restores were sent.")

    return run


def _build_changes(workplace: Workplace, size: int) -> Callable[[], object]:
    folder = workplace.folder / f"changes-{size}"
    folder.mkdir(mode=0o700)
    now = datetime(2026, 2, 27, 12, tzinfo=UTC)
    _write_changes(folder / f"changes-{now:%Y-%m}.jsonl", size, now)
    return lambda: list_changes(FolderStore(str(folder)), now, lambda _text: None, since=now - timedelta(hours=1))


def _write_changes(path: Path, size: int, now: datetime) -> None:
    first = now - timedelta(days=26)
    step = (now - first) / size
    change = {"service": "https://clawhosters.com/api/v1", "action": "stop", "addon_id": None, "outcome": "accepted"}
    with path.open("w", encoding="utf-8") as file:
        for number in range(size):
            at = (first + number * step).isoformat(timespec="milliseconds")
            names = {"instance_id": number % 1000, "instance_name": f"vm-{number % 1000}", "incident": None}
            entry = {"at": at, **change, **names, "by": {"user": "ops", "host": "controller-1"}}
            file.write(f"\n{json.dumps(entry)}\n")
    path.chmod(0o600)
