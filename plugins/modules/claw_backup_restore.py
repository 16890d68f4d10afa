#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_backup_restore
short_description: Restore a backup of a ClawHosters instance, at most once for an incident
version_added: 1.0.0
description:
  - Puts an instance back to the state of a backup. What came after the backup is lost, and as far as is known no copy
    of it is taken first.
  - For one incident, one restore of an instance is sent at most once, however often the task is run again, after a
    crash, or from two places on one controller at a time. A journal in O(state_dir) remembers it.
  - The journal tells services and instances apart, not accounts, so that a key that was changed restores nothing twice.
  - Run again, the task goes on where it was. A restore that is done is no change; one under way is waited for; where
    the outcome is unknown, it looks at the instance, and fails unless the restore is seen to be under way.
  - Try it with C(--check) first; it says which backup would be restored.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  incident:
    description:
      - What this restore is for, such as the number of a ticket. The idempotency key.
      - For another restore of the same instance, take another incident.
    type: str
    required: true
  backup_id:
    description:
      - The id of the backup. It is taken as it is, and the service judges whether it can be restored.
      - With O(instance_id) or O(instance_name), a backup of another instance fails.
    type: int
  instance_id:
    description:
      - The id of the instance to restore.
    type: int
  instance_name:
    description:
      - The exact name of the instance to restore.
    type: str
  backup:
    description:
      - Which backup, where O(backup_id) names none. V(latest) is the newest that is usable.
    type: str
    choices: [latest]
    default: latest
  before:
    description:
      - Only backups taken before this moment, in ISO 8601. Without an offset it is UTC. Not together with O(backup_id).
    type: str
  max_age:
    description:
      - Fail if the backup is older. A number and a unit (C(s), C(m), C(h), C(d) or C(w)), such as V(36h) or V(7d).
    type: str
  wait:
    description:
      - Whether to wait until the instance has come back.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at most. When they are over, run the same task again; it goes on waiting.
    type: int
    default: 900
  wait_healthy:
    description:
      - Whether to wait also until the service calls the instance healthy.
    type: bool
    default: false
  force:
    description:
      - Send again although the journal holds this incident, or although the outcome of an earlier attempt is unknown.
      - Restore also an instance that is neither running nor stopped.
    type: bool
    default: false
  expected_sent_at:
    description:
      - What the journal said of this restore when it was decided on. That is RV(restore.sent_at) of a run in check
        mode; empty where the journal held nothing.
      - Nothing is sent if the journal says anything else by now, not even with O(force). What another run has sent
        meanwhile is waited for; if there is nothing to wait for, the task fails.
      - So a restore that was confirmed by a person is not sent to a state of things that this person has not seen. By
        default the journal's entry may be any.
    type: str
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: full
    details:
      - For the same incident and instance, unless O(force=true).
seealso:
  - module: clawhosters.cloud.claw_backup_info
  - module: clawhosters.cloud.claw_instance
"""

EXAMPLES = r"""
- name: Restore the newest backup, if it is not older than a day and a half
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2041
    instance_name: web-bot
    max_age: 36h

- name: Restore the last state before things went wrong, and wait until it is healthy
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2042
    instance_id: 7
    before: "2026-02-01T10:00:00Z"
    wait_healthy: true

- name: Restore this very backup, which must be of this instance
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2043
    backup_id: 311
    instance_name: web-bot

- name: Send it again, after a look at the instance showed that the first attempt did nothing
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2043
    backup_id: 311
    instance_name: web-bot
    force: true

- name: See what would be done
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2044
    instance_id: 7
  check_mode: true
  register: plan

- name: Do just that, unless another run has sent a restore for this incident meanwhile
  clawhosters.cloud.claw_backup_restore:
    incident: INC-2044
    instance_id: 7
    backup_id: "{{ plan.backup.id }}"
    expected_sent_at: "{{ plan.restore.sent_at or '' }}"
"""

RETURN = r"""
backup:
  description: The backup as the service describes it; only its id when it is gone by now.
  returned: when one was chosen
  type: dict
  sample: {id: 311, instance_id: 7, status: completed, created_at: "2026-02-01T03:00:00Z"}
instance:
  description: The instance as it was seen last.
  returned: once it was found
  type: dict
  sample: {id: 7, name: web-bot, status: running}
restore:
  description: What is known of the restore.
  returned: once the instance was found
  type: dict
  contains:
    incident:
      description: The incident.
      type: str
    sent_at:
      description:
        - When it was sent; null when nothing was. With V(planned) it is the earlier attempt that O(force) would repeat.
      type: str
    completed_at:
      description: When the instance was seen to have come back; null before that.
      type: str
    outcome:
      description:
        - V(completed), V(in_flight) when it was accepted and the end was not waited for or not seen, V(failed) when the
          instance ended in an error, V(unknown) when the answer was lost, or V(planned) in check mode.
      type: str
  sample:
    incident: INC-2041
    sent_at: "2026-02-01T10:12:00+00:00"
    completed_at: "2026-02-01T10:14:30+00:00"
    outcome: completed
diff:
  description: What the instance is restored from, before and after.
  returned: once the instance was found
  type: dict
  sample:
    before: {id: 7, name: web-bot, restored_from: null}
    after: {id: 7, name: web-bot, restored_from: {backup_id: 311, taken_at: "2026-02-01T03:00:00+00:00"}}
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
  description: What the service answered, when it answered with an error.
  returned: failure, when there was an answer
  type: dict
  sample:
    status: 422
    code: unprocessable_entity
    message: The instance is being set up
    details: null
    request_id: 4b7c
"""

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.restore import RestoreQuery
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import (
    API,
    ArgumentSpec,
    wait_arguments,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext, run_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.at_most_once import parse_name
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore import Restore
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore_target import RestoreFinder
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import parse_duration, parse_timestamp

SPEC = ArgumentSpec(
    {
        "incident": {"type": "str", "required": True},
        "backup_id": {"type": "int"},
        "instance_id": {"type": "int"},
        "instance_name": {"type": "str"},
        "backup": {"type": "str", "choices": ["latest"], "default": "latest"},
        "before": {"type": "str"},
        "max_age": {"type": "str"},
        "force": {"type": "bool", "default": False},
        "expected_sent_at": {"type": "str"},
    },
    required_one_of=(("backup_id", "instance_id", "instance_name"),),
    mutually_exclusive=(("backup_id", "before"),),
).merge(API, wait_arguments(900))


def run(context: ModuleContext) -> Result:
    """Chooses the backup, and restores it unless the journal holds the incident."""
    params = context.params
    query = RestoreQuery(
        instance_id=params["instance_id"],
        instance_name=params["instance_name"],
        backup_id=params["backup_id"],
        before=parse_timestamp("before", params["before"]),
        max_age=parse_duration("max_age", params["max_age"]),
        expected_sent_at=params["expected_sent_at"],
    )
    incident = parse_name("incident", params["incident"])
    finder = RestoreFinder(context.client, Journal(params["state_dir"]), incident, params["force"], context.warn)
    return Restore(finder, context.waiter(), params["wait_healthy"]).run(query)


def main() -> None:
    """Entry point of the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
