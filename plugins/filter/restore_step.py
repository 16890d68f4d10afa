# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter restore_step."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_step
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Note a step of the runbook (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), for whose tasks alone it is made.
positional: earlier
options:
  _input:
    description:
      - What the task of the step returned.
    type: dict
    required: true
  earlier:
    description:
      - The steps before this one.
    type: list
    required: true
  action:
    description:
      - The action of the task, which tells the step.
    type: str
  step:
    description:
      - The step, where no action tells it.
    type: str
  about:
    description:
      - The instance that it was about.
    type: str
  message:
    description:
      - What it came to.
    type: str
  failed:
    description:
      - Whether the step failed although the task did not.
    type: bool
  began:
    description:
      - When the runbook began.
    type: str
"""

EXAMPLES = r"""
- name: The service was looked at
  ansible.builtin.set_fact:
    steps: "{{ health | clawhosters.cloud.restore_step(steps, step='service') }}"
"""

RETURN = r"""
_value:
  description: The steps with this one.
  type: list
"""

import typing as t
from datetime import UTC, datetime

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import Step, to_dict
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.report import build_step
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import mark_unsafe


def restore_step(result: t.Any, earlier: t.Any, **options: t.Any) -> t.Any:
    """The steps with one more."""
    steps = [Step(**step) for step in earlier]
    steps.append(build_step(result, steps, datetime.now(UTC), **options))
    return mark_unsafe([to_dict(step) for step in steps])


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"restore_step": restore_step}
