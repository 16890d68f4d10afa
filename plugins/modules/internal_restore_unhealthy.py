#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore_unhealthy
short_description: Decide whether to restore an instance (internal to the roles and playbooks of the collection)
version_added: 1.0.0
description:
  - Internal to the playbook C(clawhosters.cloud.restore_unhealthy), which is its only user.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - The id of the instance.
    type: int
    required: true
  incident:
    description:
      - The identifier of the incident.
    type: str
    required: true
  names:
    description:
      - The names of the instances that may be restored, a list or text; V(all) for each instance.
    type: raw
  ids:
    description:
      - The ids of the instances that may be restored, a list or text.
    type: raw
  at_most:
    description:
      - Nothing is restored while more instances than this are unhealthy, or were restored by the playbook within the
        last hour, nor within an hour after that.
    type: int
    default: 2
  cooldown:
    description:
      - The instance is not restored if a restore of it was sent for another incident within this time.
    type: str
    default: 24h
  priority:
    default: high
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Decide whether to restore the instance
  clawhosters.cloud.internal_restore_unhealthy:
    id: 7
    incident: INC-2041
    ids: [7, 12]
"""

RETURN = r"""
reason:
  description: Why the instance is not restored; empty if it is.
  returned: success
  type: str
  sample: "There is no instance with id 7. There is nothing to do."
lines:
  description: The reason, and how to restore the instance by hand; empty if it is restored.
  returned: success
  type: list
  elements: str
name:
  description: The name that allows the restore; null if the id or V(all) does.
  returned: success
  type: str
at_most:
  description: The option O(at_most).
  returned: success
  type: int
"""
