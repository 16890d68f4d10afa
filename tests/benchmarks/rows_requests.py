# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests for an inventory and for one unchanged instance, counted by the services, for accounts of three sizes."""

from __future__ import annotations

import math

from benchmarks.contestants import ALL, OURS, Contestant, hosts, play
from benchmarks.measure import Workplace, log_progress
from benchmarks.services import Services, services
from benchmarks.table import Row, Section

SIZES = (25, 1_000, 10_000)
PAGE = 25
INVENTORY, TASK = "inventory", "one unchanged instance, by id"


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section. Counts don't vary, so one run is enough."""
    sent: dict[tuple[str, str], list[int]] = {}
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
    section = Section(f"Requests sent, in accounts of {', '.join(f'{size:,}' for size in SIZES)} instances")
    for title, fewest in ((INVENTORY, [math.ceil(size / PAGE) for size in SIZES]), (TASK, [1] * len(SIZES))):
        ours = sent[title, OURS.name]
        ratio = max(count / few for count, few in zip(ours, fewest, strict=True))
        cells = [" ".join(map(str, sent[title, contestant.name])) for contestant in ALL]
        section.rows.append(Row(title, cells, ratio=f"{ratio:.2f}x", target="1.00x", met=ours == fewest))
    section.notes = [
        (
            "ansible-inventory --list and ansible-playbook TASK.yml. The minimum: pages of "
            f"{PAGE} for an inventory, and one request for an instance. Ratio: to the minimum, for the worst size."
        ),
    ]
    return section


def _requests(workplace: Workplace, contestant: Contestant, account: Services, command: list[str]) -> int:
    service = contestant.service(account)
    service.reset()
    workplace.run(command, contestant.environment(account))
    return service.count_requests()
