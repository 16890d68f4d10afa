# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the task of the role ``restore`` in this process, with a simulated clock."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from ansible_collections.clawhosters.cloud.plugins.action import internal_restore
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import ReasonError, ReasonKind

from .restores import DEFAULTS
from .worker import Worker

MODULE = "internal_restore"


def find_sentences(value: object) -> list[str]:
    """Returns the texts of more than three words within a value. What holds facts alone has none."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in find_sentences(one)]
    return [value] if isinstance(value, str) and len(value.split()) > 3 else []


@dataclass
class Runbook:
    """Runs the role, and is its screen. ``variables`` are those of each run; ``folder`` gets the JSON and the page."""

    worker: Worker
    folder: Path
    variables: dict[str, t.Any] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    """The prompts at the terminal."""
    plan: list[str] = field(default_factory=list)
    """The lines of the last plan."""
    shown: list[str] = field(default_factory=list)
    """The lines that the last run has shown."""
    outcome: dict[str, t.Any] = field(default_factory=dict)
    """The data that the last run handed to later jobs."""
    _typed: list[str] = field(default_factory=list)

    def run(self, *, check: bool = False, answers: t.Sequence[str] = (), **variables: t.Any) -> dict[str, t.Any]:
        """Returns the result of the role. ``answers`` are typed at the terminal."""
        self._typed, self.shown = list(answers), []
        module = SimpleNamespace(
            SPEC=internal_restore.SPEC, run=lambda context: internal_restore.run(context, lambda value: value, self)
        )
        given = {**DEFAULTS, "restore_report_dir": str(self.folder), "restore_incident": "INC-1"}
        result = self.worker.run(module, check=check, variables={**given, **self.variables, **variables})
        # Results travel to other processes as JSON.
        result = json.loads(json.dumps(result))
        if "ansible_stats" in result:
            self.plan = result["plan"]
            self.outcome = result["ansible_stats"]["data"]["clawhosters_restore"]
            assert find_sentences(self.outcome) == []
            result["failed"] = not result["is_complete"]
        return result

    def show(self, lines: t.Sequence[str]) -> None:
        self.shown += lines

    def ask(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self._typed:
            raise ReasonError(ReasonKind.NOT_CONFIRMED, internal_restore.NO_TERMINAL)
        return self._typed.pop(0)

    def report(self, incident: str = "INC-1") -> dict[str, t.Any]:
        report: dict[str, t.Any] = json.loads((self.folder / f"{incident}.json").read_text(encoding="utf-8"))
        assert find_sentences(report) == []
        return report

    def page(self, incident: str = "INC-1") -> str:
        return (self.folder / f"{incident}.html").read_text(encoding="utf-8")
