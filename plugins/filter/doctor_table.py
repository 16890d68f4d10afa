# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin doctor_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_table
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Format the findings of the doctor as a table
description:
  - Formats the findings of M(clawhosters.cloud.claw_doctor_info) as a table of at most 80 columns, worst first. The
    playbook C(clawhosters.cloud.doctor) shows it.
options:
  _input:
    description:
      - The findings of M(clawhosters.cloud.claw_doctor_info).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the findings
  ansible.builtin.debug:
    msg: "{{ (doctor.findings | clawhosters.cloud.doctor_table).lines }}"
"""

RETURN = r"""
_value:
  description: The C(lines) of the table, and a C(headline) with the number of findings of each status.
  type: dict
"""

import typing as t

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.doctor import format_findings, format_headline
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def doctor_table(findings: t.Any) -> t.Any:
    """Returns the table and its headline."""
    return protect_value({"lines": format_findings(list(findings)), "headline": format_headline(findings)})


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"doctor_table": doctor_table}
