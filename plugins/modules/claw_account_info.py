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
  - At one request it is also the cheapest way to find out whether a key is good.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options: {}
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - The account holds personal data, such as an e-mail address. Use C(no_log) where others read what Ansible shows.
seealso:
  - module: clawhosters.cloud.claw_billing_info
  - module: clawhosters.cloud.claw_health_info
"""

EXAMPLES = r"""
- name: Read the account
  clawhosters.cloud.claw_account_info:
  register: mine
  no_log: true # it holds personal data

- name: A key that is not good stops the play here, in the service's own words
  clawhosters.cloud.claw_account_info:
    api_key_file: ~/.clawhosters_key
"""

RETURN = r"""
account:
  description: The account as the service describes it, with all its fields. Which those are is not documented.
  returned: success
  type: dict
  sample:
    id: 1
    email: user@example.com
    created_at: "2026-01-05T09:00:00Z"
api:
  description: What the task cost.
  returned: always
  type: dict
  contains:
    requests:
      description: HTTP requests sent.
      type: int
    retries:
      description: How many of them were repeats.
      type: int
    waited:
      description: Seconds spent waiting for the rate limit, or after faults.
      type: float
    remaining:
      description: Requests left in the window, as the service said last; null if it never said.
      type: int
  sample: {requests: 1, retries: 0, waited: 0.0, remaining: 99}
error:
  description: What the service answered, when it answered with an error.
  returned: failure, when there was an answer
  type: dict
  sample:
    status: 401
    code: unauthorized
    message: The API key is not valid
    details: null
    request_id: 4b7c
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module

SPEC = API


def run(context: ModuleContext) -> Result:
    """Reads the account (contract 3)."""
    return {"account": context.client.fetch_object("/account")}


def main() -> None:
    """Entry point of the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
