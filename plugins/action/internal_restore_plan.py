# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_plan: plans the restores of a run of the role."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible.module_utils.common.parameters import remove_values

from ..module_utils._errors import ClawHostersError, WrongAddressError
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._service.health import measure_health
from ..module_utils._service.restore.account_reader import AccountReader
from ..module_utils._service.restore.incident_plan import plan_incident
from ..module_utils._text import one_line
from ..module_utils._time_options import parse_timestamp, require_past
from ..plugin_utils._restore.answers import Names, build_confirmation
from ..plugin_utils._restore.confirmation import expected_answer, is_confirmed, plan_lines
from ..plugin_utils._restore.failures import FailureKind
from ..plugin_utils._restore.plan_screen import show_plan
from ..plugin_utils._restore.role_action import RunbookAction
from ..plugin_utils._restore.role_plan import build_plan, require_unhealthy
from ..plugin_utils._restore.run import Run, build_target
from ..plugin_utils._restore.run_steps import RunSteps
from ..plugin_utils._restore.runbook import Runbook

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext
    from ..plugin_utils._restore.run import RolePlan

SPEC = ArgumentSpec({"run": {"type": "dict", "required": True}}).merge(API.with_default("priority", "high"))


def run(context: ModuleContext, redact: t.Callable[[t.Any], t.Any]) -> Result:
    """Plans the restores of a run. ``redact`` removes secrets from what is recorded or shown."""
    return _PlanTask(RunSteps(context, Run.from_dict(context.params["run"]), redact)).plan()


def _find_service_failure(error: Exception) -> FailureKind:
    return FailureKind.WRONG_ADDRESS if isinstance(error, WrongAddressError) else FailureKind.SERVICE_DOWN


class _PlanTask(Runbook):
    def plan(self) -> Result:
        """Checks service and key, chooses the backups, and finds what prevents a restore.

        If no instance can be restored, the last task fails.
        """
        self.run.service = self.client.settings.host
        failed = self.run_step("service", self._check_service, _find_service_failure)
        if failed:
            return failed
        # As any wrong value, it begins no run and leaves no record; only the service knows the time.
        before = parse_timestamp("restore_before", self.variables["restore_before"] or None)
        require_past("restore_before", before, self.client.stats.now(), is_unsent=True)
        failed = self.run_step("key", self._check_key) or self.run_step("plan", self._set_plans)
        if failed:
            return failed
        stats, plans = self.client.stats, self.run.plans
        now = stats.now()
        for one in plans:
            message = one_line(" ".join(line.strip() for line in plan_lines(one, now)), 600)
            kind = "" if one.ready else one.kind
            self.steps.add_step("plan", instance=one.label, ok=one.ready, message=message, kind=kind)
        sends = sum(one.sends for one in plans)
        count = f"{len(plans)} instances" if sends == len(plans) else f"{sends} of {len(plans)} instances"
        return {
            "run": self.run.to_dict(),
            "lines": show_plan(self.run, now, stats.find_clock_lead()),
            "title": plans[0].label if len(plans) == 1 else count,
        }

    def _check_service(self) -> str:
        health = measure_health(self.client)
        self.steps.compare_clocks()
        if health["error"]:
            raise health["error"]
        return f"It responded in {health['latency']} s."

    def _check_key(self) -> str:
        self.run.account = self.context.account.label()
        return "The key is valid."

    def _set_plans(self) -> None:
        incident, variables = self.incident, self.variables
        targets = [build_target(target, variables) for target in self.run.targets]
        history = incident.read_history(targets, with_holders=True)
        self.run.journal_lead = round((incident.journal.now() - self.steps.now()).total_seconds(), 1)
        reader = AccountReader(self.client, incident.rules)
        try:
            planned = plan_incident(incident, targets, reader.read(targets, history), history)
            plans = [build_plan(plan, history, incident.rules, incident.now, incident.surface) for plan in planned]
            self._set_answers(plans, reader)
            answer = variables["restore_confirm"]
            is_open = any(plan.sends for plan in plans) and not is_confirmed(answer, plans, in_advance=True)
            if answer and is_open and not reader.is_whole:
                # A name in it confirms if it is unique in the whole account. Else what the prompt asks for is needed.
                self._list_all_instances(reader, plans)
                named = [replace(plan) for plan in plans]
                self._set_answers(named, reader)
                plans = named if is_confirmed(answer, named, in_advance=True) else plans
        finally:
            self.instances, self.run.list_pages = reader.instances, reader.list_pages
        if variables.get("restore_only_unhealthy"):
            require_unhealthy(plans)
        is_confirmed_already = bool(answer) and is_confirmed(answer, plans, in_advance=True)
        for plan in plans:
            plan.asks = not is_confirmed_already
        self.run.plans = plans

    def _list_all_instances(self, reader: AccountReader, plans: list[RolePlan]) -> None:
        try:
            reader.list_all_instances()
        except ClawHostersError as error:
            error.add(
                "The list of all instances shows whether a name is unique. Without it, set "
                f"restore_confirm={expected_answer(plans)}."
            )
            raise

    def _set_answers(self, plans: list[RolePlan], reader: AccountReader) -> None:
        """Sets the answer that confirms each plan: a name that could be taken for another's confirms nothing."""
        names, is_only_one = Names(reader.known_instances), len(plans) == 1
        for plan in plans:
            plan.answer, plan.id_reason = one_line(plan.name), ""
            if plan.instance:
                plan.answer, plan.id_reason = build_confirmation(
                    plan.instance, names, is_only_one=is_only_one, is_whole=reader.is_whole
                )


class ActionModule(RunbookAction):
    """Plans the restores of a run."""

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the task."""
        return run(context, lambda value: remove_values(value, secrets))
