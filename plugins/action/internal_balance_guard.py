# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_balance_guard: plans which instances the role ``balance_guard`` stops, in the given order,
so that the balance lasts. The tasks of the role carry that out.

All numbers of Claws come from the service, and any may be missing. The usage of an instance and the summary of the
account may contradict each other. So the role works in rounds: after each, it reads from the service whether the stops
were enough.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter

from ..module_utils._errors import ClawHostersError, RefusedError
from ..module_utils._model.instance import describe_namesakes, describe_status, find_state, get_status
from ..module_utils._model.instance_fields import FLAGS
from ..module_utils._model.instance_index import InstanceIndex
from ..module_utils._model.ownership import find_owner
from ..module_utils._model.resource import Resource, Result, as_object, as_objects, parse_id
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._module.runner import ModuleContext
from ..module_utils._numbers import Number, parse_number, to_json
from ..module_utils._service.at_most_once import format_at
from ..module_utils._service.billing import fetch_billing
from ..module_utils._service.instance_list import list_instances
from ..module_utils._state.journal import OperationEvent, OperationKey
from ..module_utils._state.journal_writer import read_state
from ..module_utils._text import format_count, one_line
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._extra_variables import Problems, parse_list
from ..plugin_utils._formatting import format_label
from ..plugin_utils._reports.forecast import Forecast, build_forecast, days_left, format_forecast, format_lasting

Data = dict[str, t.Any]

SPEC = ArgumentSpec(
    {
        "stop_order": {"type": "raw", "required": True},
        "min_days": {"type": "int", "required": True},
        "package_id": {"type": "str", "default": ""},
        "order": {"type": "str", "default": ""},
        "rounds": {"type": "list", "elements": "dict", "default": []},
        "told": {"type": "list", "elements": "str", "default": []},
    }
).merge(FAILURE_OPTION, API)


def run(context: ModuleContext) -> Result:
    """Returns the plan of the next round. ``lines`` has what the rounds before have not ``told``."""
    params = context.params
    _require_valid(params)
    scope = context.account.describe()
    instances = list_instances(context.client, ("status", FLAGS))
    billing = fetch_billing(context.client, ["summary", "usage"], 1)
    plan = build_plan(billing, instances, params["stop_order"], params["min_days"], params["rounds"])
    sent_order, lines = "", [*plan["lines"], *plan["name_problems"]]
    if params["package_id"] and not plan["is_sufficient"]:
        sent_order = _describe_order(context)
        buying = [f"Buy package {params['package_id']} first. If it is not credited immediately:"]
        lines = ([sent_order, "It is not sent again."] if sent_order else buying) + lines
    new = [line for line in (scope, *lines) if line not in params["told"]]
    return plan | {"cost": to_json(plan["cost"]), "sent_order": sent_order, "lines": new, "told": params["told"] + new}


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
        state = read_state(open_journal(context), OperationKey("purchase", context.client.settings.api_url, order))
    except ClawHostersError:
        # The purchase fails for the same reason, and the results say so.
        return ""
    if state is None:
        return ""
    known = f"Order {order} was sent at {format_at(state.sent_at)} for package {state.facts.get('package_id')}"
    return f"{known}, and {'accepted' if state.event is OperationEvent.COMPLETED else 'may have bought'}."


# The plan


def build_plan(
    billing: Data, instances: list[Resource], order: t.Any, min_days: int, rounds: t.Sequence[Data] = ()
) -> Data:
    """Returns which instances to stop, in the given order, so that the balance lasts for ``min_days``.

    ``stops`` are entries of claw_fleet, ``lines`` describe the plan, ``name_problems`` the names that fit no instance,
    or several, and are left out. ``is_sufficient``: the balance lasts without any stop. A package is to be bought only
    while the balance is below ``balance_below``.

    Each earlier round has the ``cost`` before it, the ids that it ``tried``, and those that it ``stopped``. No instance
    is tried twice. Raises RefusedError for a name that is given twice.
    """
    allowed, name_problems = _find_allowed(parse_stop_order(order), instances)
    usage = as_object(billing.get("usage"))
    forecast = build_forecast(as_object(billing.get("summary")), usage)
    balance, cost = forecast.balance, forecast.cost
    # Instances that cost Claws are paused at a balance of zero, and then nothing costs Claws any more.
    paused = [instance for instance in instances if get_status(instance) == "paused" and _is_paid_in_claws(instance)]
    has_run_out = bool(paused) and balance is not None and balance <= 0
    plan = {**_begin_plan(forecast, min_days, has_run_out=has_run_out), "name_problems": name_problems}
    if plan["is_sufficient"]:
        plan["lines"].append("The balance lasts; there is nothing to do.")
    elif has_run_out and cost is not None and cost <= 0:
        plan["lines"] += [
            f"The balance is used up, and {format_count(len(paused), 'instance')} paused.",
            "Buy Claws, then resume them in the dashboard.",
        ]
    elif balance is None or cost is None:
        missing = "balance (claws_balance)" if balance is None else "daily cost (daily_claw_cost)"
        plan["lines"] += [
            f"The service does not report the {missing}.",
            "Without it the effect of a stop is unknown, so nothing is stopped.",
        ]
    elif rounds and not _is_counted(rounds[-1], cost, instances):
        plan["lines"] += [
            "The service does not count the stops yet, so nothing more is stopped.",
            "Run the role again in a few minutes.",
        ]
    else:
        tried = {str(one) for earlier in rounds for one in earlier["tried"]}
        candidates = [instance for instance in allowed if str(instance["id"]) not in tried]
        _add_stops(plan, candidates, _compute_savings(usage, instances), balance, min_days)
    return plan


def _begin_plan(forecast: Forecast, min_days: int, *, has_run_out: bool) -> Data:
    """Returns a plan without stops."""
    balance, cost, days = forecast
    lasts = (cost is not None and cost <= 0) or (days is not None and days >= min_days)
    return {
        "is_sufficient": lasts and not has_run_out,
        "is_known": lasts or days is not None,
        "cost": cost,
        # A whole number, as the option of claw_purchase.
        "balance_below": math.ceil(max((balance or 0) + 1, max(cost or 0, 0) * min_days)),
        "stops": [],
        "lines": [format_forecast(forecast), f"The balance must last for at least {format_count(min_days, 'day')}."],
    }


def _is_counted(last: Data, cost: Number, instances: list[Resource]) -> bool:
    """Returns True if the service's daily cost includes the stops of the last round; until then no plan is sound."""
    if not last["stopped"]:
        return True
    running = {str(instance["id"]) for instance in instances if find_state(instance) == "running"}
    return cost < (parse_number(last["cost"]) or 0) and running.isdisjoint(map(str, last["stopped"]))


def _add_stops(
    plan: Data, candidates: list[Resource], savings: dict[str, Number | None], balance: Number, min_days: int
) -> None:
    """Adds candidates to the plan, in order, until the forecast holds; else a sentence with what is missing."""
    cost, told = plan["cost"], set()
    for instance in candidates:
        name = format_label(instance.get("name"), instance["id"])
        if reason := _reason_to_keep(instance, savings):
            plan["lines"].append(f"Skip {name}: {reason}.")
            continue
        saved = savings[str(instance["id"])] or 0
        cost = max(cost - saved, 0)
        days = days_left(balance, cost)
        # With the name, claw_fleet fails if the id belongs to another instance by then.
        plan["stops"].append({"id": instance["id"], "name": instance.get("name"), "state": "stopped"})
        lasting = format_lasting(balance, cost, days)
        lasts = "" if lasting in told else f"; the balance lasts {lasting}"
        told.add(lasting)
        plan["lines"].append(f"Stop {name}: saves {saved} Claws a day{lasts}.")
        if days is None or days >= min_days:
            return
    a_day, in_all = cost - balance // max(min_days, 1), cost * min_days - balance
    # The days that the service reports may contradict its own numbers.
    by = f": save {a_day} Claws a day, or add {in_all} Claws" if a_day > 0 and in_all > 0 else ""
    has_unknown = any(find_state(one) == "running" and savings.get(str(one["id"])) is None for one in candidates)
    advice = "Stop those of unknown cost" if has_unknown else "Add instances to balance_guard_stop_order"
    plan["lines"] += [f"Not enough{by}.", f"{advice}, or buy Claws."]


def parse_stop_order(given: t.Any) -> list[str]:
    """Returns the names in the order. Raises RefusedError for repeated names."""
    names = [text for name in parse_list(given) if (text := str(name))]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        text = f"balance_guard_stop_order names {one_line(', '.join(twice))} more than once."
        raise RefusedError(text, is_unsent=True)
    return names


def _find_allowed(names: list[str], instances: list[Resource]) -> tuple[list[Resource], list[str]]:
    """Returns the instances that may be stopped, and a sentence for each name that fits none or several.

    An instance may be deleted or renamed at any time: that must not keep the others from being stopped.
    """
    index = InstanceIndex(instances)
    allowed, problems = [], []
    for name in names:
        bearers, label = index.by_name.get(name, []), one_line(name, 80)
        if len(bearers) == 1:
            allowed.append(bearers[0])
        elif bearers:
            problems.append(f"{describe_namesakes(name, [one['id'] for one in bearers])}; none of them is stopped.")
        else:
            similar = index.find_similar_name(name, names)
            hint = f"; did you mean {one_line(similar, 80)}?" if similar else "."
            problems.append(f"There is no instance {label}{hint}")
    return allowed, problems


def _compute_savings(usage: Data, instances: list[Resource]) -> dict[str, Number | None]:
    """Returns the Claws a day of each instance with its add-ons, by id; None if the service does not report them."""
    savings: dict[str, Number | None] = {
        str(parse_id(entry.get("id"))): parse_number(entry.get("daily_claws"))
        for entry in as_objects(usage.get("instances"))
    }
    index = InstanceIndex(instances)
    for addon in as_objects(usage.get("addons")):
        owner, claws = find_owner(addon, index), parse_number(addon.get("daily_claws"))
        saved = savings.get(str(owner["id"])) if owner is not None else None
        if owner is not None and saved is not None and claws is not None:
            savings[str(owner["id"])] = saved + claws
    return savings


def _is_paid_in_claws(instance: Resource) -> bool:
    return instance.get("billing_mode") in ("daily", None)


def _reason_to_keep(instance: Resource, savings: dict[str, Number | None]) -> str:
    if find_state(instance) != "running":
        return f"its status is {describe_status(instance, 40)}"
    if not _is_paid_in_claws(instance):
        return f"it is billed {one_line(instance.get('billing_mode'), 40)}"
    saved = savings.get(str(instance["id"]))
    if saved is None:
        return "the service does not report its cost (daily_claws)"
    return "" if saved > 0 else "it costs no Claws"


class ActionModule(RoleAction):
    """Runs the task of the role."""
