# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the processes of one Ansible command remember that the database of ``state_database`` can't be reached."""

from __future__ import annotations

from ansible import constants as C


def outage_path() -> str:
    """Returns a path in the folder that Ansible makes for one command and its forks, and removes at the end."""
    return f"{C.DEFAULT_LOCAL_TMP}/clawhosters-outage"
