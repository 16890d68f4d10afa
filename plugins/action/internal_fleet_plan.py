# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_fleet_plan, for the playbook fleet."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._playbooks import plan_file


class ActionModule(InternalAction):
    """Writes or reads the plan of the playbook fleet."""

    MODULE = plan_file
