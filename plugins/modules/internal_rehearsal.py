#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_rehearsal
short_description: Copy a fleet for the simulator (internal to the roles and playbooks of the collection)
version_added: 1.0.0
description:
  - Internal to the playbook C(clawhosters.cloud.rehearsal), which is its only user.
  - Sends only GET requests.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  dir:
    description:
      - The folder to write to. It is created if it is missing.
    type: path
    required: true
  port:
    description:
      - The port of the simulator.
    type: int
    required: true
  priority:
    default: low
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
attributes:
  diff_mode:
    details:
      - The files hold operational data, which is not printed.
"""

EXAMPLES = r"""
- name: Copy the fleet
  clawhosters.cloud.internal_rehearsal:
    dir: clawhosters-rehearsal
    port: 8800
"""

RETURN = r"""
path:
  description: The absolute path of the folder.
  returned: success
  type: str
  sample: /home/user/clawhosters-rehearsal
report:
  description: What was written, and how to go on.
  returned: success
  type: list
  elements: str
"""
