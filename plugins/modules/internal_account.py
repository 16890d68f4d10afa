#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: internal_account
short_description: Name service and account of a run (internal to the roles and playbooks of the collection)
version_added: 1.0.0
description:
  - Internal to the playbook C(clawhosters.cloud.fleet), which is its only user.
  - Fails if the key is for another account than O(account) names. Sends only GET requests.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options: {}
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes.internal
  - clawhosters.cloud.attributes
"""

EXAMPLES = r"""
- name: Read service and account
  clawhosters.cloud.internal_account:
  register: account
"""

RETURN = r"""
scope:
  description: Host of the service and account of the key, on one line.
  returned: success
  type: str
  sample: Service clawhosters.com, account ops@example.com (id 1).
"""
