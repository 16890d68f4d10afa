#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_fleet
short_description: Start, stop, restart or delete many ClawHosters instances in one task
version_added: 1.0.0
description:
  - Brings each instance of a list to its state, as M(clawhosters.cloud.claw_instance) does for one, but at the price of
    reading the list of instances, however many entries there are.
  - Changes are asked for together, and one wait serves them all.
  - An entry that fails does not stop the others; the task fails at the end, with the result of each.
  - Instances that are not in the list are left alone.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  instances:
    description:
      - What is declared. Two entries may name the same instance, but not want two states of it.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description:
          - The id of the instance. With O(instances[].name) too, the name must fit the id, or the entry fails.
        type: int
      name:
        description:
          - The exact name of the instance. A name that fits several instances fails and lists their ids.
        type: str
      state:
        description:
          - The state of this instance; O(state) where it is left out.
        type: str
        choices: [started, stopped, restarted, absent]
  state:
    description:
      - The state of entries that have none of their own. M(clawhosters.cloud.claw_instance) says what each means.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  max_changes:
    description:
      - If more instances than this would change, the task fails before the first change.
    type: int
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
  - module: clawhosters.cloud.claw_instance
  - module: clawhosters.cloud.claw_instance_info
"""

EXAMPLES = r"""
- name: The fleet is as declared
  clawhosters.cloud.claw_fleet:
    instances:
      - name: web-bot
      - name: support-bot
      - name: travel-bot
        state: stopped
      - id: 17
        name: old-bot
        state: absent

- name: Read what runs in the cheapest tier
  clawhosters.cloud.claw_instance_info:
    tiers: [budget]
    statuses: [running]
  register: budget

- name: It is stopped for the night, at most twenty instances, and nobody waits
  clawhosters.cloud.claw_fleet:
    instances: "{{ dict(budget.instances | map(attribute='id') | product(['stopped'])) | dict2items('id', 'state') }}"
    max_changes: 20
    wait: false

- name: All of them run and are healthy within ten minutes
  clawhosters.cloud.claw_fleet:
    instances:
      - id: 7
      - id: 8
    state: started
    wait_healthy: true
    wait_timeout: 600

- name: Both are restarted
  clawhosters.cloud.claw_fleet:
    instances: [{id: 7}, {id: 8}]
    state: restarted
"""

RETURN = r"""
instances:
  description: What came of each entry, in the order given.
  returned: when the list of instances could be read
  type: list
  elements: dict
  contains:
    id:
      description: The id of the instance; what was declared where there is none.
      type: int
    name:
      description: Its name.
      type: str
    state:
      description: The state that was wanted.
      type: str
    before:
      description: Its status before; null where there was no such instance.
      type: str
    after:
      description: Its status after, as it was seen last; null when it is gone.
      type: str
    changed:
      description: Whether it was changed.
      type: bool
    failed:
      description: Whether the entry failed.
      type: bool
    msg:
      description: Why it failed; empty otherwise.
      type: str
  sample:
    - {id: 7, name: web-bot, state: started, before: stopped, after: running, changed: true, failed: false, msg: ""}
summary:
  description: How many entries were as wanted, were changed, and failed. Each is counted once.
  returned: when the list of instances could be read
  type: dict
  sample: {ok: 58, changed: 2, failed: 0}
diff:
  description: The statuses of all entries before and after, by name and id.
  returned: when the list of instances could be read
  type: dict
  sample:
    before: {"web-bot (id 7)": stopped}
    after: {"web-bot (id 7)": running}
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
  description: What the service answered, when the list could not be read because of it.
  returned: failure, when there was an answer
  type: dict
  sample:
    status: 401
    code: unauthorized
    message: The API key is not valid
    details: null
    request_id: 4b7c
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import PartialError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_plan import Entry, build_result
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance import STATES
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import (
    API,
    ArgumentSpec,
    wait_arguments,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.fleet import Fleet

SPEC = ArgumentSpec(
    {
        "instances": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "id": {"type": "int"},
                "name": {"type": "str"},
                "state": {"type": "str", "choices": list(STATES)},
            },
            "required_one_of": [("id", "name")],
        },
        "state": {"type": "str", "choices": list(STATES), "default": "started"},
        "max_changes": {"type": "int"},
    }
).merge(API, wait_arguments(300))

LISTED = 3
"""Failed entries that ``msg`` explains; ``instances`` has all of them."""


def run(context: ModuleContext) -> Result:
    """Brings every entry to its state. Fails at the end if an entry failed."""
    params = context.params
    entries = [Entry(item["id"], item["name"], item["state"] or params["state"]) for item in params["instances"]]
    fleet = Fleet(context.client, context.waiter(), params["wait_healthy"], context.warn)
    jobs = fleet.ensure(entries, params["max_changes"])
    result = build_result(entries, jobs)
    failed = [f"{entry['name'] or entry['id']}: {entry['msg']}" for entry in result["instances"] if entry["failed"]]
    if failed:
        more = f" And {len(failed) - LISTED} more." if len(failed) > LISTED else ""
        raise PartialError(
            f"{len(failed)} of {len(entries)} entries failed. {' '.join(failed[:LISTED])}{more}",
            result,
            next((job.cause for job in jobs if job.cause), None),
        )
    return result


def main() -> None:
    """Entry point of the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
