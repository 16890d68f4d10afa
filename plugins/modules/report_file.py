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
  - Internal to the roles P(clawhosters.cloud.restore#role) and P(clawhosters.cloud.fleet_report#role), which are its
    only users.
  - Writes a file that only its owner can read, atomically and synced to the disk. An existing file or link is replaced,
    never written to. A folder of another user is rejected.
  - Runs in the process of the controller, without a connection.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  path:
    description:
      - The file to write.
    type: path
    required: true
  template:
    description:
      - The Jinja2 template of the page. Without it, only the folder is created and checked.
    type: path
  vars:
    description:
      - The variables of the template.
    type: dict
  fingerprint:
    description:
      - A hash of the content, which is part of the page. Without O(run), the task is changed only if the previous page
        does not contain it.
    type: str
  run:
    description:
      - A run of the restore runbook, to add to the record of its incident. The record is the file with the same name
        and the suffix C(.json).
      - The template has all runs as C(runs), and this one as C(latest).
      - If the run can't be recorded, the task succeeds and RV(problem) says why.
    type: dict
  state_database:
    description:
      - The database that keeps O(run), too, so that the record has the runs of all machines.
      - If not set, the environment variable E(CLAWHOSTERS_STATE_DATABASE) is used.
    type: str
extends_documentation_fragment:
  - clawhosters.cloud.attributes
attributes:
  check_mode:
    support: full
    details:
      - Writes nothing.
  diff_mode:
    support: none
    details:
      - A page holds operational data, which is not printed.
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
  description: The absolute path of the file.
  returned: always
  type: str
  sample: /srv/reports/fleet.html
problem:
  description: Why the file could not be written; empty on success.
  returned: always
  type: str
  sample: ""
run:
  description: The value of O(run).
  returned: always
  type: dict
"""
