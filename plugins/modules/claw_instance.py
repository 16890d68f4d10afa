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
  - Brings the instance of C(id) or C(name) to a state. Changes nothing if it is already in this state.
  - You create, resume and configure instances in the dashboard; the API can't do this.
  - An instance that is billed by the day costs Claws again once it is started.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - The id of the instance, which the inventory plugin provides as C(claw_id). It needs the fewest requests.
      - With C(name) too, the task fails unless the instance with this id has this name. Use both as a safeguard for
        C(state=absent).
    type: int
    aliases: [instance_id]
  name:
    description:
      - The exact name of the instance. If several instances have it, the task fails and lists their ids.
      - An instance that is renamed during the task is not changed.
    type: str
    aliases: [instance_name]
  state:
    description:
      - V(started) - the instance runs.
      - V(stopped) - the instance is powered off. A paused instance is not changed.
      - V(restarted) - the instance is restarted, or started if it is stopped. Always changes a running instance.
      - V(absent) - the instance is deleted, and possibly its backups too.
      - If an instance is being provisioned or deployed, the task first waits until that ends.
      - While a restore of the instance is in flight in the journal, V(started) waits for its end, and the others are
        refused.
      - The service's flags C(can_start), C(can_stop) and C(can_restart) decide what is possible.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  protected:
    description:
      - Names or ids of instances that are never deleted; C(state=absent) for one of them fails before the first
        change. An entry that matches no instance is ignored.
      - This adds to the environment variable E(CLAWHOSTERS_PROTECTED), whose names and ids are separated by commas.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.api.wait
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
- name: Start an instance
  clawhosters.cloud.claw_instance:
    name: web-bot
    state: started

- name: Start an instance, and wait at most five minutes until it is healthy
  clawhosters.cloud.claw_instance:
    id: 7
    state: started
    wait_healthy: true
    wait_timeout: 300

- name: Stop an instance without waiting for it
  clawhosters.cloud.claw_instance:
    id: 7
    state: stopped
    wait: false

- name: Restart an instance
  clawhosters.cloud.claw_instance:
    id: 7
    state: restarted

- name: Delete an instance if the id has this name
  clawhosters.cloud.claw_instance:
    id: 7
    name: web-bot
    state: absent

- name: Delete an instance, but never one of these
  clawhosters.cloud.claw_instance:
    id: 8
    state: absent
    protected: [web-bot, billing-bot]
"""

RETURN = r"""
instance:
  description:
    - The instance as the service returns it, with all its fields.
    - For C(state=absent) the instance as last seen, or null.
  returned: success, and failure after an accepted change
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
  description: Id, name and status before and after; empty without an instance.
  returned: success
  type: dict
  sample:
    before: {id: 7, name: web-bot, status: stopped}
    after: {id: 7, name: web-bot, status: running}
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 2, retries: 0, waited: 0.0, remaining: 98}
error:
  description: The error response of the service.
  returned: failure, if the service answered with an error
  type: dict
  sample:
    status: 422
    code: unprocessable_entity
    message: The instance is not stopped
    details: null
    request_id: 4b7c
"""

from ..module_utils._model.instance import STATES
from ..module_utils._model.instance_job import Consent
from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec, parse_wait, wait_arguments
from ..module_utils._module.protected import PROTECTED, parse_protection
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.instance_task import InstanceTask

SPEC = ArgumentSpec(
    {
        "id": {"type": "int", "aliases": ["instance_id"]},
        "name": {"type": "str", "aliases": ["instance_name"]},
        "state": {"type": "str", "choices": list(STATES), "default": "started"},
    },
    required_one_of=(("id", "name"),),
).merge(PROTECTED, API, wait_arguments(300))


def run(context: ModuleContext) -> Result:
    """Finds the instance and brings it to the state."""
    params = context.params
    consent = Consent(params["name"], parse_protection(context))
    task = InstanceTask(context.client, parse_wait(params), params["wait_healthy"], context.warn, consent)
    return task.ensure_state(task.find(params["id"], params["state"]), params["state"]).as_result("instance")


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
