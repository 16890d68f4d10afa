# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of all modules, of modules that change something (CHANGES), of those that only read (READS), and of
    the tasks of the roles (INTERNAL, which must come before those of all modules: of two fragments, the first wins)."""

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
    support: none
    details:
      - Fails before anything is sent. One M(clawhosters.cloud.claw_fleet) task waits for many instances at once.
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
