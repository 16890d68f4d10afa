# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an account is charged: GET /billing/summary and GET /billing/usage (contract 5.1, 5.2)."""

from __future__ import annotations

from typing import Any

from simulator.instances import Instance
from simulator.world import World


def summary(world: World) -> dict[str, Any]:
    """The eight fields of contract 5.1; `days_remaining` is rounded down, as in the sample."""
    switches = world.switches
    cost = _instances_cost(world) + _addons_cost(world)
    days = world.balance // cost if cost else switches.days_remaining_at_no_cost
    subscription = world.subscription or {}
    instances = world.instances.values()
    return {
        "claws_balance": world.balance,
        "daily_claw_cost": cost,
        "days_remaining": days,
        "low_balance": days is not None and days < switches.low_balance_days,
        "subscription_status": subscription.get("status"),
        "subscription_tier": subscription.get("tier", "none"),
        "instances_count": len(instances),
        "running_instances_count": sum(instance.status == "running" for instance in instances),
    }


def usage(world: World) -> dict[str, Any]:
    """Contract 5.2: every instance and add-on that costs something now; an add-on names its instance by name."""
    addon_fields = ["id", "addon_type", "instance_name", "tier", "current_usage", "usage_limit"]
    if world.switches.usage_addon_daily_claws:
        addon_fields.append("daily_claws")
    return {
        "daily_total": _instances_cost(world) + _addons_cost(world),
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
    """Contract 5.3, in the order and with the signs of contract 11, U16."""
    history = world.transactions
    if world.switches.transaction_sign == "unsigned":
        history = [transaction | {"amount": abs(transaction["amount"])} for transaction in history]
    return history if world.switches.transactions_order == "oldest_first" else history[::-1]


def _is_charged(instance: Instance) -> bool:
    """Contract 4.2: Claws are taken while it runs; a monthly instance is paid by its subscription."""
    return instance.status == "running" and instance.billing_mode == "daily"


def _instances_cost(world: World) -> int:
    return sum(instance.daily_claw_cost or 0 for instance in world.instances.values() if _is_charged(instance))


def _charged_addons(world: World) -> list[dict[str, Any]]:
    """Contract 5.1: the add-ons of running instances."""
    running = {instance.id for instance in world.instances.values() if instance.status == "running"}
    return [addon for addon in world.addons.values() if addon["instance_id"] in running]


def _addons_cost(world: World) -> int:
    return sum(addon.get("daily_claws") or 0 for addon in _charged_addons(world))
