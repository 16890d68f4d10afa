# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of claw_fleet_restore: runs the module on the controller."""

from __future__ import annotations

from ..modules import claw_fleet_restore
from ..plugin_utils._controller.fleet_action import FleetAction


class ActionModule(FleetAction, module=claw_fleet_restore):
    """Runs claw_fleet_restore."""
