# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the tasks of the role ``restore`` in this process, as its playbook does, with a simulated clock."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from ansible_collections.clawhosters.cloud.plugins.action import internal_restore as restore_task
from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_plan as plan_task
from ansible_collections.clawhosters.cloud.plugins.action import internal_restore_run as begin_and_end
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.confirmation import NoTerminalError

from .restores import DEFAULTS
from .worker import Worker


@dataclass
class Runbook:
    """Runs the role. ``variables`` are those of each run; ``folder`` gets the record and the page."""

    worker: Worker
    folder: Path
    variables: dict[str, t.Any] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    """The prompts at the terminal."""
    plan: dict[str, t.Any] = field(default_factory=dict)
    """The result of the task that plans."""
    outcome: dict[str, t.Any] = field(default_factory=dict)
    """The data that the last run handed to later jobs."""

    def run(self, *, check: bool = False, answers: t.Sequence[str] = (), **variables: t.Any) -> dict[str, t.Any]:
        """Returns the result of the task that ended the run. ``answers`` are typed at the terminal."""
        typed = list(answers)

        def ask(prompt: str) -> str:
            self.prompts.append(prompt)
            if not typed:
                raise NoTerminalError
            return typed.pop(0)

        plan = SimpleNamespace(SPEC=plan_task.SPEC, run=lambda context: plan_task.run(context, lambda value: value))
        restore = SimpleNamespace(
            SPEC=restore_task.SPEC, run=lambda context: restore_task.run(context, lambda value: value, ask)
        )

        def run_task(module: t.Any, **options: t.Any) -> dict[str, t.Any]:
            result = self.worker.run(module, check=check, **options)
            # Results travel between tasks as JSON.
            return json.loads(json.dumps(result))

        defaults = {**DEFAULTS, "restore_report_dir": str(self.folder)}
        given = {**defaults, "restore_incident": "INC-1", **self.variables, **variables}
        result = begun = run_task(begin_and_end, task="begin", variables=given)
        if begun["failed"]:
            return begun
        for task in (plan, restore):
            following = run_task(task, run=result["run"])
            result = {"run": result["run"], **following}
            if task is plan:
                self.plan = following
            if "msg" in following:
                break
        stats = run_task(begin_and_end, task="outcome", run=result["run"])["ansible_stats"]["data"]
        self.outcome = stats["clawhosters_restore"]
        return result

    def record(self, incident: str = "INC-1") -> dict[str, t.Any]:
        """Returns the last run on record."""
        text = (self.folder / f"{incident}.json").read_text(encoding="utf-8")
        last: dict[str, t.Any] = json.loads(text)["runs"][-1]
        return last

    def page(self, incident: str = "INC-1") -> str:
        """Returns the page."""
        return (self.folder / f"{incident}.html").read_text(encoding="utf-8")
