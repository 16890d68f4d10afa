# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores: requests and time to the first one, alone and beside other work, and forty of one incident."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.time_estimate import estimate_restores
from benchmarks.contestants import OURS, hosts, play
from benchmarks.measure import BenchError, Sample, Workplace, log_progress, median_by, rotate
from benchmarks.services import UNLIMITED
from benchmarks.table import Row, Section
from simulator.handle import KEY, Simulator

SIZES = (25, 1_000, 10_000)
BACKUPS_EACH, PAGE_SIZE = 14, 25
LIMIT, WINDOW = 100, 3.0
"""100 requests a minute, with windows a twentieth as long."""
LATE = 0.1
"""Seconds after the start of a window at which a command starts."""
MANY = 500
"""Requests to the first restore from which a command is measured once: it takes minutes, and their number is fixed."""

WAYS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "plain": ({}, {}),
    "page_size 100": ({"CLAWHOSTERS_PAGE_SIZE": "100"}, {}),
    "filters honoured": ({"CLAWHOSTERS_SERVER_FILTERS": "true"}, {"filters": "honoured"}),
}
"""Environment of the command and switches of the simulator."""
GOALS = {"id": 5, "name": 6}
"""Requests before the POST, if filters are honoured."""

HOSTS, FORKS, BUSY_WINDOW, LARGE = 300, 50, 12.0, 10_000
"""The play and the inventory that use the key too. Longer windows: the runbook needs some seconds."""

FLEET, ENTRIES, RESTORE_SECONDS, REAL_WINDOW = 60, 40, 120.0, 60.0
SERIALS: dict[str, tuple[int, list[int | str]]] = {
    "one entry": (1, ["100%"]),
    f'{ENTRIES} at once, ["100%"]': (ENTRIES, ["100%"]),
    f'{ENTRIES} as [1, 5, "100%"]': (ENTRIES, [1, 5, "100%"]),
}
"""Entries and ``serial``."""
SERIAL_GOALS = (None, 1.15, 3.2)
COMMANDS = ("claw_fleet_restore", "the runbook")
RUNS_AT_ONCE = 2
"""Runs of forty restores at the same time. Almost all of their time is waiting."""

_incidents = count(1)


@dataclass(frozen=True)
class Outcome:
    """Measurements of one command. ``calls``: its requests as method, path and time."""

    calls: list[tuple[str, str, float]]
    begun: float
    seconds: float
    refused: int = 0

    @property
    def first_post(self) -> int:
        """Returns how many requests were sent before the first restore."""
        return next(index for index, (method, _path, _at) in enumerate(self.calls) if method == "POST")

    @property
    def seconds_to_post(self) -> float:
        return self.calls[self.first_post][2] - self.begun

    @property
    def posts(self) -> int:
        return sum(method == "POST" for method, _path, _at in self.calls)


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section."""
    section = Section(f"Restores: requests and time to the first one, and forty of one incident, medians of {runs}")
    for size in SIZES:
        with _account(size) as simulator:
            if size == SIZES[0]:
                _run_runbook(workplace, simulator, {"restore_instance_ids": [size]})  # warms up caches
            section.rows += _first_request_rows(workplace, simulator, size, runs)
            if size == LARGE:
                section.rows += _busy_rows(workplace, simulator, runs)
    section.rows += _bulk_rows(workplace, runs)
    section.notes = [
        (
            "To the first restore: ansible-playbook clawhosters.cloud.restore for one instance, in accounts with "
            f"{BACKUPS_EACH} backups of each instance, with {LIMIT} requests per {WINDOW:g} s: requests before the "
            f"POST, and seconds from the start of the command. More than {MANY} requests are measured once."
        ),
        (
            f"Busy: the same while an inventory of {LARGE:,} instances and a play of {HOSTS} hosts at {FORKS} forks "
            f"use the key, with {LIMIT} requests per {BUSY_WINDOW:g} s and filters honoured. Windows: how many of them "
            "opened after the start of the command until its POST. Taken from the others: what "
            "they sent less than the limit in a window in which they had to wait, without the requests of the runbook. "
            "A tenth of the window is kept for it."
        ),
        (
            f"Forty restores of {RESTORE_SECONDS:g} s in an account of {FLEET}, with {LIMIT} requests per "
            f"{REAL_WINDOW:g} s: the whole command. In brackets: requests before the first POST + POSTs + others. "
            "Ratio: to one entry, for the estimate to the measured time."
        ),
    ]
    return section


# One instance


@contextmanager
def _account(size: int, **options: Any) -> Iterator[Simulator]:
    """Starts a simulator with so many running instances and all of their backups."""
    numbers = range(1, size + 1)
    with Simulator(
        instances=1, transition_seconds=0, switches={"rate_limit": UNLIMITED, "rate_window": "clock"}
    ) as simulator:
        simulator.put_state(
            {
                "instances": [{"id": number, "name": f"vm-{number}", "status": "running"} for number in numbers],
                "backups": [
                    {"instance_id": number, "created_at": f"{days}d ago"}
                    for number in numbers
                    for days in range(BACKUPS_EACH)
                ],
            }
        )
        simulator.switch(**options)
        yield simulator


def _first_request_rows(workplace: Workplace, simulator: Simulator, size: int, runs: int) -> list[Row]:
    outcomes: dict[tuple[str, str], list[Outcome]] = {}
    asked: dict[str, dict[str, Any]] = {
        "id": {"restore_instance_ids": [size]},
        "name": {"restore_instances": [f"vm-{size}"]},
    }
    for run in range(runs):
        for by, variables in rotate(list(asked.items()), run):
            for way in rotate(list(WAYS), run):
                known = outcomes.setdefault((by, way), [])
                if known and known[0].first_post > MANY:
                    continue
                environment, switches = WAYS[way]
                simulator.switch(filters="ignored", rate_limit=LIMIT, rate_window_seconds=WINDOW)
                simulator.switch(**switches)
                outcome = _run_runbook(workplace, simulator, variables, environment, window=WINDOW)
                known.append(outcome)
                log_progress(
                    f"restore, run {run + 1} of {runs}: {size:,}, by {by}, {way}: {outcome.first_post} requests, "
                    f"POST after {outcome.seconds_to_post:.1f} s, {outcome.refused} x 429"
                )
    refused = max(outcome.refused for found in outcomes.values() for outcome in found)
    rows = [
        Row(
            f"{size:,}, by {by}, {way}: to POST",
            [_cell(found), "", ""],
            target=f"<= {GOALS[by]}" if way == "filters honoured" else "",
            met=_most_requests(found) <= GOALS[by] if way == "filters honoured" else None,
        )
        for (by, way), found in sorted(outcomes.items(), key=lambda entry: (entry[0][0], list(WAYS).index(entry[0][1])))
    ]
    return [*rows, Row(f"{size:,}: 429s", [str(refused), "", ""], target="0", met=refused == 0)]


def _cell(outcomes: list[Outcome]) -> str:
    seconds = median_by(outcomes, lambda outcome: outcome.seconds_to_post)
    return f"{_most_requests(outcomes):,} in {seconds:.1f} s"


def _most_requests(outcomes: list[Outcome]) -> int:
    return max(outcome.first_post for outcome in outcomes)


def _run_runbook(
    workplace: Workplace,
    simulator: Simulator,
    variables: dict[str, Any],
    environment: dict[str, str] | None = None,
    *,
    window: float | None = None,
) -> Outcome:
    """Runs the runbook alone, and returns what it sent. With ``window``, it starts when a window opens."""
    simulator.clear_log()
    command, folder = _runbook(workplace, variables)
    if window is not None:
        time.sleep((LATE - time.time()) % window)
    begun = time.time()
    sample = workplace.run(command, {**_environment(simulator, folder), **(environment or {})})
    return _outcome(simulator.log(), begun, sample)


def _runbook(workplace: Workplace, variables: dict[str, Any]) -> tuple[list[str], Path]:
    """Returns the command, which confirms what it is given, and the folder for its state and report."""
    incident = f"bench-{next(_incidents)}"
    folder = workplace.folder / incident
    given = {
        "restore_incident": incident,
        "restore_confirm": ",".join(map(str, variables.get("restore_instances") or variables["restore_instance_ids"])),
        "restore_report_dir": str(folder / "report"),
        **variables,
    }
    return ["ansible-playbook", "clawhosters.cloud.restore", "-e", json.dumps(given)], folder


def _environment(simulator: Simulator, folder: Path) -> dict[str, str]:
    return {
        "CLAWHOSTERS_API_URL": simulator.url,
        "CLAWHOSTERS_API_KEY": KEY,
        "CLAWHOSTERS_PROGRESS": "0",
        "CLAWHOSTERS_STATE_DIR": str(folder / "state"),
    }


def _outcome(log: list[dict[str, Any]], begun: float, sample: Sample) -> Outcome:
    calls = [(request["method"], request["path"], request["at"]) for request in log if request["status"] != 429]
    if not any(method == "POST" for method, _path, _at in calls):
        raise BenchError(f"Nothing was restored:\n{sample.screen[-3000:]}")
    return Outcome(calls, begun, sample.wall, len(log) - len(calls))


# Beside other work


@dataclass(frozen=True)
class Busy:
    """Measurements of one runbook beside other work. ``taken``: requests that the others did not get."""

    requests: int
    seconds: float
    windows: int
    refused: int
    taken: int


def _busy_rows(workplace: Workplace, simulator: Simulator, runs: int) -> list[Row]:
    workplace.write("fleet.yml", hosts(1, HOSTS))
    workplace.write("play.yml", play([OURS.task("number")]))
    workplace.write(OURS.inventory_file, {**OURS.inventory, "api_url": simulator.url, "api_key": KEY})
    number = HOSTS + 1
    asked: dict[str, dict[str, Any]] = {
        "id": {"restore_instance_ids": [number]},
        "name": {"restore_instances": [f"vm-{number}"]},
    }
    found: dict[str, list[Busy]] = {by: [] for by in asked}
    for run in range(runs):
        for by, variables in rotate(list(asked.items()), run):
            found[by].append(_run_busy(workplace, simulator, number, variables))
            log_progress(f"restore, run {run + 1} of {runs}: busy, by {by}: {found[by][-1]}")
    rows = []
    for by, busy in found.items():
        requests, windows, refused, taken = (
            max(getattr(one, name) for one in busy) for name in ("requests", "windows", "refused", "taken")
        )
        seconds = median_by(busy, lambda one: one.seconds)
        title = f"{LARGE:,}, by {by}, busy"
        rows += [
            Row(
                f"{title}: to POST", [f"{requests} in {seconds:.1f} s", "", ""], target="<= 1 window", met=windows <= 1
            ),
            Row(f"{title}: 429s", [str(refused), "", ""], target="0", met=refused == 0),
            Row(
                f"{title}: taken from the others",
                [str(taken), "", ""],
                target=f"<= {LIMIT // 10}",
                met=taken <= LIMIT // 10,
            ),
        ]
    return rows


def _run_busy(workplace: Workplace, simulator: Simulator, number: int, variables: dict[str, Any]) -> Busy:
    simulator.switch(filters="honoured", rate_limit=LIMIT, rate_window_seconds=BUSY_WINDOW)
    simulator.clear_log()
    command, folder = _runbook(workplace, variables)
    # The retry_timeout is for the whole of a call, which here waits for more windows than usual.
    environment = {**_environment(simulator, folder), "CLAWHOSTERS_RETRY_TIMEOUT": "600"}
    time.sleep((LATE - time.time()) % BUSY_WINDOW)
    others = [
        workplace.start(["ansible-inventory", "-i", OURS.inventory_file, "--list"], environment),
        workplace.start(["ansible-playbook", "-i", "fleet.yml", "--forks", str(FORKS), "play.yml"], environment),
    ]
    # In the second window, when all of it is in use.
    time.sleep(BUSY_WINDOW * 1.3)
    begun = time.time()
    sample = workplace.run(command, {**environment, "CLAWHOSTERS_SERVER_FILTERS": "true"})
    for other in others:
        ended = other.finish()
        if ended.rc:
            raise BenchError(f"The other work failed:\n{ended.screen[-3000:]}")
    return _evaluate_busy(simulator.log(), begun, sample, number)


def _evaluate_busy(log: list[dict[str, Any]], begun: float, sample: Sample, number: int) -> Busy:
    own = [request for request in log if _is_of_runbook(request, number)]
    outcome = _outcome(own, begun, sample)
    posted_at = outcome.calls[outcome.first_post][2]
    per_window: dict[int, list[int]] = {}
    for request in log:
        if request["status"] != 429:
            sent = per_window.setdefault(_window(request["at"]), [0, 0])
            sent[request in own] += 1
    last = max(_window(request["at"]) for request in log if request not in own)
    taken = [
        LIMIT - others - mine
        for window, (others, mine) in per_window.items()
        if _window(begun) < window < last and mine
    ]
    return Busy(
        outcome.first_post,
        posted_at - begun,
        _window(posted_at) - _window(begun),
        sum(request["status"] == 429 for request in log),
        max(taken),
    )


def _window(at: float) -> int:
    return int(at // BUSY_WINDOW)


def _is_of_runbook(request: dict[str, Any], number: int) -> bool:
    """Returns False for the pages of the inventory, and for the instances of the play."""
    path = request["path"]
    if path == "/instances":
        return "name" in request["query"]
    instance = path.removeprefix("/instances/")
    return not instance.isdigit() or int(instance) == number


# Forty of one incident


def _bulk_rows(workplace: Workplace, runs: int) -> list[Row]:
    found: dict[tuple[str, str], list[Outcome]] = {}

    def one_run(run: int) -> dict[tuple[str, str], Outcome]:
        time.sleep(run % RUNS_AT_ONCE * 20)
        keys = [(command, title) for command in COMMANDS for title in SERIALS]
        with ThreadPoolExecutor(len(keys)) as pool:
            results = pool.map(lambda key: _run_bulk(workplace, *key), rotate(keys, run))
            return dict(zip(rotate(keys, run), results, strict=True))

    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        for results in pool.map(one_run, range(runs)):
            for key, outcome in results.items():
                found.setdefault(key, []).append(outcome)
    rows = []
    for command in COMMANDS:
        one = median_by(found[command, next(iter(SERIALS))], lambda outcome: outcome.seconds)
        for (title, (entries, serial)), goal in zip(SERIALS.items(), SERIAL_GOALS, strict=True):
            outcomes = found[command, title]
            seconds = median_by(outcomes, lambda outcome: outcome.seconds)
            estimate = estimate_restores(_batch_sizes(entries, serial), FLEET // PAGE_SIZE + 1, RESTORE_SECONDS)
            rows += [
                Row(
                    f"{command}, {title}",
                    [f"{seconds:.0f} s", f"({_count_kinds(outcomes)})", ""],
                    ratio="" if goal is None else f"{seconds / one:.2f}x",
                    target="" if goal is None else f"<= {goal:g}x",
                    met=None if goal is None else seconds <= goal * one,
                ),
                Row("  estimate", [f"{estimate:.0f} s", "", ""], ratio=f"{estimate / seconds:.2f}x"),
            ]
    return rows


def _batch_sizes(entries: int, serial: list[int | str]) -> list[int]:
    """Returns the sizes of the batches; the last one of ``serial`` is the rest."""
    first = [int(size) for size in serial[:-1]]
    return [*first, entries - sum(first)]


def _run_bulk(workplace: Workplace, command: str, title: str) -> Outcome:
    entries, serial = SERIALS[title]
    with _account(
        FLEET,
        transition_seconds=RESTORE_SECONDS,
        rate_limit=LIMIT,
        rate_window="fixed",
        rate_window_seconds=REAL_WINDOW,
    ) as simulator:
        ids = list(range(1, entries + 1))
        if command == "the runbook":
            arguments, folder = _runbook(workplace, {"restore_instance_ids": ids, "restore_serial": serial})
        else:
            folder = workplace.folder / f"bulk-{next(_incidents)}"
            options = {"incident": "bench", "instances": [{"id": number} for number in ids], "serial": serial}
            task = {"clawhosters.cloud.claw_fleet_restore": options}
            arguments = ["ansible-playbook", workplace.write(f"{folder.name}.yml", play([task], "localhost"))]
        begun = time.time()
        sample = workplace.run(arguments, _environment(simulator, folder))
        outcome = _outcome(simulator.log(), begun, sample)
        shutil.rmtree(folder, ignore_errors=True)
    log_progress(f"restore: {command}, {title}: {outcome.seconds:.0f} s, {_count_kinds([outcome])}")
    if outcome.posts != entries:
        raise BenchError(f"{outcome.posts} restores were sent instead of {entries}:\n{sample.screen[-3000:]}")
    return outcome


def _count_kinds(outcomes: list[Outcome]) -> str:
    """Returns the most requests before the first restore, restores, and others."""
    before, posts = (max(getattr(one, name) for one in outcomes) for name in ("first_post", "posts"))
    rest = max(len(one.calls) - one.first_post - one.posts for one in outcomes)
    return f"{before} + {posts} + {rest}"
