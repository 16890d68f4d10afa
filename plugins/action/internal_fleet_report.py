# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_fleet_report, for the role fleet_report."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._reports import fleet_report


class ActionModule(InternalAction):
    """Writes the page of the role fleet_report."""

    MODULE = fleet_report
