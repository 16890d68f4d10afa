#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_purchase
short_description: Buy Claws if the balance is low, at most once per order
version_added: 1.0.0
description:
  - Buys a package of Claws if the balance is below a limit. This spends real money.
  - Sends at most one purchase per order, however often the task runs. A journal in C(state_dir) or C(state_database)
    records the order.
  - If the order was already sent with another C(package_id) or for another account, the task fails, and sends nothing.
    Use another order for another purchase or another account.
  - A new key of the same account makes no difference if C(GET /account) returned the C(id) both times. Otherwise, the
    task fails for an order that was sent with another key. That order may have bought already, so check the
    transactions first.
  - Does not retry, not even after a rate limit. After a rejection (400, 401, 402, 403, 404, 405, 410, 415, 422 or 429)
    the same order can be run again. After a lost response, a redirect or any other error, the purchase may have been
    executed. Then it is not sent again, and the task fails. The task also fails if the purchase was made but could not
    be recorded.
  - It is not documented whether the service charges at once or returns a payment link. The result may contain such a
    link, so it is not shown on the screen at any verbosity. Register it, and write C(purchase) to a file of your own.
  - In messages about a rejection, all links, the values of C(request), and fields with names such as C(checkout_token)
    are replaced by C(********).
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  package_id:
    description:
      - The id of the package to buy. M(clawhosters.cloud.claw_billing_info) lists packages with C(include=packages).
    type: raw
    required: true
  balance_below:
    description:
      - Buy only if the balance is below this number of Claws.
    type: int
    required: true
  order:
    description:
      - The idempotency key, such as C(2026-02-topup). Use another order for another purchase.
      - It is compared in Unicode normalization form NFC. A control character, an invisible character, or a blank other
        than a plain space is refused.
    type: str
    required: true
  request:
    description:
      - More fields for the body of the request, which is not documented. C(package_id) is sent as C(package_id).
      - Their values are never shown.
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
- name: Buy Claws once in February, if the balance falls below 1000
  clawhosters.cloud.claw_purchase:
    order: 2026-02-topup
    package_id: 2
    balance_below: 1000
  register: topup

- name: Keep the response, which may hold a payment link
  ansible.builtin.copy:
    content: "{{ topup.purchase | to_nice_json }}"
    dest: "{{ lookup('ansible.builtin.env', 'HOME') }}/clawhosters-payment.json"
    mode: "0600"
  no_log: true
  when: topup.purchase is not none

- name: Buy with more fields in the request
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
    - The response of the service, possibly with a payment link. Null if this run bought nothing.
    - Without the link if the task fails because the purchase could not be recorded.
  returned: success, and if the outcome is unknown
  type: dict
  sample: {checkout_url: "https://pay.example/4b7c"}
balance:
  description: The balance in Claws, after a purchase the new one.
  returned: success, and if the outcome is unknown
  type: float
  sample: 820
diff:
  description: The package bought for the order, before and after.
  returned: success, and if the outcome is unknown
  type: dict
  sample:
    before: {order: 2026-02-topup, bought: null}
    after: {order: 2026-02-topup, bought: 2}
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 5, retries: 0, waited: 0.0, remaining: 95}
error:
  description: The error response of the service.
  returned: failure, if the service answered with an error
  type: dict
  sample:
    status: 422
    code: unprocessable_entity
    message: There is no such package
    details: {package_id: is unknown}
    request_id: 4b7c
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.purchase import Purchase, build_request_body, redact_request

SPEC = ArgumentSpec(
    {
        "package_id": {"type": "raw", "required": True},
        "balance_below": {"type": "int", "required": True},
        "order": {"type": "str", "required": True},
        "request": {"type": "dict", "default": {}},
    },
    redact_options=redact_request,
).merge(API)


def run(context: ModuleContext) -> Result:
    """Buys the package if the balance is low and the journal does not hold the order."""
    params = context.params
    order = parse_operation_name("order", params["order"])
    purchase = Purchase(context.client, open_journal(context, sends=True), order, context.warn, context.account)
    result = purchase.run(build_request_body(params["package_id"], params["request"]), params["balance_below"])
    # The response may hold a payment link, which must not appear on screens and in logs.
    return {**result, "_ansible_no_log": True} if result["changed"] and not context.client.check_mode else result


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
