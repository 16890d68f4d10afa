# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup misspelt_variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Find misspelt variables (internal to the roles and playbooks)
description:
  - Internal to the roles and playbooks of this collection.
  - Finds variables whose names are similar to those of a role or playbook. Ansible would ignore them.
options:
  _terms:
    description:
      - Roles of this collection. Their variables are the options of their argument specs.
    type: list
    elements: str
  playbook:
    description:
      - A playbook of this collection with variables of its own.
    type: str
  names:
    description:
      - The names of the variables of O(playbook).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the names of the variables
  ansible.builtin.assert:
    that: misspelt | length == 0
    fail_msg: "{{ misspelt }}"
  vars:
    misspelt: "{{ lookup('clawhosters.cloud.misspelt_variables', 'restore') }}"
"""

RETURN = r"""
_raw:
  description: One message, empty if no variable is misspelt.
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

import yaml
from ansible.plugins.lookup import LookupBase

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._variable_names import format_misspelt

ROLES = Path(__file__).resolve().parents[2] / "roles"


class LookupModule(LookupBase):
    """The lookup ``misspelt_variables``."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Returns one item, the error message for the variables in scope."""
        self.set_options(var_options=variables, direct=kwargs)
        owners = {str(name): f"playbook {self.get_option('playbook')}" for name in self.get_option("names")}
        for role in terms:
            owners |= dict.fromkeys(_read_options(role), f"role {role}")
        return [protect_value(format_misspelt(variables or (), owners))]


def _read_options(role: str) -> list[str]:
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return list(spec["argument_specs"]["main"]["options"])
