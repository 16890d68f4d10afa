# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Costs of an account: GET /billing/summary and GET /billing/usage (contract 5.1, 5.2)."""

from __future__ import annotations

from typing import Any

from simulator.instances import Instance
from simulator.world import World

LOW_BALANCE_DAYS = 7
"""Days below which `low_balance` is true."""


def summary(world: World) -> dict[str, Any]:
    """Returns the eight fields of contract 5.1; `days_remaining` is rounded down."""
    switches = world.switches
    cost = _daily_cost(world)
    days = world.balance // cost if cost else switches.days_remaining_at_no_cost
    subscription = world.subscription or {}
    instances = world.instances.values()
    return {
        "claws_balance": world.balance,
        "daily_claw_cost": cost,
        "days_remaining": days,
        "low_balance": days is not None and days < LOW_BALANCE_DAYS,
        "subscription_status": subscription.get("status"),
        "subscription_tier": subscription.get("tier", "none"),
        "instances_count": len(instances),
        "running_instances_count": sum(instance.status == "running" for instance in instances),
    }


def usage(world: World) -> dict[str, Any]:
    """Returns every instance and add-on that is charged now. Add-ons refer to instances by name (contract 5.2)."""
    addon_fields = ["id", "addon_type", "instance_name", "tier", "current_usage", "usage_limit"]
    if world.switches.usage_addon_daily_claws:
        addon_fields.append("daily_claws")
    return {
        "daily_total": _daily_cost(world),
        "instances": [
            {
                "id": instance.id,
                "name": instance.name,
                "tier": instance.tier,
                "daily_claws": instance.daily_claw_cost,
                "status": world.shown_status(instance),
                "billing_mode": instance.billing_mode,
            }
            for instance in world.instances.values()
            if _is_charged(instance)
        ],
        "addons": [{name: addon.get(name) for name in addon_fields} for addon in _charged_addons(world)],
    }


def transactions(world: World) -> list[dict[str, Any]]:
    """Returns the transactions, in the order and with the signs of U16 (contract 5.3)."""
    history = world.transactions
    if world.switches.transaction_sign == "unsigned":
        history = [transaction | {"amount": abs(transaction["amount"])} for transaction in history]
    return history if world.switches.transactions_order == "oldest_first" else history[::-1]


def _is_charged(instance: Instance) -> bool:
    """True if the instance costs Claws: it runs and has no subscription (contract 4.2)."""
    return instance.status == "running" and instance.billing_mode == "daily"


def _daily_cost(world: World) -> int:
    instances = sum(instance.daily_claw_cost or 0 for instance in world.instances.values() if _is_charged(instance))
    return instances + sum(addon.get("daily_claws") or 0 for addon in _charged_addons(world))


def _charged_addons(world: World) -> list[dict[str, Any]]:
    """Returns the add-ons of running instances (contract 5.1)."""
    running = {instance.id for instance in world.instances.values() if instance.status == "running"}
    return [addon for addon in world.addons.values() if addon["instance_id"] in running]
