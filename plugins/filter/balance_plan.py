# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter balance_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: balance_plan
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Plan which instances to stop so that the balance lasts (internal to the role balance_guard)
description:
  - Internal to the role P(clawhosters.cloud.balance_guard#role), for whose tasks alone it is made.
positional: instances, order, min_days, rounds
options:
  _input:
    description:
      - What M(clawhosters.cloud.claw_billing_info) said, with C(summary) and C(usage).
    type: dict
    required: true
  instances:
    description:
      - All instances of the account.
    type: list
    required: true
  order:
    description:
      - The names of those that may be stopped, the first to stop first.
    type: raw
    required: true
  min_days:
    description:
      - The days that the balance must last.
    type: int
    required: true
  rounds:
    description:
      - What was done by the plans before, the last one last. Each has the C(cost) and C(stops) of its plan, and the ids
        that it really C(stopped).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: The plan
  ansible.builtin.set_fact:
    plan: "{{ costs.billing | clawhosters.cloud.balance_plan(fleet.instances, ['demo-bot', 'test-bot'], 7) }}"
"""

RETURN = r"""
_value:
  description: The C(stops), what each buys, and C(lines) that say it to people.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.balance import build_plan
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import mark_unsafe


def balance_plan(billing: t.Any, instances: t.Any, order: t.Any, min_days: t.Any, rounds: t.Any = ()) -> t.Any:
    """What to stop, and what each stop buys."""
    try:
        return mark_unsafe(vars(build_plan(billing, list(instances), order, int(min_days), rounds)))
    except RefusedError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"balance_plan": balance_plan}
