# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a restore or a purchase again and again, and judges whether anything was sent twice or lost."""

from __future__ import annotations

import random
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator

from .cases import CASES, STATE, SWITCHES, Case, World
from .killed import Ending, run_killed
from .postgres import Postgres
from .seeds import choose_seed, repeat_by
from .stores import prepare

NAMES = ("backup_restore of the latest", "backup_restore by id", "purchase", "fleet_restore")
SENT_ONCE = {"restores": "POST /backups/*/restore", "purchases": "POST /billing/buy_claws"}
ONCE = [case for case in CASES if case.name in NAMES]
RESTORE, PURCHASE = (
    next(case for case in ONCE if case.module == name) for name in ("claw_backup_restore", "claw_purchase")
)
JOURNAL = "SELECT subject, step, line FROM clawhosters.journal ORDER BY id"


class Stage:
    """One task in a fresh world with an empty store, run as often as it takes.

    ``url``: how runs connect to ``database``, if not directly.
    """

    def __init__(
        self,
        simulator: Simulator,
        folder: Path,
        collections: Path,
        case: Case,
        number: int,
        database: Postgres | None = None,
        url: str | None = None,
    ) -> None:
        self.simulator, self.folder, self.collections, self.case = simulator, folder, collections, case
        self.store = {"state_dir": str(folder / f"state-{number}")}
        if database:
            prepare(database)
            self.store = {"state_database": url or database.url()}
        simulator.reset(state=STATE, switches=SWITCHES)

    def run(
        self, at: int = 0, scope: str = "all", meanwhile: t.Callable[[], None] | None = None, **options: t.Any
    ) -> Ending:
        """Runs it once, killed at that line, or kept there until ``meanwhile`` has returned."""
        given = {"api_url": self.simulator.url, **self.store, **self.case.options, **options}
        return run_killed(self.folder, self.collections, self.case.module, given, at, scope, meanwhile=meanwhile)

    def judge(self, ending: Ending) -> list[str]:
        """Returns what is wrong after the last run, which nobody killed."""
        found = []
        result = ending.result
        effects = self.simulator.effects()
        for effect, route in SENT_ONCE.items():
            calls = self.simulator.calls(route)
            if len(calls) > len(set(calls)) or effects.get(effect, 0) > self.case.asked.get(effect, 0):
                found.append(f"sent twice: {route}")
        if not result["failed"]:
            if not self.case.goal(World(self.simulator.state()), World(self.simulator.state()), result):
                found.append("no failure, and yet it is not as wanted")
            if self.case.module == "claw_purchase" and effects != {"purchases": 1}:
                found.append(f"no failure, and yet {effects}")
        elif "unknown whether" not in result["msg"]:
            found.append(f"failed: {result['msg']}")
        elif self.case.module != "claw_purchase" and not (
            "unknown" in restore_outcomes(result) and "force: true" in result["msg"]
        ):
            found.append(f"it does not say how to go on: {result}")
        return found


def choose_moments(request: pytest.FixtureRequest, run: str, count: int) -> random.Random:
    """Returns what chooses the moments of ``count`` kills. The summary of the tests prints its seed beside ``run``."""
    option = request.config.getoption
    seed = choose_seed(option("kill_seed"))
    repeat = repeat_by(request.node.nodeid, f"--kills={option('kills')}", f"--kill-seed={seed}")
    request.node.user_properties += [("kills", [run, count, seed]), repeat]
    return random.Random(seed)


def restore_outcomes(result: dict[str, t.Any]) -> set[str]:
    """Returns what became of the restores of a task."""
    entries = result["instances"] if "instances" in result else [result["restore"]]
    return {entry["outcome"] for entry in entries}
