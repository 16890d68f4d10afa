#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_addon
short_description: Set attributes of a ClawHosters add-on
version_added: 1.0.0
description:
  - Compares the attributes of one add-on with those that are wanted, sends those that differ, and reads the add-on
    again to see that they took.
  - A change can change what the add-on costs.
  - Add-ons are ordered and cancelled in the dashboard; the API has no way to do it.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - The id of the add-on. This costs the fewest requests; M(clawhosters.cloud.claw_addon_info) tells it.
      - With other options that name the add-on too, those must fit the id, or the task fails.
    type: int
  addon_type:
    description:
      - The add-on of this type, such as V(llm) or V(backup).
    type: str
  instance_id:
    description:
      - The add-on of the instance with this id.
    type: int
  instance_name:
    description:
      - The add-on of the instance of exactly this name. With O(instance_id) too, both must fit.
    type: str
  config:
    description:
      - The attributes that the add-on is to have. M(clawhosters.cloud.claw_addon_info) shows which it has; which of
        them can be changed is not documented.
      - An attribute that the service does not show fails, with the nearest that it does show, unless O(write_only)
        names it - a slip must not go unseen.
      - Of a dictionary only the keys that are given are compared; a list is compared as a whole.
    type: dict
    required: true
  write_only:
    description:
      - Names of attributes in O(config) that the service takes and never shows, such as an API key of a provider.
      - They are sent each time, which is a change each time, since nobody can tell whether they are as wanted.
      - Their values are shown nowhere.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: partial
    details:
      - Attributes named in O(write_only) are sent each time.
notes:
  - Values under names such as C(api_key), C(token), C(secret) and C(password) are hidden in all that is returned.
  - When no clear answer comes, the add-on is read to see whether the change was made. It is never sent again by itself.
seealso:
  - module: clawhosters.cloud.claw_addon_info
"""

EXAMPLES = r"""
- name: The LLM add-on of an instance has this tier and this limit
  clawhosters.cloud.claw_addon:
    addon_type: llm
    instance_name: web-bot
    config:
      tier: eco
      usage_limit: 2000000

- name: See what would change, and change nothing
  clawhosters.cloud.claw_addon:
    id: 3
    config:
      tier: premium
  check_mode: true
  diff: true

- name: Set the key of a provider, which the service never shows
  clawhosters.cloud.claw_addon:
    id: 3
    config:
      provider: anthropic
      provider_key: "{{ lookup('ansible.builtin.env', 'PROVIDER_KEY') }}"
    write_only: [provider, provider_key]

- name: All LLM add-ons have one limit
  clawhosters.cloud.claw_addon_info:
    addon_type: llm
  register: llm

- name: Set it
  clawhosters.cloud.claw_addon:
    id: "{{ item.id }}"
    config:
      usage_limit: 1000000
  loop: "{{ llm.addons }}"
  loop_control:
    label: "{{ item.instance_name }}"
"""

RETURN = r"""
addon:
  description:
    - The add-on as the service describes it, with its secrets hidden; as it is now, in C(check_mode) too.
  returned: success, and failure when not all of the change took
  type: dict
  sample:
    id: 3
    addon_type: llm
    instance_id: 7
    instance_name: web-bot
    tier: eco
    status: active
    current_usage: 12000
    usage_limit: 2000000
diff:
  description: The attributes in O(config) before and after, with their secrets hidden.
  returned: success
  type: dict
  sample:
    before: {id: 3, addon_type: llm, tier: standard, usage_limit: 2000000}
    after: {id: 3, addon_type: llm, tier: eco, usage_limit: 2000000}
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
  sample: {requests: 3, retries: 0, waited: 0.0, remaining: 97}
error:
  description: What the service answered, when it answered with an error.
  returned: failure, when there was an answer
  type: dict
  sample:
    status: 422
    code: unprocessable_entity
    message: The add-on was not changed.
    details:
      tier: is not known
    request_id: 4b7c
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.addon import AddonQuery
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.redacted_options import redact_addon_options
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API, ArgumentSpec
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.addons import ensure_config, find_addon

SPEC = ArgumentSpec(
    {
        "id": {"type": "int"},
        "addon_type": {"type": "str"},
        "instance_id": {"type": "int"},
        "instance_name": {"type": "str"},
        "config": {"type": "dict", "required": True},
        "write_only": {"type": "list", "elements": "str", "default": [], "no_log": False},
    },
    required_one_of=(("id", "addon_type"),),
    redact_options=redact_addon_options,
).merge(API)


def run(context: ModuleContext) -> Result:
    """Finds the add-on and sets its attributes (contract 6)."""
    params = context.params
    query = AddonQuery(params["id"], params["addon_type"], params["instance_id"], params["instance_name"])
    addon = find_addon(context.client, query)
    return ensure_config(context.client, addon, params["config"], params["write_only"]).as_result("addon")


def main() -> None:
    """Entry point of the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
