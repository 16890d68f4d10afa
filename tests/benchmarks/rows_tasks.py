# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time of tasks: one call, fifty in a loop, fifty hosts with ten forks, fifty in one task."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contestants import ALL, OURS, PEERS, Contestant, format_one_line, hosts, play
from benchmarks.measure import BenchError, Sample, Workplace, log_progress, rotate
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

ACCOUNT = 100
ITEMS = 50
FORKS = 10
LOOP, SPREAD, ONE, FLEET = "a loop of 50", "50 hosts at 10 forks", "one call", "50 in one claw_fleet"


@dataclass(frozen=True)
class Job:
    title: str
    contestant: Contestant
    playbook: str
    inventory: str


def measure(workplace: Workplace, runs: int) -> Section:
    workplace.write("one.yml", hosts(1, 1))
    workplace.write("fifty.yml", hosts(1, ITEMS))
    workplace.write("nothing.yml", play([]))
    jobs = [
        *(_job(workplace, ONE, contestant, contestant.task("number"), "one.yml") for contestant in ALL),
        *(_job(workplace, LOOP, contestant, looped(contestant), "one.yml") for contestant in ALL),
        *(_job(workplace, SPREAD, contestant, contestant.task("number"), "fifty.yml") for contestant in ALL),
        _job(workplace, FLEET, OURS, fleet(), "one.yml"),
    ]
    nets: dict[tuple[str, str], list[float]] = {}
    with services(ACCOUNT) as account:
        for job in jobs[: len(ALL)]:  # one call each warms up the bytecode caches
            job.contestant.service(account).reset()
            run_unchanged(workplace, job.playbook, job.inventory, account, job.contestant)
        for run in range(runs):
            for title in (ONE, LOOP, SPREAD, FLEET):
                group = [job for job in jobs if job.title == title]
                # The empty playbook, whose time is subtracted, runs in the same round.
                empty = run_unchanged(workplace, "nothing.yml", group[0].inventory, account, OURS).wall
                for job in rotate(group, run):
                    seconds = run_unchanged(workplace, job.playbook, job.inventory, account, job.contestant).wall
                    nets.setdefault((title, job.contestant.name), []).append(seconds - empty)
                    log_progress(f"tasks, run {run + 1} of {runs}: {title}, {job.contestant.name}: {seconds:.2f} s")
    return _section(nets, runs)


def _job(workplace: Workplace, title: str, contestant: Contestant, task: dict[str, object], inventory: str) -> Job:
    playbook = workplace.write(f"{contestant.name}-{title.replace(' ', '-')}.yml", play([task]))
    return Job(title, contestant, playbook, inventory)


def looped(contestant: Contestant) -> dict[str, object]:
    return {**contestant.task("item"), "loop": list(range(1, ITEMS + 1))}


def fleet() -> dict[str, object]:
    """Returns a task of ours for the same instances."""
    return {"clawhosters.cloud.claw_fleet": {"instances": [{"id": number} for number in range(1, ITEMS + 1)]}}


def run_unchanged(
    workplace: Workplace, playbook: str, inventory: str, account: Services, contestant: Contestant
) -> Sample:
    """Runs a playbook, and returns its measurements. Raises BenchError if it changed anything."""
    command = ["ansible-playbook", "-i", inventory, "--forks", str(FORKS), playbook]
    sample = workplace.run(command, contestant.environment(account))
    if re.search(r"changed=[1-9]", sample.stdout):
        raise BenchError(f"{contestant.collection} changed an instance unexpectedly:\n{sample.stdout[-2000:]}")
    return sample


def _section(nets: dict[tuple[str, str], list[float]], runs: int) -> Section:
    section = Section(f"Tasks: one unchanged instance, less the time of an empty playbook, medians of {runs}")
    medians = {key: statistics.median(values) for key, values in nets.items()}

    def row(title: str, against: str, goal: float | None, times: Callable[[float], str]) -> Row:
        ours = medians[title, OURS.name]
        factor = min(medians[against, peer.name] for peer in PEERS) / max(ours, 1e-3)
        return Row(
            title,
            [times(medians[title, who.name]) if (title, who.name) in medians else "-" for who in ALL],
            ratio=f"{factor:.1f}x",
            target="" if goal is None else f">= {goal:g}x",
            met=None if goal is None else factor >= goal,
        )

    section.rows = [
        row(ONE, ONE, None, lambda seconds: f"{1000 * seconds:.0f} ms"),
        row(LOOP, LOOP, 10, lambda seconds: f"{seconds:.2f} s"),
        row(SPREAD, SPREAD, 10, lambda seconds: f"{seconds:.2f} s"),
        row(FLEET, LOOP, 50, lambda seconds: f"{seconds:.2f} s"),
    ]
    section.notes = [
        f"ansible-playbook -i {{one.yml,fifty.yml}} --forks {FORKS} TASK.yml, with "
        + "; ".join(f"{contestant.name}: {format_one_line(contestant.instance)}" for contestant in ALL)
        + ".",
        (
            f"claw_fleet: {format_one_line({'instances': [{'id': 1}, {'id': 2}]})}, up to {ITEMS}. An account of "
            f"{ACCOUNT} instances, no latency, no limit. Ratio: time of the better peer divided by ours; for "
            "claw_fleet, the better peer's loop."
        ),
    ]
    return section
