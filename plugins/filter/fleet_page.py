# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_page."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_page
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Make up the page about a fleet (internal to the role fleet_report)
description:
  - Internal to the role P(clawhosters.cloud.fleet_report#role), for whose tasks alone it is made.
options:
  _input:
    description:
      - The instances.
    type: list
    required: true
  billing:
    description:
      - What M(clawhosters.cloud.claw_billing_info) said, with C(summary) and C(usage).
    type: dict
    default: {}
  backups:
    description:
      - The newest usable backup of each instance; none when they are not known.
    type: list
  state_dir:
    description:
      - The folder of the journal. One that is damaged, or that another user could have written, is a warning.
    type: path
  max_age:
    description:
      - A newest backup that is older than this is overdue, such as V(36h).
    type: str
    default: 36h
  title:
    description:
      - What the page is called.
    type: str
  script:
    description:
      - The script of the page, whose hash the page needs.
    type: str
    default: ""
  notices:
    description:
      - What a reader must know.
    type: list
    default: []
"""

EXAMPLES = r"""
- name: The page
  ansible.builtin.set_fact:
    page: "{{ fleet.instances | clawhosters.cloud.fleet_page(billing=costs.billing, backups=newest.backups) }}"
"""

RETURN = r"""
_value:
  description: Every text and number on the page, and where the lines of its charts run.
  type: dict
"""

import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal, JournalError
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import parse_duration
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_page import build_page
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import mark_unsafe


def fleet_page(
    instances: t.Any,
    billing: t.Any = None,
    backups: t.Any = None,
    state_dir: str | None = None,
    max_age: str = "36h",
    **options: t.Any,
) -> t.Any:
    """Everything on the page."""
    try:
        options["max_age"] = parse_duration("fleet_report_backup_max_age", str(max_age))
        journal, options["journal_problem"] = _read_journal(str(state_dir)) if state_dir else ("", "")
    except SettingsError as error:
        raise AnsibleFilterError(str(error)) from error
    return mark_unsafe(build_page(list(instances), billing or {}, backups, journal, options, datetime.now(UTC)))


def _read_journal(state_dir: str) -> tuple[str, str]:
    """The text of the journal, and why it can't be relied on; empty where it can be. Warns of that, too."""
    journal = Journal(state_dir)
    text = ""
    try:
        text = journal.text()
        journal.lines()
    except JournalError as error:
        Display().warning(str(error))
        return text, str(error)
    return text, ""


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"fleet_page": fleet_page}
