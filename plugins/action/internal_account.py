# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_account, for the playbook fleet."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._playbooks import account_scope


class ActionModule(InternalAction):
    """Reads service and account."""

    MODULE = account_scope
