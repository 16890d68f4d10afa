# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin restore_answer."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_answer
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Return the text that confirms the restore of an instance
description:
  - Returns the value of O(clawhosters.cloud.restore#role:main:restore_confirm) for one instance, for a play that runs
    the role P(clawhosters.cloud.restore#role) without a person, after checks of its own.
positional: instances
options:
  _input:
    description:
      - The instance.
    type: dict
    required: true
  instances:
    description:
      - All instances of the account.
    type: list
    required: true
"""

EXAMPLES = r"""
- name: Read all instances
  clawhosters.cloud.claw_instance_info:
  register: fleet

- name: Restore an instance without a prompt
  ansible.builtin.include_role:
    name: clawhosters.cloud.restore
  vars:
    restore_instance_ids: ["{{ instance.id }}"]
    restore_confirm: "{{ instance | clawhosters.cloud.restore_answer(fleet.instances) }}"
"""

RETURN = r"""
_value:
  description: The name of the instance, or its id if the name is ambiguous.
  type: str
"""

import typing as t

from ..plugin_utils._controller.unsafe import protect_value
from ..plugin_utils._restore.answers import Names, build_confirmation


def restore_answer(instance: t.Any, instances: t.Any) -> t.Any:
    """Returns the text that confirms the restore of the instance."""
    return protect_value(build_confirmation(instance, Names(instances)).answer)


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"restore_answer": restore_answer}
