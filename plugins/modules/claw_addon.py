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
  - Compares the attributes of one add-on with C(config), sends those that differ, and reads the add-on again to check
    them.
  - A change may change the price of the add-on.
  - You order and cancel add-ons in the dashboard; the API can't do this.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - The id of the add-on, which M(clawhosters.cloud.claw_addon_info) returns. It needs the fewest requests.
      - The task fails unless the add-on with this id also matches the other options.
    type: int
  addon_type:
    description:
      - The type of the add-on, such as V(llm) or V(backup).
    type: str
  instance_id:
    description:
      - The id of the instance that the add-on belongs to.
    type: int
  instance_name:
    description:
      - The exact name of the instance that the add-on belongs to. With C(instance_id) too, both must match.
      - Nothing is sent if the add-on, as it was read last, shows another instance.
    type: str
  config:
    description:
      - The attributes to set. M(clawhosters.cloud.claw_addon_info) shows the attributes of an add-on; which of them can
        be changed is not documented.
      - The task fails for an attribute that the service does not show, and suggests the most similar one, unless
        C(write_only) names it.
      - Dictionaries are compared by the given keys only; lists are compared as a whole. Control characters in texts are
        sent, but compared as U+FFFD, as in results. So a change from one control character to another is not noticed.
    type: dict
    required: true
  write_only:
    description:
      - Names of attributes in C(config) that the service accepts but never shows, such as an API key of a provider.
      - They can't be compared, so they are sent each time, and the task is always changed.
      - Their values are never shown.
    type: list
    elements: str
    default: []
  send:
    description:
      - Whether V(changed) attributes are sent, or all that are V(given) in C(config) if anything differs.
      - V(given) is for a service where an update replaces the whole configuration. Then name all attributes that must
        stay in C(config).
    type: str
    choices: [changed, given]
    default: changed
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: partial
    details:
      - Attributes in C(write_only) are sent each time.
notes:
  - The add-on is read for up to 10 seconds after an accepted update, since reads may lag behind. The task fails, as
    changed, if it does not show the update then, or has lost an attribute that was not sent; the diff has its value.
  - Values under names such as C(api_key), C(token), C(secret) and C(password) are hidden in all returned values.
  - After an unclear response the add-on is read to check whether it was changed. The request is not sent again.
seealso:
  - module: clawhosters.cloud.claw_addon_info
"""

EXAMPLES = r"""
- name: Set tier and limit of the LLM add-on of an instance
  clawhosters.cloud.claw_addon:
    addon_type: llm
    instance_name: web-bot
    config:
      tier: eco
      usage_limit: 2000000

- name: Show what would change
  clawhosters.cloud.claw_addon:
    id: 3
    config:
      tier: premium
  check_mode: true
  diff: true

- name: Send the whole configuration if one of its attributes differs
  clawhosters.cloud.claw_addon:
    id: 3
    config:
      tier: eco
      usage_limit: 2000000
    send: given

- name: Set the key of a provider, which the service never shows
  clawhosters.cloud.claw_addon:
    id: 3
    config:
      provider: anthropic
      provider_key: "{{ lookup('ansible.builtin.env', 'PROVIDER_KEY') }}"
    write_only: [provider, provider_key]
"""

RETURN = r"""
addon:
  description:
    - The add-on as the service returns it, with its secrets hidden; unchanged in C(check_mode).
  returned: success, and failure after an accepted change
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
    daily_claws: 40
    created_at: "2026-02-01T10:00:00Z"
diff:
  description: The attributes in C(config), and those that an update has removed, before and after, without secrets.
  returned: success
  type: dict
  sample:
    before: {id: 3, addon_type: llm, tier: standard, usage_limit: 2000000}
    after: {id: 3, addon_type: llm, tier: eco, usage_limit: 2000000}
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 3, retries: 0, waited: 0.0, remaining: 97}
error:
  description: The error response of the service.
  returned: failure, if the service answered with an error
  type: dict
  sample:
    status: 422
    code: unprocessable_entity
    message: The add-on was not changed.
    details:
      tier: is not known
    request_id: 4b7c
"""

from ..module_utils._model.addon import AddonQuery
from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.addon_changes import AddonUpdate, ensure_config, redact_addon_options
from ..module_utils._service.addons import find_addon

SPEC = ArgumentSpec(
    {
        "id": {"type": "int"},
        "addon_type": {"type": "str"},
        "instance_id": {"type": "int"},
        "instance_name": {"type": "str"},
        "config": {"type": "dict", "required": True},
        "write_only": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "send": {"type": "str", "choices": ["changed", "given"], "default": "changed"},
    },
    required_one_of=(("id", "addon_type"),),
    redact_options=redact_addon_options,
).merge(API)


def run(context: ModuleContext) -> Result:
    """Finds the add-on and sets its attributes."""
    params = context.params
    query = AddonQuery(params["id"], params["addon_type"], params["instance_id"], params["instance_name"])
    addon = find_addon(context.client, query)
    update = AddonUpdate(addon, params["config"], params["write_only"], sends_all=params["send"] == "given")
    return ensure_config(context.client, update).as_result("addon")


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
