# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin fleet_page."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_page
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Build the page about a fleet (internal to the role fleet_report)
description:
  - Internal to the role P(clawhosters.cloud.fleet_report#role), which is its only user.
options:
  _input:
    description:
      - The instances.
    type: list
    required: true
  billing:
    description:
      - The billing that M(clawhosters.cloud.claw_billing_info) returned, with C(summary) and C(usage).
    type: dict
    default: {}
  backups:
    description:
      - The newest usable backup of each instance; omitted if unknown.
    type: list
  state_dir:
    description:
      - The folder of the journal. A damaged journal, or one that another user could have written, causes a warning.
    type: path
  state_database:
    description:
      - The database of the journal, instead of the folder.
    type: str
  max_age:
    description:
      - A newest backup that is older than this is overdue. A number and a unit, such as V(36h).
    type: str
    default: 36h
  title:
    description:
      - The title of the page.
    type: str
  script:
    description:
      - The script of the page. Its hash is part of the content security policy.
    type: str
    default: ""
  notices:
    description:
      - Notices at the top of the page.
    type: list
    default: []
"""

EXAMPLES = r"""
- name: Build the page
  ansible.builtin.set_fact:
    page: "{{ fleet.instances | clawhosters.cloud.fleet_page(billing=costs.billing, backups=newest.backups) }}"
"""

RETURN = r"""
_value:
  description: The variables of the template, including the coordinates of the charts.
  type: dict
"""

import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal, JournalError
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import parse_duration
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._outage import OUTAGE_PATH
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_page import build_page
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def fleet_page(
    instances: t.Any,
    billing: t.Any = None,
    backups: t.Any = None,
    state_dir: str | None = None,
    state_database: str | None = None,
    max_age: str = "36h",
    **options: t.Any,
) -> t.Any:
    """Returns the variables of the template."""
    try:
        options["max_age"] = parse_duration("fleet_report_backup_max_age", str(max_age))
        place = {"state_dir": str(state_dir or ""), "state_database": str(state_database or "")}
        journal, options["journal_problem"] = _read_journal(place) if any(place.values()) else ("", "")
    except ClawHostersError as error:
        raise AnsibleFilterError(str(error)) from error
    return protect_value(build_page(list(instances), billing or {}, backups, journal, options, datetime.now(UTC)))


def _read_journal(place: dict[str, str]) -> tuple[str, str]:
    """Returns the text of the journal, and why it is not reliable; empty if it is. Prints a warning, too."""
    text = ""
    with open_store(place, outage_path=OUTAGE_PATH) as store:
        journal = Journal(store)
        try:
            text = journal.read_text()
            journal.read_entries()
        except JournalError as error:
            Display().warning(str(error))
            return text, str(error)
    return text, ""


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"fleet_page": fleet_page}
