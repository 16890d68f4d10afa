# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_account: says which service and account a playbook is about to change, for one
whose own tasks are public modules."""

from __future__ import annotations

import typing as t

from ..module_utils._module.arguments import API
from ..plugin_utils._controller.action import ControllerAction

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext

SPEC = API


def run(context: ModuleContext) -> Result:
    """Returns the line. Raises AccountError for another account than the one that is meant."""
    return {"scope": context.account.describe()}


class ActionModule(ControllerAction):
    """Reads service and account."""
