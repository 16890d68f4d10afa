#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_balance_guard
short_description: Stop instances until the balance lasts (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.balance_guard#role), which is its only user.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  stop_order:
    description:
      - The names of the instances that may be stopped, in order; a list or comma-separated text.
    type: raw
    required: true
  min_days:
    description:
      - The number of days that the balance must last.
    type: int
    required: true
  plan:
    description:
      - The plan to carry out, which an earlier task returned. Without it, the task returns one.
    type: dict
  package_id:
    description:
      - The package to buy; empty for none.
    type: str
    default: ""
  order:
    description:
      - The identifier of the purchase.
    type: str
    default: ""
  bought:
    description:
      - True if the package was ordered in this run.
    type: bool
    default: false
  purchase_problem:
    description:
      - Why the purchase failed; empty if it did not.
    type: str
    default: ""
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.api.wait
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Plan the stops
  clawhosters.cloud.internal_balance_guard:
    stop_order: [demo-bot, test-bot]
    min_days: 7
  register: planned
"""

RETURN = r"""
instances:
  description: The id and the name of each instance that was stopped, or would be in check mode.
  returned: with O(plan)
  type: list
  elements: dict
plan:
  description: The plan of the first round.
  returned: without O(plan)
  type: dict
problem:
  description: Why the role fails; empty if it does not. Without O(plan), only for names in the order that fit none.
  returned: success
  type: str
  sample: The balance does not last for at least 7 days.
report:
  description: The lines of the plan, or of the results.
  returned: success
  type: list
  elements: str
"""
