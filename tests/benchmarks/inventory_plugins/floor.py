# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds hosts from a local JSON file, with as little work as possible: what remains is ansible-core's own cost."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

DOCUMENTATION = r"""
name: floor
short_description: Hosts and their variables from a JSON file
description:
  - Adds all hosts of a JSON file to a group.
options:
  plugin:
    description: Selects this plugin.
    type: str
    required: true
    choices: [floor]
  path:
    description: A file with an object of variables for each host name.
    type: path
    required: true
"""


class InventoryModule(BaseInventoryPlugin):
    """Adds the hosts of a JSON file."""

    NAME = "floor"

    def verify_file(self, path: str) -> bool:
        """Returns True if the file is a configuration of this plugin, by its name."""
        return path.endswith("floor.yml")

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Adds the hosts to the inventory."""
        super().parse(inventory, loader, path)
        self._read_config_data(path)
        hosts = json.loads(Path(self.get_option("path")).read_text(encoding="utf-8"))
        group = inventory.add_group("floor")
        for name, variables in hosts.items():
            host = inventory.get_host(inventory.add_host(name, group=group))
            for variable, value in variables.items():
                # Trusted, so that ansible-inventory prints plain text, as it does for the other contestants.
                host.set_variable(variable, trust_as_template(value) if isinstance(value, str) else value)
