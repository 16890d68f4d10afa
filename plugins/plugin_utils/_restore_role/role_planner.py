# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first part of a run of the role ``restore``: its checks, its plan, and the plan on the screen."""

from __future__ import annotations

import functools
import traceback
import typing as t
from dataclasses import replace

from ...module_utils._errors import ClawHostersError, RefusedError
from ...module_utils._model.instance import is_unhealthy
from ...module_utils._module.open_journal import open_journal
from ...module_utils._service.account_check import find_id
from ...module_utils._service.restore.account_reader import AccountReader
from ...module_utils._service.restore.reason import ReasonKind
from ...module_utils._service.restore.restore_task import RestoreTask, parse_rules, plan_task
from ...module_utils._service.service_health import measure_health
from .._formatting import wrap_lines
from .._reports.report_folder import prepare_folder
from .role_run import FEW, UNHEALTHY, RoleRun, is_confirmed, set_answers
from .variables import parse_variables

if t.TYPE_CHECKING:
    from ...module_utils._module.runner import ModuleContext
    from ...module_utils._service.restore.history import EarlierReport
    from .approved_plan import ApprovedPlan
    from .role_run import Data, RoleTargetPlan


class Screen(t.Protocol):
    """Where the user looks, and types."""

    def show(self, lines: t.Sequence[str]) -> None:
        """Shows lines at once."""

    def ask(self, prompt: str) -> str:
        """Returns what the user has typed. Raises ReasonError if nobody can, or does."""


def begin_run(variables: Data, *, check: bool) -> RoleRun:
    """Returns a new run with checked variables, whose folder of reports can be written. Raises ClawHostersError."""
    run = RoleRun(*parse_variables(variables, check=check), check)
    if not check:
        prepare_folder(run.report_path)
    return run


class RolePlanner:
    """Plans a run, and holds what its confirmation, its restores and its report need.

    ``redact`` removes secrets from what is shown or written.
    """

    def __init__(
        self, context: ModuleContext, run: RoleRun, screen: Screen, redact: t.Callable[[t.Any], t.Any]
    ) -> None:
        self.context, self.client = context, context.client
        self.run, self.variables = run, run.variables
        self.screen, self.redact = screen, redact
        # Of an approved plan, each newer backup is named.
        self.reader = AccountReader(self.client, lists_backups=run.approved is not None)
        self.plan_lines: list[str] = []
        self.report_lines: list[str] = []
        """Where page and JSON are, or why they could not be written."""
        self.traceback = ""
        """Of a bug."""

    def plan(self) -> bool:
        """Plans the restores and shows the plan. Returns True if one can be restored."""
        self.run.service = self.client.settings.host
        if not self.step(self._check_service, ReasonKind.SERVICE_DOWN):
            return False
        return self.step(self._set_plans) and any(plan.reason is None for plan in self.run.plans)

    def step(self, function: t.Callable[[], None], kind: ReasonKind = ReasonKind.NOT_PLANNED) -> bool:
        """Runs a step, and returns True. On an error, sets why the run has stopped instead, by default of this kind."""
        try:
            function()
        except Exception as error:
            self.run.stop(error, kind)
            if not isinstance(error, ClawHostersError):
                self.traceback = "".join(traceback.format_exception(error))
            return False
        return True

    def _check_service(self) -> None:
        if error := measure_health(self.client)["error"]:
            raise error

    @functools.cached_property
    def task(self) -> RestoreTask:
        """The task, with the journal. Imports what reads an earlier report."""
        from .incident_report import read_earlier_report

        given = {name: self.variables[f"restore_{name}"] or None for name in ("before", "max_age", "min_interval")}
        rules = replace(parse_rules({**given, "force": bool(self.variables["restore_force"])}), is_confirmed=True)
        journal = open_journal(self.context, sends=True)
        name, path, host = self.run.incident, self.run.report_path, self.client.settings.host

        def read_report() -> EarlierReport:
            return read_earlier_report(path, name, host, journal.place)

        return RestoreTask(self.client, journal, name, rules, self.context.warn, read_report, self.run.wording)

    def _set_plans(self) -> None:
        """Chooses the backups, finds what prevents a restore, and shows that. Imports what only a plan needs."""
        from .plan_texts import build_role_plan, format_plan, remark_on_newer

        self.run.account = self.context.account.label()
        task, approved = self.task, self.run.approved
        planned, account, history = plan_task(task, self.run.targets, self.reader)
        plans = [build_role_plan(plan, history, task.rules, task.now, task.wording) for plan in planned]
        if approved:
            max_age = self.variables["restore_plan_max_age"]
            t.cast("ApprovedPlan", approved).require_current(plans, history, self.account_id, max_age)
        for plan in plans:
            plan.remarks += remark_on_newer(plan, account, task.now, is_approved=approved is not None)
        self._set_answers(plans)
        if self.run.chosen_by == UNHEALTHY:
            # The instance may have recovered since the decision.
            for plan in plans:
                if plan.sends and not is_unhealthy(plan.instance or {}):
                    raise RefusedError(f"{plan.label} is not running and unhealthy any more.", is_unsent=True)
        self.run.plans = plans
        self.plan_lines = self.redact([*wrap_lines(filter(None, [task.find_other_case()])), *format_plan(self.run)])
        self.screen.show(self.plan_lines)

    @property
    def account_id(self) -> str | None:
        """The id of the account; None if the service does not show it."""
        try:
            return find_id(self.context.account.fetch())
        except ClawHostersError:
            return None

    def _set_answers(self, plans: list[RoleTargetPlan]) -> None:
        """Sets what confirms each plan. Reads all names of the account if one may have to be unique there."""
        answer, reader = self.variables["restore_confirm"], self.reader
        set_answers(plans, reader.instances, is_whole=reader.is_whole)
        is_open = any(plan.sends for plan in plans) and not self._is_confirmed(plans)
        if is_open and not reader.is_whole and (answer or self.run.approved):
            # Whoever approved a plan has read names.
            reader.list_all_instances()
            set_answers(plans, reader.instances, is_whole=True)
        if self._is_confirmed(plans) or sum(plan.sends for plan in plans) > FEW:
            for plan in plans:
                plan.needs_id = False

    def _is_confirmed(self, plans: list[RoleTargetPlan]) -> bool:
        answer = self.variables["restore_confirm"]
        return bool(answer) and is_confirmed(answer, plans, self.run.incident, in_advance=True)
