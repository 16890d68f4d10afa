# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options that say whether and how long to wait for a state."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait until the state is reached. The service answers before the work is done.
      - Every ten seconds a line on standard error says what is waited for; E(CLAWHOSTERS_PROGRESS=0) silences it.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at most.
    type: int
    default: 300
  wait_healthy:
    description:
      - Whether to wait also until the service calls the instance healthy, which can be a minute after it runs.
      - Counts only together with O(wait=true) and a state in which the instance runs.
    type: bool
    default: false
"""
