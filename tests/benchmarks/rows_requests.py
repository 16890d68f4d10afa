# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests for an inventory and for one unchanged instance, counted by the services, for accounts of three sizes.

For the largest, also the time of the inventory.
"""

from __future__ import annotations

import math
import statistics

from benchmarks.contestants import ALL, OURS, PEERS, Contestant, hosts, play
from benchmarks.measure import Workplace, log_progress, rotate
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

SIZES = (25, 1_000, 10_000)
PAGE = 25
INVENTORY, TASK = "inventory", "one unchanged instance, by id"


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section. Counts don't vary, so one run is enough; times are medians of ``runs``."""
    sent: dict[tuple[str, str], list[int]] = {}
    times: dict[str, list[float]] = {}
    workplace.write("host.yml", hosts(1, 1))
    for size in SIZES:
        with services(size) as account:
            for contestant in ALL:
                log_progress(f"requests, {size:,} instances: {contestant.name}")
                task = workplace.write("task.yml", play([contestant.task("number")]))
                for title, command in (
                    (INVENTORY, contestant.listing(workplace, account)),
                    (TASK, ["ansible-playbook", "-i", "host.yml", task]),
                ):
                    count = _requests(workplace, contestant, account, command)
                    sent.setdefault((title, contestant.name), []).append(count)
            for run in range(runs if size == SIZES[-1] else 0):
                for contestant in rotate(ALL, run):
                    listing = contestant.listing(workplace, account)
                    seconds = workplace.run(listing, contestant.environment(account)).wall
                    times.setdefault(contestant.name, []).append(seconds)
                    log_progress(f"inventory, run {run + 1} of {runs}: {contestant.name}: {seconds:.2f} s")
    section = Section(f"Requests sent, in accounts of {', '.join(f'{size:,}' for size in SIZES)} instances")
    for title, fewest in ((INVENTORY, [math.ceil(size / PAGE) for size in SIZES]), (TASK, [1] * len(SIZES))):
        ours = sent[title, OURS.name]
        ratio = max(count / few for count, few in zip(ours, fewest, strict=True))
        cells = [" ".join(map(str, sent[title, contestant.name])) for contestant in ALL]
        section.rows.append(Row(title, cells, ratio=f"{ratio:.2f}x", target="1.00x", met=ours == fewest))
    medians = {name: statistics.median(values) for name, values in times.items()}
    factor = min(medians[peer.name] for peer in PEERS) / medians[OURS.name]
    cells = [f"{medians[contestant.name]:.2f} s" for contestant in ALL]
    name = f"time of the inventory of {SIZES[-1]:,}"
    section.rows.append(Row(name, cells, ratio=f"{factor:.1f}x", target=">= 1x", met=factor >= 1))
    section.notes = [
        (
            "ansible-inventory --list and ansible-playbook TASK.yml. The minimum: pages of "
            f"{PAGE} for an inventory, and one request for an instance. Ratio: to the minimum, for the worst size; "
            f"of the time: that of the better peer divided by ours, medians of {runs}, without latency."
        ),
    ]
    return section


def _requests(workplace: Workplace, contestant: Contestant, account: Services, command: list[str]) -> int:
    service = contestant.service(account)
    service.reset()
    workplace.run(command, contestant.environment(account))
    return service.count_requests()
