# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_drill, for the playbook restore_drill."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._restore import drill


class ActionModule(InternalAction):
    """Chooses the instance of the next drill."""

    MODULE = drill
