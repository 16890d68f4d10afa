# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of all modules, of modules that change something (CHANGES), of those that only read (READS), of those
    that refuse ``async`` (NO_ASYNC, which must come first: of two fragments, the first wins), and of the tasks of the
    roles (INTERNAL, which must come before those of all modules)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status prediction without modifying anything.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), in C(diff) mode.
  idempotent:
    description: A second run with the same options changes nothing.
  action_group:
    description: Use C(group/clawhosters.cloud.all) in C(module_defaults) to set options for all modules.
    support: full
    membership:
      - clawhosters.cloud.all
  controller:
    description: Runs in the controller's process, for any connection. The API key stays there.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: partial
    details:
      - Only if the connection is C(local), for example with C(delegate_to=localhost). Any other host would get the API
        key, so the task fails before anything is copied or sent.
      - The task then runs as a regular module, in its own process, with the Python of C(ansible_python_interpreter) and
        as the user of C(become). It gets the options and environment variables of the collection that the task has in
        the controller, which Ansible writes to a temporary file of that user.
      - Fails with C(become) and C(state_database), since libpq has other variables and files for another user.
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Only GET requests are sent.
      - C(changed) is what a run would report, unless the service refuses the change.
  diff_mode:
    support: full
"""

    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module never changes anything.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
"""

    NO_ASYNC = r"""
options: {}
attributes:
  async:
    support: none
    details:
      - Fails with any connection before anything is copied or sent, since the job could outlive the run unnoticed.
"""

    INTERNAL = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Sends only GET requests, asks nothing, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
  controller:
    description: Runs only in the controller's process, without a connection.
"""
