# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin restore_targets."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_targets
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Parse the instances to restore (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
positional: ids
options:
  _input:
    description:
      - The names of the instances, as a list or comma-separated text.
    type: raw
    required: true
  ids:
    description:
      - The ids of the instances, instead of names.
    type: raw
"""

EXAMPLES = r"""
- name: Parse the instances to restore
  ansible.builtin.set_fact:
    targets: "{{ restore_instances | clawhosters.cloud.restore_targets(restore_instance_ids) }}"
"""

RETURN = r"""
_value:
  description: For each instance its C(name) or its C(id).
  type: list
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan import parse_targets
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def restore_targets(names: t.Any, ids: t.Any = None) -> t.Any:
    """Returns the targets that the user gave, by name or by id."""
    try:
        return protect_value(parse_targets(names, ids))
    except RefusedError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"restore_targets": restore_targets}
