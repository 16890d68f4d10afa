# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin balance_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: balance_plan
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Plan which instances to stop so that the balance lasts (internal to the role balance_guard)
description:
  - Internal to the role P(clawhosters.cloud.balance_guard#role), which is its only user.
positional: instances, order, min_days, rounds
options:
  _input:
    description:
      - The billing that M(clawhosters.cloud.claw_billing_info) returned, with C(summary) and C(usage).
    type: dict
    required: true
  instances:
    description:
      - All instances of the account.
    type: list
    required: true
  order:
    description:
      - The names of the instances that may be stopped, in this order.
    type: raw
    required: true
  min_days:
    description:
      - The number of days that the balance must last.
    type: int
    required: true
  rounds:
    description:
      - The earlier rounds, oldest first. Each has the C(cost) and C(stops) of its plan, and the ids that were
        C(stopped).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Build the plan
  ansible.builtin.set_fact:
    plan: "{{ costs.billing | clawhosters.cloud.balance_plan(fleet.instances, ['demo-bot', 'test-bot'], 7) }}"
"""

RETURN = r"""
_value:
  description: The C(stops) with the savings of each, and C(lines) that describe the plan.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.balance import build_plan
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def balance_plan(billing: t.Any, instances: t.Any, order: t.Any, min_days: t.Any, rounds: t.Any = ()) -> t.Any:
    """Returns the stops of the next round."""
    try:
        return protect_value(vars(build_plan(billing, list(instances), order, int(min_days), rounds)))
    except RefusedError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"balance_plan": balance_plan}
