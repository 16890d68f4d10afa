#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_fleet_restore
short_description: Restore many ClawHosters instances for one incident, in batches
version_added: 1.0.0
description:
  - Restores each instance of a list from a backup, as M(clawhosters.cloud.claw_backup_restore) does for one. Data newer
    than the backups is lost; as far as is known, no copies are saved first.
  - Sends at most one restore of an instance per incident, across all modules, tasks and machines that share the
    journal.
  - Reads instances and backups from one list each, or one by one if that takes fewer requests. Sends the restores of a
    batch together, and waits for all of them at once.
  - A batch is done when its instances are running and healthy. An instance that is stopped after its restore is
    started.
  - Checks all entries before the first restore is sent. If one can't be restored, nothing is sent; such entries count
    as failed, the others as not begun. The checks find unknown and ambiguous names, an instance that is listed twice, a
    backup that is missing, too old or of another instance, and an instance that is neither running nor stopped.
  - If run again, the task continues with what is not done. An entry counts as failed if its earlier restore failed or
    has an unknown outcome, or if its restore could not be recorded in the journal. A failed entry does not stop its
    batch, but counts towards C(max_failures).
  - With C(--check), it shows which backups would be restored.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  incident:
    description:
      - Identifies the restores in the journal, such as a ticket number. It is not sent to the service.
      - Use another incident for another restore of the same instances.
      - It is compared in Unicode normalization form NFC. A control character, an invisible character, or a blank other
        than a plain space is refused.
    type: str
    required: true
  instances:
    description:
      - The instances to restore, each instance once.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The id of the instance. With C(instances[].name) too, the entry is refused unless the instance with this id
            has this name.
        type: int
      name:
        description:
          - The exact name of the instance. If several instances have it, the entry is refused and their ids are listed.
        type: str
      backup_id:
        description:
          - The id of the backup, which must be of this instance. Its status is not checked; the service decides whether
            it can be restored. By default the newest usable backup is restored.
        type: int
  ids:
    description:
      - Ids of instances to restore, each from its newest usable backup.
      - At least one of C(instances), C(ids) and C(names) is required. The entries count in this order; together, they
        name each instance once.
    type: list
    elements: int
  names:
    description:
      - Exact names of instances to restore, each from its newest usable backup.
    type: list
    elements: str
  before:
    description:
      - Use only backups taken before this time, in ISO 8601, such as V(2026-02-01T10:00:00Z). It can't lie ahead.
      - It has an offset, as in V(2026-02-01 11:00 +01:00), or V(Z). Without one it is UTC where the controller's clocks
        show UTC, and refused elsewhere. The name of a zone, such as V(CET), is refused with the offset that it has.
      - Has no effect on entries with C(instances[].backup_id).
    type: str
  max_age:
    description:
      - Refuse backups that are older by the service's clock, or dated in the future. A number and a unit (C(s), C(m),
        C(h), C(d) or C(w)), such as V(36h) or V(7d).
    type: str
  min_interval:
    description:
      - Refuse an entry if the journal has a restore of its instance that was sent for another incident within this
        time.
      - A restore whose time lies ahead of the journal's clock does not count.
      - A restore that the service refused doesn't count. C(force) does not override this option. Units as for
        C(max_age).
    type: str
  serial:
    description:
      - The sizes of the batches, as in C(serial) of a play. The last one is repeated.
      - Each is a number of at least 1, or a percentage of all entries, rounded down but at least one entry. V([1, 5,
        "100%"]) restores one instance first, then five, then all others.
    type: list
    elements: raw
    default: [1]
  max_failures:
    description:
      - If more entries than this have failed, no further batch begins. The task still waits for restores under way.
      - Before each further batch and at the end, the instances of the batches before are looked at again. One that does
        not run any more, or is not healthy with C(wait_healthy), counts as failed.
    type: int
    default: 0
  wait_timeout:
    description:
      - Maximum seconds to wait for each batch, after its restores were sent.
    type: int
    default: 900
  wait_healthy:
    description:
      - Wait also until the service reports the instances as healthy.
    type: bool
    default: true
  force:
    description:
      - Send restores again although their earlier outcome for this incident is unknown or failed. Those that are
        completed are not sent again.
      - Also restore instances that are neither running nor stopped.
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
      - For the same incident and instances.
seealso:
  - module: clawhosters.cloud.claw_backup_restore
  - module: clawhosters.cloud.claw_journal_info
  - module: clawhosters.cloud.claw_fleet
"""

EXAMPLES = r"""
- name: Restore three instances, one after another, each from its newest backup
  clawhosters.cloud.claw_fleet_restore:
    incident: INC-2051
    instances:
      - name: web-bot
      - name: support-bot
      - id: 17
        name: travel-bot

- name: Read the unhealthy instances
  clawhosters.cloud.claw_instance_info:
    health_statuses: [unhealthy]
  register: unhealthy

- name: Restore one of them first, then five, then all others, each from its last backup before the incident
  clawhosters.cloud.claw_fleet_restore:
    incident: INC-2052
    ids: "{{ unhealthy.instances | map(attribute='id') }}"
    before: "2026-02-01T10:00:00Z"
    serial: [1, 5, "100%"]

- name: Restore given backups, all at once, and go on although one may fail
  clawhosters.cloud.claw_fleet_restore:
    incident: INC-2053
    instances:
      - {id: 7, backup_id: 311}
      - {id: 8, backup_id: 318}
    serial: ["100%"]
    max_failures: 1
"""

RETURN = r"""
instances:
  description: The result of each entry, in the order given; what was given if the instances could not be read.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The id of the instance; the one given if there is none.
      type: int
    name:
      description: Its name.
      type: str
    backup_id:
      description: The id of the backup; null if none was chosen.
      type: int
    before:
      description: Its status before; null if it does not exist.
      type: str
    after:
      description: Its last seen status.
      type: str
    changed:
      description: True if it was restored or started by this task, or would be in check mode.
      type: bool
    failed:
      description: True if the entry failed.
      type: bool
    msg:
      description: The reason of the failure; empty otherwise.
      type: str
    outcome:
      description:
        - V(completed), V(in_flight) if the restore was accepted but its end was not seen, V(failed) if the instance
          ended in an error, V(unknown) if the response was lost or unclear, V(refused) if it was not executed, or
          V(not_begun).
        - An entry with V(completed) has failed if the instance could not be started, or did not become healthy.
      type: str
  sample:
    - id: 7
      name: web-bot
      backup_id: 311
      before: running
      after: running
      changed: true
      failed: false
      msg: ""
      outcome: completed
summary:
  description:
    - The number of entries that were already restored, were changed, failed, and were not begun. Each entry counts
      once.
  returned: always
  type: dict
  sample: {ok: 0, changed: 40, failed: 0, not_begun: 0}
report:
  description: A line for each entry that has neither id nor name.
  returned: for a list with such entries
  type: list
  elements: str
  sample: ["entry 3: name is empty"]
diff:
  description:
    - The backup that each instance is restored from, before and after, by name and id; empty if the instances could not
      be read.
  returned: always
  type: dict
  sample:
    before: {"web-bot (id 7)": {restored_from: null}}
    after: {"web-bot (id 7)": {restored_from: {backup_id: 311, taken_at: "2026-02-01T03:00:00+00:00"}}}
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

from ..module_utils._model.batches import parse_serial, require_max_failures
from ..module_utils._model.fleet_entries import FleetEntry, build_unread, entry_options, gather_entries
from ..module_utils._model.resource import Options, Result
from ..module_utils._module.arguments import API, ArgumentSpec, parse_wait_timeout
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.restore.fleet_restore_task import restore_many
from ..module_utils._service.restore.options import FLEET
from ..module_utils._service.restore.restore_job import NOT_BEGUN, REFUSED, ExecutorOptions
from ..module_utils._service.restore.restore_task import RestoreTask, parse_rules


def _build_unread(params: Options) -> Result:
    def find_facts(entry: Options, fault: str) -> Options:
        return {"backup_id": entry.get("backup_id"), "outcome": REFUSED if fault else NOT_BEGUN}

    return build_unread(params, SPEC.options["instances"]["options"], find_facts)


SPEC = ArgumentSpec(
    {
        **entry_options(backup_id={"type": "int"}),
        "incident": {"type": "str", "required": True},
        "before": {"type": "str"},
        "max_age": {"type": "str"},
        "min_interval": {"type": "str"},
        "serial": {"type": "list", "elements": "raw", "default": [1]},
        "max_failures": {"type": "int", "default": 0},
        "wait_timeout": {"type": "int", "default": 900},
        "wait_healthy": {"type": "bool", "default": True},
        "force": {"type": "bool", "default": False},
    },
    required_one_of=(("instances", "ids", "names"),),
    build_unread=_build_unread,
).merge(API.with_default("priority", "high"))


def run(context: ModuleContext) -> Result:
    """Plans all restores, and sends them in batches. Fails at the end if an entry failed."""
    params = context.params
    entries = [
        FleetEntry(number, item["id"], item["name"], backup_id=item["backup_id"])
        for number, item in enumerate(gather_entries(params, "backup_id"), 1)
    ]
    incident = parse_operation_name("incident", params["incident"])
    journal, rules = open_journal(context, sends=True), parse_rules(params)
    wording = FLEET.for_task(force=rules.force)
    task = RestoreTask(context.client, journal, incident, rules, context.warn, wording=wording)
    options = ExecutorOptions(
        parse_wait_timeout(params),
        wait_healthy=params["wait_healthy"],
        sizes=parse_serial("serial", params["serial"]),
        max_failures=require_max_failures(params["max_failures"]),
    )
    return restore_many(task, entries, options)


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
