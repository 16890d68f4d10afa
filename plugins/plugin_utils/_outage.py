# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the processes of one Ansible command remember that the database of ``state_database`` can't be reached."""

from __future__ import annotations

import os

from ansible import constants as C

OUTAGE_PATH = f"{C.DEFAULT_LOCAL_TMP}/clawhosters-outage-{os.getpid()}"
"""Ansible makes the folder for one command, whose forks inherit this path, and removes it at the end."""
