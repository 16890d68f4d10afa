# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of the role ``restore`` that asks, and restores."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ...module_utils._module.arguments import API, ArgumentSpec
from ...module_utils._text import format_first
from .confirmation import PictureChangedError, require_confirmation
from .failures import FailureKind
from .record import Recorder
from .role_restorer import RoleRestorer, find_changed_backups
from .run import Run
from .runbook import Runbook
from .screen import summarize_plan

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Result
    from ...module_utils._module.runner import ModuleContext

SPEC = ArgumentSpec({"run": {"type": "dict", "required": True}}).merge(API.with_default("priority", "high"))

_LISTED = 3
"""Changes that a message lists."""


def run(context: ModuleContext, redact: t.Callable[[t.Any], t.Any], ask: t.Callable[[str], str]) -> Result:
    """Restores what was planned, and returns the result of the task.

    ``redact`` removes secrets from what is recorded or shown. ``ask`` asks at the terminal, and raises NoTerminalError
    or PromptInterruptedError.
    """
    return _RestoreTask(Recorder(context, Run.from_dict(context.params["run"]), redact), ask).restore()


@dataclass
class _RestoreTask(Runbook):
    ask: t.Callable[[str], str]

    def restore(self) -> Result:
        """Asks for the answer that confirms what will be overwritten, and restores the instances in batches.

        In check mode, predicts it.
        """
        if self.run.check or not any(one.ready for one in self.run.plans):
            return self.recorder.finish()
        sends = any(one.sends for one in self.run.plans)
        asks = sends or self.variables["restore_confirm"]
        if asks and (failed := self.run_step("confirm", self._confirm)):
            return failed
        restorer = RoleRestorer(self.recorder, self.incident)
        # Failures of instances are steps of their own.
        if failed := self.run_step("run", restorer.restore, lambda _error: FailureKind.INTERRUPTED):
            return failed
        return self.recorder.finish()

    def _confirm(self) -> str:
        shown = summarize_plan(self.run, self.client.stats.now())
        given = self.variables["restore_confirm"]
        how = require_confirmation(self.run.plans, given, lambda prompt: self.ask(self.recorder.redact(prompt)), shown)
        if not given:
            self._require_same_picture()
        return how

    def _require_same_picture(self) -> None:
        """Reads account and backups again: the prompt may have waited for hours. Raises PictureChangedError.

        The instances are read under their locks.
        """
        account = self.context.account.label()
        changes = [f"The account is {account} now."] if account != self.run.account else []
        changes += [error.text for error in find_changed_backups(self.incident, self.run.plans).values()]
        if changes:
            raise PictureChangedError(format_first(changes, _LISTED))
