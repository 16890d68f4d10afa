# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-inventory --list: wall time, CPU time and peak memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.contestants import ALL, OURS, PEERS, Contestant, format_one_line
from benchmarks.measure import BenchError, Sample, Workplace, log_progress, median_by, rotate
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

SMALL, LARGE = 1_000, 10_000
CASES = ((SMALL, 0.0), (SMALL, 0.05), (LARGE, 0.0), (LARGE, 0.05))
"""Instances and latency in seconds."""

VALUES: dict[str, tuple[str, Callable[[float], str]]] = {
    "wall": ("wall", lambda seconds: f"{seconds:.2f} s"),
    "cpu": ("CPU", lambda seconds: f"{seconds:.2f} s"),
    "peak": ("peak memory", lambda megabytes: f"{megabytes:.0f} MB"),
}
GOALS = {
    (LARGE, 0.05, "wall"): 0.45,
    **{(LARGE, latency, value): 1.0 for latency in (0.0, 0.05) for value in ("cpu", "peak")},
}

Key = tuple[int, float, str]


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section."""
    samples: dict[Key, list[Sample]] = {}
    with ExitStack() as stack:
        accounts = {
            size: stack.enter_context(services(instances=size)) for size in sorted({size for size, _latency in CASES})
        }
        for contestant in ALL:
            _run_listing(workplace, contestant, accounts[SMALL], SMALL, 0.0)  # warms up the bytecode caches
        for run in range(runs):
            for size, latency in CASES:
                for contestant in rotate(ALL, run):
                    sample = _run_listing(workplace, contestant, accounts[size], size, latency)
                    samples.setdefault((size, latency, contestant.name), []).append(sample)
                    log_progress(
                        f"inventory, run {run + 1} of {runs}: {size:,} at {latency * 1000:.0f} ms, "
                        f"{contestant.name}: {sample.wall:.2f} s"
                    )
    return _section(samples, runs)


def _run_listing(workplace: Workplace, contestant: Contestant, account: Services, size: int, latency: float) -> Sample:
    """Returns the command's measurements."""
    contestant.service(account).configure(latency=latency)
    sample = workplace.run(contestant.listing(workplace, account), {})
    found = len(json.loads(sample.stdout)["_meta"]["hostvars"])
    if found != size:
        raise BenchError(f"{contestant.collection} found {found} hosts of {size}:\n{sample.stderr[-2000:]}")
    return sample


def _section(samples: dict[Key, list[Sample]], runs: int) -> Section:
    section = Section(f"Inventory: ansible-inventory --list, medians of {runs}")

    def median(size: int, latency: float, name: str, value: str) -> float:
        return median_by(samples[size, latency, name], lambda sample: getattr(sample, value))

    for size, latency in CASES:
        for value, (title, show) in VALUES.items():
            medians = {contestant.name: median(size, latency, contestant.name, value) for contestant in ALL}
            ratio = medians[OURS.name] / min(medians[peer.name] for peer in PEERS)
            goal = GOALS.get((size, latency, value))
            section.rows.append(
                Row(
                    f"{size:,} at {latency * 1000:.0f} ms: {title}",
                    [show(medians[contestant.name]) for contestant in ALL],
                    ratio=f"{ratio:.2f}x",
                    target="" if goal is None else f"<= {goal:g}x",
                    met=None if goal is None else ratio <= goal,
                )
            )

    section.notes = [
        f"{contestant.name}: ansible-inventory -i {contestant.inventory_file} --list, with "
        f"{format_one_line(contestant.inventory)} with the URL and key of its service"
        for contestant in ALL
    ]
    section.notes.append(
        "Ratio: to the better peer. CPU: user and system. Default page sizes: 25 (ours), 50 (hcloud), 100 (vultr). The "
        "latency applies to every response."
    )
    return section
