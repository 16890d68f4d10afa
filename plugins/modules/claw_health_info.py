#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_health_info
short_description: Check whether the ClawHosters API is up
version_added: 1.0.0
description:
  - Sends one request to the API, and measures the time until the response.
  - The task does not fail if the API is down or can't be reached. It does not retry; use C(until) to wait for the API.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options: {}
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - No API key is needed. A given key is neither read nor sent.
  - C(retry_timeout), C(page_size), C(priority) and C(state_dir) have no effect.
seealso:
  - module: clawhosters.cloud.claw_account_info
"""

EXAMPLES = r"""
- name: Check whether the API is up
  clawhosters.cloud.claw_health_info:
  register: health

- name: Show the reason if it is not
  ansible.builtin.debug:
    msg: "The API is down: {{ health.error }}"
  when: not health.available

- name: Wait at most five minutes until it is up
  clawhosters.cloud.claw_health_info:
    timeout: 5
  register: health
  until: health.available
  retries: 30
  delay: 10

- name: Fail if the clocks differ, or if that is not known
  ansible.builtin.assert:
    that: health.clock_skew is not none and health.clock_skew | abs < 60
    fail_msg: "The clocks differ by {{ health.clock_skew }} s; check the time service of this machine."
"""

RETURN = r"""
available:
  description: True if the API answered with success (2xx).
  returned: success
  type: bool
  sample: true
health:
  description:
    - The body of the response, as an object or as a text of at most 4,000 characters; null if it is empty. It is not
      documented.
  returned: success
  type: raw
  sample:
    status: ok
latency:
  description: Seconds until the whole response was received; null without one.
  returned: success
  type: float
  sample: 0.084
clock_skew:
  description:
    - Seconds by which the service's clock is ahead of the local clock; null without a C(Date) header.
    - The header has whole seconds, so a difference of one second is normal.
  returned: success
  type: float
  sample: -0.4
error:
  description:
    - The reason why the API is not available, in one line; null if it is.
    - If the task itself fails, for an invalid option, C(ignore:msg) has the reason.
  returned: success
  type: str
  sample: "GET /health was answered with 503. This is an error of the service; try again later."
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 1, retries: 0, waited: 0.0, remaining: 99}
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API_WITHOUT_KEY
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.service_health import measure_health

SPEC = API_WITHOUT_KEY


def run(context: ModuleContext) -> Result:
    """Sends one request to the service, without the key."""
    health = measure_health(context.client)
    return {**health, "error": health["error"] and str(health["error"])}


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
