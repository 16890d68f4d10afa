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
    description: Sends only GET requests, and predicts what would change.
  diff_mode:
    description: Returns what has changed, or would change.
  idempotent:
    description: A second run with the same options changes nothing.
  action_group:
    description: C(module_defaults) of C(group/clawhosters.cloud.all) set its options.
    support: full
    membership:
      - clawhosters.cloud.all
  controller:
    description: Runs in the controller's process, for any host and connection.
    support: full
  async:
    description: Is refused, since such a job could outlive the run unnoticed.
    support: none
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
"""

    INTERNAL = r"""
options:
  failure:
    description:
      - Why the task only fails, such as a wrong name of a variable, or the result of the task before.
    type: str
    default: ""
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
