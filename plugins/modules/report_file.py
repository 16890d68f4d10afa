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
  - Internal to the roles P(clawhosters.cloud.restore#role) and P(clawhosters.cloud.fleet_report#role).
  - Writes a file that only its owner can read, atomically and synced to the disk. Never writes into a file or link of
    another user. Rejects a folder of another user.
  - Runs in the controller's process, without a connection.
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
      - The Jinja2 template of the page. Without it the folder is created and checked, and no file is written.
    type: path
  vars:
    description:
      - The variables of the template.
    type: dict
  fingerprint:
    description:
      - A text in the page that differs if the content differs. Without O(run) the task is changed only then.
    type: str
  run:
    description:
      - A run of the restore runbook, to be added to the record of its incident. This is the file of the same name with
        the extension C(.json).
      - The template gets all runs in C(runs), and this one in C(latest).
      - If the run can't be recorded, RV(problem) has the reason, and the task does not fail.
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
      - The page holds operational data, which must not be shown on screens.
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
  description: The path of the file.
  returned: always
  type: str
  sample: /srv/reports/fleet.html
problem:
  description: The reason why it could not be written; empty if it was.
  returned: always
  type: str
  sample: ""
run:
  description: The given O(run).
  returned: always
  type: dict
"""
