#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_instance_info
short_description: Read ClawHosters instances
version_added: 1.0.0
description:
  - Returns all instances of an account, or the matching ones. The list may be empty.
  - A value of C(statuses), C(tiers) or C(health_statuses) that is neither documented nor found is an error.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - Return only the instance with this id, with all its fields. This costs one request.
    type: int
    aliases: [instance_id]
  name:
    description:
      - Return only instances with exactly this name; several may have it.
    type: str
    aliases: [instance_name]
  statuses:
    description:
      - Return only instances in one of these statuses, such as V(running) or V(stopped).
    type: list
    elements: str
  tiers:
    description:
      - Return only instances of one of these tiers, such as V(budget), V(balanced) or V(pro).
    type: list
    elements: str
  health_statuses:
    description:
      - Return only instances with one of these health statuses, such as V(healthy), V(unhealthy) or V(unknown).
    type: list
    elements: str
  details:
    description:
      - Also read the fields that lists do not show, such as C(subdomain_url) and C(daily_claw_cost).
      - This costs one request per instance.
    type: bool
    default: false
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
seealso:
  - module: clawhosters.cloud.claw_instance
  - plugin: clawhosters.cloud.instances
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Read all instances
  clawhosters.cloud.claw_instance_info:
  register: fleet

- name: Read one instance with all its fields
  clawhosters.cloud.claw_instance_info:
    id: 7
  register: web_bot

- name: Read the running instances, with their cost
  clawhosters.cloud.claw_instance_info:
    statuses: [running]
    details: true
  register: running

- name: Show those whose names begin with web-
  ansible.builtin.debug:
    msg: "{{ running.instances | selectattr('name', 'match', 'web-') | map(attribute='name') }}"

- name: Show those that are not healthy, whatever their health is called
  ansible.builtin.debug:
    msg: "{{ running.instances | rejectattr('health_status', '==', 'healthy') | map(attribute='name') }}"

- name: Show their cost a day, without add-ons
  ansible.builtin.debug:
    msg: "{{ running.instances | map(attribute='daily_claw_cost') | sum }} Claws a day"
"""

RETURN = r"""
instances:
  description: The instances as the service returns them, sorted by id.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 7
      name: web-bot
      status: running
      tier: balanced
      billing_mode: daily
      ip_address: "2001:db8::7"
      health_status: healthy
      created_at: "2026-02-01T10:00:00Z"
      provisioned_at: "2026-02-01T10:01:00Z"
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 3, retries: 0, waited: 0.0, remaining: 97}
error:
  description: The error response of the service.
  returned: failure, if the service answered with an error
  type: dict
  sample: {status: 401, code: unauthorized, message: The API key is not valid, details: null, request_id: 4b7c}
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.instance_list import fetch_instances

SPEC = ArgumentSpec(
    {
        "id": {"type": "int", "aliases": ["instance_id"]},
        "name": {"type": "str", "aliases": ["instance_name"]},
        "statuses": {"type": "list", "elements": "str"},
        "tiers": {"type": "list", "elements": "str"},
        "health_statuses": {"type": "list", "elements": "str"},
        "details": {"type": "bool", "default": False},
    }
).merge(API)


def run(context: ModuleContext) -> Result:
    """Reads the matching instances."""
    params = context.params
    wanted = {"status": params["statuses"], "tier": params["tiers"], "health_status": params["health_statuses"]}
    instances = fetch_instances(context.client, params["id"], params["name"], wanted, details=params["details"])
    return {"instances": instances}


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
