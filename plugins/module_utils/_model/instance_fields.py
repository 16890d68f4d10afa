# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of an instance as the service shows them: how they are read, and their documented words. Pure.

The service may leave out any field. What it does not send is not known.
"""

from __future__ import annotations

from .resource import Resource, normalize

NOT_KNOWN = ""
"""The word of a field that the service does not show."""

STATUSES = (
    "running",
    "stopped",
    "provisioning",
    "deploying",
    "pending_configuration",
    "paused",
    "deleting",
    "deploy_failed",
    "error",
)
"""In the order of the page of the fleet."""
LIST_FIELDS = {
    "id": "number",
    **dict.fromkeys(("name", "status", "tier", "billing_mode", "health_status", "created_at"), "text"),
    **dict.fromkeys(("ip_address", "provisioned_at"), "text|null"),
}
"""The documented fields of an instance in a list, with their types."""
DETAIL_FIELDS = {
    **LIST_FIELDS,
    **dict.fromkeys(("can_start", "can_stop", "can_restart", "llm_configured", "telegram_configured"), "boolean"),
    "subdomain_url": "text|null",
    "daily_claw_cost": "number|null",
}
"""The documented fields of a detail, with their types."""
HEALTH_STATUSES = ("healthy", "unhealthy", "unknown")
TIERS = ("budget", "balanced", "pro")
FILTERS = {
    "status": ("statuses", STATUSES),
    "tier": ("tiers", TIERS),
    "health_status": ("health_statuses", HEALTH_STATUSES),
}
"""By field: the option that filters by it, and the field's documented values."""
FLAGS = "can_*"
"""Stands for the flags, which lists don't show: they decide where the status does not."""
CONDITION = ("status", "health_status", FLAGS)
"""The fields of an instance that a restore needs."""
DETAIL = "*"
"""Stands for all fields of the detail."""


def read_word(instance: Resource, field: str) -> str:
    """Returns the word in a field, normalized. A health that is null is one that the service does not know itself."""
    is_null_health = field == "health_status" and field in instance
    return normalize(instance.get(field)) or ("unknown" if is_null_health else NOT_KNOWN)


def is_gone(instance: Resource) -> bool:
    """Returns True for the record of a deleted instance, which may be kept. The service documents no such status."""
    return read_word(instance, "status") == "deleted"


def is_undocumented(instance: Resource, field: str = "status") -> bool:
    """Returns True for a word that the service shows, but does not document."""
    return read_word(instance, field) not in (NOT_KNOWN, *FILTERS[field][1])


def lacks(instance: Resource, field: str) -> bool:
    """Returns True if the instance does not show a field, so that its detail may have to be read."""
    if field == FLAGS:
        return read_word(instance, "status") not in STATUSES and not any(name.startswith("can_") for name in instance)
    return read_word(instance, field) == NOT_KNOWN
