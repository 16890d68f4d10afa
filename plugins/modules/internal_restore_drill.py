#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore_drill
short_description: Choose the instance of the next drill (internal to the roles and playbooks of the collection)
version_added: 1.0.0
description:
  - Internal to the playbook C(clawhosters.cloud.restore_drill), which is its only user.
  - Lists instances and backups, and changes nothing.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  instances:
    description:
      - Names of instances whose data may be overwritten. One of digits alone is refused - an id is never taken for a
        name.
    type: raw
  ids:
    description:
      - Ids of instances whose data may be overwritten.
    type: raw
  every:
    description:
      - An instance that was proven or restored within this time is skipped, unless its last drill failed on another
        day. A number and a unit, such as V(7d).
    type: str
    required: true
  priority:
    default: high
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.reads
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Choose an instance
  clawhosters.cloud.internal_restore_drill:
    instances: [test-bot]
    ids: [12]
    every: 7d
  register: drill
"""

RETURN = r"""
lines:
  description: What is known of each instance, and the choice.
  returned: success
  type: list
  elements: str
problem:
  description: Names and ids that match no instance, or several, and drills that failed; empty if there are none.
  returned: success
  type: str
instance_id:
  description: The instance to restore, or null.
  returned: success
  type: int
name:
  description: The name by which the instance was chosen; null if it was chosen by its id.
  returned: success
  type: str
incident:
  description: The incident of its restore, or null.
  returned: success
  type: str
backup:
  description: The id of the backup to restore, or C(latest).
  returned: success
  type: raw
"""
