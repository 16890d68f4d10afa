#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_journal_info
short_description: List the restores and purchases that were sent
version_added: 1.0.0
description:
  - Reads the journal in C(state_dir) or C(state_database), and shows who works on an operation now.
  - Sends nothing to the service.
  - A journal that can't be read or is damaged is a failure, never an empty list.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  incident:
    description:
      - List only the restores of this incident.
      - Names are compared in Unicode normalization form NFC, without invisible characters.
      - A warning tells of an incident without restores in the journal, with similar ones. The list is then empty.
    type: str
  order:
    description:
      - List only the purchase of this order. With C(incident), both are listed.
    type: str
  instance_id:
    description:
      - List only the restores of this instance of the service in C(api_url). What is recorded of other instances is
        not read.
    type: int
  since:
    description:
      - List only what was sent since this time, in ISO 8601, such as V(2026-02-01T10:00:00Z). It can't lie ahead.
      - It has an offset, as in V(2026-02-01 11:00 +01:00), or V(Z). Without one it is UTC where the controller's clocks
        show UTC, and refused elsewhere. The name of a zone, such as V(CET), is refused with the offset that it has.
      - An age, such as V(24h) or V(7d), counts back from now.
    type: str
  kinds:
    description:
      - What to list.
    type: list
    elements: str
    choices: [restore, purchase]
    default: [restore, purchase]
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.reads
notes:
  - No API key is needed. A given key is neither read nor sent.
seealso:
  - module: clawhosters.cloud.claw_backup_restore
  - module: clawhosters.cloud.claw_purchase
  - module: clawhosters.cloud.claw_state_database
"""

EXAMPLES = r"""
- name: Show the restores of an incident
  clawhosters.cloud.claw_journal_info:
    incident: INC-2026-02-17
  register: journal

- name: Fail if another run works on it
  ansible.builtin.assert:
    that: journal.operations | selectattr('holder') | length == 0
    success_msg: "No run works on its {{ journal.operations | length }} restores in this journal."

- name: Show the purchase of an order
  clawhosters.cloud.claw_journal_info:
    order: 2026-02-topup

- name: List the restores of an instance
  clawhosters.cloud.claw_journal_info:
    instance_id: 7

- name: Show who restored what since yesterday
  clawhosters.cloud.claw_journal_info:
    kinds: [restore]
    since: 24h
"""

RETURN = r"""
operations:
  description: The restores and purchases that were sent, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(restore) or V(purchase).
      type: str
    service:
      description: The URL of the API.
      type: str
    name:
      description: The incident or the order.
      type: str
    instance_id:
      description: The instance of a restore, or null.
      type: int
    instance_name:
      description: Its name at that time, or null.
      type: str
    by:
      description: Who sent it, with C(user) and C(host).
      type: dict
    outcome:
      description:
        - V(completed), V(in_flight), V(failed), or V(unknown) if the run ended, or the response was lost or unclear.
          V(refused) if every attempt was refused or could not be sent, so that nothing was done.
      type: str
    sent_at:
      description: When it was sent.
      type: str
    accepted_at:
      description: When the service accepted a restore, or null.
      type: str
    completed_at:
      description: When it was confirmed, or null.
      type: str
    seen:
      description: If the instance has shown a sign of a restore; null if that is not known.
      type: bool
    holder:
      description:
        - Who works on it now, with C(user), C(host), C(process) and C(since), or null. A field may be null if unknown.
      type: dict
    backup_id:
      description: The backup of a restore.
      type: int
    taken_at:
      description: When this backup was taken, or null.
      type: str
    package_id:
      description: The package of a purchase.
      type: raw
  sample:
    - kind: restore
      service: https://clawhosters.com/api/v1
      name: INC-2026-02-17
      instance_id: 7
      instance_name: web-bot
      by: {user: alice, host: node2}
      outcome: in_flight
      sent_at: "2026-02-17T14:59:04.120+00:00"
      accepted_at: "2026-02-17T14:59:04.311+00:00"
      completed_at: null
      holder: {user: alice, host: node2, process: 4711, since: "2026-02-17T14:59:03.998+00:00"}
      backup_id: 31
      taken_at: "2026-02-16T03:00:12+00:00"
      package_id: null
      seen: true
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 0, retries: 0, waited: 0.0, remaining: null}
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API_WITHOUT_KEY, ArgumentSpec
from ..module_utils._module.open_journal import open_journal
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.journal_listing import list_operations

SPEC = ArgumentSpec(
    {
        "incident": {"type": "str"},
        "order": {"type": "str"},
        "instance_id": {"type": "int"},
        "since": {"type": "str"},
        "kinds": {
            "type": "list",
            "elements": "str",
            "choices": ["restore", "purchase"],
            "default": ["restore", "purchase"],
        },
    }
).merge(API_WITHOUT_KEY)


def run(context: ModuleContext) -> Result:
    """Reads the journal."""
    url = context.client.settings.api_url
    return {"operations": list_operations(open_journal(context), url, context.params, context.warn)}


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
