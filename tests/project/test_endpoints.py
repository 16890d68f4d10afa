# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of endpoints, held against the simulator's routes and against what one playbook really calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.api import build_api
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller

ROW = re.compile(r"^\| `(?P<endpoint>[A-Z]+ /\S+)` \| (?P<users>[^|]+) \|", re.MULTILINE)
TABLE = {
    row["endpoint"]: re.findall(r"`(\w+)`", row["users"])
    for row in ROW.finditer((REPOSITORY / "docs/contract.md").read_text(encoding="utf-8"))
}

TASKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - clawhosters.cloud.claw_health_info:
    - clawhosters.cloud.claw_account_info:
    - clawhosters.cloud.claw_instance_info: {name: web-bot, details: true}
    - clawhosters.cloud.claw_fleet:
        instances:
          - {id: 1, state: stopped}
          - {id: 2, state: restarted}
    - clawhosters.cloud.claw_instance: {id: 1, state: started}
    - clawhosters.cloud.claw_instance: {id: 3, state: absent}
    - clawhosters.cloud.claw_billing_info: {include: [summary, usage, transactions, packages]}
    - clawhosters.cloud.claw_purchase: {order: one, package_id: 1, balance_below: 1000}
    - clawhosters.cloud.claw_addon_info: {instance_name: web-bot}
    - clawhosters.cloud.claw_addon: {id: 1, config: {usage_limit: 7}}
    - clawhosters.cloud.claw_backup_info: {id: 1}
    - clawhosters.cloud.claw_backup_restore: {incident: one, instance_id: 1, wait: false}
"""


def test_the_table_has_every_route_of_the_service_and_no_other() -> None:
    routes = {f"{method} {route.path_format}" for route in build_api().routes for method in route.methods}
    assert set(TABLE) == routes
    assert len(TABLE) == 19


@pytest.mark.parametrize("endpoint", TABLE)
def test_whoever_the_table_names_exists(endpoint: str) -> None:
    plugins = {
        path.stem for folder in ("modules", "inventory") for path in Path(REPOSITORY, "plugins", folder).glob("*.py")
    }
    assert TABLE[endpoint]
    assert set(TABLE[endpoint]) <= plugins


def test_all_nineteen_are_called_by_one_playbook(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(
        state={
            "balance": 500,
            "instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}],
            "addons": [{"id": 1, "instance": "web-bot", "addon_type": "llm"}],
            "backups": [{"id": 1, "instance": "web-bot", "created_at": "5h ago"}],
        }
    )
    run = controller.playbook(TASKS)
    assert run.rc == 0, run.screen
    called = {f"{entry['method']} {entry['route']}" for entry in simulator.log()}
    assert called == set(TABLE)
