#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_doctor_report
short_description: Write the findings of the doctor to a file (internal to the roles and playbooks of the collection)
version_added: 1.0.0
description:
  - Internal to the playbook C(clawhosters.cloud.doctor), which is its only user.
  - Sends nothing, and needs no API key.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  path:
    description:
      - The file to write.
    type: path
    required: true
  result:
    description:
      - The result of M(clawhosters.cloud.claw_doctor_info).
    type: dict
    required: true
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Write the findings
  clawhosters.cloud.internal_doctor_report:
    path: clawhosters-doctor.json
    result: "{{ doctor }}"
"""

RETURN = r"""
path:
  description: The absolute path of the file.
  returned: success
  type: str
  sample: /home/user/clawhosters-doctor.json
"""
