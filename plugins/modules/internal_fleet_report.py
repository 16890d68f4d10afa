#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_fleet_report
short_description: Write the report about a fleet (internal to the roles of the collection)
version_added: 1.0.0
description:
  - Internal to the role P(clawhosters.cloud.fleet_report#role), which is its only user.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  path:
    description:
      - The page to write.
    type: path
  data_path:
    description:
      - A file for the same data as JSON.
    type: path
  metrics_path:
    description:
      - A file for the numbers, in the text format of Prometheus.
    type: path
  backup_max_age:
    description:
      - A newest backup that is older than this is overdue. A number and a unit, such as V(36h).
    type: str
    default: 36h
  title:
    description:
      - The title of the page.
    type: str
    default: ""
  fail_on:
    description:
      - What is looked for, as a list or text.
    type: raw
  min_days:
    description:
      - A balance that lasts less than this is low.
    type: int
    default: 7
  proof_max_age:
    description:
      - A restore whose last proof is older than this is unproven. A number and a unit, such as V(30d).
    type: str
    default: 30d
  written:
    description:
      - The result of an earlier task. It is shown, and the task fails with its RV(failure), if there is one.
    type: dict
  priority:
    default: low
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
attributes:
  diff_mode:
    details:
      - The files hold operational data, which is not printed.
"""

EXAMPLES = r"""
- name: Write the report
  clawhosters.cloud.internal_fleet_report:
    path: /srv/reports/fleet.html
    backup_max_age: 36h
    title: ClawHosters fleet
"""

RETURN = r"""
path:
  description: The absolute path of the page.
  returned: success
  type: str
  sample: /srv/reports/fleet.html
failure:
  description: The message and the findings, if O(fail_on) found something; else empty.
  returned: success
  type: dict
findings:
  description: At most twelve sentences, what is new first, then those of the worst instances.
  returned: failure
  type: list
  elements: str
lines:
  description: The RV(report) of O(written).
  returned: success
  type: list
  elements: str
report:
  description: A headline, at most twelve findings that O(fail_on) does not look for, and the paths.
  returned: success
  type: list
  elements: str
"""
