#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_fleet_addon
short_description: Set attributes of many ClawHosters add-ons in one task
version_added: 1.0.0
description:
  - Sets the attributes of each add-on of a list, as M(clawhosters.cloud.claw_addon) does for one. Without changes, this
    costs one request per page of the add-on list, for any number of entries. Each change costs one more request. After
    the changes, the pages are read again to check them.
  - Sends changes concurrently. A change may change the price of an add-on.
  - A failed entry does not stop the others. The task fails at the end, with the result of each entry, and is changed if
    anything was.
  - Faults of the list itself change nothing, and are reported together. Such faults are an unknown key, an entry that
    matches no add-on or several, two entries for the same add-on, an entry without attributes, and attributes that the
    service does not show.
  - Add-ons that are not in O(addons) or O(ids) are not changed. You order and cancel add-ons in the dashboard; the API
    can't do this.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  addons:
    description:
      - The add-ons, each once. An entry has O(addons[].id) or O(addons[].addon_type). The type alone is enough if the
        account has only one add-on of this type.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The id of the add-on. The entry is a fault unless this add-on also matches the other keys.
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
          - The exact name of the instance that the add-on belongs to. With O(addons[].instance_id) too, both must
            match.
        type: str
      config:
        description:
          - The attributes of this add-on, instead of those in O(config).
        type: dict
  ids:
    description:
      - Ids of add-ons that get the attributes in O(config).
      - At least one of O(addons) and O(ids) is required. The entries count in this order; together, they name each
        add-on once.
    type: list
    elements: int
  config:
    description:
      - The attributes of entries without their own. They are compared and sent as by
        M(clawhosters.cloud.claw_addon).
    type: dict
  write_only:
    description:
      - Names of attributes that the service accepts but never shows, such as an API key of a provider. They are sent
        each time to each add-on whose attributes include them, and such an add-on is always changed.
      - Their values are never shown.
    type: list
    elements: str
    default: []
  max_changes:
    description:
      - The task fails before the first change if more add-ons than this would change. In check mode it shows the plan
        first.
    type: int
  serial:
    description:
      - Changes the add-ons in batches of these sizes. Each size is a number of at least 1, or a percentage of all
        entries, rounded down but at least one entry; the last one is repeated. V([1, 5, "100%"]) changes one first,
        then five, then all others. By default all are changed at once.
      - A batch begins when the add-ons of the one before were read again. It is compared with what was read then.
    type: list
    elements: raw
  max_failures:
    description:
      - If more entries than this have failed, no further batch begins. Needs O(serial), with which it is V(0) by
        default. Entries that would change and were not begun are counted in C(not_begun) of RV(summary).
    type: int
  plan:
    description:
      - The RV(plan) that this module has returned, in check mode as a rule. Then only what it holds is sent, and only
        if it still holds. It must be of this service and account, and the add-ons that would change now must be
        those of the plan, with the same id, name, action and attributes, found and wanted. If not, nothing is sent, and
        the task names each difference.
      - A plan that was edited, cut, or returned by another module is refused.
      - Secrets are masked in a plan, as in a diff. A plan with masked attributes is refused; set these in a task
        without it.
    type: dict
  plan_max_age:
    description:
      - An older O(plan) is refused. Units are V(s), V(m), V(h), V(d) and V(w).
      - A plan that is dated more than five minutes ahead is refused too.
    type: str
    default: 24h
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: partial
    details:
      - Attributes in O(write_only) are sent each time.
notes:
  - Values under names such as C(api_key), C(token), C(secret) and C(password) are hidden in all returned values.
  - After an unclear response the list of add-ons shows whether the change was made. No request is sent again.
  - If the list does not show the instances of add-ons, the module reads the usage or the list of instances once. If it
    does not show all attributes of an add-on, the module reads this add-on by its id.
seealso:
  - module: clawhosters.cloud.claw_addon
  - module: clawhosters.cloud.claw_addon_info
"""

EXAMPLES = r"""
- name: Set the tiers of some LLM add-ons
  clawhosters.cloud.claw_fleet_addon:
    addons:
      - addon_type: llm
        instance_name: web-bot
        config:
          tier: premium
      - addon_type: llm
        instance_name: shop-bot
        config:
          tier: eco
          usage_limit: 1000000

- name: Read all LLM add-ons
  clawhosters.cloud.claw_addon_info:
    addon_type: llm
  register: llm

- name: Set the same limit for all of them, unless more than ten would change
  clawhosters.cloud.claw_fleet_addon:
    ids: "{{ llm.addons | map(attribute='id') }}"
    config:
      usage_limit: 2000000
    max_changes: 10

- name: Set the key of a provider, which the service never shows
  clawhosters.cloud.claw_fleet_addon:
    ids: [1, 3]
    config:
      provider_key: "{{ lookup('ansible.builtin.env', 'PROVIDER_KEY') }}"
    write_only: [provider_key]
"""

RETURN = r"""
addons:
  description: The result of each entry, in the order given.
  returned: if the list of add-ons was read, and the list of entries has no faults
  type: list
  elements: dict
  contains:
    id:
      description: The id of the add-on.
      type: int
    addon_type:
      description: Its type; null if the service does not show it.
      type: str
    instance_id:
      description: The id of its instance; null if the service does not show it.
      type: int
    instance_name:
      description: The name of its instance; null if the service does not show it.
      type: str
    before:
      description: The attributes of the entry before, with secrets hidden, and without those in O(write_only).
      type: dict
    after:
      description: The same afterwards. A secret that was sent is marked.
      type: dict
    changed:
      description: True if it was changed.
      type: bool
    failed:
      description: True if the entry failed.
      type: bool
    msg:
      description: The reason of the failure, or that its batch was not begun; empty otherwise.
      type: str
    batch:
      description: The number of its batch, from 1.
      returned: with O(serial)
      type: int
  sample:
    - id: 3
      addon_type: llm
      instance_id: 7
      instance_name: web-bot
      before: {tier: standard}
      after: {tier: premium}
      changed: true
      failed: false
      msg: ""
summary:
  description:
    - The number of entries that needed no change, were changed, and failed; with O(serial), also C(not_begun). Each
      entry counts once.
  returned: if the list of add-ons was read, and the list of entries has no faults
  type: dict
  sample: {ok: 58, changed: 2, failed: 0}
report:
  description: A line for each fault of the list, or for each difference from O(plan).
  returned: for a list with faults, and if O(plan) does not hold
  type: list
  elements: str
  sample: ["entry 2, web-bot: unknown key confg; did you mean config?"]
plan:
  description:
    - What the task had to change before it changed anything. To apply exactly this, give it to O(plan).
    - Its entries have C(id), C(name) of the instance, C(action), C(found), the attributes of the entry, and C(wanted),
      those that would be sent. Secrets are masked.
  returned: if the list of add-ons was read, and the list of entries has no faults
  type: dict
  contains:
    service:
      description: The URL of the service.
      type: str
    account:
      description:
        - The id of the account, or else its e-mail address. It is asked for only in check mode, if something would
          change, and with O(plan); else it is null.
      type: str
    made_at:
      description: When it was made.
      type: str
    entries:
      description: The add-ons that would change.
      type: list
      elements: dict
  sample:
    service: https://clawhosters.com/api/v1
    account: "1"
    made_at: "2026-02-01T10:00:00+00:00"
    entries:
      - {id: 3, name: web-bot, action: update, found: {tier: standard}, wanted: {tier: premium}}
differences:
  description: The number of differences from O(plan), each of which has a line in RV(report). Then nothing was sent.
  returned: if O(plan) does not hold
  type: int
exceeded:
  description: The limit that the plan exceeds. Then nothing was sent.
  returned: if O(max_changes) allows less than the plan
  type: list
  elements: dict
  contains:
    option:
      description: V(max_changes).
      type: str
    limit:
      description: Its value.
      type: int
    count:
      description: How many changes the plan has.
      type: int
    details:
      description: Empty.
      type: str
  sample:
    - {option: max_changes, limit: 2, count: 3, details: ""}
diff:
  description: The attributes of all entries before and after, by add-on, with their secrets hidden.
  returned: if the list of add-ons was read, and the list of entries has no faults
  type: dict
  sample:
    before: {"llm add-on 3 of web-bot (id 7)": {tier: standard}}
    after: {"llm add-on 3 of web-bot (id 7)": {tier: premium}}
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 5, retries: 0, waited: 0.0, remaining: 95}
error:
  description: The error response of the service; with failed entries, that of the first.
  returned: failure, if the service answered with an error
  type: dict
  sample: {status: 401, code: unauthorized, message: The API key is not valid, details: null, request_id: 4b7c}
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.addon_fleet import (
    parse_entries,
    redact_addon_options,
    require_valid_addons,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.batches import parse_batches
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import ADDONS, ChangeLimits
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.resource import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.saved_plan import PlannedUpdate
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import (
    API,
    ArgumentSpec,
    entry_arguments,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.addon_changes import AddonFleet
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.saved_plans import PlanMaker

SPEC = ArgumentSpec(
    {
        "config": {"type": "dict"},
        "write_only": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "max_changes": {"type": "int"},
        "serial": {"type": "list", "elements": "raw"},
        "max_failures": {"type": "int"},
        "plan": {"type": "dict"},
        "plan_max_age": {"type": "str", "default": "24h"},
    },
    require_valid=require_valid_addons,
    redact_options=redact_addon_options,
).merge(
    entry_arguments(
        ADDONS,
        {
            "id": {"type": "int"},
            "addon_type": {"type": "str"},
            "instance_id": {"type": "int"},
            "instance_name": {"type": "str"},
            "config": {"type": "dict"},
        },
    ),
    API,
)


def run(context: ModuleContext) -> Result:
    """Sets the attributes of every entry. Fails at the end if an entry failed."""
    params = context.params
    entries = parse_entries(dict(params))
    plan_maker = PlanMaker.parse(context.account, params, PlannedUpdate)
    fleet = AddonFleet(context.client, params["write_only"], parse_batches(params), plan_maker)
    return fleet.ensure(entries, ChangeLimits(params["max_changes"]))


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
