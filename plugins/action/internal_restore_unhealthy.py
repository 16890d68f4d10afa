# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_unhealthy, for the playbook restore_unhealthy."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._restore import unhealthy


class ActionModule(InternalAction):
    """Decides whether the playbook restore_unhealthy restores an instance."""

    MODULE = unhealthy
