# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests sent, compared with the minimum for the same work. Counted by the services, for accounts of three sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from benchmarks.contestants import ALL, OURS, PEERS, Contestant, hosts, play
from benchmarks.measure import Workplace, log_progress
from benchmarks.services import Services, services
from benchmarks.table import Row, Section
from simulator.handle import KEY

SIZES = (25, 1_000, 10_000)
PAGE = 25
RUNNING, STOPPED, BACKED_UP = 1, 4, 2
"""Ids of such instances in the simulator's generated fleet of any size."""


@dataclass(frozen=True)
class Pages:
    """Number of pages of each list of the account."""

    instances: int
    addons: int
    backups: int


@dataclass(frozen=True)
class Job:
    """A task, and the minimum number of requests for it."""

    title: str
    module: str
    options: dict[str, Any]
    fewest: Callable[[Pages], int]


NEW = {"wait": False}
JOBS = (
    Job("claw_instance: by id", "claw_instance", {"id": RUNNING}, lambda pages: 1),
    # The instance, the change.
    Job("claw_instance: start", "claw_instance", {"id": STOPPED, **NEW}, lambda pages: 2),
    # The list to find the name; the detail, which has all fields.
    Job("claw_instance: by name", "claw_instance", {"name": "web-bot"}, lambda pages: pages.instances + 1),
    Job(
        "claw_instance: absent, by name",
        "claw_instance",
        {"name": "nobody", "state": "absent"},
        lambda pages: pages.instances,
    ),
    Job("claw_instance_info: by id", "claw_instance_info", {"id": RUNNING}, lambda pages: 1),
    Job("claw_instance_info: all", "claw_instance_info", {}, lambda pages: pages.instances),
    Job(
        "claw_fleet: unchanged",
        "claw_fleet",
        {"instances": [{"id": 1}, {"id": 2}, {"name": "sales-bot"}]},
        lambda pages: pages.instances,
    ),
    Job(
        "claw_fleet: unchanged, by plain lists",
        "claw_fleet",
        {"ids": [1, 2], "names": ["sales-bot"]},
        lambda pages: pages.instances,
    ),
    Job(
        "claw_fleet: one to start",
        "claw_fleet",
        {"instances": [{"id": 1}, {"id": STOPPED}], **NEW},
        lambda pages: pages.instances + 1,
    ),
    Job("claw_addon: by id, unchanged", "claw_addon", {"id": 1, "config": {}}, lambda pages: 1),
    # The add-on, the change, the add-on again.
    Job("claw_addon: by id, changed", "claw_addon", {"id": 1, "config": {"usage_limit": 7}}, lambda pages: 3),
    # The list to find the add-on; the detail, which has all attributes.
    Job(
        "claw_addon: by instance",
        "claw_addon",
        {"addon_type": "llm", "instance_id": 1, "config": {}},
        lambda pages: pages.addons + 1,
    ),
    Job("claw_addon_info: by id", "claw_addon_info", {"id": 1}, lambda pages: 1),
    Job("claw_addon_info: all", "claw_addon_info", {}, lambda pages: pages.addons),
    Job("claw_backup_info: by id", "claw_backup_info", {"id": 1}, lambda pages: 1),
    Job(
        "claw_backup_info: newest of one",
        "claw_backup_info",
        {"instance_id": BACKED_UP, "newest": True},
        lambda pages: pages.backups,
    ),
    # The backup, its instance, the restore.
    Job(
        "claw_backup_restore: by id",
        "claw_backup_restore",
        {"incident": "by-id", "backup_id": 1, **NEW},
        lambda pages: 3,
    ),
    Job(
        "claw_backup_restore: latest",
        "claw_backup_restore",
        {"incident": "latest", "instance_id": BACKED_UP, **NEW},
        lambda pages: pages.backups + 2,
    ),
    Job(
        "claw_purchase: not needed",
        "claw_purchase",
        {"order": "none", "package_id": 1, "balance_below": 1},
        lambda pages: 1,
    ),
    # The balance, the purchase, the new balance for the result.
    Job(
        "claw_purchase: bought",
        "claw_purchase",
        {"order": "one", "package_id": 1, "balance_below": 10**9},
        lambda pages: 3,
    ),
    Job("claw_billing_info", "claw_billing_info", {}, lambda pages: 1),
    Job("claw_account_info", "claw_account_info", {}, lambda pages: 1),
    Job("claw_health_info", "claw_health_info", {}, lambda pages: 1),
)


ADDONS = (10, 100, 1_000)
"""Add-ons in a task, and in the account."""
CHANGES: dict[str, Callable[[int], int]] = {"nothing": lambda n: 0, "a tenth": lambda n: n // 10, "all": lambda n: n}


def measure_addons(workplace: Workplace, runs: int) -> Section:
    """Measures ``claw_fleet_addon`` and returns the section. Counts don't vary, so one run is enough."""
    sent: dict[tuple[str, str], list[int]] = {}
    fewest: dict[str, list[int]] = {}
    for size in ADDONS:
        instances = [{"id": number, "name": f"bot-{number}"} for number in range(1, size + 1)]
        addons = [{"id": number, "instance_id": number} for number in range(1, size + 1)]
        with services(instances=1) as account:
            pages = math.ceil(size / PAGE)
            for title, count_of in CHANGES.items():
                count = count_of(size)
                log_progress(f"addons, {size:,}: {title} to change")
                account.simulator.reset(state={"instances": instances, "addons": addons}, switches={"rate_limit": 0})
                entries: list[dict[str, Any]] = [
                    {"addon_type": "llm", "instance_name": f"bot-{number}"} for number in range(1, size + 1)
                ]
                for entry in entries[:count]:
                    entry["config"] = {"usage_limit": 7}
                options = {"addons": entries, "config": {"usage_limit": 5_000_000}}
                tasks = [{"clawhosters.cloud.claw_fleet_addon": options}]
                command = ["ansible-playbook", workplace.write("task.yml", play(tasks, "localhost"))]
                row = f"claw_fleet_addon by name: {title} to change"
                environment = {"CLAWHOSTERS_STATE_DIR": str(workplace.folder / f"addons-{size}")}
                workplace.run(command, {**OURS.environment(account), **environment})
                sent.setdefault((row, "ours"), []).append(len(account.simulator.log()))
                # The list, each change, and the list again to verify the changes.
                fewest.setdefault(row, []).append(pages + count + (pages if count else 0))
    return _section(sent, fewest, ADDONS, "add-ons")


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section. Counts don't vary, so one run is enough."""
    sent: dict[tuple[str, str], list[int]] = {}
    fewest: dict[str, list[int]] = {}
    for size in SIZES:
        with services(instances=size) as account:
            pages = _pages(account)
            for job in JOBS:
                log_progress(f"requests, {size:,} instances: {job.title}")
                fewest.setdefault(job.title, []).append(job.fewest(pages))
                task = {f"clawhosters.cloud.{job.module}": job.options}
                environment = {"CLAWHOSTERS_STATE_DIR": str(workplace.folder / f"state-{size}")}
                command = ["ansible-playbook", workplace.write("task.yml", play([task], "localhost"))]
                sent.setdefault((job.title, "ours"), []).append(
                    _requests(workplace, OURS, account, command, environment)
                )
            _compare(workplace, account, size, sent, fewest)
    return _section(sent, fewest)


def _compare(
    workplace: Workplace,
    account: Services,
    size: int,
    sent: dict[tuple[str, str], list[int]],
    fewest: dict[str, list[int]],
) -> None:
    """Compares with the peers: an inventory, and a task for one instance."""
    workplace.write("host.yml", hosts(1, 1))
    fewest.setdefault("inventory", []).append(math.ceil(size / PAGE))
    for contestant in ALL:
        log_progress(f"requests, {size:,} instances: inventory, {contestant.name}")
        command = contestant.listing(workplace, account)
        sent.setdefault(("inventory", contestant.name), []).append(_requests(workplace, contestant, account, command))
    for peer in PEERS:
        workplace.write("peer.yml", play([peer.task("number")]))
        command = ["ansible-playbook", "-i", "host.yml", "peer.yml"]
        sent.setdefault((JOBS[0].title, peer.name), []).append(_requests(workplace, peer, account, command))


def _requests(
    workplace: Workplace,
    contestant: Contestant,
    account: Services,
    command: list[str],
    environment: dict[str, str] | None = None,
) -> int:
    service = contestant.service(account)
    service.configure()
    workplace.run(command, {**contestant.environment(account), **(environment or {})})
    return service.counts().requests


def _pages(account: Services) -> Pages:
    def pages_of(collection: str) -> int:
        url = f"{account.simulator.url}/{collection}"
        answer = requests.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        return int(answer.json()["pagination"]["total_pages"])

    return Pages(pages_of("instances"), pages_of("addons"), pages_of("backups"))


def _section(
    sent: dict[tuple[str, str], list[int]],
    fewest: dict[str, list[int]],
    sizes: tuple[int, ...] = SIZES,
    noun: str = "instances",
) -> Section:
    section = Section(f"Requests sent, in accounts of {', '.join(f'{size:,}' for size in sizes)} {noun}")
    for title, least in fewest.items():
        ours = sent[title, "ours"]
        section.rows.append(
            Row(
                title,
                [_cell(sent.get((title, contestant.name))) for contestant in ALL],
                ratio=f"{max(count / few for count, few in zip(ours, least, strict=True)):.2f}x",
                target="1.00x",
                met=ours == least,
            )
        )
    section.notes = [
        (
            "Each is one task on localhost: ansible-playbook TASK.yml; inventory: ansible-inventory --list. Counted by "
            "the service. Ratio: to the minimum, for the worst size. The minimum is "
            f"ceil(entries / {PAGE}) pages for a list, plus 1 for each object read, changed, or read again to verify "
            "the change."
        ),
    ]
    return section


def _cell(counts: list[int] | None) -> str:
    if counts is None:
        return "-"
    return str(counts[0]) if len(set(counts)) == 1 else " ".join(map(str, counts))
