#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_balance_guard
short_description: Plan the stops by which the balance lasts (internal to the roles of the collection)
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
  rounds:
    description:
      - The stops that were tried; each with the C(cost) before, and lists of the ids that were C(tried) and C(stopped).
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - clawhosters.cloud.api
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
balance_below:
  description: A package is to be bought only while the balance is below this.
  returned: success
  type: int
cost:
  description: The Claws a day; null if the service does not report them.
  returned: success
  type: int
is_sufficient:
  description: True if the balance lasts without any stop.
  returned: success
  type: bool
lines:
  description: The lines of the plan.
  returned: success
  type: list
  elements: str
name_problems:
  description: A sentence for each name in the order that fits no instance, or several.
  returned: success
  type: list
  elements: str
sent_order:
  description: A sentence about the order if it was sent before; else empty.
  returned: success
  type: str
stops:
  description: The instances to stop, as M(clawhosters.cloud.claw_fleet) takes them.
  returned: success
  type: list
  elements: dict
"""
