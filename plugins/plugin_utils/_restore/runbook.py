# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of the role ``restore``: its checks, its plan, and the plan on the screen."""

from __future__ import annotations

import functools
import secrets
import traceback
import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ...module_utils._errors import (
    ClawHostersError,
    ForbiddenError,
    SettingsError,
    UnauthorizedError,
)
from ...module_utils._model.account_identity import find_id
from ...module_utils._module.open_journal import open_journal
from ...module_utils._service.health import measure_health
from ...module_utils._service.restore.account_reader import AccountReader
from ...module_utils._service.restore.incident import Incident, parse_rules, plan_incident
from ...module_utils._state.store import describe_sender
from ...module_utils._time_options import parse_duration, parse_timestamp, require_past
from ...module_utils._times import format_iso
from .._reports.report_folder import prepare_folder
from .answers import FEW, expected_answer, is_confirmed, set_answers
from .confirmation import NotConfirmedError
from .failures import FailureKind
from .plan_screen import show_plan
from .role_plan import build_plan, note_newer, require_unhealthy
from .run import UNHEALTHY, Run, build_target
from .variables import parse_variables
from .witness import read_witness

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Resource
    from ...module_utils._module.runner import ModuleContext
    from .approved_plan import ApprovedPlan
    from .run import Data, RolePlan


class Screen(t.Protocol):
    """Where the user looks, and types."""

    def show(self, lines: t.Sequence[str]) -> None:
        """Shows lines at once."""

    def ask(self, prompt: str) -> str:
        """Returns what the user has typed. Raises NoTerminalError or PromptInterruptedError."""


def begin_run(variables: Data, *, check: bool) -> Run:
    """Returns a new run with checked variables, whose folder of reports can be written. Raises ClawHostersError."""
    parsed, targets, approved = parse_variables(variables, check=check)
    # Two runs of an incident may start at the same moment.
    name = f"run-{secrets.token_hex(8)}"
    run = Run(name, format_iso(datetime.now(UTC)), parsed, targets, check, by=describe_sender(), approved=approved)
    if not check:
        prepare_folder(run.report_path)
    return run


def _find_run_failure(error: Exception) -> FailureKind:
    if isinstance(error, NotConfirmedError):
        return error.failure
    is_about_key = isinstance(error, (SettingsError, UnauthorizedError, ForbiddenError))
    return FailureKind.BAD_KEY if is_about_key else FailureKind.NOT_PLANNED


@dataclass
class Runbook:
    """Plans a run, and holds what its confirmation, its restores and its report need."""

    context: ModuleContext
    run: Run
    screen: Screen
    redact: t.Callable[[t.Any], t.Any]
    """Removes secrets from what is shown or written."""

    def __post_init__(self) -> None:
        self.client, self.variables = self.context.client, self.run.variables
        self.instances: t.Sequence[Resource] = ()
        """Those of the account, as far as they were read."""
        self.plan_lines: list[str] = []
        self.written: list[str] = []
        """Where page and JSON are, or why they could not be written."""
        self.traceback = ""
        """Of a bug."""

    def plan(self) -> bool:
        """Plans the restores and shows the plan. Returns True if one can be restored."""
        self.run.service = self.client.settings.host
        if not self.step(self._check_service, lambda _error: FailureKind.SERVICE_DOWN):
            return False
        # As any wrong value, it is no failure of a run; only the service knows the time.
        before = parse_timestamp("restore_before", self.variables["restore_before"] or None)
        require_past("restore_before", before, self.client.stats.now(), is_unsent=True)
        return self.step(self._set_plans) and any(plan.ready for plan in self.run.plans)

    def step(
        self, function: t.Callable[[], None], classify: t.Callable[[Exception], FailureKind] = _find_run_failure
    ) -> bool:
        """Returns True if a step of the run has succeeded. Else the run has failed."""
        try:
            function()
        except Exception as error:
            from .classify import classify_error

            self.run.failed = classify_error(error, classify(error))
            if not isinstance(error, ClawHostersError):
                self.traceback = "".join(traceback.format_exception(error))
            return False
        return True

    def _check_service(self) -> None:
        if error := measure_health(self.client)["error"]:
            raise error
        self.run.began_at = format_iso(self.client.stats.now())

    # The plan

    @functools.cached_property
    def incident(self) -> Incident:
        """The incident, with the journal."""
        given = {name: self.variables[f"restore_{name}"] or None for name in ("before", "max_age", "min_interval")}
        rules = replace(parse_rules({**given, "force": bool(self.variables["restore_force"])}), is_confirmed=True)
        journal = open_journal(self.context, warns=True)
        incident = Incident(self.client, journal, self.run.incident, rules, self.context.warn)
        incident.surface = self.run.surface
        path, host = self.run.report_path, self.client.settings.host
        incident.read_report = lambda: read_witness(path, self.run.incident, host, journal.place)
        return incident

    def _set_plans(self) -> None:
        """Chooses the backups, finds what prevents a restore, and shows that."""
        self.run.account = self.context.account.label()
        incident, variables = self.incident, self.variables
        targets = [build_target(target, variables) for target in self.run.targets]
        # Of an approved plan, each newer backup is named.
        reader = AccountReader(self.client, lists_backups=self.run.approved is not None)
        try:
            planned, account, history = plan_incident(incident, targets, reader, with_holders=True)
            plans = [build_plan(plan, history, incident.rules, incident.now, incident.surface) for plan in planned]
            if self.run.approved:
                max_age = parse_duration("restore_plan_max_age", variables["restore_plan_max_age"])
                service = self.client.settings.api_url
                approved = t.cast("ApprovedPlan", self.run.approved)
                approved.require_current(plans, history, service, self.account_id, max_age)
            for plan in plans:
                plan.notes += note_newer(plan, account, incident.now, is_approved=self.run.approved is not None)
            set_answers(plans, reader.known_instances, is_whole=reader.is_whole)
            is_open = any(plan.sends for plan in plans) and not self._is_confirmed(plans)
            if is_open and not reader.is_whole and (variables["restore_confirm"] or self.run.approved):
                # A name confirms if it is unique in the whole account; whoever approved a plan has read names.
                self._list_all_instances(reader, plans)
                set_answers(plans, reader.instances, is_whole=True)
        finally:
            self.instances, self.run.list_pages = reader.instances, reader.list_pages
        if self.run.chosen_by == UNHEALTHY:
            # The instance may have recovered since the decision.
            require_unhealthy(plans)
        asks = not self._is_confirmed(plans) and sum(plan.sends for plan in plans) <= FEW
        for plan in plans:
            plan.asks = asks
        self.run.plans = plans
        self.plan_lines = self.redact(show_plan(self.run, self.client.stats.find_clock_lead()))
        self.screen.show(self.plan_lines)

    @property
    def account_id(self) -> str | None:
        """The id of the account; None if the service does not show it."""
        try:
            return find_id(self.context.account.fetch())
        except ClawHostersError:
            return None

    def _list_all_instances(self, reader: AccountReader, plans: list[RolePlan]) -> None:
        try:
            reader.list_all_instances()
        except ClawHostersError as error:
            error.add(
                "The list of all instances shows whether a name is unique. Without it, set "
                f"restore_confirm={expected_answer(plans, self.run.incident)}."
            )
            raise

    def _is_confirmed(self, plans: list[RolePlan]) -> bool:
        answer = self.variables["restore_confirm"]
        return bool(answer) and is_confirmed(answer, plans, self.run.incident, in_advance=True)
