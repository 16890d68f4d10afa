# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin restore_planned."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_planned
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Plan the restores (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
positional: results, settings, instances
options:
  _input:
    description:
      - The candidates that P(clawhosters.cloud.restore_found#filter) returned.
    type: list
    required: true
  results:
    description:
      - The results of M(clawhosters.cloud.claw_backup_restore) in check mode.
    type: list
    required: true
  settings:
    description:
      - The variables of the role.
    type: dict
    required: true
  instances:
    description:
      - All instances of the account.
    type: list
    required: true
"""

EXAMPLES = r"""
- name: Build the restore plan
  ansible.builtin.set_fact:
    planned: "{{ candidates | clawhosters.cloud.restore_planned(checks.results, settings, fleet.instances) }}"
"""

RETURN = r"""
_value:
  description: The C(plans), each with C(lines) that describe it, and the C(prompt) that asks for confirmation.
  type: dict
"""

import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleFilterError

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.confirmation import format_prompt
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import Candidate, to_dict
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan import build_plans
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def restore_planned(candidates: t.Any, results: t.Any, settings: t.Any, instances: t.Any) -> t.Any:
    """Returns a plan for each candidate, and the prompt that asks for confirmation."""
    try:
        targets = [Candidate(**candidate) for candidate in candidates]
        plans = build_plans(targets, list(results), settings, list(instances), datetime.now(UTC))
    except SettingsError as error:
        raise AnsibleFilterError(str(error)) from error
    return protect_value({"plans": [to_dict(plan) for plan in plans], "prompt": format_prompt(plans)})


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"restore_planned": restore_planned}
