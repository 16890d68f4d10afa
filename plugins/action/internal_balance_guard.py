# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_balance_guard, the tasks of the role ``balance_guard``: plan, and stop instances in rounds
until the balance lasts."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from ..module_utils._errors import ClawHostersError, PartialError
from ..module_utils._http.lists import fetch_all
from ..module_utils._model.fleet_entries import ChangeLimits, FleetEntry
from ..module_utils._model.instance_job import Protection
from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._module.protected import find_restore
from ..module_utils._module.runner import ModuleContext
from ..module_utils._module.waiting import parse_wait, wait_arguments
from ..module_utils._service.at_most_once import format_at
from ..module_utils._service.billing import fetch_billing
from ..module_utils._service.fleet import Fleet
from ..module_utils._state.journal import OperationEvent, OperationKey
from ..plugin_utils._balance_plan import BalancePlan, build_plan, parse_stop_order
from ..plugin_utils._controller.action import ControllerAction
from ..plugin_utils._formatting import format_label
from ..plugin_utils._variable_problems import Problems

Data = dict[str, t.Any]

SPEC = ArgumentSpec(
    {
        "stop_order": {"type": "raw", "required": True},
        "min_days": {"type": "int", "required": True},
        "plan": {"type": "dict"},
        "package_id": {"type": "str", "default": ""},
        "order": {"type": "str", "default": ""},
        "bought": {"type": "bool", "default": False},
        "purchase_problem": {"type": "str", "default": ""},
    }
).merge(API, wait_arguments(300))


def run(context: ModuleContext) -> Result:
    """Returns a plan; or, given one, carries it out."""
    plan = context.params["plan"]
    return _build_first_plan(context) if plan is None else _Guard(context, BalancePlan(**plan)).run()


def _build_plan(context: ModuleContext, rounds: t.Sequence[Data] = (), *, is_first: bool = True) -> BalancePlan:
    instances = fetch_all(context.client, "/instances")
    billing = fetch_billing(context.client, ["summary", "usage"], 1)
    order, min_days = context.params["stop_order"], context.params["min_days"]
    return build_plan(billing, instances, order, min_days, rounds, is_first=is_first)


def _build_first_plan(context: ModuleContext) -> Result:
    package = context.params["package_id"]
    _require_valid(context.params)
    scope, plan = context.account.describe(), _build_plan(context)
    lines = [*plan.lines, *plan.name_problems]
    if package and not plan.is_sufficient:
        plan.sent_order = _describe_order(context)
        buying = [f"Buy package {package} first. If it is not credited immediately:"]
        lines = ([plan.sent_order, "It is not sent again."] if plan.sent_order else buying) + lines
    return {"plan": vars(plan), "report": [scope, *lines], "problem": _format_name_problem(plan)}


def _require_valid(params: t.Mapping[str, t.Any]) -> None:
    """Raises SettingsError for all wrong values."""
    problems = Problems()
    problems.collect(parse_stop_order, params["stop_order"])
    if params["package_id"] and not params["order"].strip():
        problems.add("Set balance_guard_order, too, so that the package is not bought twice.")
    elif params["package_id"]:
        problems.collect(parse_operation_name, "balance_guard_order", params["order"])
    problems.raise_if_any()


def _describe_order(context: ModuleContext) -> str:
    """Returns a sentence about the order if it was sent before; empty if it was not."""
    try:
        order = parse_operation_name("balance_guard_order", context.params["order"])
        state = open_journal(context).read_state(OperationKey("purchase", context.client.settings.api_url, order))
    except ClawHostersError:
        # The purchase fails for the same reason, and the results say so.
        return ""
    if state is None:
        return ""
    known = f"Order {order} was sent at {format_at(state.sent_at)} for package {state.facts.get('package_id')}"
    if state.event is OperationEvent.COMPLETED:
        return f"{known}, and accepted."
    return f"{known}, and may have bought."


def _format_name_problem(plan: BalancePlan) -> str:
    """Returns why the role fails for the names in the order; empty if it does not."""
    return " ".join(["Correct balance_guard_stop_order.", *plan.name_problems]) if plan.name_problems else ""


@dataclass
class _Guard:
    """Stops instances. Only the service knows whether a round is enough, so each begins with a new plan."""

    context: ModuleContext
    plan: BalancePlan
    rounds: list[Data] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    later_plans: list[str] = field(default_factory=list)
    stopped: list[Data] = field(default_factory=list)
    """``id`` and ``name`` of each instance that was stopped; in check mode, of those that would be."""
    is_forecast_known: bool = True
    credited: int = 0
    """Claws by which the balance rose after the purchase."""

    def __post_init__(self) -> None:
        self.first_plan = self.plan

    def run(self) -> Result:
        """Returns the result of the task, which does not fail: the report has what failed."""
        params, check_mode = self.context.params, self.context.client.check_mode
        if params["purchase_problem"]:
            self.failures.append(f"Buying failed. {params['purchase_problem']}")
        if params["package_id"] and not check_mode:
            # Also if nothing was bought: then somebody else has topped up.
            self._replan()
            self.credited = (self.plan.balance or 0) - (self.first_plan.balance or 0)
        while self.plan.stops and self._stop() and not check_mode:
            self._replan()
        return {
            "changed": any(one["stopped"] for one in self.rounds),
            "instances": self.stopped,
            "report": self._format_report(check_mode),
            "problem": self._format_problem(check_mode),
        }

    def _stop(self) -> bool:
        """Stops the instances of the plan. Returns False if nothing was tried: the same plan would repeat forever."""
        entries = [
            FleetEntry(number, entry["id"], entry["name"], entry["state"])
            for number, entry in enumerate(self.plan.fleet_entries, 1)
        ]
        fleet = Fleet(
            self.context.client,
            parse_wait(self.context.params),
            False,
            self.context.warn,
            Protection(find_restore=functools.partial(find_restore, self.context)),
        )
        try:
            instances = fleet.ensure(entries, ChangeLimits())["instances"]
        except PartialError as error:
            instances = error.result["instances"]
        except ClawHostersError as error:
            self.failures.append(f"Stopping failed. {error}")
            return False
        self.failures += [
            f"{format_label(instance['name'], instance['id'])} could not be stopped: {instance['msg']}"
            for instance in instances
            if instance["failed"]
        ]
        stopped = [instance for instance in instances if instance["changed"]]
        self.stopped += [{"id": instance["id"], "name": instance["name"]} for instance in stopped]
        ids = [str(instance["id"]) for instance in stopped]
        self.rounds.append({"cost": self.plan.cost, "stops": self.plan.stops, "stopped": ids})
        return True

    def _replan(self) -> None:
        try:
            self.plan = _build_plan(self.context, self.rounds, is_first=False)
        except ClawHostersError as error:
            if not (self.rounds or self.context.params["bought"]):
                # Nothing has changed since the plan, as far as is known: its stops are still due.
                self.failures.append(f"Reading the service again failed. {error}")
                return
            self.is_forecast_known = False
            self.plan = BalancePlan(None, False, False, 0)
            self.failures.append(f"Reading the service again failed, so nothing more is stopped. {error}")
        if self.plan.stops and self.plan.lines != self.first_plan.lines:
            self.later_plans += self.plan.lines

    def _format_report(self, check_mode: bool) -> list[str]:
        params = self.context.params
        lines = ["Check mode: nothing was bought or stopped."] if check_mode else []
        if params["bought"]:
            verb = "would be" if check_mode else "was"
            lines.append(f"Package {params['package_id']} {verb} ordered as {params['order']}.")
            rose = f"The balance rose by {self.credited} Claws." if self.credited > 0 else ""
            lines.append(rose or "Payment by a link may be required: see the dashboard.")
        elif self.first_plan.sent_order:
            # The plan says when it was sent, and what came of it.
            lines.append(f"Nothing {'would be' if check_mode else 'was'} bought: the order was sent before.")
        lines += self.later_plans
        if self.rounds:
            names = [stop["name"] for one in self.rounds for stop in one["stops"] if stop["id"] in one["stopped"]]
            lines.append(f"{'Would be stopped' if check_mode else 'Stopped'}: {', '.join(names) or 'none'}.")
        lines += self.failures
        if self.plan.lines and not check_mode and (self.rounds or params["bought"]):
            lines.append(f"The forecast now: {self.plan.lines[0]}")
        # The plan has just been shown.
        shown = {*self.first_plan.lines, *lines}
        lines += [line for line in self.plan.shortfall if line not in shown]
        return lines or ["Nothing was stopped."]

    def _format_problem(self, check_mode: bool) -> str:
        """Returns why the role fails; empty if it does not. The report has the details."""
        problem = ""
        if not self.is_forecast_known:
            problem = "It is unknown whether the balance lasts."
        elif not (check_mode or self.plan.is_sufficient_after):
            problem = f"The balance does not last for at least {self.context.params['min_days']} days."
        elif self.failures:
            problem = "A purchase or a stop failed."
        return " ".join(filter(None, (problem, _format_name_problem(self.first_plan))))


class ActionModule(ControllerAction):
    """Runs a task of the role."""
