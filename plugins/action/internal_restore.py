# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore, for the role restore."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import to_text

from ..plugin_utils._controller.question import ended_with_terminal, show_question
from ..plugin_utils._restore import restore_task
from ..plugin_utils._restore.confirmation import NoTerminalError, PromptInterruptedError
from ..plugin_utils._restore.role_action import RunbookAction

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext


class ActionModule(RunbookAction):
    """Asks at the terminal, and restores what was planned."""

    MODULE = restore_task

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the task."""
        return restore_task.run(context, lambda value: remove_values(value, secrets), self._ask)

    def _ask(self, prompt: str) -> str:
        show_question(prompt)
        try:
            with ended_with_terminal():
                return to_text(self._display.prompt_until(prompt), errors="replace")
        except AnsiblePromptNoninteractive as error:
            raise NoTerminalError from error
        except AnsiblePromptInterrupt as error:
            raise PromptInterruptedError from error
