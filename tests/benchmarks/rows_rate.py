# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet under a rate limit: how often is the limit met, what fails, and how long does it take?"""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contestants import ALL, OURS, PEERS, VULTR_PAGE, Contestant, hosts, number_of, play, shown
from benchmarks.measure import Workplace, median_of, rotated, tell
from benchmarks.services import Counts, Services, services
from benchmarks.table import Row, Section

HOSTS, FORKS, WINDOW = 300, 50, 3.0
LIMITS = (100, 30)
GOAL, GOAL_OF_TWO = 1.10, 1.25
LATE = 0.3
"""Seconds after a window has opened at which the first request should come."""
FAILED = re.compile(r"(?:unreachable|failed)=(\d+)")


@dataclass(frozen=True)
class Outcome:
    """One fleet done. ``floor``: the seconds that its windows alone take, from its first request on; ``before``:
    those until then."""

    seconds: float
    counts: Counts
    failed: int
    floor: float
    before: float


def measured(workplace: Workplace, runs: int) -> Section:
    """The section. The peers take part in the first run alone: their rows have no target, and take minutes."""
    workplace.write("fleet.yml", hosts(1, HOSTS))
    for half in (1, 2):
        workplace.write(f"half-{half}.yml", hosts(1 + (half - 1) * HOSTS // 2, half * HOSTS // 2))
    workplace.write("debug.yml", play([{"ansible.builtin.debug": {"msg": "{{ number }}"}}]))
    for contestant in ALL:
        workplace.write(f"{contestant.name}.yml", play([contestant.task(number_of(contestant))]))
    section = Section(f"Rate limit: {HOSTS} hosts at {FORKS} forks, one unchanged instance each, medians of {runs}")
    with services(running=HOSTS) as account:
        _fleet(workplace, OURS, account, ["fleet.yml"])  # fills the caches
        for limit in LIMITS:
            section.rows += _rows(workplace, account, limit, runs)
    section.notes = [
        f"ansible-playbook -i fleet.yml --forks {FORKS} TASK.yml, with "
        + "; ".join(f"{contestant.name}: {shown(contestant.instance)}" for contestant in ALL)
        + f". Limits are per {WINDOW:g} s, in windows by the clock. The peers run once.",
        (
            "Two controllers: two such commands at the same time, with one key and a state_dir each, over half of the "
            "hosts each."
        ),
        (
            "Floor: from the first request until the last window opens (ceil(hosts / limit) - 1 windows later), and "
            "the same playbook with a task of ansible.builtin.debug over as many hosts as that window lets through, "
            "since those can't be asked about before. 'CPU': even with no limit the fleet takes longer, so the "
            "processor that binds, not the limit."
        ),
        (
            f"vultr is asked for the first {VULTR_PAGE} instances in turn, since its task may read one page of the "
            "list alone. The peers send several requests for an instance, and each counts; the floor is that of one."
        ),
    ]
    return section


def _rows(workplace: Workplace, account: Services, limit: int, runs: int) -> list[Row]:
    """The rows of one limit."""
    last = HOSTS - limit * (math.ceil(HOSTS / limit) - 1)
    workplace.write("last.yml", hosts(1, last))
    outcomes: dict[str, list[Outcome]] = {}
    floors: list[float] = []
    unlimited: list[float] = []
    for run in range(runs):
        floors.append(workplace.run(_command("last.yml", "debug.yml"), {}).wall)
        free = _fleet(workplace, OURS, account, ["fleet.yml"])
        unlimited.append(free.seconds)
        for name in rotated(("ours", "two", *(peer.name for peer in PEERS)), run):
            contestant = next((peer for peer in PEERS if peer.name == name), OURS)
            if run and contestant in PEERS:
                continue
            parts = ["half-1.yml", "half-2.yml"] if name == "two" else ["fleet.yml"]
            _sleep_until_window_opens(free.before)
            outcome = _fleet(workplace, contestant, account, parts, limit)
            outcomes.setdefault(name, []).append(outcome)
            tell(
                f"rate, run {run + 1} of {runs}: {limit} per {WINDOW:g} s, {name}: {outcome.seconds:.1f} s, "
                f"{outcome.counts.refused} x 429, {outcome.failed} failed "
                f"(floor {outcome.floor + floors[-1]:.1f} s, "
                f"no limit {unlimited[-1]:.1f} s)"
            )
    rows = []
    title = f"{limit} per {WINDOW:g} s"
    for name, of_whom, goal in (("ours", title, GOAL), ("two", f"{title}, two controllers", GOAL_OF_TWO)):
        floor = median_of(outcomes[name], lambda outcome: outcome.floor) + median_of(floors, float)
        binds = "CPU" if median_of(unlimited, float) > floor else ""
        rows += _of_one(of_whom, outcomes, name, floor, goal, binds)
    return rows


def _of_one(
    title: str, outcomes: dict[str, list[Outcome]], ours: str, floor: float, goal: float, binds: str
) -> list[Row]:
    """Three rows: answers of 429, failed tasks, time. ``ours`` says which of our outcomes."""
    names = [ours, *(peer.name if ours == OURS.name else "" for peer in PEERS)]

    def values(of: Callable[[list[Outcome]], str]) -> list[str]:
        return [of(outcomes[name]) if name in outcomes else "-" for name in names]

    # The worst of all runs: one refusal is one too many.
    refused, failed = most_refused(outcomes[ours]), most_failed(outcomes[ours])
    ratio = parse_time(outcomes[ours]) / floor
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
            values(lambda runs: f"{parse_time(runs):.1f} s"),
            ratio=f"{ratio:.2f}x",
            target=f"<= {goal:.2f}x",
            met=ratio <= goal,
            exempt=binds,
        ),
    ]


def most_refused(runs: list[Outcome]) -> int:
    """The most answers of 429 in any of the runs."""
    return max(outcome.counts.refused for outcome in runs)


def most_failed(runs: list[Outcome]) -> int:
    """The most failed tasks in any of the runs."""
    return max(outcome.failed for outcome in runs)


def parse_time(runs: list[Outcome]) -> float:
    """The median."""
    return median_of(runs, lambda outcome: outcome.seconds)


def _fleet(
    workplace: Workplace, contestant: Contestant, account: Services, parts: list[str], limit: int | None = None
) -> Outcome:
    """The fleet, in as many commands at once as it has parts; each begins with nothing remembered."""
    service = contestant.service(account)
    if limit is None:
        service.turn()
    else:
        service.turn(limit=limit, window=WINDOW)
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
    """Sleeps until a command that takes ``before`` seconds to its first request sends it when a window has opened.

    Otherwise the first window would be as long as chance has it, and its requests more than can be sent in it.
    """
    time.sleep((LATE - before - time.time()) % WINDOW)


def _command(inventory: str, playbook: str) -> list[str]:
    return ["ansible-playbook", "-i", inventory, "--forks", str(FORKS), playbook]
