# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task costs beside one of ansible.builtin.ping, which does nothing: `make bench` prints it.

Each row is a playbook with one task in a loop, run by turns with a playbook that has no task; what is printed is the
difference of the medians, divided by the number of items.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from simulator.handle import Simulator
from support import KEY
from support.controller import Controller

ITEMS = 50
RUNS = 5
COLLECTIONS = Path(__file__).resolve().parents[2] / "build" / "live"

TASKS: dict[str, dict[str, object] | None] = {
    "an empty playbook": None,
    "ansible.builtin.ping": {"ansible.builtin.ping": {}},
    "claw_instance, by id, unchanged": {"clawhosters.cloud.claw_instance": {"id": 1}},
    "claw_instance_info, by id": {"clawhosters.cloud.claw_instance_info": {"id": 1}},
}


def main() -> None:
    """Prints the table."""
    with Simulator(instances=60, rate_limit=1_000_000) as simulator, tempfile.TemporaryDirectory() as folder:
        environment = {"CLAWHOSTERS_API_URL": simulator.url, "CLAWHOSTERS_API_KEY": KEY}
        controller = Controller(Path(folder), COLLECTIONS, environment)
        seconds: dict[str, list[float]] = {name: [] for name in TASKS}
        for _run in range(RUNS + 1):
            for name, task in TASKS.items():
                tasks = [] if task is None else [{**task, "loop": list(range(ITEMS))}]
                begun = time.monotonic()
                run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
                seconds[name].append(time.monotonic() - begun)
                assert run.rc == 0, run.screen
    # The first run of each only warms the caches.
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    empty = medians["an empty playbook"]
    ping = medians["ansible.builtin.ping"] - empty
    print(f"One task in a loop of {ITEMS}; medians of {RUNS} runs taken by turns\n")
    print(f"{'task':<34}{'playbook':>10}{'an item':>12}{'of a ping':>12}")
    for name, median in medians.items():
        net = median - empty
        row = f"{name:<34}{median:>8.2f} s"
        print(row if name == "an empty playbook" else f"{row}{1000 * net / ITEMS:>9.1f} ms{net / ping:>11.2f}x")


if __name__ == "__main__":
    main()
