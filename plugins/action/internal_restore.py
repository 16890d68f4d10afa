# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin internal_restore: a step of the role ``restore``, in the controller's process (interface 1a, 5)."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import to_text

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.results import Result
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API, ArgumentSpec
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleContext
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._action import ControllerAction
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import Run
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.runbook import (
    NoTerminalError,
    PromptInterruptedError,
    Runbook,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.settings import begin_run

STEPS = ("variables", "service", "key", "plan", "confirm", "restore", "outcome")
WITHOUT_KEY = ("variables", "service", "outcome")

SPEC = ArgumentSpec(
    {
        "step": {"type": "str", "required": True, "choices": list(STEPS)},
        "settings": {"type": "dict"},
        "misspelt": {"type": "str", "default": ""},
        "run": {"type": "dict"},
    }
).merge(API)


class ActionModule(ControllerAction):
    """Runs a step."""

    _supports_async = False

    def spec(self) -> ArgumentSpec:
        """Returns the options of the task."""
        return replace(SPEC, needs_key=self._task.args.get("step") not in WITHOUT_KEY)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Returns the result of the step. The record counts the requests."""
        result = super().run(tmp, task_vars)
        result.pop("api", None)
        return result

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the step."""
        params = context.params
        if params["step"] == "variables":
            run = begin_run(params["settings"], params["misspelt"], check=context.client.check_mode)
            return {"run": run.to_dict()}
        runbook = Runbook(context, Run.from_dict(params["run"]), lambda value: remove_values(value, secrets), self._ask)
        if params["step"] == "outcome":
            outcome = {"incident": runbook.run.incident, "instances": runbook.outcomes()}
            return {"ansible_stats": {"data": {"clawhosters_restore": outcome}, "per_host": False, "aggregate": False}}
        step: t.Callable[[], Result] = {
            "service": runbook.check_service,
            "key": runbook.check_key,
            "plan": runbook.plan,
            "confirm": runbook.confirm,
            "restore": runbook.restore,
        }[params["step"]]
        result = step()
        if result.get("failed"):
            # The place in the role where the task stands says nothing to an operator.
            self._task._ds = None
        return result

    def _ask(self, prompt: str) -> str:
        try:
            return to_text(self._display.prompt_until(prompt), errors="replace")
        except AnsiblePromptNoninteractive as error:
            raise NoTerminalError from error
        except AnsiblePromptInterrupt as error:
            raise PromptInterruptedError from error
