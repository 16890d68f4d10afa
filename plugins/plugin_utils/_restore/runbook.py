# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the tasks of the role ``restore``. Each failure is recorded as a step before its task ends."""

from __future__ import annotations

import traceback
import typing as t
from dataclasses import dataclass, replace

from ...module_utils._errors import AccountError, ClawHostersError, ForbiddenError, SettingsError, UnauthorizedError
from ...module_utils._model.results import Result
from ...module_utils._module.arguments import API, ArgumentSpec
from ...module_utils._module.open_journal import open_journal
from ...module_utils._module.runner import ModuleContext
from ...module_utils._service.health import measure_health
from ...module_utils._service.restore.account_reader import AccountReader
from ...module_utils._service.restore.history import RestoreHistory
from ...module_utils._service.restore.incident import Incident, parse_rules
from ...module_utils._service.restore.restore import NOT_BEGUN, PLANNED, REFUSED, UNKNOWN
from ...module_utils._text import format_first, one_line
from .confirmation import (
    Names,
    NotConfirmedError,
    PictureChangedError,
    build_confirmation,
    expected_answer,
    is_confirmed,
    require_confirmation,
)
from .failures import FailureKind, describe_error
from .record import Recorder
from .role_plan import build_plan
from .role_restorer import RoleRestorer, find_changed_backups
from .role_variables import begin_run, build_target
from .run import Data, RolePlan, Run
from .screen import plan_lines, show_plan, summarize_plan
from .unhealthy import require_unhealthy

_LISTED = 3
"""Changes that a message lists."""
WITHOUT_KEY = ("variables", "outcome")
"""Tasks that make no request."""

SPEC = ArgumentSpec(
    {
        "task": {"type": "str", "required": True, "choices": ["variables", "plan", "restore", "outcome"]},
        "variables": {"type": "dict"},
        "misspelt": {"type": "str", "default": ""},
        "run": {"type": "dict"},
    }
).merge(API.with_default("priority", "high"))


def _find_run_failure(error: Exception) -> FailureKind:
    if isinstance(error, NotConfirmedError):
        return FailureKind(error.failure)
    if isinstance(error, AccountError):
        return FailureKind.WRONG_ACCOUNT
    is_about_key = isinstance(error, (SettingsError, UnauthorizedError, ForbiddenError))
    return FailureKind.BAD_KEY if is_about_key else FailureKind.NOT_PLANNED


@dataclass
class Runbook:
    """Runs the steps of the run that ``recorder`` records."""

    recorder: Recorder
    ask: t.Callable[[str], str]
    """Asks at the terminal. Raises NoTerminalError or PromptInterruptedError."""

    def __post_init__(self) -> None:
        self.context, self.run = self.recorder.context, self.recorder.run
        self.client, self.variables = self.context.client, self.run.variables

    # The plan

    def plan(self) -> Result:
        """Checks service and key, chooses the backups, and finds what prevents a restore.

        If no instance can be restored, the last task fails.
        """
        self.run.service = self.client.settings.host
        failed = (
            self._run_step("service", self._check_service, lambda _error: FailureKind.SERVICE_DOWN)
            or self._run_step("key", self._check_key)
            or self._run_step("plan", self._set_plans)
        )
        if failed:
            return failed
        stats, plans = self.client.stats, self.run.plans
        now = stats.now()
        for one in plans:
            message = one_line(" ".join(line.strip() for line in plan_lines(one, now)), 600)
            kind = "" if one.ready else one.kind
            self.recorder.add_step("plan", instance=one.label, ok=one.ready, message=message, kind=kind)
        ready = sum(one.ready for one in plans)
        count = f"{len(plans)} instances" if ready == len(plans) else f"{ready} of {len(plans)} instances"
        return {
            "run": self.run.to_dict(),
            "lines": show_plan(self.run, now, stats.find_clock_lead()),
            "title": plans[0].label if len(plans) == 1 else count,
        }

    def _check_service(self) -> str:
        health = measure_health(self.client)
        self.recorder.compare_clocks()
        if not health["available"]:
            raise ClawHostersError(health["error"])
        return f"It responded in {health['latency']} s."

    def _check_key(self) -> str:
        self.run.account = self.context.account.label()
        return "The key is valid."

    def _set_plans(self) -> None:
        incident, variables = self._incident(), self.variables
        targets = [build_target(target, variables) for target in self.run.targets]
        history = incident.read_history(targets, with_holders=True)
        self.run.journal_lead = round((incident.journal.now() - self.recorder.now()).total_seconds(), 1)
        reader = AccountReader(self.client, incident.rules)
        try:
            planned = incident.plan(targets, reader.read(targets, history), history)
            plans = [build_plan(plan, history, incident.rules, incident.now) for plan in planned]
            self._set_answers(plans, reader)
            answer = variables["restore_confirm"]
            is_open = any(plan.sends for plan in plans) and not is_confirmed(answer, plans, in_advance=True)
            if answer and is_open and not reader.is_whole:
                # A name in it confirms if it is unique in the whole account.
                self._list_all_instances(reader, plans)
                self._set_answers(plans, reader)
        finally:
            self.recorder.instances, self.run.list_pages = reader.instances, reader.list_pages
        if variables.get("restore_only_unhealthy"):
            require_unhealthy(plans)
        self.run.plans = plans

    def _list_all_instances(self, reader: AccountReader, plans: list[RolePlan]) -> None:
        try:
            reader.list_all_instances()
        except ClawHostersError as error:
            error.add(
                "The list of all instances shows whether a name is unique. Without it, set restore_confirm to "
                f"{expected_answer(plans)}."
            )
            raise

    def _set_answers(self, plans: list[RolePlan], reader: AccountReader) -> None:
        """Sets the answer that confirms each plan: a name that could be taken for another's confirms nothing."""
        names, is_only_one = Names(reader.known_instances), len(plans) == 1
        for plan in plans:
            plan.answer, plan.id_reason = one_line(plan.name), ""
            if plan.instance:
                plan.answer, plan.id_reason = build_confirmation(
                    plan.instance,
                    names,
                    is_only_one=is_only_one,
                    is_whole=reader.is_whole,
                    is_given_by_id=plan.given_id is not None,
                )

    # Restoring

    def restore(self) -> Result:
        """Asks for the answer that confirms what will be overwritten, and restores the instances in batches.

        In check mode, predicts it.
        """
        if self.run.check or not any(one.ready for one in self.run.plans):
            return self.recorder.finish()
        sends = any(one.sends for one in self.run.plans)
        asks = sends or self.variables["restore_confirm"]
        if asks and (failed := self._run_step("confirm", self._confirm)):
            return failed
        restorer = RoleRestorer(self.recorder, self._incident())
        # Failures of instances are steps of their own.
        if failed := self._run_step("run", restorer.restore, lambda _error: FailureKind.INTERRUPTED):
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
        changes = [f"The account is {account} now"] if account != self.run.account else []
        changes += find_changed_backups(self.client, self.run.plans).values()
        if changes:
            raise PictureChangedError(format_first([f"{change}." for change in changes], _LISTED))

    # Results

    def publish_outcome(self) -> Result:
        """Returns the outcome for later jobs, as ``set_stats`` does."""
        history = self.recorder.read_history(with_refused=True)
        outcome = {"incident": self.run.incident, "instances": list_outcomes(self.run, history)}
        return {"ansible_stats": {"data": {"clawhosters_restore": outcome}, "per_host": False, "aggregate": False}}

    # Helpers

    def _run_step(
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
            is_bug = not isinstance(error, ClawHostersError)
            kind = FailureKind.INTERRUPTED if is_bug else classify(error)
            self.recorder.add_step(name, ok=False, kind=kind.value, **describe_error(error))
            return self.recorder.finish("".join(traceback.format_exception(error)) if is_bug else "")
        if message is not None:
            self.recorder.add_step(name, ok=True, message=message)
        return None

    def _incident(self) -> Incident:
        given = {name: self.variables[f"restore_{name}"] or None for name in ("before", "max_age", "min_interval")}
        rules = replace(parse_rules({**given, "force": bool(self.variables["restore_force"])}), is_confirmed=True)
        journal = open_journal(self.context, warns=True)
        incident = Incident(self.client, journal, self.run.incident, rules, self.context.warn)
        incident.option_prefix = "restore_"
        incident.read_record = lambda: self.recorder.read_recorded(journal.place)
        return incident


def list_outcomes(run: Run, history: RestoreHistory | None) -> list[Data]:
    """Returns what the journal holds of each instance: ids, times and outcomes only.

    Without a ``history``, since the journal can't be read, it is unknown whether a restore was sent. What was refused
    before this run is not its outcome.
    """
    plans: list[RolePlan | None] = [*run.plans] or [None] * len(run.targets)
    outcomes = []
    for plan, target in zip(plans, run.targets, strict=True):
        instance_id = (plan.instance or {}).get("id", target["id"]) if plan else target["id"]
        if instance_id is None and history:
            # One that was not found may have been restored by an earlier run.
            instance_id = history.find_id(target["name"])
        state = history.find_own(instance_id) if history else None
        if state and state.outcome == REFUSED and not (plan and state.position > plan.known_position):
            state = None
        backup_id = plan.backup_id if plan else None
        unsent = UNKNOWN if history is None else NOT_BEGUN
        if run.check and plan and plan.sends:
            unsent = PLANNED
        outcomes.append(
            {
                "id": instance_id,
                "backup_id": state.facts.get("backup_id") if state else backup_id,
                "outcome": state.outcome if state else unsent,
                "sent_at": state.sent_at if state else None,
                "completed_at": state.completed_at if state else None,
            }
        )
    return outcomes


def run_task(context: ModuleContext, redact: t.Callable[[t.Any], t.Any], ask: t.Callable[[str], str]) -> Result:
    """Runs a task of the role, and returns its result. ``redact`` removes secrets from what is recorded or shown."""
    params = context.params
    if params["task"] == "variables":
        run = begin_run(params["variables"], params["misspelt"], check=context.client.check_mode)
        return {"run": run.to_dict()}
    runbook = Runbook(Recorder(context, Run.from_dict(params["run"]), redact), ask)
    tasks = {"plan": runbook.plan, "restore": runbook.restore, "outcome": runbook.publish_outcome}
    return tasks[params["task"]]()
