#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_backup_restore
short_description: Restore a backup of a ClawHosters instance, at most once per incident
version_added: 1.0.0
description:
  - Restores an instance from a backup. Data newer than the backup is lost; as far as is known, no copy is saved first.
  - Sends at most one restore of an instance per incident, however often the task runs, even after a crash or
    concurrently. The journal in C(state_dir) records it for one machine, that in C(state_database) for many.
  - If run again, the task continues. It is unchanged if the restore is completed, and waits if it is under way. If the
    outcome is unknown, it fails, unless the instance is busy and the request was sent within the last 15 minutes.
  - The guide C(docs/restore.md) says after which responses a restore can be sent again.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  incident:
    description:
      - Identifies the restore in the local journal, such as a ticket number. It is not sent to the service.
      - Use another incident for another restore of the same instance.
      - A control character, an invisible character, or a blank other than a plain space is refused.
    type: str
    required: true
  backup_id:
    description:
      - The id of the backup. Its status is not checked; the service decides whether it can be restored.
      - With C(instance_id) or C(instance_name), the task fails if it is a backup of another instance.
    type: int
  instance_id:
    description:
      - The id of the instance to restore.
    type: int
    aliases: [id]
  instance_name:
    description:
      - The exact name of the instance to restore.
    type: str
    aliases: [name]
  backup:
    description:
      - The rule that chooses the backup without C(backup_id). There is one so far, and a play may name it for its
        readers. V(latest) is the newest usable backup, that of C(before) if it is set. One that is dated more than five
        minutes in the future is skipped, with a warning.
    type: str
    choices: [latest]
    default: latest
  before:
    description:
      - Use only backups taken before this time, in ISO 8601 with an offset, such as V(2026-02-01T10:00:00Z) or
        V(2026-02-01 11:00 +01:00). It can't lie ahead.
      - Mutually exclusive with C(backup_id).
    type: str
  max_age:
    description:
      - Fail if the backup is older by the service's clock, or dated in the future. A number and a unit (C(s), C(m),
        C(h), C(d) or C(w)), such as V(36h) or V(7d).
    type: str
  min_interval:
    description:
      - Fail before anything is sent if the journal has a restore of this instance that was sent for another incident
        within this time. Units as for C(max_age).
      - A restore that the service refused doesn't count. C(force) does not override this option.
    type: str
  wait:
    description:
      - Wait until the instance is restored.
      - With V(false), the task fails if another run works on the instance, unless this incident has sent a restore of
        it.
    type: bool
    default: true
  wait_timeout:
    description:
      - Maximum seconds to wait. After a timeout, run the same task again; it continues waiting.
    type: int
    default: 900
  wait_healthy:
    description:
      - Wait also until the service reports the instance as healthy, if it runs after the restore.
    type: bool
    default: false
  force:
    description:
      - Send the restore again although its earlier outcome for this incident is unknown or failed. One that is
        completed is not sent again.
      - Also restore an instance that is neither running nor stopped.
    type: bool
    default: false
  priority:
    default: high
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: full
    details:
      - For the same incident and instance.
seealso:
  - module: clawhosters.cloud.claw_backup_info
  - module: clawhosters.cloud.claw_instance
"""

EXAMPLES = r"""
- name: Restore the newest backup, if it is at most 36 hours old
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2041
    instance_name: web-bot
    max_age: 36h

- name: Restore the last backup before an incident, and wait until the instance is healthy
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2042
    instance_id: 7
    before: "2026-02-01T10:00:00Z"
    min_interval: 24h
    wait_healthy: true

- name: Restore a backup by id, if it is of this instance
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2043
    backup_id: 311
    instance_name: web-bot

- name: Send it again, after the instance was checked and found unchanged
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2043
    backup_id: 311
    instance_name: web-bot
    force: true
"""

RETURN = r"""
backup:
  description: The backup as the service returns it; only its id if it does not exist any more.
  returned: if one was chosen
  type: dict
  sample:
    id: 311
    instance_id: 7
    instance_name: web-bot
    status: completed
    size_bytes: 1234567890
    backup_type: automatic
    created_at: "2026-02-01T03:00:00Z"
    expires_at: "2026-02-15T03:00:00Z"
instance:
  description: The instance as last seen.
  returned: if it was found
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
restore:
  description:
    - State of the restore. C(sent_at) is null if it was not sent, C(completed_at) before it is completed, and C(by) is
      who sent it.
    - C(outcome) is V(completed), even if the instance is not healthy yet, V(in_flight) if its end was not seen,
      V(failed), V(unknown) if the response was lost or unclear, or V(planned) in check mode.
    - C(seen) is V(true) once the instance has shown a sign of the restore, such as the status V(deploying). V(false) if
      it has completed without one, so that it may not be restored; null before.
  returned: if the instance was found, or the journal holds its restore for this incident
  type: dict
  sample:
    incident: INC-2041
    sent_at: "2026-02-01T10:12:00+00:00"
    completed_at: "2026-02-01T10:14:30+00:00"
    outcome: completed
    seen: true
    by: {user: ansible, host: controller}
diff:
  description: The backup that the instance is restored from, before and after.
  returned: if the instance was found
  type: dict
  sample:
    before: {id: 7, name: web-bot, restored_from: null}
    after: {id: 7, name: web-bot, restored_from: {backup_id: 311, taken_at: "2026-02-01T03:00:00+00:00"}}
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 5, retries: 0, waited: 0.0, remaining: 95}
error:
  description: The error response of the service.
  returned: failure, if the service answered with an error
  type: dict
  sample:
    status: 422
    code: unprocessable_entity
    message: The instance is being set up
    details: null
    request_id: 4b7c
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec, parse_wait_timeout, wait_arguments
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.restore.backup_restore_task import restore_one
from ..module_utils._service.restore.options import MODULE
from ..module_utils._service.restore.restore_job import ExecutorOptions
from ..module_utils._service.restore.restore_task import RestoreTask, parse_rules
from ..module_utils._service.restore.target_plan import Target

SPEC = ArgumentSpec(
    {
        "incident": {"type": "str", "required": True},
        "backup_id": {"type": "int"},
        "instance_id": {"type": "int", "aliases": ["id"]},
        "instance_name": {"type": "str", "aliases": ["name"]},
        "backup": {"type": "str", "choices": ["latest"], "default": "latest"},
        "before": {"type": "str"},
        "max_age": {"type": "str"},
        "min_interval": {"type": "str"},
        "force": {"type": "bool", "default": False},
    },
    required_one_of=(("backup_id", "instance_id", "instance_name"),),
    mutually_exclusive=(("backup_id", "before"),),
).merge(API.with_default("priority", "high"), wait_arguments(900))


def run(context: ModuleContext) -> Result:
    """Chooses the backup, and restores it unless the journal holds the incident."""
    params = context.params
    incident = parse_operation_name("incident", params["incident"])
    journal, rules = open_journal(context, sends=True), parse_rules(params)
    wording = MODULE.for_task(force=rules.force)
    task = RestoreTask(context.client, journal, incident, rules, context.warn, wording=wording)
    target = Target(params["instance_id"], params["instance_name"], params["backup_id"])
    options = ExecutorOptions(
        parse_wait_timeout(params), wait_healthy=params["wait_healthy"], waits=params["wait"], starts=False
    )
    return restore_one(task, target, options)


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
