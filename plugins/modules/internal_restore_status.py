#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore_status
short_description: Show the state of an incident (internal to the playbooks of the collection)
version_added: 1.0.0
description:
  - Internal to the playbook C(clawhosters.cloud.restore_status), which is its only user.
  - Reads the journal, and how the instances are now, and writes the page of the incident. Or tells which restores
    instances had.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  incident:
    description:
      - The incident. Without it, those of the last 30 days are listed.
    type: str
    default: ""
  instances:
    description:
      - The names of instances, a list or text, instead of an incident.
    type: raw
  instance_ids:
    description:
      - Their ids.
    type: raw
  report_dir:
    description:
      - The folder of the page.
    type: path
    default: clawhosters-restore
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
attributes:
  idempotent:
    details:
      - It changes nothing.
"""

EXAMPLES = r"""
- name: Show the state of an incident
  clawhosters.cloud.internal_restore_status:
    incident: INC-2041
"""

RETURN = r"""
lines:
  description: What is known, and where page and JSON are, or why they could not be written.
  returned: success
  type: list
  elements: str
problem:
  description: Why not all could be told; empty if it could.
  returned: success
  type: str
"""
