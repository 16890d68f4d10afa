# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth of the cost of plans: four times as much work costs about four times as much."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import FleetEntry
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_plan import plan
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.confirmation import expected_answer
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.role_variables import parse_targets
from benchmarks.measure import Workplace, log_progress
from benchmarks.table import Row, Section
from support.restores import BACKUPS, role_plans

GROWTH, GOAL = 4, 4.2
WORDS = ("acme", "globex", "initech", "umbrella", "stark", "wayne", "hooli", "soylent", "vandelay", "wonka")


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section."""
    rows = [
        measure_growth("absent, misspelt: 500 of 5,000", build_misspelt_absent, 500, runs),
        measure_growth("restores, confirmed: all of 1,000", build_confirmed_restores, 1_000, runs),
        measure_growth("the same in another script", build_cyrillic_restores, 1_000, runs),
    ]
    note = (
        "Processor of pure functions, the fastest of all runs, in which the sizes take turns. Absent, misspelt: "
        "claw_fleet looks for the name that was meant by an entry that fits no instance. Restores, confirmed: the plan "
        "of each instance, from lists that were read, and the answer that confirms all."
    )
    return Section(f"Plans: {GROWTH}x the work", rows, [note])


def measure_growth(name: str, build: Callable[[int], Callable[[], object]], size: int, runs: int) -> Row:
    """Returns a row: the cost for ``size``, and its growth to GROWTH times that. ``build`` returns what is measured."""
    sizes = (size, size * GROWTH)
    works = {one: build(one) for one in sizes}
    # The small work as often as makes the large one: noise would weigh more in a shorter time.
    taken = [{one: _measure(works[one], sizes[1] // one) for one in sizes} for _run in range(max(runs, 3))]
    seconds = {one: min(run[one] for run in taken) for one in sizes}
    growth = seconds[sizes[1]] / seconds[sizes[0]]
    log_progress(f"plan: {name}: {', '.join(f'{one}: {seconds[one]:.3f} s' for one in sizes)}")
    return Row(
        name, [f"{seconds[size]:.2f} s", "-", "-"], ratio=f"{growth:.2f}x", target=f"<= {GOAL:g}x", met=growth <= GOAL
    )


def _measure(work: Callable[[], object], times: int) -> float:
    """Returns the seconds of one run of the work, from this many."""
    # A collection would walk over the objects of all works.
    gc.collect()
    gc.disable()
    begun = time.process_time()
    for _time in range(times):
        work()
    taken = (time.process_time() - begun) / times
    gc.enable()
    return taken


def build_misspelt_absent(size: int) -> Callable[[], object]:
    """Returns the plan of ``size`` entries with a typo, of an account of ten times as many instances."""
    chance = random.Random(size)
    names = [
        f"{'-'.join(chance.choices(WORDS, k=3))}-bot-{''.join(chance.choices('abcdefgh', k=5))}"
        for _instance in range(size * 10)
    ]
    instances = [{"id": number, "name": name, "status": "running"} for number, name in enumerate(names, 1)]
    entries = [
        FleetEntry(number, None, f"{name[:8]}x{name[8:]}", "absent")
        for number, name in enumerate(chance.sample(names, size), 1)
    ]
    return lambda: plan(entries, instances)


def build_confirmed_restores(size: int, name: str = "customer-{:05d}-bot") -> Callable[[], object]:
    """Returns the plan to restore all of ``size`` instances, with the answer that confirms it."""
    names = {number: name.format(number) for number in range(1, size + 1)}
    instances = [{"id": number, "name": names[number], "status": "running"} for number in names]
    backups = [{**BACKUPS[0], "id": size + number, "instance_id": number} for number in names]
    targets = parse_targets(None, list(names))
    return lambda: expected_answer(role_plans(targets, instances, backups))


def build_cyrillic_restores(size: int) -> Callable[[], object]:
    """Returns the same for names of letters that may look like others."""
    return build_confirmed_restores(size, "\u043a\u043b\u0438\u0435\u043d\u0442-{:05d}")
