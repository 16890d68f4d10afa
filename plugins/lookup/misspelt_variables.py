# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup misspelt_variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Tell which variables are misspelt (internal to the roles and playbooks)
description:
  - Internal to the roles and playbooks of this collection, for whose tasks alone it is made.
  - Finds variables that are nearly those of a role or playbook. Ansible would ignore them.
options:
  _terms:
    description:
      - Names of roles of this collection. Their variables are those of their argument specs.
    type: list
    elements: str
  playbook:
    description:
      - The name of a playbook of this collection that has variables of its own.
    type: str
  names:
    description:
      - The names of these variables.
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
  description: One message, which is empty when no variable is misspelt.
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

import yaml
from ansible.plugins.lookup import LookupBase

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import mark_unsafe
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._variable_names import misspelt_text

ROLES = Path(__file__).resolve().parents[2] / "roles"


class LookupModule(LookupBase):
    """What Ansible looks for."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Returns the message about all variables in scope, as the only item."""
        self.set_options(var_options=variables, direct=kwargs)
        owners = {str(name): f"playbook {self.get_option('playbook')}" for name in self.get_option("names")}
        for role in terms:
            owners |= dict.fromkeys(_options(role), f"role {role}")
        return [mark_unsafe(misspelt_text(variables or (), owners))]


def _options(role: str) -> list[str]:
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return list(spec["argument_specs"]["main"]["options"])
