# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter restore_evidence."""

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_evidence
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Add a run to the journal of an incident (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), for whose tasks alone it is made.
positional: report
options:
  _input:
    description:
      - What the file of the journal holds; empty when there is none.
    type: str
    required: true
  report:
    description:
      - What P(clawhosters.cloud.restore_report#filter) returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The journal with this run
  ansible.builtin.set_fact:
    evidence: "{{ lookup('ansible.builtin.file', path) | clawhosters.cloud.restore_evidence(report) }}"
"""

RETURN = r"""
_value:
  description: The C(incident), its C(runs), and whether the file was C(readable).
  type: dict
"""

import typing as t

from ansible_collections.clawhosters.cloud.plugins.plugin_utils.restore_report import evidence
from ansible_collections.clawhosters.cloud.plugins.plugin_utils.unsafe import inert


def restore_evidence(text: t.Any, report: t.Any) -> t.Any:
    """The journal of the incident with one more run."""
    return inert(evidence(str(text), report))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"restore_evidence": restore_evidence}
