#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report_file
short_description: Write the page of a role (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the roles P(clawhosters.cloud.restore#role) and P(clawhosters.cloud.fleet_report#role), for whose tasks
    alone it is made.
  - Writes a file that only its owner can read, at once and synced to the disk. What another user has put in its place,
    a file or a link, is not written into. A folder of another user is refused.
  - Runs in the controller's own process, without a connection.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  path:
    description:
      - The file.
    type: path
    required: true
  template:
    description:
      - The Jinja2 template of the page. Without it the folder is made and tried, and no file is written.
    type: path
  vars:
    description:
      - The variables of the template.
    type: dict
  fingerprint:
    description:
      - A text in the page that is another one when the page says anything new. Without O(run) the task counts as
        changed only then.
    type: str
  run:
    description:
      - A run of the restore runbook, to be added to the record of its incident. That is the file of the same name that
        ends in C(.json).
      - The template finds all runs in C(runs), and this one in C(latest).
      - A run that can't be recorded is told in RV(problem), and does not fail the task.
    type: dict
extends_documentation_fragment:
  - clawhosters.cloud.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written.
  diff_mode:
    support: none
    details:
      - A page holds operational data, which is kept from screens that others may read.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Write the page
  clawhosters.cloud.report_file:
    path: /srv/reports/fleet.html
    template: "{{ role_path }}/templates/fleet.html.j2"
    vars:
      page: "{{ page }}"
    fingerprint: "{{ page.fingerprint }}"
"""

RETURN = r"""
path:
  description: The file, with its folder.
  returned: always
  type: str
  sample: /srv/reports/fleet.html
problem:
  description: Why it could not be written; empty when it was.
  returned: always
  type: str
  sample: ""
run:
  description: The O(run) as it was given.
  returned: always
  type: dict
"""
