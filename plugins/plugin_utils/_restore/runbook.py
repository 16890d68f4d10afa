# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts that the tasks of the role ``restore`` share. Each failure is recorded before its task ends."""

from __future__ import annotations

import functools
import traceback
import typing as t
from dataclasses import dataclass, replace

from ...module_utils._errors import AccountError, ClawHostersError, ForbiddenError, SettingsError, UnauthorizedError
from ...module_utils._module.open_journal import open_journal
from ...module_utils._service.restore.incident import Incident, parse_rules
from .confirmation import NotConfirmedError
from .failures import FailureKind, choose_surface

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Resource, Result
    from .record import Recorder
    from .run_steps import RunSteps


def _find_run_failure(error: Exception) -> FailureKind:
    if isinstance(error, NotConfirmedError):
        return error.failure
    if isinstance(error, AccountError):
        return FailureKind.WRONG_ACCOUNT
    is_about_key = isinstance(error, (SettingsError, UnauthorizedError, ForbiddenError))
    return FailureKind.BAD_KEY if is_about_key else FailureKind.NOT_PLANNED


@dataclass
class Runbook:
    """Runs the ``steps`` of a run."""

    steps: RunSteps

    def __post_init__(self) -> None:
        self.context, self.run = self.steps.context, self.steps.run
        self.client, self.variables = self.context.client, self.run.variables
        self.instances: t.Sequence[Resource] = ()
        """Those of the account, as far as they were read."""

    @functools.cached_property
    def recorder(self) -> Recorder:
        """Records the run. A plan that succeeds does not need it."""
        from .record import Recorder

        return Recorder(self.steps, self.instances)

    def run_step(
        self,
        name: str,
        function: t.Callable[[], str | None],
        classify: t.Callable[[Exception], FailureKind] = _find_run_failure,
    ) -> Result | None:
        """Runs a step of the whole run, and adds it unless ``function`` returns None.

        If it fails, the run ends: returns the result of the task.
        """
        try:
            message = function()
        except Exception as error:
            from .failed_steps import describe_error

            is_bug = not isinstance(error, ClawHostersError)
            kind = FailureKind.INTERRUPTED if is_bug else classify(error)
            self.steps.add_step(name, ok=False, kind=kind.value, **describe_error(error))
            return self.recorder.finish("".join(traceback.format_exception(error)) if is_bug else "")
        if message is not None:
            self.steps.add_step(name, ok=True, message=message)
        return None

    @functools.cached_property
    def incident(self) -> Incident:
        given = {name: self.variables[f"restore_{name}"] or None for name in ("before", "max_age", "min_interval")}
        rules = replace(parse_rules({**given, "force": bool(self.variables["restore_force"])}), is_confirmed=True)
        journal = open_journal(self.context, warns=True)
        incident = Incident(self.client, journal, self.run.incident, rules, self.context.warn)
        incident.surface = choose_surface(self.run)
        incident.read_record = lambda: self.steps.read_recorded(journal.place)
        return incident
