# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the inventory in this process, over real HTTP and with a simulated clock."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path
from unittest import mock

import yaml
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader

from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress

from .sleeper import Sleeper

NAME = "clawhosters.cloud.instances"


def read_hosts(folder: Path, config: dict[str, t.Any], sleeper: Sleeper) -> dict[str, t.Any]:
    """Reads the inventory. Returns it in the form of a task's result: ``hosts``, and ``msg`` if it failed."""
    path = folder / "test.clawhosters.yml"
    path.write_text(yaml.safe_dump({"plugin": NAME, **config}), encoding="utf-8")
    plugin = inventory_loader.get(NAME)
    inventory = InventoryData()
    progress = Progress(clock=lambda: sleeper.now, sleep=sleeper.sleep)
    with mock.patch.object(sys.modules[type(plugin).__module__], "display_progress", return_value=progress):
        try:
            plugin.parse(inventory, DataLoader(), str(path), cache=False)
        except AnsibleError as error:
            return {"failed": True, "changed": False, "msg": str(error), "hosts": sorted(inventory.hosts)}
    return {"failed": False, "changed": False, "msg": "", "hosts": sorted(map(str, inventory.hosts))}
