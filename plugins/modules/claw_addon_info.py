#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_addon_info
short_description: Read the add-ons of ClawHosters instances
version_added: 1.0.0
description:
  - Returns all add-ons of an account, or the matching ones. The list may be empty.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - Return only the add-on with this id. This costs one request.
    type: int
  addon_type:
    description:
      - Return only add-ons of this type, such as V(llm) or V(backup).
    type: str
  instance_id:
    description:
      - Return only add-ons of the instance with this id.
    type: int
  instance_name:
    description:
      - Return only add-ons of the instance with exactly this name. With C(instance_id) too, both must match.
    type: str
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - Values under names such as C(api_key), C(token), C(secret) and C(password) are hidden.
  - If add-ons do not show the type or instance to filter by, the module reads the usage or the list of instances once.
    If these do not show it either, the task fails; it never guesses.
seealso:
  - module: clawhosters.cloud.claw_addon
  - module: clawhosters.cloud.claw_billing_info
"""

EXAMPLES = r"""
- name: Read all add-ons
  clawhosters.cloud.claw_addon_info:
  register: all_addons

- name: Read one add-on
  clawhosters.cloud.claw_addon_info:
    id: 3
  register: one

- name: Read the attributes of the LLM add-on of an instance
  clawhosters.cloud.claw_addon_info:
    addon_type: llm
    instance_name: web-bot
  register: llm

- name: Read all backup add-ons
  clawhosters.cloud.claw_addon_info:
    addon_type: backup
  register: backup_addons

- name: Read the instances
  clawhosters.cloud.claw_instance_info:
  register: fleet

- name: Show the instances without a backup add-on
  ansible.builtin.debug:
    msg: "{{ fleet.instances | rejectattr('id', 'in', covered) | map(attribute='name') }}"
  vars:
    covered: "{{ backup_addons.addons | map(attribute='instance_id') }}"
"""

RETURN = r"""
addons:
  description:
    - The add-ons as the service returns them, sorted by id, with their secrets hidden. Their fields are not documented.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 3
      addon_type: llm
      instance_id: 7
      instance_name: web-bot
      tier: standard
      status: active
      current_usage: 12000
      usage_limit: 5000000
      daily_claws: 40
      created_at: "2026-02-01T10:00:00Z"
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 2, retries: 0, waited: 0.0, remaining: 98}
error:
  description: The error response of the service.
  returned: failure, if the service answered with an error
  type: dict
  sample: {status: 401, code: unauthorized, message: The API key is not valid, details: null, request_id: 4b7c}
"""

from ..module_utils._model.addon import AddonQuery
from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._secret_fields import redact
from ..module_utils._service.addons import fetch_addons

SPEC = ArgumentSpec(
    {
        "id": {"type": "int"},
        "addon_type": {"type": "str"},
        "instance_id": {"type": "int"},
        "instance_name": {"type": "str"},
    }
).merge(API)


def run(context: ModuleContext) -> Result:
    """Reads the matching add-ons."""
    params = context.params
    query = AddonQuery(params["id"], params["addon_type"], params["instance_id"], params["instance_name"])
    return {"addons": redact(fetch_addons(context.client, query))}


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
