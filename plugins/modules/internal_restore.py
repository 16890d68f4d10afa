#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore
short_description: Carry out a run of the restore runbook (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
  - Asks for the confirmation, and restores the instances that were planned. Records the run before each restore and
    after a failure.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  run:
    description:
      - The RV(clawhosters.cloud.internal_restore_plan#module:run) that was planned.
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
- name: Confirm and restore
  clawhosters.cloud.internal_restore:
    run: "{{ restore__planned.run }}"
"""

RETURN = r"""
failures:
  description: For each instance that was not restored its state, what to do, and the command for it.
  returned: failure
  type: list
  elements: str
restored:
  description: The instances that were restored.
  returned: failure, if there are any
  type: list
  elements: str
report:
  description: Where the page and the record are, or why they could not be written.
  returned: failure
  type: list
  elements: str
"""
