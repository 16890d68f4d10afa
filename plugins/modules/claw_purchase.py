#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_purchase
short_description: Buy Claws when the balance is low, at most once for an order
version_added: 1.0.0
description:
  - Buys a package of Claws while the balance is below a limit, and does nothing otherwise. This is about real money.
  - For one order, at most one purchase is sent, however often the task is run again. A journal in O(state_dir)
    remembers it. It tells services apart, not accounts, so that a key that was changed buys nothing twice; for two
    accounts take two names.
  - Nothing is repeated by itself, not even after a rate limit. When the service refused, the same order may be run
    again; when the answer was lost, it is not sent again, and the task says so.
  - It can't be run with C(async), which would leave the answer in a file.
  - Whether the service charges at once or answers with a link to pay by is not documented. A link may still need a
    human. It is in the result, and so the result of a purchase is not shown on the screen, at any verbosity.
  - In a message about a refusal all links are replaced by C(********), as are the values of O(request), and of fields
    with names such as C(checkout_token).
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  package_id:
    description:
      - The id of the package to buy. M(clawhosters.cloud.claw_billing_info) lists them with C(include=packages).
    type: raw
    required: true
  balance_below:
    description:
      - Buy only while the balance is below this number of Claws.
    type: int
    required: true
  order:
    description:
      - What this purchase is, such as C(2026-02-topup). The idempotency key; for another purchase take another order.
    type: str
    required: true
  request:
    description:
      - Further fields for the body of the request, which is not documented. O(package_id) is sent as C(package_id).
      - Their values are shown nowhere.
    type: dict
    default: {}
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: full
    details:
      - For the same order.
seealso:
  - module: clawhosters.cloud.claw_billing_info
"""

EXAMPLES = r"""
- name: Top up once in February, if the balance falls below 1000 Claws
  clawhosters.cloud.claw_purchase:
    order: 2026-02-topup
    package_id: 2
    balance_below: 1000
  register: topup

- name: Buy with further fields in the request
  clawhosters.cloud.claw_purchase:
    order: 2026-02-extra
    package_id: 1
    balance_below: 500
    request:
      quantity: 2
"""

RETURN = r"""
purchase:
  description:
    - What the service answered, perhaps with a link to pay by. Null when nothing was bought now.
  returned: success
  type: dict
  sample: {checkout_url: "https://pay.example/4b7c"}
balance:
  description: The balance in Claws, after the purchase if there was one.
  returned: success
  type: int
  sample: 820
diff:
  description: What the order has bought, before and after.
  returned: success
  type: dict
  sample:
    before: {order: 2026-02-topup, bought: null}
    after: {order: 2026-02-topup, bought: 2}
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
  sample: {requests: 5, retries: 0, waited: 0.0, remaining: 95}
error:
  description: What the service answered, when it answered with an error.
  returned: failure, when there was an answer
  type: dict
  sample:
    status: 422
    code: unprocessable_entity
    message: There is no such package
    details: {package_id: is unknown}
    request_id: 4b7c
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.redacted_options import redact_purchase_options
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API, ArgumentSpec
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.at_most_once import parse_name
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.purchase import Purchase, build_request_body
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal

SPEC = ArgumentSpec(
    {
        "package_id": {"type": "raw", "required": True},
        "balance_below": {"type": "int", "required": True},
        "order": {"type": "str", "required": True},
        "request": {"type": "dict", "default": {}},
    },
    redact_options=redact_purchase_options,
).merge(API)


def run(context: ModuleContext) -> Result:
    """Buys the package if the balance is low and the journal does not hold the order."""
    params = context.params
    order = parse_name("order", params["order"])
    purchase = Purchase(context.client, Journal(params["state_dir"]), order, context.warn)
    result = purchase.run(build_request_body(params["package_id"], params["request"]), params["balance_below"])
    # The response may hold a payment link, which must not appear on screens and in logs.
    sent = result["changed"] and not context.client.check_mode
    return {**result, "_ansible_no_log": True} if sent else result


def main() -> None:
    """Entry point of the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
