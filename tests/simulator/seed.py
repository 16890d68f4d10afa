# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Initial worlds: a generated fleet of any size, the same at every start, or the content of a state file."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from simulator.errors import BadControl
from simulator.switches import Switches, nearest
from simulator.times import DAY, MINUTE, iso
from simulator.world import ACCOUNT, Record, World

# `foreign` is the state of another account. `/_sim/state` shows `effects`, which is ignored here.
STATE_KEYS = ("instances", "addons", "backups", *ACCOUNT, "keys", "switches", "foreign", "effects")
BACKUP_DAYS = 5
PURPOSES = (
    "web support sales billing docs news mail shop hiring ops data leads chat demo travel "
    "legal press events stock survey garden museum kitchen library"
)
NAMES = [f"{purpose}-{kind}" for kind in ("bot", "agent", "desk", "pilot", "helper") for purpose in PURPOSES.split()]
# Contract 5.4: three packages between EUR 10 and EUR 160; the numbers of Claws are invented (contract 10).
PACKAGES = [
    {"id": 1, "name": "Small", "claws": 1000, "price_cents": 1000, "currency": "EUR"},
    {"id": 2, "name": "Medium", "claws": 5500, "price_cents": 5000, "currency": "EUR"},
    {"id": 3, "name": "Large", "claws": 18000, "price_cents": 16000, "currency": "EUR"},
]


def foreign_world(state: Mapping[str, Any], switches: Switches, clock: Callable[[], float]) -> World:
    """Returns the account that a key of another account sees, from the part `foreign` of a state file."""
    account = {"id": 2, "email": "other@example.com", "created_at": iso(clock() - 100 * DAY)}
    return world_from_state({"account": account, "balance": 0, **(state.get("foreign") or {})}, switches, clock)


def world_from_state(state: Mapping[str, Any], switches: Switches, clock: Callable[[], float]) -> World:
    """Returns the world of a state file; `instances` may also be a number of instances to generate."""
    for name in state:
        if name not in STATE_KEYS:
            raise BadControl(f"a state has no {name!r}{nearest(str(name), STATE_KEYS)}")
    world = World(switches, clock)
    world.account = {"id": 1, "email": "user@example.com", "created_at": iso(clock() - 400 * DAY)}
    world.packages = [dict(package) for package in PACKAGES]
    world.balance = 15000
    instances = state.get("instances") or []
    if isinstance(instances, int):
        world.fill(pickle.loads(_generate(instances, clock() // MINUTE)))
        instances = []
    for entry in _entries(instances):
        world.add_instance(entry)
    for collection in ("addons", "backups"):
        for entry in _entries(state.get(collection) or []):
            world.add_record(collection, entry)
    change_account(world, state)
    return world


def change_account(world: World, state: Mapping[str, Any]) -> None:
    if "account" in state:
        world.account = dict(state["account"] or {})
    if "balance" in state:
        if not isinstance(state["balance"], int):
            raise BadControl(f"the balance is a whole number of Claws, not {state['balance']!r}")
        world.balance = state["balance"]
    if "subscription" in state:
        world.subscription = dict(state["subscription"]) if state["subscription"] else None
    for name in ("transactions", "packages"):
        if name in state:
            entries = _entries(state[name] or [])
            setattr(world, name, [{"id": number, **entry} for number, entry in enumerate(entries, 1)])


def _entries(collection: Any) -> list[Mapping[str, Any]]:
    if not isinstance(collection, list) or not all(isinstance(entry, Mapping) for entry in collection):
        raise BadControl(f"expected a list of mappings, not {collection!r:.100}")
    return collection


# Tests reset the service thousands of times.
@functools.lru_cache(maxsize=10)
def _generate(count: int, minute: float) -> bytes:
    """Generates a fleet with ids from 1, oldest first: mostly running, some stopped, a few in every other status.

    Returns the pickled content of its world. The fleet is that of a whole minute, so that several resets share it.
    """
    now = minute * MINUTE
    world = World(Switches(), lambda: now)
    for number in range(1, count + 1):
        world.add_instance(
            {
                "name": _name(number),
                "status": _status(number),
                "health_status": _health(number),
                "tier": ("balanced", "budget", "pro", "budget")[number % 4],
                "billing_mode": "monthly" if number % 15 == 6 else "daily",
                "created_at": iso(now - DAY * (30 + 300 * (count - number) / count)),
                "telegram_configured": number % 3 == 0,
            }
        )
    for instance in world.instances.values():
        if instance.id % 5:
            tier = ("standard", "eco", "premium")[instance.id % 3]
            usage = instance.id * 90_001 % 5_000_000
            world.add_record("addons", {"instance_id": instance.id, "tier": tier, "current_usage": usage})
        if instance.id % 4 != 3:
            world.add_record("addons", {"instance_id": instance.id, "addon_type": "backup"})
        if instance.id % 9 == 0:
            world.add_record("addons", {"instance_id": instance.id, "addon_type": "embedding"})
    for days in reversed(range(BACKUP_DAYS)):
        for instance in world.instances.values():
            # Contract 7: without the backup add-on there are no backups. The newest one of a few instances failed.
            if instance.id % 4 == 3 or instance.status in ("provisioning", "deploying", "deploy_failed"):
                continue
            status = "failed" if days == 0 and instance.id % 50 == 2 else "completed"
            created_at = iso(now - days * DAY - 3600 * 5 - instance.id * 420 % 36000)
            world.add_record("backups", {"instance_id": instance.id, "status": status, "created_at": created_at})
    world.subscription = {"status": "active", "tier": "balanced"}
    spent = sum(instance.daily_claw_cost for instance in world.instances.values() if instance.status == "running")
    world.balance = 12 * spent + 100
    world.transactions = _history(world.balance, spent, now)
    return pickle.dumps(world.content())


def _name(number: int) -> str:
    turn, index = divmod(number - 1, len(NAMES))
    return NAMES[index] if turn == 0 else f"{NAMES[index]}-{turn + 1}"


def _status(number: int) -> str:
    if number % 10 == 4:
        return "stopped"
    rare = {11: "paused", 17: "pending_configuration", 23: "error", 27: "deploy_failed"}
    if number % 30 in rare:
        return rare[number % 30]
    return {49: "provisioning", 59: "deploying"}.get(number % 60, "running")


def _health(number: int) -> str:
    if _status(number) != "running":
        return "unknown"
    return "unhealthy" if number % 20 == 8 else "healthy"


def _history(balance: int, spent: int, now: float) -> list[Record]:
    """Returns forty days of deductions with a purchase every ten days, enough for a second page."""
    history: list[Record] = []
    for days in range(40):
        bought = days % 10 == 9
        amount = PACKAGES[2]["claws"] if bought else -spent
        history.append(
            {
                "id": 40 - days,
                "transaction_type": "purchase" if bought else "daily_deduction",
                "amount": amount,
                "balance_after": balance,
                "description": "Package Large" if bought else "Running instances and add-ons",
                "created_at": iso(now - days * DAY - 3 * 3600),
            }
        )
        balance -= int(str(amount))
    return history[::-1]
