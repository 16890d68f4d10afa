# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The measured collections: this one and its peers, each with an inventory and a task for one instance.

All run with default options, except for URL, key and the options that make the work equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import BIN, Workplace
from benchmarks.services import Service, Services
from simulator.handle import KEY


@dataclass(frozen=True)
class Contestant:
    name: str
    collection: str
    inventory_file: str
    inventory: dict[str, Any]
    instance: dict[str, Any]
    """A task for instance NUMBER that changes nothing."""
    service: Callable[[Services], Service]
    url: Callable[[Services], str]
    key: str
    variables: tuple[str, str]
    """The environment variables of modules with URL and key."""
    option_names: tuple[str, str]
    """The options of inventories with URL and key: from version 1.14, vultr's ignores the environment."""

    def environment(self, services: Services) -> dict[str, str]:
        return dict(zip(self.variables, (self.url(services), self.key), strict=True))

    def listing(self, workplace: Workplace, services: Services) -> list[str]:
        """Writes the inventory file and returns the command that lists the account."""
        options = dict(zip(self.option_names, (self.url(services), self.key), strict=True))
        workplace.write(self.inventory_file, {**self.inventory, **options})
        return ["ansible-inventory", "-i", self.inventory_file, "--list"]

    def task(self, number: str) -> dict[str, Any]:
        """Returns the task; ``number`` is a Jinja expression for the instance's number."""
        return _fill_number(self.instance, number)


def _fill_number(value: Any, number: str) -> Any:
    if isinstance(value, dict):
        return {name: _fill_number(item, number) for name, item in value.items()}
    return value.replace("NUMBER", f"{{{{ {number} }}}}") if isinstance(value, str) else value


OURS = Contestant(
    name="ours",
    collection="clawhosters.cloud",
    inventory_file="fleet.clawhosters.yml",
    # By default only running instances become hosts.
    inventory={"plugin": "clawhosters.cloud.instances", "statuses": ["all"]},
    instance={"clawhosters.cloud.claw_instance": {"id": "NUMBER", "state": "started"}},
    service=lambda services: services.simulated,
    url=lambda services: services.simulator.url,
    key=KEY,
    variables=("CLAWHOSTERS_API_URL", "CLAWHOSTERS_API_KEY"),
    option_names=("api_url", "api_key"),
)
HCLOUD = Contestant(
    name="hcloud",
    collection="hetzner.hcloud",
    inventory_file="fleet.hcloud.yml",
    inventory={"plugin": "hetzner.hcloud.hcloud"},
    instance={"hetzner.hcloud.server": {"id": "NUMBER", "state": "started"}},
    service=lambda services: services.standin,
    url=lambda services: f"{services.standin.url}/hcloud/v1",
    key="standin",
    variables=("HCLOUD_ENDPOINT", "HCLOUD_TOKEN"),
    option_names=("api_endpoint", "api_token"),
)
VULTR = Contestant(
    name="vultr",
    collection="vultr.cloud",
    inventory_file="fleet.vultr.yml",
    inventory={"plugin": "vultr.cloud.vultr"},
    instance={"vultr.cloud.instance": {"label": "vm-NUMBER", "region": "ams", "state": "started"}},
    service=lambda services: services.standin,
    url=lambda services: f"{services.standin.url}/vultr/v2",
    key="standin",
    variables=("VULTR_API_ENDPOINT", "VULTR_API_KEY"),
    option_names=("api_endpoint", "api_key"),
)
PEERS = (HCLOUD, VULTR)
ALL = (OURS, *PEERS)

LOCAL = {
    "ansible_connection": "local",
    # The modules' dependencies are installed beside Ansible.
    "ansible_python_interpreter": str(BIN / "python"),
}


def hosts(first: int, last: int) -> dict[str, Any]:
    """Returns an inventory of local hosts, which ``number`` counts.

    At most a hundred: up to version 1.13, vultr.cloud.instance looks for a label on the first page only.
    """
    names = {f"host-{number:04}": {"number": number} for number in range(first, last + 1)}
    return {"all": {"hosts": names, "vars": LOCAL}}


def play(tasks: list[dict[str, Any]], where: str = "all") -> list[dict[str, Any]]:
    return [{"hosts": where, "gather_facts": False, "tasks": tasks}]


def format_one_line(value: object) -> str:
    return json.dumps(value).replace('"', "")
