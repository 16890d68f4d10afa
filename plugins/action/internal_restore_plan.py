# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_plan, for the role restore."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.parameters import remove_values

from ..plugin_utils._restore import plan_task
from ..plugin_utils._restore.role_action import RunbookAction

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext


class ActionModule(RunbookAction):
    """Plans the restores of a run."""

    MODULE = plan_task

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the task."""
        return plan_task.run(context, lambda value: remove_values(value, secrets))
