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

from ..plugin_utils._controller.unsafe import protect_value
from ..plugin_utils._table import wrap_row

WIDTHS = (9, 15, 41)
"""Columns of status, check and text. With the indentation of Ansible's own output it fits into 80 columns."""
STATUSES = ("failed", "different", "unknown", "ok")

Finding = t.Mapping[str, t.Any]


def doctor_table(findings: t.Any) -> t.Any:
    """Returns the table and its headline."""
    return protect_value({"lines": format_findings(list(findings)), "headline": format_headline(findings)})


def format_findings(findings: t.Sequence[Finding]) -> list[str]:
    """Returns the lines of the table, in the order of the findings, so that the worst come first.

    Checks with the same result share a row, and the last row holds all those that only say ``ok``.
    """
    rows: list[tuple[str, str, str]] = [("STATUS", "CHECK", "FOUND, AND CONSEQUENCE")]
    quiet = [finding for finding in findings if finding["status"] == "ok" and not finding["consequence"]]
    others = [finding for finding in findings if finding not in quiet]
    checks: dict[tuple[str, str], list[str]] = {}
    for finding in others:
        checks.setdefault((finding["status"], _format_text(finding)), []).append(finding["check"])
    for (status, text), names in checks.items():
        several = f"{len(names)} checks", f"{text} That is: {', '.join(names)}."
        rows.append((status, *((names[0], text) if len(names) == 1 else several)))
    if quiet:
        rows.append(("ok", f"{len(quiet)} as expected", f"{', '.join(finding['check'] for finding in quiet)}."))
    return [line for row in rows for line in wrap_row(row, WIDTHS)]


def format_headline(findings: t.Iterable[Finding]) -> str:
    """Returns the number of findings with each status: ``2 different, 1 unknown, 41 ok``."""
    statuses = [finding["status"] for finding in findings]
    return ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES if status in statuses)


def _format_text(finding: Finding) -> str:
    parts = [finding["found"]]
    if finding["status"] in ("different", "failed"):
        parts.append(f"Expected: {finding['expected']}")
    parts.append(finding["consequence"])
    return " ".join(f"{str(part).rstrip('.')}." for part in parts if part)


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"doctor_table": doctor_table}
