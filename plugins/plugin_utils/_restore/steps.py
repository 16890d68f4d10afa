# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of the role ``restore``, one for each of its tasks: their options, and what each runs."""

from __future__ import annotations

import typing as t

from ...module_utils._model.results import Result
from ...module_utils._module.arguments import API, ArgumentSpec
from ...module_utils._module.runner import ModuleContext
from .model import Run
from .runbook import Runbook
from .settings import begin_run

STEPS: dict[str, t.Callable[[Runbook], Result]] = {
    "plan": Runbook.plan,
    "restore": Runbook.restore,
    "outcome": Runbook.publish_outcome,
}
"""The steps after the first one, which begins the run."""
WITHOUT_KEY = ("variables", "outcome")

SPEC = ArgumentSpec(
    {
        "step": {"type": "str", "required": True, "choices": ["variables", *STEPS]},
        "settings": {"type": "dict"},
        "misspelt": {"type": "str", "default": ""},
        "run": {"type": "dict"},
    }
).merge(API.with_default("priority", "high"))


def run_step(context: ModuleContext, redact: t.Callable[[t.Any], t.Any], ask: t.Callable[[str], str]) -> Result:
    """Runs the step and returns the result of its task. ``redact`` and ``ask``: see :class:`Runbook`."""
    params = context.params
    if params["step"] == "variables":
        run = begin_run(params["settings"], params["misspelt"], check=context.client.check_mode)
        return {"run": run.to_dict()}
    return STEPS[params["step"]](Runbook(context, Run.from_dict(params["run"]), redact, ask))
