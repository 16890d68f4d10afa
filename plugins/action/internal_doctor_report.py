# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_doctor_report, for the playbook doctor."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._reports import doctor_report


class ActionModule(InternalAction):
    """Writes the file of the playbook doctor."""

    MODULE = doctor_report
