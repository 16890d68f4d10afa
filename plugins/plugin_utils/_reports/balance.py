# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role ``balance_guard`` decides: which instances to stop, in the order given, so that the balance lasts.

Pure. Every number of Claws comes from the service, and any of them may be missing (contract 5). What usage says of an
instance and what the summary says of the account may contradict each other (contract 10). So whether a stop was enough
is read after it, round by round, and not worked out.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ...module_utils._errors import RefusedError, one_line
from ...module_utils._model.instance import get_status
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.resource import Resource
from .._formatting import label

Data = dict[str, t.Any]


def build_plan(
    billing: Data, instances: list[Resource], order: t.Any, min_days: int, rounds: t.Sequence[Data] = ()
) -> Data:
    """What to stop, what each stop buys, and what is left alone and why, with ``lines`` that say it to people.

    Each of the ``rounds`` before holds the ``cost`` and ``stops`` of its plan, and the ids that it really ``stopped``.
    What was tried once is not tried again.

    Raises RefusedError for an order that names what there is not, or not clearly.
    """
    if min_days < 0:
        raise RefusedError(f"balance_guard_min_days is {min_days}, but must be 0 or more.")
    named = _instances_named(order, instances)
    summary = as_dict(billing.get("summary"))
    usage = as_dict(billing.get("usage"))
    balance, cost, days = build_forecast(summary, usage)
    is_endless = cost is not None and cost <= 0
    plan: Data = {
        "balance": balance,
        "cost": cost,
        "days": days,
        "holds": is_endless or (days is not None and days >= min_days),
        "problem": "",
        "tried": [stop["id"] for one in rounds for stop in one["stops"]],
        "stops": [],
        "declared": [],
        "kept": [],
        # A package is bought while the balance is below this; that it does not last is known by then.
        "balance_below": max((balance or 0) + 1, max(cost or 0, 0) * min_days),
    }
    plan["lines"] = [f"{forecast_text(balance, cost, days)} It must last for at least {_days(min_days)}."]
    plan["holds_after"] = plan["holds"]
    if plan["holds"]:
        plan["lines"].append("The balance lasts; nothing is to be done.")
        return plan
    plan["problem"] = _why_none_is_stopped(balance, cost, instances, rounds)
    if plan["problem"]:
        plan["lines"].append(plan["problem"])
    else:
        _choose(plan, named, _savings(usage, instances), t.cast("int", balance), t.cast("int", cost), min_days)
    return plan


def _why_none_is_stopped(
    balance: int | None, cost: int | None, instances: list[Resource], rounds: t.Sequence[Data]
) -> str:
    """Why the numbers are no ground to stop anything on; empty where they are."""
    if balance is None or cost is None:
        return (
            "The service does not tell "
            + ("the balance" if balance is None else "what a day costs")
            + ", so what a stop would buy is not known, and nothing is stopped."
        )
    if rounds and not _is_counted(rounds[-1], cost, instances):
        return (
            "The service does not count the stops yet, so nothing more is stopped. Run this role again in some minutes."
        )
    return ""


def _is_counted(last: Data, cost: int, instances: list[Resource]) -> bool:
    """Whether the cost of a day shows what the last round stopped; until then nobody can tell if more is needed."""
    if not last["stopped"]:
        return True
    running = {str(instance["id"]) for instance in instances if get_status(instance) == "running"}
    return cost < last["cost"] and running.isdisjoint(last["stopped"])


def _choose(
    plan: Data, named: list[Resource], savings: dict[str, int | None], balance: int, cost: int, min_days: int
) -> None:
    """Takes instances from the order until the forecast holds."""
    for instance in named:
        if plan["holds_after"]:
            break
        if str(instance["id"]) in plan["tried"]:
            continue
        name = label(instance.get("name"), instance["id"])
        if reason := _kept_because(instance, savings):
            plan["kept"].append({"id": instance["id"], "name": name, "reason": reason})
            plan["lines"].append(f"{name} is left alone: {reason}.")
            continue
        saved = t.cast("int", savings[str(instance["id"])])
        cost = max(cost - saved, 0)
        days = days_left(balance, cost)
        plan["stops"].append({"id": str(instance["id"]), "name": name, "saves": saved, "days_after": days})
        # The name is a safety catch: the id must still be called so.
        plan["declared"].append({"id": instance["id"], "name": instance.get("name"), "state": "stopped"})
        plan["lines"].append(f"Stop {name}: saves {saved} Claws a day, so that they last {_days(days)}.")
        plan["holds_after"] = days is None or days >= min_days
    plan["cost_after"] = cost
    if not plan["holds_after"]:
        plan["lines"].append(
            "That is not enough: name more instances in balance_guard_stop_order, or buy Claws."
            if plan["stops"] or plan["tried"]
            else "Nothing in balance_guard_stop_order would help: name more instances in it, or buy Claws."
        )


def _instances_named(order: t.Any, instances: list[Resource]) -> list[Resource]:
    """The instances that the order names. Anything that is not clear is an error before anything is sent."""
    is_text = isinstance(order, str)
    names = [name.strip() for name in order.split(",")] if is_text else [str(name) for name in order or []]
    names = [name for name in names if name]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise RefusedError(f"balance_guard_stop_order names {one_line(', '.join(twice))} more than once.")
    by_name = InstanceIndex(instances).by_name
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise RefusedError(f"balance_guard_stop_order names what there is not: {one_line(', '.join(unknown))}.")
    for name in names:
        if len(by_name[name]) > 1:
            ids = ", ".join(str(instance["id"]) for instance in by_name[name])
            raise RefusedError(
                f"{len(by_name[name])} instances are called {one_line(name)} (ids {ids}); none is stopped."
            )
    return [by_name[name][0] for name in names]


def _savings(usage: Data, instances: list[Resource]) -> dict[str, int | None]:
    """What each instance costs a day with its add-ons, which name it by its name; None where it is not told."""
    savings: dict[str, int | None] = {
        str(entry["id"]): number(entry.get("daily_claws"))
        for entry in as_dicts(usage.get("instances"))
        if "id" in entry
    }
    there = InstanceIndex(instances)
    for addon in as_dicts(usage.get("addons")):
        owner, claws = there.find_owner(addon), number(addon.get("daily_claws"))
        saved = savings.get(str(owner["id"])) if owner is not None else None
        if owner is not None and saved is not None and claws is not None:
            savings[str(owner["id"])] = saved + claws
    return savings


def _kept_because(instance: Resource, savings: dict[str, int | None]) -> str:
    status = get_status(instance)
    if status != "running":
        return f"it is {one_line(instance.get('status'), 40)}"
    if instance.get("billing_mode") not in ("daily", None):
        return f"it is billed {one_line(instance.get('billing_mode'), 40)}, so a stop saves no Claws"
    saved = savings.get(str(instance["id"]))
    if saved is None:
        return "the service does not tell what it costs"
    return "" if saved > 0 else "it costs no Claws"


class Forecast(t.NamedTuple):
    """Claws left, Claws a day, and whole days that they last; None for what the service does not tell."""

    balance: int | None
    cost: int | None
    days: int | None


def build_forecast(summary: Data, usage: Data) -> Forecast:
    """How long the balance lasts: as the service says, or else by what a day costs (contract 5.1, 5.2)."""
    balance, cost = number(summary.get("claws_balance")), number(summary.get("daily_claw_cost"))
    cost = number(usage.get("daily_total")) if cost is None else cost
    days = number(summary.get("days_remaining"))
    return Forecast(balance, cost, days_left(balance, cost) if days is None else days)


def forecast_text(balance: int | None, cost: int | None, days: int | None) -> str:
    """``1500 Claws at 225 a day last 6 days.``"""
    if balance is None or cost is None:
        left = "" if days is None else f" The service says that it lasts {_days(days)}."
        return f"The balance is {_claws(balance)}, a day costs {_claws(cost)}.{left}"
    if cost <= 0:
        return f"{balance} Claws, and nothing costs any."
    return f"{balance} Claws at {cost} a day last {_days(days)}."


def days_left(balance: int | None, cost: int | None) -> int | None:
    """Whole days that the balance lasts; None when that is for ever or not known."""
    if balance is None or cost is None or cost <= 0:
        return None
    return max(balance // cost, 0)


def number(value: t.Any) -> int | None:
    """A whole number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= 10**15:
        return None
    return int(value)


def _days(days: int | None) -> str:
    if days is None:
        return "for ever"
    return "1 day" if days == 1 else f"{days} days"


def _claws(value: int | None) -> str:
    return "not told" if value is None else f"{value} Claws"


def as_dict(value: t.Any) -> Data:
    """An object of the service; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def as_dicts(value: t.Any) -> list[Data]:
    """The objects in a list of the service; none for what is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
