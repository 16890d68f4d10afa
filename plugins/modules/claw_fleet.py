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
  - Brings each instance of a list to its state, as M(clawhosters.cloud.claw_instance) does for one. Without changes
    this costs one request per page of the list of instances, for any number of entries.
  - Sends changes concurrently, and waits for all of them at once.
  - A failed entry does not stop the others. The task fails at the end, with the result of each entry, and is changed if
    anything was.
  - Faults of the list itself change nothing.
  - Instances that are not in C(instances), C(ids) or C(names) are not changed.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  instances:
    description:
      - The instances and their states, each instance once.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The id of the instance. With C(instances[].name) too, the entry fails unless the instance with this id has
            this name.
        type: int
      name:
        description:
          - The exact name of the instance. If several instances have it, the entry fails and lists their ids.
        type: str
      state:
        description:
          - The state of this instance. Defaults to C(state).
        type: str
        choices: [started, stopped, restarted, absent]
  ids:
    description:
      - Ids of instances to bring to C(state).
      - At least one of C(instances), C(ids) and C(names) is required.
    type: list
    elements: int
  names:
    description:
      - Exact names of instances to bring to C(state).
    type: list
    elements: str
  state:
    description:
      - The state of entries without their own. See M(clawhosters.cloud.claw_instance) for the meaning of each.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  max_changes:
    description:
      - The task fails before the first change if more instances than this would change. In check mode it shows the plan
        first.
    type: int
  max_deletions:
    description:
      - The same limit for deletions. V(0) allows none.
    type: int
  serial:
    description:
      - Changes the instances in batches of these sizes. Each size is a number of at least 1, or a percentage of all
        entries, rounded down but at least one entry; the last one is repeated. V([1, 5, "100%"]) changes one first,
        then five, then all others. By default all are changed at once.
      - A batch begins when the one before has reached its state, and is healthy with C(wait_healthy). C(wait_timeout)
        is the time of each batch. Needs C(wait).
      - Before each further batch and at the end, the instances of the batches before are looked at again. One that is
        no longer in its state, or not healthy with C(wait_healthy), counts as failed.
    type: list
    elements: raw
  max_failures:
    description:
      - If more entries than this have failed, no further batch begins. Needs C(serial), with which it is V(0) by
        default. Entries that would change and were not begun are counted in C(not_begun) of C(summary).
    type: int
  plan:
    description:
      - The C(plan) that this module has returned in check mode. Then only what it holds is sent, and only if it still
        holds, for this service and account. If not, nothing is sent, and the task names each difference and its cause.
      - What has reached its planned end already, by an earlier run of this plan or otherwise, is done. So the same task
        continues a run that was interrupted. Each restart of a plan is sent at most once; the journal in C(state_dir)
        or C(state_database) knows it. If its outcome is unknown, the entry fails, and the others go on.
      - A plan that was edited is refused. Compare the first characters of its C(digest) with those that the task shows.
    type: dict
  plan_max_age:
    description:
      - An older C(plan) is refused. Units are V(s), V(m), V(h), V(d) and V(w).
      - A plan that is dated more than five minutes ahead is refused too.
    type: str
    default: 24h
  protected:
    description:
      - Names or ids of instances that are never deleted. A list that declares one of them V(absent) is faulty, so
        nothing is changed. An entry that matches no instance is ignored.
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
  - module: clawhosters.cloud.claw_instance
  - module: clawhosters.cloud.claw_instance_info
"""

EXAMPLES = r"""
- name: Bring the fleet to the declared states
  clawhosters.cloud.claw_fleet:
    instances:
      - name: web-bot
      - name: support-bot
      - name: travel-bot
        state: stopped
      - id: 17
        name: old-bot
        state: absent
    protected: [web-bot, support-bot]

- name: Read the running instances of the cheapest tier
  clawhosters.cloud.claw_instance_info:
    tiers: [budget]
    statuses: [running]
  register: budget

- name: Stop them, at most twenty, without waiting
  clawhosters.cloud.claw_fleet:
    ids: "{{ budget.instances | map(attribute='id') }}"
    state: stopped
    max_changes: 20
    max_deletions: 0
    wait: false

- name: Restart the instances of a group two at a time, and stop at the first failure
  clawhosters.cloud.claw_fleet:
    ids: "{{ groups['tier_pro'] | map('extract', hostvars, 'claw_id') }}"
    state: restarted
    wait_healthy: true
    serial: 2

- name: Plan the deletion of two instances, with --check
  clawhosters.cloud.claw_fleet:
    names: [old-bot, older-bot]
    state: absent
  check_mode: true
  register: planned

- name: Delete them, if nothing has changed since
  clawhosters.cloud.claw_fleet:
    names: [old-bot, older-bot]
    state: absent
    plan: "{{ planned.plan }}"
"""

RETURN = r"""
instances:
  description:
    - The result of each entry, in the order given.
    - C(state) is the wanted one, C(before) and C(after) are statuses, null if it did not exist or is deleted. C(msg) is
      the reason of a failure, that its batch was not begun, or what C(plan) had and is done; or empty. With C(serial),
      C(batch) is the number of its batch, from 1, and C(begun) is false if it would change and was not begun.
    - An entry that was not begun because the task failed before its first change, or because of C(max_changes), has
      failed, and has C(begun) without C(serial) too. If the list of instances could not be read, these are all entries,
      with what was given.
  returned: always
  type: list
  elements: dict
  sample:
    - {id: 7, name: web-bot, state: started, before: stopped, after: running, changed: true, failed: false, msg: ""}
report:
  description:
    - A line for each entry that changed or failed, and the totals; or a line for each fault of the list, or for each
      difference from C(plan). With C(wait_healthy), the line of a changed entry says when it was seen healthy last.
  returned: if the list of instances was read, and for a list with faults
  type: list
  elements: str
  sample: ["web-bot (id 7): started (was stopped)", "1 started; 58 unchanged."]
summary:
  description:
    - The number of entries that needed no change, were changed, and failed; with C(serial), also C(not_begun). Each
      entry counts once.
  returned: always
  type: dict
  sample: {ok: 58, changed: 2, failed: 0}
plan:
  description:
    - What would change. To apply exactly this, give it to C(plan).
    - Its entries have C(id), C(name), C(action) and C(found), the status that was found.
  returned: success, in check mode
  type: dict
  contains:
    service:
      description: The URL of the service.
      type: str
    account:
      description:
        - The id of the account, or else its e-mail address. It is asked for only if something would change; else it is
          null.
      type: str
    made_at:
      description: When it was made.
      type: str
    digest:
      description: The SHA-256 of the rest of it.
      type: str
    entries:
      description: The instances that would change.
      type: list
      elements: dict
  sample:
    service: https://clawhosters.com/api/v1
    account: "1"
    made_at: "2026-02-01T10:00:00.000+00:00"
    digest: 3f1c6f2be5a0d1c87c2f0b8f4a6be0dc7f9d1d8a7f1a5f7a6b1c2d3e4f506172
    entries:
      - {id: 7, name: web-bot, action: start, found: stopped}
differences:
  description: The number of differences from C(plan), each of which has a line in C(report). Then nothing was sent.
  returned: if C(plan) does not hold
  type: int
exceeded:
  description: The limits that the plan exceeds, each with what it has. Then nothing was sent.
  returned: if C(max_changes) or C(max_deletions) allows less than the plan
  type: list
  elements: dict
  sample:
    - {option: max_changes, limit: 2, count: 3, details: "1 to start, 2 to stop."}
diff:
  description: The statuses of all entries before and after, by name and id; empty if they could not be read.
  returned: always
  type: dict
  sample:
    before: {"web-bot (id 7)": stopped}
    after: {"web-bot (id 7)": running}
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 5, retries: 0, waited: 0.0, remaining: 95}
error:
  description: The error response of the service; with failed entries, that of the first that has one.
  returned: failure, if the service answered with an error
  type: dict
  sample: {status: 401, code: unauthorized, message: The API key is not valid, details: null, request_id: 4b7c}
"""

import typing as t

from ..module_utils._model.fleet_entries import ChangeLimits, FleetEntry, build_unread, entry_options, gather_entries
from ..module_utils._model.instance import STATES
from ..module_utils._model.resource import Options, Result
from ..module_utils._module.arguments import API, ArgumentSpec, parse_wait, wait_arguments
from ..module_utils._module.protected import PROTECTED, parse_protection
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.fleet_task import Fleet, parse_batches
from ..module_utils._service.plan_approval import PlanApproval

if t.TYPE_CHECKING:
    from ..module_utils._state.journal import Journal


def _build_unread(params: Options) -> Result:
    def find_facts(entry: Options, _fault: str) -> Options:
        return {"state": entry.get("state") or params.get("state"), "begun": False}

    options = SPEC.options["instances"]["options"]
    return build_unread(params, options, find_facts, has_failed=True, has_batches=params.get("serial") is not None)


SPEC = ArgumentSpec(
    {
        **entry_options(state={"type": "str", "choices": list(STATES)}),
        "state": {"type": "str", "choices": list(STATES), "default": "started"},
        "max_changes": {"type": "int"},
        "max_deletions": {"type": "int"},
        "serial": {"type": "list", "elements": "raw"},
        "max_failures": {"type": "int"},
        "plan": {"type": "dict"},
        "plan_max_age": {"type": "str", "default": "24h"},
    },
    required_one_of=(("instances", "ids", "names"),),
    build_unread=_build_unread,
).merge(PROTECTED, API, wait_arguments(300))


def run(context: ModuleContext) -> Result:
    """Brings every entry to its state. Fails at the end if an entry failed."""
    params, prefix = context.params, context.prefix
    entries = [
        FleetEntry(number, item["id"], item["name"], item["state"] or params["state"])
        for number, item in enumerate(gather_entries(params, "state"), 1)
    ]
    fleet = Fleet(
        context.client,
        parse_wait(params, prefix),
        params["wait_healthy"],
        context.warn,
        parse_protection(context),
        parse_batches(params, prefix),
        PlanApproval.parse(context.account, lambda: _open_journal(context), params, prefix),
    )
    return fleet.ensure(entries, ChangeLimits(params["max_changes"], params["max_deletions"], prefix))


def _open_journal(context: ModuleContext) -> Journal:
    """Returns the journal, whose code only a plan with restarts needs."""
    from ..module_utils._module.open_journal import open_journal

    return open_journal(context)


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
