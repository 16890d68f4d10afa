#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore_run
short_description: Begin or end a run of the restore runbook (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
  - Checks the variables of the role, and hands the outcome of a run to later jobs. Makes no request.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  task:
    description:
      - V(begin) checks O(variables), and V(outcome) publishes what the journal holds of O(run).
    type: str
    required: true
    choices: [begin, outcome]
  variables:
    description:
      - The variables of the role.
    type: dict
  misspelt:
    description:
      - The message for misspelt variables.
    type: str
    default: ""
  run:
    description:
      - The run so far.
    type: dict
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Check the variables
  clawhosters.cloud.internal_restore_run:
    task: begin
    variables: "{{ restore__variables }}"
  register: restore__begun
"""

RETURN = r"""
run:
  description: The run so far, for the next task.
  returned: after O(task=begin)
  type: dict
"""
