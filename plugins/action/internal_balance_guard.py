# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_balance_guard, for the role balance_guard."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._playbooks import balance_guard


class ActionModule(InternalAction):
    """Runs a task of the role balance_guard."""

    MODULE = balance_guard
