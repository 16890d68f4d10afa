# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of a fleet that is restarted in batches, and of a saved plan that is written, checked and applied."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.contestants import OURS, play
from benchmarks.measure import Workplace, log_progress
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

COUNT = 200
BATCH = 5
PAGES = math.ceil(COUNT / 25)
POLLS = 2
"""Polls of a batch: the service shows a change under way once, and then its end."""
PLAN = "plan.json"


@dataclass(frozen=True)
class Work:
    """A task, or a run of the playbook, and its fewest requests: pages of the list, changes, and the account."""

    title: str
    options: dict[str, Any]
    batches: int = 1
    changes: int = COUNT
    account: int = 0
    flags: tuple[str, ...] = ()
    fails: bool = False

    @property
    def fewest(self) -> int:
        """Returns the fewest requests for this work."""
        polls = POLLS * self.batches if self.changes else 0
        return PAGES * (1 + polls) + self.changes + self.account


IDS = list(range(1, COUNT + 1))
RESTART = {"ids": IDS, "state": "restarted", "wait_timeout": 3600}
STOP = {"fleet_instances": [{"id": number, "state": "stopped"} for number in IDS]}
WORK = (
    Work("restarted, all at once", RESTART),
    Work(f"restarted, {BATCH} at a time", {**RESTART, "serial": BATCH}, batches=COUNT // BATCH),
    Work("restarted, [1, 5, '100%']", {**RESTART, "serial": [1, 5, "100%"]}, batches=3),
    Work("plan to stop all: written", {"fleet_plan_path": PLAN}, changes=0, account=2, flags=("--check",)),
    Work("plan to stop all: checked, outdated", {"fleet_apply_plan": PLAN}, changes=0, account=2, fails=True),
    Work("plan to stop all: checked, applied", {"fleet_apply_plan": PLAN}, account=2),
)


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section. Counts don't vary, so one run is enough."""
    section = Section(f"Requests of a fleet of {COUNT} running instances")
    with services(running=COUNT) as account:
        for work in WORK:
            log_progress(f"fleet: {work.title}")
            sent = _run(workplace, account, work)
            total = sent.total()
            ratio, met = f"{total / work.fewest:.2f}x", total == work.fewest
            section.rows.append(Row(work.title, [str(total), "-", "-"], ratio, "1.00x", met))
            parts = (f"{count} {part}" for part, count in sorted(sent.items()))
            section.notes.append(f"{work.title}: {', '.join(parts)}.")
    section.notes.append(
        "Each is one command: the first three a task with claw_fleet, the others the playbook fleet, which asks for "
        f"the account in two tasks. The minimum is {PAGES} pages for the plan, a request for each change, and {PAGES} "
        f"pages for each of the {POLLS} polls of a batch, of which the last serves the next batch."
    )
    return section


def _run(workplace: Workplace, account: Services, work: Work) -> Counter[str]:
    """Runs a piece of work, and returns its requests by kind."""
    account.simulator.reset(switches={"rate_limit": 0, "transition_reads": 1})
    if work.fails:
        account.simulator.set_instance(1, status="stopped")
    environment = {**OURS.environment(account), "CLAWHOSTERS_STATE_DIR": str(workplace.folder / "state")}
    if "state" in work.options:
        command = [workplace.write("task.yml", play([{"clawhosters.cloud.claw_fleet": work.options}], "localhost"))]
    else:
        command = ["clawhosters.cloud.fleet", "-e", f"@{workplace.write('fleet.yml', {**STOP, **work.options})}"]
    workplace.run(["ansible-playbook", *command, *work.flags], environment, may_fail=work.fails)
    kinds = {"POST": "changes", "GET /instances": "pages of the list", "GET /account": "of the account"}
    calls = account.simulator.calls()
    return Counter(next(kind for start, kind in kinds.items() if call.startswith(start)) for call in calls)
