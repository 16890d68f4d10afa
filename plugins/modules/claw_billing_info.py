#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_billing_info
short_description: Read balance, costs, transactions and packages of a ClawHosters account
version_added: 1.0.0
description:
  - Returns balance, costs, transactions and packages of the account, in Claws.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  include:
    description:
      - The parts to read. Each costs one request; V(transactions) costs one per page.
      - V(summary) - balance, daily cost, days left, and subscription.
      - V(usage) - the daily cost of each instance and each add-on.
      - V(transactions) - the history, in the service's order.
      - V(packages) - packages of Claws that can be bought.
    type: list
    elements: str
    choices: [summary, usage, transactions, packages]
    default: [summary]
  max_pages:
    description:
      - The number of pages of transactions to read. V(0) reads all, and fails rather than return only a part.
    type: int
    default: 1
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - Prices and thresholds change. Use the returned numbers instead of constants.
seealso:
  - module: clawhosters.cloud.claw_purchase
  - module: clawhosters.cloud.claw_account_info
"""

EXAMPLES = r"""
- name: Read the balance
  clawhosters.cloud.claw_billing_info:
  register: account

- name: Fail if the Claws last for less than a week
  ansible.builtin.assert:
    that: summary.daily_claw_cost == 0 or summary.days_remaining | int >= 7
    fail_msg: "{{ summary.claws_balance }} Claws last for {{ summary.days_remaining }} days."
  vars:
    summary: "{{ account.billing.summary }}"

- name: Read costs and packages
  clawhosters.cloud.claw_billing_info:
    include: [usage, packages]
  register: costs

- name: Show the three most expensive instances
  ansible.builtin.debug:
    msg: "{{ (costs.billing.usage.instances | sort(attribute='daily_claws', reverse=true))[:3] }}"

- name: Show the three add-ons that cost most, if the service shows their prices
  ansible.builtin.debug:
    msg: "{{ priced[:3] | default('The service shows no price of an add-on.', true) }}"
  vars:
    priced: >-
      {{ costs.billing.usage.addons | selectattr('daily_claws', 'defined')
         | sort(attribute='daily_claws', reverse=true) }}

- name: Read all transactions
  clawhosters.cloud.claw_billing_info:
    include: [transactions]
    max_pages: 0
  register: history
"""

RETURN = r"""
billing:
  description:
    - The parts in C(include), each as the service returns it. Any value may be null.
  returned: success
  type: dict
  contains:
    summary:
      description: The balance and the forecast.
      type: dict
      returned: if included
      sample:
        claws_balance: 1500
        daily_claw_cost: 225
        days_remaining: 6
        low_balance: true
        subscription_status: active
        subscription_tier: balanced
        instances_count: 3
        running_instances_count: 1
    usage:
      description: The daily cost of each instance and each add-on, and the total.
      type: dict
      returned: if included
      sample:
        daily_total: 270
        instances:
          - {id: 7, name: web-bot, tier: balanced, daily_claws: 225, status: running, billing_mode: daily}
        addons:
          - id: 3
            addon_type: llm
            instance_name: web-bot
            tier: standard
            current_usage: 12000
            usage_limit: 5000000
            daily_claws: 45
    transactions:
      description: The transactions, in the service's order. Their fields are not documented.
      type: list
      elements: dict
      returned: if included
      sample:
        - id: 41
          transaction_type: usage
          amount: -225
          balance_after: 1500
          description: Daily usage
          created_at: "2026-02-10T00:00:00Z"
    packages:
      description: The packages that can be bought. Their fields are not documented.
      type: list
      elements: dict
      returned: if included
      sample:
        - {id: 1, name: Small, claws: 1000, price_cents: 1000, currency: EUR}
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
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.billing import PARTS, fetch_billing

SPEC = ArgumentSpec(
    {
        "include": {"type": "list", "elements": "str", "choices": list(PARTS), "default": ["summary"]},
        "max_pages": {"type": "int", "default": 1},
    }
).merge(API)


def run(context: ModuleContext) -> Result:
    """Reads the parts in ``include``."""
    return {"billing": fetch_billing(context.client, context.params["include"], context.params["max_pages"])}


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
