#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_health_info
short_description: See whether the ClawHosters API is up
version_added: 1.0.0
description:
  - Asks the API once, now, whether it is up, and measures how long it takes to answer.
  - An API that is down, or can't be reached, is a finding and not a failed task. Nothing is repeated or waited out;
    use C(until) to wait for it.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options: {}
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - No API key is needed. One that is given is not read and not sent.
  - O(retry_timeout), O(page_size) and O(state_dir) change nothing here.
seealso:
  - module: clawhosters.cloud.claw_account_info
"""

EXAMPLES = r"""
- name: See whether the API is up
  clawhosters.cloud.claw_health_info:
  register: health

- name: Say why it is not
  ansible.builtin.debug:
    msg: "The API is down: {{ health.error }}"
  when: not health.available

- name: Wait until it is up again, for five minutes at most
  clawhosters.cloud.claw_health_info:
    timeout: 5
  register: health
  until: health.available
  retries: 30
  delay: 10

- name: Refuse to go on with a clock that is far off
  ansible.builtin.assert:
    that: health.clock_skew is none or health.clock_skew | abs < 60
    fail_msg: "The clocks differ by {{ health.clock_skew }} s; see the time service of this machine."
"""

RETURN = r"""
available:
  description: Whether the API is up - it answered with success, whatever it said.
  returned: success
  type: bool
  sample: true
health:
  description:
    - What the service said, as an object or as a text; null when it said nothing. What it is is not documented.
  returned: success
  type: raw
  sample:
    status: ok
latency:
  description: Seconds until the whole answer was there; null without one.
  returned: success
  type: float
  sample: 0.084
clock_skew:
  description:
    - Seconds by which the service's clock is ahead of this machine's; null when the answer bears no C(Date).
    - The service tells whole seconds only, so one more or less means nothing.
  returned: success
  type: float
  sample: -0.4
error:
  description:
    - Why the API is not available, in one line; null when it is.
    - When the task itself failed, for an option that can't be used, RV(ignore:msg) says why.
  returned: success
  type: str
  sample: "GET /health was answered with 503. The fault is on the service's side; try again later."
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
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API_WITHOUT_KEY
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.health import measure_health

SPEC = API_WITHOUT_KEY


def run(context: ModuleContext) -> Result:
    """Sends one request to the service (contract 2)."""
    return measure_health(context.client)


def main() -> None:
    """Entry point of the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
