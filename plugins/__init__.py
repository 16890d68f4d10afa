# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuses a Python that is too old, in one line. Any Python 3 can read this file, which is the first that runs."""

from __future__ import annotations

import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    from ansible.errors import AnsibleError

    version = ".".join(map(str, sys.version_info[:3]))
    raise AnsibleError(
        f"clawhosters.cloud needs Python 3.11 or newer where Ansible runs. {sys.executable} is Python {version}. "
        "Install ansible-core 2.18 or newer for a newer Python. Nothing was sent."
    )
