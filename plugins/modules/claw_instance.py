#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_instance
short_description: Start, stop, restart or delete a ClawHosters instance
version_added: 1.0.0
description:
  - Brings one instance to the state that is wanted, and does nothing when it is there already.
  - Instances are created, resumed and configured in the dashboard; the API has no way to do it.
  - Starting an instance that is billed by the day costs Claws again from then on.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - The id of the instance. This costs the fewest requests; the inventory plugin hands it out as C(claw_id).
      - With O(name) too, the name must fit the id, or the task fails. That is a safety catch for O(state=absent).
    type: int
  name:
    description:
      - The exact name of the instance. A name that fits several instances fails and lists their ids.
    type: str
  state:
    description:
      - V(started) - it runs.
      - V(stopped) - it is powered off. A paused instance is left as it is.
      - V(restarted) - it is restarted now, or started if it is stopped. Always a change when it runs.
      - V(absent) - it is deleted, and perhaps its backups with it.
      - While an instance is being provisioned or deployed, the task waits until it has settled, and then decides.
      - Where the service shows the flags C(can_start), C(can_stop) and C(can_restart), they decide what is possible.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.wait
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: partial
    details:
      - V(restarted) restarts a running instance each time.
seealso:
  - module: clawhosters.cloud.claw_instance_info
  - plugin: clawhosters.cloud.instances
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: An instance runs
  clawhosters.cloud.claw_instance:
    name: web-bot
    state: started

- name: It runs and is healthy, within five minutes
  clawhosters.cloud.claw_instance:
    id: 7
    state: started
    wait_healthy: true
    wait_timeout: 300

- name: It is stopped for the night, and nobody waits for it
  clawhosters.cloud.claw_instance:
    id: 7
    state: stopped
    wait: false

- name: It is restarted
  clawhosters.cloud.claw_instance:
    id: 7
    state: restarted

- name: It is deleted; the name must fit the id
  clawhosters.cloud.claw_instance:
    id: 7
    name: web-bot
    state: absent

- name: Several instances are as they should be
  clawhosters.cloud.claw_instance:
    name: "{{ item.name }}"
    state: "{{ item.state }}"
  loop:
    - {name: web-bot, state: started}
    - {name: travel-bot, state: stopped}
"""

RETURN = r"""
instance:
  description:
    - The instance as the service describes it, with all its fields.
    - For O(state=absent) the last that was seen of it, or null.
  returned: success, and when a change was accepted and its end not seen
  type: dict
  sample:
    id: 7
    name: web-bot
    status: running
    tier: balanced
    billing_mode: daily
    ip_address: "2001:db8::7"
    health_status: healthy
    created_at: "2026-02-01T10:00:00Z"
    provisioned_at: "2026-02-01T10:01:00Z"
    can_start: false
    can_stop: true
    can_restart: true
    subdomain_url: web-bot.clawhosters.com
    daily_claw_cost: 225
    llm_configured: true
    telegram_configured: false
diff:
  description: Id, name and status before and after; empty where there is no instance.
  returned: success
  type: dict
  sample:
    before: {id: 7, name: web-bot, status: stopped}
    after: {id: 7, name: web-bot, status: running}
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
  sample: {requests: 2, retries: 0, waited: 0.0, remaining: 98}
error:
  description: What the service answered, when it answered with an error.
  returned: failure, when there was an answer
  type: dict
  contains:
    status:
      description: The HTTP status.
      type: int
    code:
      description: The service's word for the error.
      type: str
    message:
      description: The service's message.
      type: str
    details:
      description: What the service says of single fields, in whatever shape.
      type: raw
    request_id:
      description: The request's id, for the service's support.
      type: str
  sample:
    status: 422
    code: unprocessable_entity
    message: The instance is not stopped
    details: null
    request_id: 4b7c
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance import STATES
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import (
    API,
    ArgumentSpec,
    wait_arguments,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.instance_state import InstanceManager
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.instances import find_instance

SPEC = ArgumentSpec(
    {
        "id": {"type": "int"},
        "name": {"type": "str"},
        "state": {"type": "str", "choices": list(STATES), "default": "started"},
    },
    required_one_of=(("id", "name"),),
).merge(API, wait_arguments(300))


def run(context: ModuleContext) -> Result:
    """Finds the instance and brings it to the state."""
    params = context.params
    manager = InstanceManager(context.client, context.waiter(), params["wait_healthy"], context.warn)
    found = find_instance(context.client, params["id"], params["name"])
    sought = f"named {params['name']}" if params["id"] is None else f"with id {params['id']}"
    return manager.ensure_state(found, params["state"], sought).as_result("instance")


def main() -> None:
    """Entry point of the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
