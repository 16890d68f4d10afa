# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is measured: this collection and its peers, each by the same two means, an inventory and a task of one instance.

All run as they come, with no option turned but the address, the key and what makes them do the same work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import BIN, Workplace
from benchmarks.services import Service, Services
from simulator.handle import KEY

VULTR_PAGE = 100
"""What vultr.cloud.instance finds a label in: up to version 1.13 it reads the first page of the list alone."""


@dataclass(frozen=True)
class Contestant:
    """A collection, and how it is asked for the same as the others."""

    name: str
    collection: str
    inventory_file: str
    inventory: dict[str, Any]
    instance: dict[str, Any]
    """A task that finds the instance with the number NUMBER as it should be."""
    service: Callable[[Services], Service]
    environment: Callable[[Services], dict[str, str]]
    """For modules, where their service is."""
    options: Callable[[Services], dict[str, str]]
    """For inventories, where their service is: from version 1.14 on vultr's reads no environment."""

    def listing(self, workplace: Workplace, services: Services) -> list[str]:
        """The command that lists the account as an inventory."""
        workplace.write(self.inventory_file, {**self.inventory, **self.options(services)})
        return ["ansible-inventory", "-i", self.inventory_file, "--list"]

    def task(self, number: str) -> dict[str, Any]:
        """The task for the instance whose number the expression gives."""
        return _filled(self.instance, number)


def _filled(value: Any, number: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, number) for name, item in value.items()}
    return value.replace("NUMBER", f"{{{{ {number} }}}}") if isinstance(value, str) else value


OURS = Contestant(
    name="ours",
    collection="clawhosters.cloud",
    inventory_file="fleet.clawhosters.yml",
    # By default only what runs becomes a host.
    inventory={"plugin": "clawhosters.cloud.instances", "statuses": ["all"]},
    instance={"clawhosters.cloud.claw_instance": {"id": "NUMBER", "state": "started"}},
    service=lambda services: services.simulated,
    environment=lambda services: {
        "CLAWHOSTERS_API_URL": services.simulator.url,
        "CLAWHOSTERS_API_KEY": KEY,
        "CLAWHOSTERS_PROGRESS": "0",
    },
    options=lambda services: {"api_url": services.simulator.url, "api_key": KEY},
)
HCLOUD = Contestant(
    name="hcloud",
    collection="hetzner.hcloud",
    inventory_file="fleet.hcloud.yml",
    inventory={"plugin": "hetzner.hcloud.hcloud"},
    instance={"hetzner.hcloud.server": {"id": "NUMBER", "state": "started"}},
    service=lambda services: services.standin,
    environment=lambda services: {
        "HCLOUD_ENDPOINT": f"{services.standin.url}/hcloud/v1",
        "HCLOUD_TOKEN": "standin",
    },
    options=lambda services: {"api_endpoint": f"{services.standin.url}/hcloud/v1", "api_token": "standin"},
)
VULTR = Contestant(
    name="vultr",
    collection="vultr.cloud",
    inventory_file="fleet.vultr.yml",
    inventory={"plugin": "vultr.cloud.vultr"},
    instance={"vultr.cloud.instance": {"label": "vm-NUMBER", "region": "ams", "state": "started"}},
    service=lambda services: services.standin,
    environment=lambda services: {
        "VULTR_API_ENDPOINT": f"{services.standin.url}/vultr/v2",
        "VULTR_API_KEY": "standin",
    },
    options=lambda services: {"api_endpoint": f"{services.standin.url}/vultr/v2", "api_key": "standin"},
)
PEERS = (HCLOUD, VULTR)
ALL = (OURS, *PEERS)

LOCAL = {
    "ansible_connection": "local",
    # What modules need is installed where Ansible is.
    "ansible_python_interpreter": str(BIN / "python"),
}


def hosts(first: int, last: int) -> dict[str, Any]:
    """An inventory of hosts that are all this machine; ``number`` counts them, ``labelled`` up to the first page."""
    names = {
        f"host-{number:04}": {"number": number, "labelled": (number - 1) % VULTR_PAGE + 1}
        for number in range(first, last + 1)
    }
    return {"all": {"hosts": names, "vars": LOCAL}}


def number_of(contestant: Contestant) -> str:
    """The host variable that names a host's instance."""
    return "labelled" if contestant is VULTR else "number"


def play(tasks: list[dict[str, Any]], where: str = "all") -> list[dict[str, Any]]:
    """A playbook of these tasks."""
    return [{"hosts": where, "gather_facts": False, "tasks": tasks}]


def shown(value: object) -> str:
    """A task or an inventory in one line."""
    return json.dumps(value).replace('"', "")
