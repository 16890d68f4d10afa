#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore
short_description: Carry out the restore runbook (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
  - Plans the restores, shows the plan, asks for the confirmation, restores, and says what came of it. The journal has
    who confirmed what, and how that ended.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  variables:
    description:
      - The variables of the role.
    type: dict
    required: true
  priority:
    default: high
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
attributes:
  idempotent:
    details:
      - For one incident, a restore of an instance is sent at most once.
"""

EXAMPLES = r"""
- name: Plan, confirm and restore
  clawhosters.cloud.internal_restore:
    variables: "{{ restore__variables }}"
  register: restore__result
"""

RETURN = r"""
plan:
  description: The plan, as it was shown before the question.
  returned: success
  type: list
  elements: str
msg:
  description: What came of the run.
  returned: success
  type: str
restored:
  description: The instances that were restored.
  returned: success
  type: list
  elements: str
failures:
  description: The instances that were not, each with what to do.
  returned: success
  type: list
  elements: str
report:
  description: Where page and JSON are, or why they could not be written.
  returned: success
  type: list
  elements: str
is_complete:
  description: If not, the role fails after this task, which would hand on no outcome if it failed itself.
  returned: success
  type: bool
"""
