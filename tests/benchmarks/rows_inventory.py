# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-inventory --list: time, processor, memory, and how they grow."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.contestants import ALL, OURS, PEERS, Contestant, shown
from benchmarks.measure import BenchError, Sample, Workplace, median_of, rotated, tell
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

SMALL, LARGE = 1_000, 10_000
CASES = ((0, 0.0), (SMALL, 0.0), (SMALL, 0.05), (LARGE, 0.0), (LARGE, 0.05))
"""Instances and seconds of latency; the empty account is what growth is net of."""

VALUES: dict[str, tuple[str, Callable[[float], str]]] = {
    "wall": ("wall", lambda seconds: f"{seconds:.2f} s"),
    "cpu": ("processor", lambda seconds: f"{seconds:.2f} s"),
    "peak": ("peak memory", lambda megabytes: f"{megabytes:.0f} MB"),
}
GOALS = {
    (LARGE, 0.05, "wall"): 0.5,
    **{(LARGE, latency, value): 1.0 for latency in (0.0, 0.05) for value in ("cpu", "peak")},
}
GROWTH = 11

Key = tuple[int, float, str]


def measured(workplace: Workplace, runs: int) -> Section:
    """The section."""
    samples: dict[Key, list[Sample]] = {}
    costs: dict[str, list[float]] = {}
    with ExitStack() as stack:
        accounts = {
            size: stack.enter_context(services(instances=size)) for size in sorted({size for size, _latency in CASES})
        }
        for contestant in ALL:
            _listed(workplace, contestant, accounts[0], 0, 0.0)  # fills the caches of compiled code
        for run in range(runs):
            for size, latency in CASES:
                for contestant in rotated(ALL, run):
                    sample, cost = _listed(workplace, contestant, accounts[size], size, latency)
                    if size == LARGE:
                        costs.setdefault(contestant.name, []).append(cost)
                    samples.setdefault((size, latency, contestant.name), []).append(sample)
                    tell(
                        f"inventory, run {run + 1} of {runs}: {size:,} at {latency * 1000:.0f} ms, "
                        f"{contestant.name}: {sample.wall:.2f} s"
                    )
    return _section(samples, costs, runs)


def _listed(
    workplace: Workplace, contestant: Contestant, account: Services, size: int, latency: float
) -> tuple[Sample, float]:
    """What the command cost, and what each answer cost the service, in seconds of processor."""
    service = contestant.service(account)
    service.turn(latency=latency)
    before = service.cost()
    sample = workplace.run(contestant.listing(workplace, account), {})
    found = len(json.loads(sample.stdout)["_meta"]["hostvars"])
    if found != size:
        raise BenchError(f"{contestant.collection} found {found} hosts of {size}:\n{sample.stderr[-2000:]}")
    return sample, (service.cost() - before) / service.counts().requests


def _section(samples: dict[Key, list[Sample]], costs: dict[str, list[float]], runs: int) -> Section:
    section = Section(f"Inventory: ansible-inventory --list, medians of {runs}")

    def median(size: int, latency: float, name: str, value: str) -> float:
        return median_of(samples[size, latency, name], lambda sample: getattr(sample, value))

    for size, latency in CASES[1:]:
        for value, (title, show) in VALUES.items():
            medians = {contestant.name: median(size, latency, contestant.name, value) for contestant in ALL}
            ratio = medians[OURS.name] / min(medians[peer.name] for peer in PEERS)
            goal = GOALS.get((size, latency, value))
            section.rows.append(
                Row(
                    f"{size:,} at {latency * 1000:.0f} ms: {title}",
                    [show(medians[contestant.name]) for contestant in ALL],
                    ratio=f"{ratio:.2f}x",
                    target="" if goal is None else f"<= {goal:.1f}x",
                    met=None if goal is None else ratio <= goal,
                )
            )

    def growth(name: str, latency: float, value: str) -> float:
        empty = median(0, 0.0, name, value)
        small, large = (median(size, latency, name, value) - empty for size in (SMALL, LARGE))
        return large / small if small > 0 else math.inf

    for latency in (0.0, 0.05):
        for value in ("wall", "cpu"):
            ours = growth(OURS.name, latency, value)
            section.rows.append(
                Row(
                    f"growth at {latency * 1000:.0f} ms: {VALUES[value][0]}",
                    [f"{growth(contestant.name, latency, value):.1f}x" for contestant in ALL],
                    target=f"<= {GROWTH}x",
                    met=ours <= GROWTH,
                )
            )
    section.notes = [
        f"{contestant.name}: ansible-inventory -i {contestant.inventory_file} --list, the file being "
        f"{shown(contestant.inventory)} and the address and key of its service"
        for contestant in ALL
    ]
    section.notes.append(
        f"Ratio: to the better peer. Processor: user and system. Growth: from {SMALL:,} to {LARGE:,} instances, net of "
        "an empty account. Pages are of 25 (ours), 50 (hcloud), 100 (vultr), as they ask by default; the latency is "
        "that of every answer."
    )
    empty = ", ".join(
        f"{contestant.name} {median(0, 0.0, contestant.name, 'wall'):.2f} s wall, "
        f"{median(0, 0.0, contestant.name, 'peak'):.0f} MB"
        for contestant in ALL
    )
    answers = ", ".join(
        f"{1000 * median_of(costs[contestant.name], float):.1f} ms ({contestant.name})" for contestant in ALL
    )
    section.notes.append(f"An empty account: {empty}. An answer costs the services, on the same processors, {answers}.")
    return section
