# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of claw_backup_restore: runs the module on the controller."""

from __future__ import annotations

from ..modules import claw_backup_restore
from ..plugin_utils._controller.action import ControllerAction


class ActionModule(ControllerAction, module=claw_backup_restore):
    """Runs claw_backup_restore."""
