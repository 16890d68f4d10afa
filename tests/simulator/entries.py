# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creates records from user input: an instance needs only a name, a backup or an add-on only its instance.

State files and control requests use the same entries. An unknown field is accepted as an extra one (contract 11, U23),
unless it looks like a misspelt one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.errors import BadControl
from simulator.instances import DAILY_CLAWS, DETAILED, FLAGS, Instance
from simulator.switches import nearest
from simulator.times import DAY, iso, seed_time, unix

SETTLING = ("settles_to", "settles_after_seconds", "settles_after_reads")
# `_transition` is part of a copy of `/_sim/state`, but transitions are not resumed.
HIDDEN = ("health_after", "_restored_from", "_transition", *SETTLING)
KNOWN = (*DETAILED, *HIDDEN)

# No address before provisioning and while deleting (contract 4.1); a paused instance has no server (contract 4.2).
NO_ADDRESS = ("provisioning", "deleting", "paused")
NEVER_RAN = ("provisioning", "deploying", "pending_configuration", "deploy_failed")

KEPT_DAYS = 14  # retention of backups (contract 7)


def new_instance(entry: Mapping[str, Any], number: int, now: float) -> Instance:
    """Creates an instance from an entry that needs only a name."""
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise BadControl(f"an instance needs a name: {dict(entry)!r}")
    status = entry.get("status", "running")
    tier = entry.get("tier", "balanced")
    created_at = seed_time(entry.get("created_at", iso(now - 30 * DAY)), now)
    instance = Instance(
        id=number,
        name=name,
        status=status,
        tier=tier,
        billing_mode="daily",
        ip_address=None if status in NO_ADDRESS else address(number),
        health_status="unknown",
        created_at=created_at,
        provisioned_at=None if status in NEVER_RAN else iso(unix(created_at) + 90),
        subdomain_url=f"{name}.clawhosters.com",
        daily_claw_cost=DAILY_CLAWS.get(tier, DAILY_CLAWS["balanced"]),
        llm_configured=status != "pending_configuration",
        telegram_configured=False,
    )
    change_instance(instance, {"status": status, **entry}, now)
    return instance


def change_instance(instance: Instance, fields: Mapping[str, Any], now: float) -> None:
    """Sets any fields of an instance. Its health follows its status unless given."""
    _refuse_slips(fields, KNOWN)
    instance.health_after = fields.get("health_after", instance.health_after)
    if "status" in fields and "health_status" not in fields:
        instance.health_status = instance.health_after if fields["status"] == "running" else "unknown"
    for name, value in fields.items():
        if name in FLAGS:
            if value is None:
                instance.own_flags.pop(name, None)
            else:
                instance.own_flags[name] = bool(value)
        elif name == "_restored_from":
            instance.restored_from = value
        elif name in DETAILED:
            setattr(instance, name, seed_time(value, now) if name.endswith("_at") else value)
        elif name not in HIDDEN:
            instance.extra[name] = value


def new_backup(entry: Mapping[str, Any], number: int, instance: Instance, now: float) -> dict[str, Any]:
    """Returns a backup without the fields of its entry, all of which are assumed (contract 7)."""
    created_at = seed_time(entry.get("created_at", iso(now - 12 * 3600)), now)
    return {
        "id": number,
        "instance_id": instance.id,
        "instance_name": instance.name,
        "status": "completed",
        "size_bytes": 1_200_000_000 + 1_000_003 * number % 700_000_000,
        "backup_type": "automatic",
        "created_at": created_at,
        "expires_at": iso(unix(created_at) + KEPT_DAYS * DAY),
    }


def new_addon(entry: Mapping[str, Any], number: int, instance: Instance, now: float) -> dict[str, Any]:
    """Returns an add-on without the fields of its entry, all of which are assumed (contract 6)."""
    kind = entry.get("addon_type", "llm")
    tier = entry.get("tier", "standard")
    return {
        "id": number,
        "addon_type": kind,
        "instance_id": instance.id,
        "instance_name": instance.name,
        "tier": tier,
        "status": "active",
        "current_usage": 0,
        "usage_limit": 5_000_000 if kind == "llm" else None,
        "daily_claws": addon_claws(kind, tier),
        "created_at": instance.created_at,
    }


def change_record(record: dict[str, Any], fields: Mapping[str, Any], now: float) -> None:
    _refuse_slips(fields, tuple(record))
    for name, value in fields.items():
        record[name] = seed_time(value, now) if name.endswith("_at") else value


def addon_claws(kind: str, tier: Any) -> int:
    """Returns an invented price (contract 10)."""
    if kind == "llm":
        return {"eco": 15, "standard": 45, "premium": 90}.get(str(tier), 45)
    return {"backup": 20, "embedding": 10}.get(kind, 10)


def address(number: int) -> str:
    """Returns an IPv6 address of the documentation range."""
    return f"2001:db8:{number >> 16:x}::{number & 0xFFFF:x}"


def _refuse_slips(fields: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in fields:
        if name not in known:
            hint = nearest(str(name), known, 0.75)
            if hint:
                raise BadControl(f"there is no field {name!r}{hint}")
