# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the modules' pages, pasted and run, in check mode and for real."""

from __future__ import annotations

import importlib
import typing as t

import pytest
import yaml

from simulator.handle import Simulator
from support import KEY
from support.controller import Controller

pytestmark = pytest.mark.rest

MODULES = [
    "claw_account_info",
    "claw_addon",
    "claw_addon_info",
    "claw_backup_info",
    "claw_billing_info",
    "claw_doctor_info",
    "claw_health_info",
    "claw_instance_info",
    "claw_journal_info",
]
WORLD: dict[str, t.Any] = {
    "balance": 100_000,
    "instances": [
        {"id": 7, "name": "web-bot"},
        {"id": 8, "name": "shop-bot"},
        {"id": 9, "name": "bare-bot"},
        {"id": 10, "name": "sick-bot", "health_status": "unknown"},
        {"id": 11, "name": "web-bot"},
    ],
    "addons": [
        {"id": 1, "instance": "shop-bot", "addon_type": "llm"},
        {"id": 2, "instance": "web-bot", "addon_type": "backup"},
        {"id": 3, "instance": "web-bot", "addon_type": "llm", "tier": "standard"},
    ],
    "backups": [
        {"id": 32, "instance": "web-bot", "created_at": "2026-01-31T03:00:00Z"},
        {"id": 33, "instance": "web-bot", "created_at": "6h ago"},
        {"id": 34, "instance": "shop-bot", "created_at": "40h ago"},
    ],
}

SHOWN = {
    "claw_addon_info": ['"shop-bot"', '"bare-bot"'],
    "claw_instance_info": ['"sick-bot"', "Claws a day"],
    "claw_backup_info": ['"shop-bot"', '"bare-bot"'],
    "claw_billing_info": ['"daily_claws"'],
}
"""The output of the examples of a module. Nothing that is missing or unknown passes for good news."""


@pytest.mark.parametrize("name", MODULES)
def test_each_example_works(simulator: Simulator, controller: Controller, name: str) -> None:
    simulator.reset(state=WORLD, switches={"addon_writable": ["tier", "usage_limit", "provider", "provider_key"]})
    (controller.home / ".clawhosters_key").write_text(KEY, encoding="utf-8")
    controller.environment["PROVIDER_KEY"] = "sk-of-a-provider"
    module = importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.modules.{name}")
    tasks = yaml.safe_load(module.EXAMPLES)
    for flags in (["--check"], [], []):
        run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *flags)
        assert run.rc == 0, run.screen
        assert "sk-of-a-provider" not in run.screen
    assert all(text in run.screen for text in SHOWN.get(name, ()))
