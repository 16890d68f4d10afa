# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans which instances the role ``balance_guard`` stops, in the given order, so that the balance lasts. Pure.

All numbers of Claws come from the service, and any may be missing. The usage of an instance and the summary of the
account may contradict each other. So the role works in rounds: after each, it reads from the service whether the stops
were enough.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ..module_utils._errors import RefusedError
from ..module_utils._model.instance import describe_condition, describe_namesakes, get_status
from ..module_utils._model.instance_index import InstanceIndex
from ..module_utils._model.ownership import find_owner
from ..module_utils._model.resource import Resource, as_object, as_objects, parse_id
from ..module_utils._text import format_count, one_line
from ._extra_variables import parse_list
from ._formatting import format_label
from ._reports.forecast import Forecast, build_forecast, days_left, format_forecast, format_lasting, parse_number

Data = dict[str, t.Any]


@dataclass
class BalancePlan:
    """The plan of one round. ``lines`` describe it to people."""

    cost: int | None
    """Claws a day before the stops."""
    is_sufficient: bool
    """True if the balance lasts without any stop."""
    is_sufficient_after: bool
    """True if the forecast is that it lasts after the stops."""
    balance_below: int
    """Buy a package only while the balance is below this."""
    stops: list[Data] = field(default_factory=list)
    """Each ``id``, ``name``, ``saves`` (Claws a day) and ``days_after``."""
    fleet_entries: list[Data] = field(default_factory=list)
    """The same instances, as the module claw_fleet takes them."""
    lines: list[str] = field(default_factory=list)
    """The forecast, what it must be, the stops, and the shortfall."""
    shortfall: list[str] = field(default_factory=list)
    """Why the balance does not last after the stops; empty if it does."""
    balance: int | None = None
    sent_order: str = ""
    """A sentence about the order, if it was sent before the first plan."""
    name_problems: list[str] = field(default_factory=list)
    """The names in the order that fit no instance, or several. Only of the first plan."""


def build_plan(
    billing: Data,
    instances: list[Resource],
    order: t.Any,
    min_days: int,
    rounds: t.Sequence[Data] = (),
    *,
    is_first: bool = True,
) -> BalancePlan:
    """Returns which instances to stop, in the given order, so that the balance lasts for ``min_days``.

    Each earlier round has the ``cost`` and the ``stops`` of its plan, and the ids that were ``stopped``. No instance is
    tried twice. Names that fit no instance, or several, are left out, and told by the first plan. Raises RefusedError
    for a name that is given twice.
    """
    allowed, name_problems = _find_allowed(parse_stop_order(order), instances)
    usage = as_object(billing.get("usage"))
    forecast = build_forecast(as_object(billing.get("summary")), usage)
    balance, cost, days = forecast
    # Instances that cost Claws are paused at a balance of zero, and then nothing costs Claws any more.
    paused = [instance for instance in instances if get_status(instance) == "paused" and _is_paid_in_claws(instance)]
    has_run_out = bool(paused) and balance is not None and balance <= 0
    is_sufficient = not has_run_out and ((cost is not None and cost <= 0) or (days is not None and days >= min_days))
    plan = BalancePlan(cost, is_sufficient, is_sufficient, max((balance or 0) + 1, max(cost or 0, 0) * min_days))
    plan.balance, plan.name_problems = balance, name_problems if is_first else []
    plan.lines += [format_forecast(forecast), f"The balance must last for at least {format_count(min_days, 'day')}."]
    reasons = _find_reasons(forecast, len(paused) if has_run_out else 0, rounds, instances)
    if is_sufficient:
        plan.lines.append("The balance lasts; there is nothing to do.")
    elif reasons or balance is None or cost is None:
        plan.shortfall = reasons
    else:
        tried = {stop["id"] for one in rounds for stop in one["stops"]}
        candidates = [instance for instance in allowed if str(instance["id"]) not in tried]
        cost_after = _add_stops(plan, candidates, _compute_savings(usage, instances), balance, min_days)
        if not plan.is_sufficient_after:
            plan.shortfall = _format_shortfall(balance, cost_after, min_days)
    plan.lines += plan.shortfall
    return plan


def _find_reasons(forecast: Forecast, paused: int, rounds: t.Sequence[Data], instances: list[Resource]) -> list[str]:
    """Returns why nothing is stopped, and what to do; empty if stops may help. ``paused``: by a used up balance."""
    balance, cost, _days = forecast
    if paused and cost is not None and cost <= 0:
        return [
            f"The balance is used up, and {format_count(paused, 'instance')} paused.",
            "Buy Claws, then resume them in the dashboard.",
        ]
    if balance is None or cost is None:
        missing = "balance" if balance is None else "daily cost"
        return [
            f"The service does not report the {missing}.",
            "Without it the effect of a stop is unknown, so nothing is stopped.",
        ]
    if rounds and not _is_counted(rounds[-1], cost, instances):
        return [
            "The service does not count the stops yet, so nothing more is stopped.",
            "Run the role again in a few minutes.",
        ]
    return []


def _is_counted(last: Data, cost: int, instances: list[Resource]) -> bool:
    """Returns True if the service's daily cost includes the stops of the last round; until then no plan is sound."""
    if not last["stopped"]:
        return True
    running = {str(instance["id"]) for instance in instances if get_status(instance) == "running"}
    return cost < last["cost"] and running.isdisjoint(last["stopped"])


def _add_stops(
    plan: BalancePlan, candidates: list[Resource], savings: dict[str, int | None], balance: int, min_days: int
) -> int:
    """Adds candidates to the plan, in order, until the forecast holds. Returns the Claws a day after them."""
    cost, told = plan.cost or 0, set()
    for instance in candidates:
        if plan.is_sufficient_after:
            break
        name = format_label(instance.get("name"), instance["id"])
        if reason := _reason_to_keep(instance, savings):
            plan.lines.append(f"Skip {name}: {reason}.")
            continue
        saved = savings[str(instance["id"])] or 0
        cost = max(cost - saved, 0)
        days = days_left(balance, cost)
        plan.stops.append({"id": str(instance["id"]), "name": name, "saves": saved, "days_after": days})
        # With the name, claw_fleet fails if the id belongs to another instance by then.
        plan.fleet_entries.append({"id": instance["id"], "name": instance.get("name"), "state": "stopped"})
        lasting = format_lasting(balance, cost, days)
        lasts = "" if lasting in told else f"; the balance lasts {lasting}"
        told.add(lasting)
        plan.lines.append(f"Stop {name}: saves {saved} Claws a day{lasts}.")
        plan.is_sufficient_after = days is None or days >= min_days
    return cost


def _format_shortfall(balance: int, cost: int, min_days: int) -> list[str]:
    """Returns by how much the balance is too low, and what to do."""
    a_day, in_all = cost - balance // max(min_days, 1), cost * min_days - balance
    # The days that the service reports may contradict its own numbers.
    by = f": save {a_day} Claws a day, or add {in_all} Claws"
    return [
        f"Not enough{by if a_day > 0 and in_all > 0 else ''}.",
        "Add instances to balance_guard_stop_order, or buy Claws.",
    ]


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


def _compute_savings(usage: Data, instances: list[Resource]) -> dict[str, int | None]:
    """Returns the Claws a day of each instance with its add-ons, by id; None if the service does not report them."""
    savings: dict[str, int | None] = {
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


def _reason_to_keep(instance: Resource, savings: dict[str, int | None]) -> str:
    status = get_status(instance)
    if status != "running":
        return f"it is {describe_condition(instance, 40)}"
    if not _is_paid_in_claws(instance):
        return f"it is billed {one_line(instance.get('billing_mode'), 40)}"
    saved = savings.get(str(instance["id"]))
    if saved is None:
        return "the service does not report its cost"
    return "" if saved > 0 else "it costs no Claws"
