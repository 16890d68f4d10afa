# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin restore_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_report
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Build the report of a run of the restore runbook (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
positional: plans, settings, run
options:
  _input:
    description:
      - The steps.
    type: list
    required: true
  plans:
    description:
      - The plans.
    type: list
    required: true
  settings:
    description:
      - The variables of the role.
    type: dict
    required: true
  run:
    description:
      - The C(id) of the run, when it C(began), its C(targets) and C(instances), and the flags C(check) and
        C(is_finished).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Build the report
  ansible.builtin.set_fact:
    report: "{{ steps | clawhosters.cloud.restore_report(plans, settings, run) }}"
"""

RETURN = r"""
_value:
  description: The steps, and for each instance the result, its state, and the next command.
  type: dict
"""

import typing as t
from datetime import UTC, datetime

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import RestorePlan, Step
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.report import build_report
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def restore_report(steps: t.Any, plans: t.Any, settings: t.Any, run: t.Any) -> t.Any:
    """Returns the run as the record holds it."""
    step_objects, plan_objects = [Step(**step) for step in steps], [RestorePlan(**plan) for plan in plans]
    return protect_value(build_report(step_objects, plan_objects, settings, run, datetime.now(UTC)))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"restore_report": restore_report}
