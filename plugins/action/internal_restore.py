# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore, for the role restore."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import to_text

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import ArgumentSpec
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._controller.action import InternalAction
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._controller.interruption import (
    ended_with_terminal,
    show_question,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore import runbook
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.confirmation import (
    NoTerminalError,
    PromptInterruptedError,
)


class ActionModule(InternalAction):
    """Runs a task of the role restore. Asks at the terminal."""

    MODULE = runbook

    def spec(self) -> ArgumentSpec:
        """Returns the options of the task."""
        return replace(runbook.SPEC, needs_key=self._task.args.get("task") not in runbook.WITHOUT_KEY)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Returns the result of the task. The record counts the requests."""
        result = super().run(tmp, task_vars)
        result.pop("api", None)
        if result.get("failed"):
            # The place in the role where the task stands says nothing to an operator.
            self._task._ds = None
        return result

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the task."""
        return runbook.run_task(context, lambda value: remove_values(value, secrets), self._ask)

    def _ask(self, prompt: str) -> str:
        show_question(prompt)
        try:
            with ended_with_terminal():
                return to_text(self._display.prompt_until(prompt), errors="replace")
        except AnsiblePromptNoninteractive as error:
            raise NoTerminalError from error
        except AnsiblePromptInterrupt as error:
            raise PromptInterruptedError from error
