# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance: its sixteen documented fields (contract 4.1), and those of its forms in responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LISTED = ("id", "name", "status", "tier", "billing_mode", "ip_address", "health_status", "created_at", "provisioned_at")
FLAGS = ("can_start", "can_stop", "can_restart")
SETTINGS = ("subdomain_url", "daily_claw_cost", "llm_configured", "telegram_configured")
DETAILED = LISTED + FLAGS + SETTINGS
ACTED = ("id", "name", "status", "tier")

# Contract 4.3: the only status that allows each power action.
POWER_FROM = {"can_start": "stopped", "can_stop": "running", "can_restart": "running"}

# Contract 10: the documented numbers differ between pages. 225 for `balanced` is from the API samples; the others are
# in proportion.
DAILY_CLAWS = {"budget": 135, "balanced": 225, "pro": 375}


@dataclass(slots=True)
class Instance:
    """One instance. `status` and `health_status` are the values that GET shows now."""

    id: int
    name: str
    status: str
    tier: str
    billing_mode: str
    ip_address: str | None
    health_status: str
    created_at: str
    provisioned_at: str | None
    subdomain_url: str
    daily_claw_cost: int
    llm_configured: bool
    telegram_configured: bool
    # Not shown by the service:
    own_flags: dict[str, bool] = field(default_factory=dict)  # can_* flags fixed by a tester
    health_after: str = "healthy"  # health after a start, restart or restore
    restored_from: int | None = None  # the last restored backup
    extra: dict[str, Any] = field(default_factory=dict)  # undocumented fields (contract 11, U23)
