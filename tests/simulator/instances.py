# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance: its sixteen documented fields (contract 4.1), and its forms in responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LISTED = ("id", "name", "status", "tier", "billing_mode", "ip_address", "health_status", "created_at", "provisioned_at")
FLAGS = ("can_start", "can_stop", "can_restart")
SETTINGS = ("subdomain_url", "daily_claw_cost", "llm_configured", "telegram_configured")
DETAILED = LISTED + FLAGS + SETTINGS

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

    def may(self, flag: str, start_paused: bool = False) -> bool:
        """True if the action is allowed now: contract 4.3, unless a tester fixed the flag."""
        if flag in self.own_flags:
            return self.own_flags[flag]
        return self.status == POWER_FROM[flag] or (start_paused and flag == "can_start" and self.status == "paused")

    def listed(self) -> dict[str, Any]:
        """Returns the nine fields of a list item (contract 4.4), and fields added by a tester."""
        return {name: getattr(self, name) for name in LISTED} | self.extra

    def detailed(self, flags: dict[str, bool]) -> dict[str, Any]:
        """Returns the sixteen fields of the detail (contract 4.5)."""
        settings = {name: getattr(self, name) for name in SETTINGS}
        return {name: getattr(self, name) for name in LISTED} | flags | settings | self.extra

    def acted(self, flags: dict[str, bool]) -> dict[str, Any]:
        """Returns the seven fields of the response to start, stop and restart (contract 4.6)."""
        return {"id": self.id, "name": self.name, "status": self.status, "tier": self.tier} | flags
