#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_account_info
short_description: Read the ClawHosters account of an API key
version_added: 1.0.0
description:
  - Returns the account that the API key belongs to.
  - This costs one request, so it is the cheapest way to check a key.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options: {}
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - The account holds personal data, such as an e-mail address. Use C(no_log) if others can read the output.
seealso:
  - module: clawhosters.cloud.claw_billing_info
  - module: clawhosters.cloud.claw_health_info
"""

EXAMPLES = r"""
- name: Read the account
  clawhosters.cloud.claw_account_info:
  register: mine
  no_log: true # it holds personal data

- name: Check the API key
  clawhosters.cloud.claw_account_info:
    api_key_file: ~/.clawhosters_key
"""

RETURN = r"""
account:
  description: The account as the service returns it, with all its fields. They are not documented.
  returned: success
  type: dict
  sample:
    id: 1
    email: user@example.com
    created_at: "2026-01-05T09:00:00Z"
scope:
  description:
    - Host of the service and account of the key, on one line. If the service does not show the account, the task fails,
      and the line says so.
  returned: always, but for a key that is rejected and a service that can't be reached
  type: str
  sample: Service clawhosters.com, account user@example.com (id 1).
refusal:
  description:
    - Why a task that changes something fails with this key. It is for another account than the option C(account) names,
      or the service does not show its account. Else null.
  returned: as C(scope)
  type: str
  sample: null
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 1, retries: 0, waited: 0.0, remaining: 99}
error:
  description: The error response of the service.
  returned: failure, if the service answered with an error
  type: dict
  sample: {status: 401, code: unauthorized, message: The API key is not valid, details: null, request_id: 4b7c}
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API
from ..module_utils._module.runner import ModuleContext, run_module

SPEC = API


def run(context: ModuleContext) -> Result:
    """Reads the account."""
    return context.account.summarize()


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
