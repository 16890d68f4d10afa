#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore_plan
short_description: Plan a run of the restore runbook (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
  - Chooses the backups. Records the run if it fails.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  run:
    description:
      - The RV(clawhosters.cloud.internal_restore_run#module:run) that was begun.
    type: dict
    required: true
  priority:
    default: high
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Choose the backups
  clawhosters.cloud.internal_restore_plan:
    run: "{{ restore__begun.run }}"
  register: restore__planned
"""

RETURN = r"""
run:
  description: The run so far, for the next task.
  returned: success
  type: dict
lines:
  description: The plan.
  returned: success
  type: list
  elements: str
title:
  description: The label of the instance, or how many there are.
  returned: success
  type: str
failures:
  description: For each instance its state, what to do, and the command for it.
  returned: failure
  type: list
  elements: str
report:
  description: Where the page and the record are, or why they could not be written.
  returned: failure
  type: list
  elements: str
"""
