# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for waiting."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Wait until the state is reached. The service responds earlier.
      - Every ten seconds a line on standard error shows the progress; E(CLAWHOSTERS_PROGRESS=0) disables it. If the
        service does not answer, the line says since when, and why.
    type: bool
    default: true
  wait_timeout:
    description:
      - Maximum seconds to wait.
    type: int
    default: 300
  wait_healthy:
    description:
      - Wait also until the service reports the instance as healthy, which can take a minute longer.
      - Has an effect only with O(wait=true) and a state in which the instance runs.
    type: bool
    default: false
"""
