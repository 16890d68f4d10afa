#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_backup_info
short_description: Read the backups of ClawHosters instances
version_added: 1.0.0
description:
  - Returns all backups of an account, or the matching ones, newest first. The list may be empty.
  - The backup add-on makes backups once a day. The API can neither create nor delete one.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  id:
    description:
      - Return only the backup with this id. This costs one request.
    type: int
  instance_id:
    description:
      - Return only backups of the instance with this id.
    type: int
  instance_name:
    description:
      - Return only backups of instances with exactly this name; several may have it. With C(instance_id) too, both must
        match.
    type: str
  before:
    description:
      - Return only backups taken before this time, in ISO 8601, such as V(2026-02-01T10:00:00Z). It can't lie ahead.
      - It has an offset, as in V(2026-02-01 11:00 +01:00), or V(Z). Without one it is UTC where the controller's clocks
        show UTC, and refused elsewhere. The name of a zone, such as V(CET), is refused with the offset that it has.
    type: str
  newest:
    description:
      - Return only the newest backup of each instance.
      - Fails if backups show their instance by name only, and several instances have that name.
    type: bool
    default: false
  usable:
    description:
      - Return only backups that can be restored. These have a good status, such as V(completed), or none, and a valid
        time that is at most five minutes in the future. A restore passes over any other, too.
    type: bool
    default: false
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - A warning lists the backups that are left out because of their status or their time.
  - The fields of a backup are not documented. If backups show only the id of their instance and you gave a name, or the
    other way around, the module reads the list of instances once. If they show neither, the task fails; it never
    guesses.
seealso:
  - module: clawhosters.cloud.claw_backup_restore
"""

EXAMPLES = r"""
- name: Read all backups
  clawhosters.cloud.claw_backup_info:
  register: all_backups

- name: Find the backup that a restore of an instance would use
  clawhosters.cloud.claw_backup_info:
    instance_name: web-bot
    usable: true
    newest: true
  register: latest

- name: Find the last usable backup from before an incident
  clawhosters.cloud.claw_backup_info:
    instance_id: 7
    before: "2026-02-01T10:00:00Z"
    usable: true
    newest: true
  register: before_it

- name: Read one backup
  clawhosters.cloud.claw_backup_info:
    id: 33
  register: one

- name: Read the newest usable backup of each instance
  clawhosters.cloud.claw_backup_info:
    usable: true
    newest: true
  register: newest

- name: Read all instances
  clawhosters.cloud.claw_instance_info:
  register: every

- name: Show the instances without a usable backup from the last 36 hours, also those that never had one
  ansible.builtin.debug:
    msg: "{{ every.instances | rejectattr('id', 'in', fresh) | map(attribute='name') }}"
  vars:
    limit: "{{ '%Y-%m-%dT%H:%M:%SZ' | strftime(now().timestamp() - 36 * 3600, utc=true) }}"
    fresh: "{{ newest.backups | selectattr('created_at', 'gt', limit) | map(attribute='instance_id') }}"
"""

RETURN = r"""
backups:
  description:
    - The backups as the service returns them, newest first. Their fields are not documented.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 33
      instance_id: 7
      instance_name: web-bot
      status: completed
      size_bytes: 1234567890
      backup_type: automatic
      created_at: "2026-02-01T03:00:00Z"
      expires_at: "2026-02-15T03:00:00Z"
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

from ..module_utils._model.backup import NO_TIME, explain_future, explain_unusable, format_left_out
from ..module_utils._model.resource import Resource, Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.owner_filter import fetch_backups, keep_newest, require_distinct_instances, select
from ..module_utils._time_options import parse_timestamp, require_past

SPEC = ArgumentSpec(
    {
        "id": {"type": "int"},
        "instance_id": {"type": "int"},
        "instance_name": {"type": "str"},
        "before": {"type": "str"},
        "newest": {"type": "bool", "default": False},
        "usable": {"type": "bool", "default": False},
    }
).merge(API)


def run(context: ModuleContext) -> Result:
    """Reads the matching backups."""
    params, client = context.params, context.client
    before = parse_timestamp("before", params["before"])
    backups = fetch_backups(client, params["id"], params["instance_id"], params["instance_name"])
    now, usable = client.stats.now(), params["usable"]
    require_past("before", before, now)
    chosen, left_out = select(backups, before, now, usable=usable, newest=params["newest"])
    if params["newest"]:
        if params["instance_id"] is None:
            require_distinct_instances(client, chosen)
        chosen, left_out = keep_newest(chosen, left_out)
    if left_out:
        with_owner = params["instance_id"] is None and params["instance_name"] is None

        def explain(backup: Resource) -> str:
            return (explain_future(backup, now) or explain_unusable(backup)) if usable else NO_TIME

        context.warn(format_left_out(left_out, explain, with_owner=with_owner))
    return {"backups": chosen}


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
