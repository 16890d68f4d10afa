# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wall and processor time of commands, beside the same with an earlier commit: both take turns in each round."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.contestants import OURS, Contestant, hosts, play
from benchmarks.measure import BenchError, Sample, Workplace, log_progress, median_by, rotate
from benchmarks.rows_tasks import FLEET, ITEMS, LOOP, SPREAD, fleet, looped, run_unchanged
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

INSTANCES = 1000
EMPTY, FIRST, INVENTORY = "an empty playbook", "first task less an empty playbook", "inventory"
GOALS = {FIRST: 0.85, LOOP: 1.02, SPREAD: 1.02, FLEET: 1.0, INVENTORY: 1.02}
COSTS = {"wall": "wall", "cpu": "CPU"}


def measure(workplace: Workplace, runs: int, commit: str) -> Section:
    """Measures and returns the section."""
    folder = workplace.folder / "before"
    path = _extract(commit, folder)
    # With a home of its own: the commits may keep their state in different ways.
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(path), "HOME": str(folder)}
    before = replace(OURS, name="before", environment=lambda account: {**OURS.environment(account), **settings})
    rounds: dict[tuple[str, str], list[Sample]] = {}
    with services(INSTANCES) as account:
        account.simulated.reset()
        _run_all(workplace, OURS, account)  # warms up the bytecode caches
        for run in range(runs):
            for contestant in rotate((OURS, before), run):
                for title, sample in _run_all(workplace, contestant, account).items():
                    rounds.setdefault((title, contestant.name), []).append(sample)
                    log_progress(f"before, run {run + 1} of {runs}: {title}, {contestant.name}: {sample.wall:.2f} s")
    rows = [
        build_row(title, cost, *(_costs(rounds, title, cost, name) for name in (OURS.name, before.name)))
        for title in GOALS
        for cost in COSTS
    ]
    note = (
        f"Whole commands with an account of {INSTANCES:,} instances, start included: one unchanged instance by id with "
        f"one host, {LOOP}, {SPREAD}, {FLEET}, and ansible-inventory --list. Each commit runs its own empty playbook "
        "right before. Ratio: the median of the ratios of all rounds."
    )
    return Section(f"To {commit}, medians of {runs}", rows, [note], ("now", "before", ""))


def build_row(title: str, cost: str, now: Sequence[float], before: Sequence[float]) -> Row:
    """Returns the row of one cost, from its seconds in each round."""
    ratio = median_by(zip(now, before, strict=True), lambda pair: pair[0] / pair[1])
    return Row(
        f"{title}: {COSTS[cost]}",
        [f"{median_by(seconds, float):.3f} s" for seconds in (now, before)] + [""],
        ratio=f"{ratio:.2f}x",
        target=f"<= {GOALS[title]:.2f}x",
        met=ratio <= GOALS[title],
    )


def _costs(rounds: dict[tuple[str, str], list[Sample]], title: str, cost: str, name: str) -> list[float]:
    seconds = [getattr(sample, cost) for sample in rounds[title, name]]
    if title != FIRST:
        return seconds
    return [one - getattr(empty, cost) for one, empty in zip(seconds, rounds[EMPTY, name], strict=True)]


def _run_all(workplace: Workplace, contestant: Contestant, account: Services) -> dict[str, Sample]:
    one, fifty = (workplace.write(f"{count}.yml", hosts(1, count)) for count in (1, ITEMS))
    task = contestant.task("number")
    playbooks = {
        EMPTY: ([], one),
        FIRST: ([task], one),
        LOOP: ([looped(contestant)], one),
        SPREAD: ([task], fifty),
        FLEET: ([fleet()], one),
    }
    samples = {
        title: run_unchanged(workplace, workplace.write("tasks.yml", play(tasks)), where, account, contestant)
        for title, (tasks, where) in playbooks.items()
    }
    listing = contestant.listing(workplace, account)
    return {**samples, INVENTORY: workplace.run(listing, contestant.environment(account))}


def _extract(commit: str, folder: Path) -> Path:
    """Extracts the collection as of a commit, and returns the collections path."""
    collection = folder / "ansible_collections" / "clawhosters" / "cloud"
    collection.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "-C", str(Path(__file__).parents[2]), "archive", commit], capture_output=True, check=False
    )
    if archive.returncode:
        raise BenchError(f"There is no commit {commit}.")
    subprocess.run(["tar", "-x", "-C", str(collection)], input=archive.stdout, check=True)
    return folder
