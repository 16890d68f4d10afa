# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin restore_step."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_step
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Add a step to the run of the restore runbook (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
positional: earlier
options:
  _input:
    description:
      - The result of the task.
    type: dict
    required: true
  earlier:
    description:
      - The earlier steps.
    type: list
    required: true
  action:
    description:
      - The action of the task, which identifies the step.
    type: str
  step:
    description:
      - The step, if the action does not identify it.
    type: str
  instance_label:
    description:
      - The label of the instance.
    type: str
  message:
    description:
      - A sentence about the result.
    type: str
  failed:
    description:
      - Mark the step as failed although the task succeeded.
    type: bool
  began:
    description:
      - When the run began.
    type: str
"""

EXAMPLES = r"""
- name: Record the health check
  ansible.builtin.set_fact:
    steps: "{{ health | clawhosters.cloud.restore_step(steps, step='service') }}"
"""

RETURN = r"""
_value:
  description: The earlier steps and this one.
  type: list
"""

import typing as t
from datetime import UTC, datetime

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import Step, to_dict
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.report import build_step
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def restore_step(result: t.Any, earlier: t.Any, **options: t.Any) -> t.Any:
    """Returns the steps with one more."""
    steps = [Step(**step) for step in earlier]
    steps.append(build_step(result, steps, datetime.now(UTC), **options))
    return protect_value([to_dict(step) for step in steps])


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"restore_step": restore_step}
