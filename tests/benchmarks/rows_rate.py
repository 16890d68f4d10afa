# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet under a rate limit: number of 429 responses, failed tasks, and time."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contestants import (
    ALL,
    OURS,
    PEERS,
    VULTR_PAGE,
    Contestant,
    format_one_line,
    hosts,
    number_variable,
    play,
)
from benchmarks.measure import Workplace, log_progress, median_by, rotate
from benchmarks.services import Counts, Services, services
from benchmarks.table import Row, Section

HOSTS, FORKS, WINDOW = 300, 50, 3.0
LIMITS = (100, 30)
GOAL, GOAL_TWO_CONTROLLERS = 1.10, 1.25
LATE = 0.3
"""Seconds after the start of a window at which the first request should arrive."""
FAILED = re.compile(r"(?:unreachable|failed)=(\d+)")


@dataclass(frozen=True)
class Outcome:
    """Measurements of one run. ``floor``: seconds that the windows take from the first request; ``before``: seconds
    until the first request."""

    seconds: float
    counts: Counts
    failed: int
    floor: float
    before: float


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section. Peers run only once: they take minutes, and their rows have no target."""
    workplace.write("fleet.yml", hosts(1, HOSTS))
    for half in (1, 2):
        workplace.write(f"half-{half}.yml", hosts(1 + (half - 1) * HOSTS // 2, half * HOSTS // 2))
    workplace.write("debug.yml", play([{"ansible.builtin.debug": {"msg": "{{ number }}"}}]))
    for contestant in ALL:
        workplace.write(f"{contestant.name}.yml", play([contestant.task(number_variable(contestant))]))
    section = Section(f"Rate limit: {HOSTS} hosts at {FORKS} forks, one unchanged instance each, medians of {runs}")
    with services(running=HOSTS) as account:
        _fleet(workplace, OURS, account, ["fleet.yml"])  # warms up the caches
        for limit in LIMITS:
            section.rows += _rows(workplace, account, limit, runs)
    section.notes = [
        f"ansible-playbook -i fleet.yml --forks {FORKS} TASK.yml, with "
        + "; ".join(f"{contestant.name}: {format_one_line(contestant.instance)}" for contestant in ALL)
        + f". Limits are per {WINDOW:g} s, in windows by the clock. The peers run once.",
        (
            "Two controllers: two commands at the same time with one key and separate state_dirs, each for half of the "
            "hosts."
        ),
        (
            "Floor: the time from the first request to the start of the last window (ceil(hosts / limit) - 1 windows "
            "later), plus the same playbook with ansible.builtin.debug for the hosts of that window, which can't be "
            "queried earlier. 'CPU': the fleet takes longer even without a limit, so the CPU is the bottleneck, not "
            "the limit."
        ),
        (
            f"vultr cycles through the first {VULTR_PAGE} instances, since its task may read only one page of the "
            "list. The peers send several requests per instance; the floor assumes one."
        ),
    ]
    return section


def _rows(workplace: Workplace, account: Services, limit: int, runs: int) -> list[Row]:
    """Returns the rows of one limit."""
    last = HOSTS - limit * (math.ceil(HOSTS / limit) - 1)
    workplace.write("last.yml", hosts(1, last))
    outcomes: dict[str, list[Outcome]] = {}
    floors: list[float] = []
    unlimited: list[float] = []
    for run in range(runs):
        floors.append(workplace.run(_command("last.yml", "debug.yml"), {}).wall)
        free = _fleet(workplace, OURS, account, ["fleet.yml"])
        unlimited.append(free.seconds)
        for name in rotate(("ours", "two", *(peer.name for peer in PEERS)), run):
            contestant = next((peer for peer in PEERS if peer.name == name), OURS)
            if run and contestant in PEERS:
                continue
            parts = ["half-1.yml", "half-2.yml"] if name == "two" else ["fleet.yml"]
            _sleep_until_window_opens(free.before)
            outcome = _fleet(workplace, contestant, account, parts, limit)
            outcomes.setdefault(name, []).append(outcome)
            log_progress(
                f"rate, run {run + 1} of {runs}: {limit} per {WINDOW:g} s, {name}: {outcome.seconds:.1f} s, "
                f"{outcome.counts.refused} x 429, {outcome.failed} failed "
                f"(floor {outcome.floor + floors[-1]:.1f} s, "
                f"no limit {unlimited[-1]:.1f} s)"
            )
    rows = []
    title = f"{limit} per {WINDOW:g} s"
    for name, of_whom, goal in (("ours", title, GOAL), ("two", f"{title}, two controllers", GOAL_TWO_CONTROLLERS)):
        floor = median_by(outcomes[name], lambda outcome: outcome.floor) + median_by(floors, float)
        binds = "CPU" if median_by(unlimited, float) > floor else ""
        rows += _build_rows(of_whom, outcomes, name, floor, goal, binds)
    return rows


def _build_rows(
    title: str, outcomes: dict[str, list[Outcome]], ours: str, floor: float, goal: float, binds: str
) -> list[Row]:
    """Returns three rows: 429 responses, failed tasks, time. ``ours`` is the key of our outcomes."""
    names = [ours, *(peer.name if ours == OURS.name else "" for peer in PEERS)]

    def values(of: Callable[[list[Outcome]], str]) -> list[str]:
        return [of(outcomes[name]) if name in outcomes else "-" for name in names]

    # The worst of all runs, since a single 429 misses the target.
    refused, failed = most_refused(outcomes[ours]), most_failed(outcomes[ours])
    ratio = median_seconds(outcomes[ours]) / floor
    no_refusals = refused == 0 if ours == OURS.name else None
    return [
        Row(
            f"{title}: 429s",
            values(lambda runs: str(most_refused(runs))),
            target="" if no_refusals is None else "0",
            met=no_refusals,
        ),
        Row(f"{title}: failed", values(lambda runs: str(most_failed(runs))), target="0", met=failed == 0),
        Row(
            f"{title}: time",
            values(lambda runs: f"{median_seconds(runs):.1f} s"),
            ratio=f"{ratio:.2f}x",
            target=f"<= {goal:.2f}x",
            met=ratio <= goal,
            exempt=binds,
        ),
    ]


def most_refused(runs: list[Outcome]) -> int:
    """Returns the maximum number of 429 responses in a run."""
    return max(outcome.counts.refused for outcome in runs)


def most_failed(runs: list[Outcome]) -> int:
    """Returns the maximum number of failed tasks in a run."""
    return max(outcome.failed for outcome in runs)


def median_seconds(runs: list[Outcome]) -> float:
    """Returns the median time in seconds."""
    return median_by(runs, lambda outcome: outcome.seconds)


def _fleet(
    workplace: Workplace, contestant: Contestant, account: Services, parts: list[str], limit: int | None = None
) -> Outcome:
    """Runs one command per part of the fleet in parallel, each with an empty state_dir."""
    service = contestant.service(account)
    if limit is None:
        service.configure()
    else:
        service.configure(limit=limit, window=WINDOW)
    begun = time.time()
    running = []
    for part in parts:
        state = workplace.folder / f"state-{part}"
        shutil.rmtree(state, ignore_errors=True)
        environment = {**contestant.environment(account), "CLAWHOSTERS_STATE_DIR": str(state)}
        running.append(workplace.start(_command(part, f"{contestant.name}.yml"), environment))
    samples = [command.finish() for command in running]
    failed = sum(int(number) for sample in samples for number in FAILED.findall(sample.stdout))
    counts = service.counts()
    before = counts.first_at - begun
    windows = math.ceil(HOSTS / limit) - 1 if limit else 0
    opens_at = (counts.first_at // WINDOW + windows) * WINDOW
    return Outcome(max(sample.wall for sample in samples), counts, failed, opens_at - counts.first_at, before)


def _sleep_until_window_opens(before: float) -> None:
    """Sleeps so that a command sends its first request, ``before`` seconds after its start, when a window has opened.

    Otherwise the remaining time of the first window would be random.
    """
    time.sleep((LATE - before - time.time()) % WINDOW)


def _command(inventory: str, playbook: str) -> list[str]:
    return ["ansible-playbook", "-i", inventory, "--forks", str(FORKS), playbook]
