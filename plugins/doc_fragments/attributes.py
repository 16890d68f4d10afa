# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What every module can say of itself, and what differs between those that change things and those that read."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what would change, without changing it.
  diff_mode:
    description: Tells what changed, or in C(check_mode) what would, when in C(diff) mode.
  idempotent:
    description: A second run with the same options changes nothing.
  action_group:
    description: Use C(group/clawhosters.cloud.all) in C(module_defaults) to set options for all modules.
    support: full
    membership:
      - clawhosters.cloud.all
  controller:
    description: Runs in the controller's own process, whatever the connection of the host; the key stays there.
    support: full
    details:
      - With C(async) it runs as an ordinary module, on the host of the task and with its Python.
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Nothing but GET requests is sent.
  diff_mode:
    support: full
"""

    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing, in no mode.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
"""
