# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin restore_found."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_found
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Find the instance and the backup of each restore (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
positional: instances, backups, backup_id
options:
  _input:
    description:
      - The targets that P(clawhosters.cloud.restore_targets#filter) returned.
    type: list
    required: true
  instances:
    description:
      - All instances of the account.
    type: list
    required: true
  backups:
    description:
      - The backups to choose from.
    type: list
    required: true
  backup_id:
    description:
      - The backup to restore, instead of the newest.
    type: int
"""

EXAMPLES = r"""
- name: Match backups to instances
  ansible.builtin.set_fact:
    candidates: "{{ targets | clawhosters.cloud.restore_found(fleet.instances, usable.backups) }}"
"""

RETURN = r"""
_value:
  description: Each target with its C(instance), its C(backup), and a C(problem) if one is missing.
  type: list
"""

import typing as t

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import to_dict
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan import match_backups
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def restore_found(targets: t.Any, instances: t.Any, backups: t.Any, backup_id: t.Any = None) -> t.Any:
    """Returns each target with its instance and its backup."""
    candidates = match_backups(list(targets), list(instances), list(backups), backup_id)
    return protect_value([to_dict(candidate) for candidate in candidates])


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"restore_found": restore_found}
