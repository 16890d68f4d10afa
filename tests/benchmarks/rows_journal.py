# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cost of a line of the journal and of a restore, with few and many operations of other instances behind it."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import folder_mark
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    JournalEntry,
    OperationEvent,
    OperationKey,
    build_journal_line,
    build_line,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_store import JournalLine
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from benchmarks.measure import BenchError, Workplace, log_progress, median_by, rotate
from benchmarks.services import UNLIMITED
from benchmarks.table import Row
from simulator.handle import Simulator
from support.postgres import ADMIN, Postgres
from support.stores import StorePlace, database_place, folder_place
from support.worker import Worker

SIZES = (100, 10_000, 100_000)
OTHER_INSTANCES = 99
"""Instances of the operations behind: the restored one has the same history in all sizes."""
LINES, TASKS = 100, 12
"""Measured in each run."""
GOAL = 1.2
EVENTS = (OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.COMPLETED)


def measure_journal(workplace: Workplace, runs: int) -> tuple[list[Row], str]:
    """Returns the rows, and a note on them."""
    fleet = [{"id": number, "name": f"vm-{number}"} for number in range(1, OTHER_INSTANCES + 2)]
    backups = [{"id": 1000, "instance_id": 1, "created_at": "2h ago"}]
    rows: list[Row] = []
    with Simulator(state={"instances": fleet, "backups": backups}, transition_seconds=0) as simulator:
        simulator.switch(rate_limit=UNLIMITED)
        for store in ("folder", "database"):
            lines: dict[int, list[float]] = {size: [] for size in SIZES}
            tasks: dict[int, list[float]] = {size: [] for size in SIZES}
            incidents = itertools.count(1)
            log_progress(f"journal: {', '.join(map(str, SIZES))} operations in the {store}")
            with contextlib.ExitStack() as stack:
                places = {
                    size: stack.enter_context(_filled(workplace.folder, store, size, simulator.url)) for size in SIZES
                }
                for run in range(runs):
                    for size in rotate(list(SIZES), run):
                        lines[size].append(_measure_line(places[size], simulator.url, incidents))
                        tasks[size].append(_measure_task(places[size], simulator, incidents))
            rows += [*_rows(f"a line, {store}", lines), *_rows(f"a restore by name, {store}", tasks)]
    note = (
        f"Journal: operations of {OTHER_INSTANCES} other instances, each of three lines, lie behind; the restored "
        "instance has the same history in all sizes. A line: appended and synced under its lock. A restore by name: "
        "processor of the whole task in one process, with all its requests, without a wait. The fastest of "
        f"{LINES} lines or {TASKS} tasks; the ratio is to 100 operations. The sizes take turns in each run."
    )
    return rows, note


def _rows(title: str, seconds: dict[int, list[float]]) -> Iterator[Row]:
    medians = {size: median_by(values, float) for size, values in seconds.items()}
    for size in SIZES:
        ratio = medians[size] / medians[SIZES[0]]
        is_judged = size == SIZES[-1]
        yield Row(
            f"{title}: {size:,} operations",
            [f"{1000 * medians[size]:.2f} ms", "-", "-"],
            ratio=f"{ratio:.2f}x",
            target=f"<= {GOAL:.1f}x" if is_judged else "",
            met=ratio <= GOAL if is_judged else None,
        )


def _measure_line(place: StorePlace, url: str, incidents: Iterator[int]) -> float:
    journal, seconds = place.journal(), []
    key = OperationKey("restore", url, f"line {next(incidents)}", "2000")
    with journal.lock(key):
        for _line in range(LINES):
            begun = time.perf_counter()
            journal.append(key, OperationEvent.INTENDED, backup_id=1)
            seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _measure_task(place: StorePlace, simulator: Simulator, incidents: Iterator[int]) -> float:
    worker, seconds = Worker(simulator, place.options), []
    for _task in range(TASKS):
        incident = f"task {next(incidents)}"
        begun = time.process_time()
        result = worker.run(claw_backup_restore, incident=incident, instance_name="vm-1", wait=False, force=True)
        seconds.append(time.process_time() - begun)
        if not result["changed"]:
            raise BenchError(str(result.get("msg")))
    return min(seconds)


@contextlib.contextmanager
def _filled(folder: Path, store: str, size: int, url: str) -> Iterator[StorePlace]:
    """Yields a store with so many operations, which are not synced one by one. Each database has a server."""
    lines = _build_lines(size, url)
    if store == "folder":
        place = folder_place(folder / f"journal-{size}")
        place.journal().append(OperationKey("restore", url, "first", "3000"), OperationEvent.INTENDED)
        for subject, found in itertools.groupby(lines, lambda line: line.subject):
            _write_subject(folder / f"journal-{size}", subject, list(found))
        yield place
        return
    with Postgres() as server, database_place(server) as place:
        with psycopg.connect(server.url(ADMIN)) as connection, connection.cursor() as cursor:
            with cursor.copy("COPY clawhosters.journal (subject, step, name, line) FROM STDIN") as copy:
                for line in lines:
                    copy.write_row((line.subject, line.position, line.name, line.text))
            cursor.execute("ANALYZE clawhosters.journal")
        yield place


def _build_lines(size: int, url: str) -> Iterator[JournalLine]:
    """Returns the lines of ``size`` operations, instance by instance."""
    for instance in range(OTHER_INSTANCES):
        entries: list[JournalEntry] = []
        for number in range(instance, size, OTHER_INSTANCES):
            key = OperationKey("restore", url, f"INC-{number}", str(instance + 2))
            for event in EVENTS:
                content = {"at": "2026-02-01T10:00:00.000+00:00", **key.as_dict(), "event": event.value}
                entries.append(build_line({**content, "backup_id": 1, "instance_name": "vm"}, entries))
                yield build_journal_line(entries[-1])


def _write_subject(state_dir: Path, subject: str, lines: list[JournalLine]) -> None:
    content = "".join(f"{line.text}\n" for line in lines).encode()
    (state_dir / f"journal/{subject}.jsonl").write_bytes(content)
    descriptor = os.open(state_dir / f"journal-marks/{subject}", os.O_RDWR | os.O_CREAT, 0o600)
    mark, marked = folder_mark.MarkFile(subject, descriptor), folder_mark.Mark().describe(content)
    names = b"".join(folder_mark.format_name(line.name or "") for line in lines[:: len(EVENTS)])
    os.pwrite(descriptor, names, folder_mark.NAMES_AT)
    marked = replace(marked, names=len(lines) // len(EVENTS), names_sum=zlib.crc32(names))
    mark.write(marked)
    mark.write(marked, at=marked.lines + 1)
    os.close(descriptor)
