#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_restore
short_description: Run a task of the restore runbook (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
  - Records the run before each restore and after a failure.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  task:
    description:
      - The task of the role to run.
    type: str
    required: true
    choices: [variables, plan, restore, outcome]
  variables:
    description:
      - The variables of the role, for the first task.
    type: dict
  misspelt:
    description:
      - The message for misspelt variables, for the first task.
    type: str
    default: ""
  run:
    description:
      - The RV(run) of the task before, for all other tasks.
    type: dict
  priority:
    default: high
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.no_async
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
attributes:
  idempotent:
    details:
      - For one incident, a restore of an instance is sent at most once.
"""

EXAMPLES = r"""
- name: Choose the backups
  clawhosters.cloud.internal_restore:
    task: plan
    run: "{{ restore__begun.run }}"
  register: restore__planned
"""

RETURN = r"""
run:
  description: The run so far, for the next task.
  returned: if the run continues
  type: dict
lines:
  description: The plan.
  returned: after O(task=plan)
  type: list
  elements: str
title:
  description: The label of the instance, or how many there are.
  returned: after O(task=plan)
  type: str
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
