# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-inventory --list: wall time, CPU time and peak memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contestants import ALL, OURS, PEERS, Contestant, format_one_line
from benchmarks.measure import BenchError, Sample, Workplace, log_progress, median_by, rotate
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

SMALL, LARGE = 1_000, 10_000
CASES = ((0, 0.0), (SMALL, 0.0), (SMALL, 0.05), (LARGE, 0.0), (LARGE, 0.05))
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
CPU_TO_FLOOR = 1.2
FLOOR_PLUGINS = Path(__file__).parent / "inventory_plugins"

Key = tuple[int, float, str]


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section."""
    samples: dict[Key, list[Sample]] = {}
    costs: dict[str, list[float]] = {}
    floor: dict[int, list[Sample]] = {}
    with ExitStack() as stack:
        accounts = {
            size: stack.enter_context(services(instances=size)) for size in sorted({size for size, _latency in CASES})
        }
        for contestant in ALL:
            _run_listing(workplace, contestant, accounts[0], 0, 0.0)  # warms up the bytecode caches
        for run in range(runs):
            for size, latency in CASES:
                for contestant in rotate(ALL, run):
                    sample, cost = _run_listing(workplace, contestant, accounts[size], size, latency)
                    if size == LARGE:
                        costs.setdefault(contestant.name, []).append(cost)
                    samples.setdefault((size, latency, contestant.name), []).append(sample)
                    if contestant is OURS and latency == 0.0:
                        # Right after ours: on a busy machine, CPU times at other moments can't be compared.
                        floor.setdefault(size, []).append(_run_floor(workplace, sample))
                    log_progress(
                        f"inventory, run {run + 1} of {runs}: {size:,} at {latency * 1000:.0f} ms, "
                        f"{contestant.name}: {sample.wall:.2f} s"
                    )
    return _section(samples, floor, costs, runs)


def _run_floor(workplace: Workplace, ours: Sample) -> Sample:
    """Lists the hosts of ``ours``, read from a file."""
    hosts = workplace.folder / "floor.json"
    hosts.write_text(json.dumps(json.loads(ours.stdout)["_meta"]["hostvars"]), encoding="utf-8")
    source = workplace.write("floor.yml", {"plugin": "floor", "path": str(hosts)})
    return workplace.run(
        ["ansible-inventory", "-i", source, "--list"], {"ANSIBLE_INVENTORY_PLUGINS": str(FLOOR_PLUGINS)}
    )


def _run_listing(
    workplace: Workplace, contestant: Contestant, account: Services, size: int, latency: float
) -> tuple[Sample, float]:
    """Returns the command's measurements, and the service's CPU seconds per response."""
    service = contestant.service(account)
    service.configure(latency=latency)
    before = service.cpu_seconds()
    sample = workplace.run(contestant.listing(workplace, account), {})
    found = len(json.loads(sample.stdout)["_meta"]["hostvars"])
    if found != size:
        raise BenchError(f"{contestant.collection} found {found} hosts of {size}:\n{sample.stderr[-2000:]}")
    return sample, (service.cpu_seconds() - before) / service.count_requests()


def _section(
    samples: dict[Key, list[Sample]],
    floor: dict[int, list[Sample]],
    costs: dict[str, list[float]],
    runs: int,
) -> Section:
    section = Section(f"Inventory: ansible-inventory --list, medians of {runs}")

    def median(size: int, latency: float, name: str, value: str) -> float:
        return median_by(samples[size, latency, name], lambda sample: getattr(sample, value))

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
                    target="" if goal is None else f"<= {goal:g}x",
                    met=None if goal is None else ratio <= goal,
                )
            )

    for size in (SMALL, LARGE):
        ours, least = (
            median_by(runs_of, lambda sample: sample.cpu) for runs_of in (samples[size, 0.0, OURS.name], floor[size])
        )
        section.rows.append(
            Row(
                f"{size:,} from a file (the floor): CPU",
                [VALUES["cpu"][1](least), "", ""],
                ratio=f"{ours / least:.2f}x",
                target=f"<= {CPU_TO_FLOOR}x" if size == LARGE else "",
                met=ours / least <= CPU_TO_FLOOR if size == LARGE else None,
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
    section.notes.append(
        f"The floor, {FLOOR_PLUGINS.name}/floor.py, adds the hosts and variables of ours from a local JSON file, which "
        "is ansible-core's own cost. Its rows show the ratio of ours to it."
    )
    empty = ", ".join(
        f"{contestant.name} {median(0, 0.0, contestant.name, 'wall'):.2f} s wall, "
        f"{median(0, 0.0, contestant.name, 'peak'):.0f} MB"
        for contestant in ALL
    )
    answers = ", ".join(
        f"{1000 * median_by(costs[contestant.name], float):.1f} ms ({contestant.name})" for contestant in ALL
    )
    section.notes.append(f"An empty account: {empty}. CPU time of the services per response: {answers}.")
    return section
