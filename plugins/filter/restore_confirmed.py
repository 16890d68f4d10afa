# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin restore_confirmed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_confirmed
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Check the answer that confirms a restore (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
positional: answer
options:
  _input:
    description:
      - The plans that P(clawhosters.cloud.restore_planned#filter) returned.
    type: list
    required: true
  answer:
    description:
      - The value of O(clawhosters.cloud.restore#role:main:restore_confirm), or the text that was typed.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Require confirmation
  ansible.builtin.assert:
    that: planned.plans | clawhosters.cloud.restore_confirmed(answer)
"""

RETURN = r"""
_value:
  description: True if each restore that would be sent is confirmed.
  type: bool
"""

import typing as t

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.confirmation import is_confirmed
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import RestorePlan


def restore_confirmed(plans: t.Any, answer: t.Any) -> t.Any:
    """Returns True if the answer confirms every restore that would be sent."""
    return is_confirmed(str(answer), [RestorePlan(**plan) for plan in plans])


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"restore_confirmed": restore_confirmed}
