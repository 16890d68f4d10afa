#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_fleet_plan
short_description: Write or read the plan of a fleet (internal to the roles and playbooks of the collection)
version_added: 1.0.0
description:
  - Internal to the playbook C(clawhosters.cloud.fleet), which is its only user.
  - Sends nothing, and needs no API key.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  path:
    description:
      - The file of the plan. It is written in check mode too.
    type: path
    required: true
  plan:
    description:
      - The plan to write. Without it, the file is read.
    type: dict
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Read a plan
  clawhosters.cloud.internal_fleet_plan:
    path: fleet-plan.json
"""

RETURN = r"""
path:
  description: The absolute path of the file.
  returned: success
  type: str
  sample: /home/user/fleet-plan.json
plan:
  description: The plan in the file.
  returned: if no plan was given
  type: dict
  sample: {}
"""
