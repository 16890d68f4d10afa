#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_doctor_info
short_description: Compare the ClawHosters API with what the collection expects
version_added: 1.0.0
description:
  - Compares what the service does with what the collection expects, and explains the consequences for your playbooks.
    The public documentation of the API leaves much open, and the service may have changed since.
  - Sends at most 16 GET requests, retries not counted, within two minutes. It changes nothing.
  - The task does not fail if a finding is bad. It fails if an option is invalid or if there is no key.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options: {}
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - The findings and shapes contain no key, no name, no address and no other value of your account, so you can attach
    them to a bug report. Do not attach warnings, C(api_url) and C(scope), since they may name a path, a host or the
    account.
  - C(page_size) has no effect.
  - The playbook C(clawhosters.cloud.doctor) shows the findings as a table and writes them to a file.
seealso:
  - module: clawhosters.cloud.claw_health_info
  - module: clawhosters.cloud.claw_account_info
"""

EXAMPLES = r"""
- name: Compare the service with what the collection expects
  clawhosters.cloud.claw_doctor_info:
  register: doctor

- name: Show what is different, or not known
  ansible.builtin.debug:
    msg: "{{ item.check }}: {{ item.found }}. {{ item.consequence }}"
  loop: "{{ doctor.findings | rejectattr('status', '==', 'ok') }}"
  loop_control:
    label: "{{ item.check }}"

- name: Stop if the collection can't rely on the service
  ansible.builtin.assert:
    that: doctor.healthy
"""

RETURN = r"""
api_url:
  description: The URL of the API that was examined.
  returned: success
  type: str
  sample: https://clawhosters.com/api/v1
scope:
  description: Host of the service and account of the key, the line that the playbook shows first.
  returned: success
  type: str
  sample: Service clawhosters.com, account ops@example.com (id 1).
healthy:
  description:
    - False if a finding is V(failed), or V(different) in something that the collection relies on.
    - Differences that the collection handles don't count, nor do undocumented extras or anything that this account
      can't show.
  returned: success
  type: bool
  sample: true
unmet:
  description: The names of the checks for which C(healthy) is false.
  returned: success
  type: list
  elements: str
  sample: []
findings:
  description: One finding for each expectation, worst first.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: The name of the check.
      type: str
      sample: list_fields
    status:
      description: V(ok), V(different), V(failed), or V(unknown) if this account can't show it.
      type: str
      sample: different
    expected:
      description: What the collection expects. The simulator does the same.
      type: str
      sample: instances with id, name, status, health_status, tier, billing_mode, created_at, ip_address, provisioned_at
    found:
      description: What was found.
      type: str
      sample: health_status is missing
    consequence:
      description:
        - The consequence for you, empty if there is none. It names each use of the collection that does not work, such
          as C(inventory), C(claw_fleet), C(runbook) or C(backup_id). For V(unknown), what it would take to find out.
      type: str
      sample: "Does not work: health_changed of the event source."
shapes:
  description:
    - The names and types of the fields of the objects in each reply, without values.
    - Only the words of a status, health, tier or type are shown, if they consist of lower-case letters and underscores.
    - For objects inside a field, no keys are shown, except the names of documented fields inside undocumented ones.
  returned: success
  type: dict
  sample:
    backups:
      id: number
      instance_id: number
      status: "text: completed, failed"
      created_at: time
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 14, retries: 0, waited: 0.0, remaining: 86}
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.doctor import examine

SPEC = API


def run(context: ModuleContext) -> Result:
    """Compares what the service does with what the collection expects."""
    return examine(context.client)


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
