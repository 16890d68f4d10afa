# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented fields of each kind of object with their types, and the words of some (contract 4.1, 5). Pure data."""

from __future__ import annotations

from ..backup import TIME_FIELDS

TEXT, NUMBER, FLAG, NULL, LIST = "text", "number", "boolean", "null", "list"
ID = (NUMBER, TEXT)
"""Ids may be texts (contract U24); the check ``ids`` is about that."""

_LISTED = {
    "id": ID,
    "name": (TEXT,),
    "status": (TEXT,),
    "tier": (TEXT,),
    "billing_mode": (TEXT,),
    "ip_address": (TEXT, NULL),
    "health_status": (TEXT,),
    "created_at": (TEXT,),
    "provisioned_at": (TEXT, NULL),
}
FLAGS = ("can_start", "can_stop", "can_restart")
_DETAIL = {
    "subdomain_url": (TEXT, NULL),
    "daily_claw_cost": (NUMBER, NULL),
    "llm_configured": (FLAG,),
    "telegram_configured": (FLAG,),
}

DOCUMENTED: dict[str, dict[str, tuple[str, ...]]] = {
    "instance": _LISTED,
    # The flags have a check of their own.
    "instance_detail": {**_LISTED, **_DETAIL},
    "summary": {
        "claws_balance": (NUMBER,),
        "daily_claw_cost": (NUMBER,),
        "days_remaining": (NUMBER, NULL),
        "low_balance": (FLAG,),
        "subscription_status": (TEXT, NULL),
        "subscription_tier": (TEXT, NULL),
        "instances_count": (NUMBER,),
        "running_instances_count": (NUMBER,),
    },
    "usage": {"daily_total": (NUMBER,), "instances": (LIST,), "addons": (LIST,)},
    "usage_instance": {
        "id": ID,
        "name": (TEXT,),
        "tier": (TEXT,),
        "daily_claws": (NUMBER,),
        "status": (TEXT,),
        "billing_mode": (TEXT,),
    },
    "usage_addon": {
        "id": ID,
        "addon_type": (TEXT,),
        "instance_name": (TEXT,),
        "tier": (TEXT, NULL),
        "current_usage": (NUMBER, NULL),
        "usage_limit": (NUMBER, NULL),
    },
}

KNOWN_NAMES = frozenset(name for fields in DOCUMENTED.values() for name in fields) | set(TIME_FIELDS) | {*FLAGS, "type"}
"""Names that are shown of objects inside of undocumented fields: no others, since an account may have chosen them."""

BILLING_MODES = ("daily", "monthly")
