#!/usr/bin/python

# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: claw_state_database
short_description: Create the schema of the state database
version_added: 1.0.0
description:
  - Creates the schema C(clawhosters) in the database of C(state_database). The other modules then use it for rate
    budget, journal and snapshots of the event source.
  - Grants a role exactly what jobs need. They can read the journal and add to it, but never change or remove a line.
  - Can import the journal of a folder, so that the database knows the restores and purchases sent so far.
  - Refuses a schema C(clawhosters) or tables that belong to neither the user of the connection nor a superuser. Also
    refuses a view in place of a table, and a table with anyone else's trigger.
  - Changes everything or nothing. Sends nothing to the service.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  state:
    description:
      - The schema exists, in the version of this collection.
    type: str
    choices: [present]
    default: present
  role:
    description:
      - The role of the jobs, which must exist. It gets USAGE on the schema, SELECT on C(version), SELECT and INSERT on
        C(journal), and SELECT, INSERT, UPDATE and DELETE on C(budgets), C(snapshots) and C(holders). Any other right on
        the schema and its tables is revoked from it.
    type: str
  import_dir:
    description:
      - A C(state_dir) whose journal is copied into the database. What was copied before is not copied again.
    type: path
extends_documentation_fragment:
  - clawhosters.cloud.api
  - clawhosters.cloud.attributes
  - clawhosters.cloud.attributes.changes
attributes:
  idempotent:
    support: full
notes:
  - C(state_database) is required, with the connection of a superuser or of the owner of the database. Jobs refuse a
    schema that anyone else created, except their own user.
  - No API key is needed. A given key is neither read nor sent.
seealso:
  - module: clawhosters.cloud.claw_journal_info
"""

EXAMPLES = r"""
- name: Make the schema, for jobs that connect as clawhosters_job
  clawhosters.cloud.claw_state_database:
    state_database: "{{ admin_database }}"
    role: clawhosters_job

- name: Import the journal of this machine
  clawhosters.cloud.claw_state_database:
    state: present
    state_database: "{{ admin_database }}"
    import_dir: ~/.ansible/clawhosters
"""

RETURN = r"""
schema:
  description:
    - The version of the schema, the role that has what jobs need, and the number of lines imported from the folder.
  returned: success
  type: dict
  sample: {version: 1, granted: clawhosters_job, imported: 0}
diff:
  description: The same before and after. The version is 0 without a schema, the role null if it lacks a right.
  returned: success
  type: dict
  sample:
    before: {version: 0, granted: null, imported: 0}
    after: {version: 1, granted: clawhosters_job, imported: 0}
api:
  description: Requests sent, retries among them, seconds waited, and requests left in the window (null if unknown).
  returned: always
  type: dict
  sample: {requests: 0, retries: 0, waited: 0.0, remaining: null}
"""

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API_WITHOUT_KEY, ArgumentSpec
from ..module_utils._module.runner import ModuleContext, run_module
from ..module_utils._service.state_database import open_state_database

SPEC = ArgumentSpec(
    {
        "state": {"type": "str", "choices": ["present"], "default": "present"},
        "role": {"type": "str"},
        "import_dir": {"type": "path"},
    }
).merge(API_WITHOUT_KEY)


def run(context: ModuleContext) -> Result:
    """Makes the schema, grants the rights and imports the journal."""
    params = context.params
    with open_state_database(params["state_database"], check_mode=context.client.check_mode) as database:
        return database.ensure(params["role"], params["import_dir"])


def main() -> None:
    """Runs the module process."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
