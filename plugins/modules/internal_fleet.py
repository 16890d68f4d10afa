#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_fleet
short_description: Make the declared fleet real (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.fleet#role), which is its only user.
  - Shows the account, what changes, and the plan. Does not fail for an entry.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  variables:
    description:
      - Options of M(clawhosters.cloud.claw_fleet), and C(plan_path) and C(apply_plan), the files of plans.
    type: dict
    required: true
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
attributes:
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - V(restarted) restarts a running instance each time, but for a plan.
"""

EXAMPLES = r"""
- name: Bring each instance to its state
  clawhosters.cloud.internal_fleet:
    variables: "{{ fleet__variables }}"
  register: fleet__result
"""

RETURN = r"""
instances:
  description: As M(clawhosters.cloud.claw_fleet) returns them.
  returned: if the list of instances was read
  type: list
  elements: dict
msg:
  description: Why the role fails; empty if it does not.
  returned: success
  type: str
is_complete:
  description: False if the role must fail.
  returned: success
  type: bool
"""
