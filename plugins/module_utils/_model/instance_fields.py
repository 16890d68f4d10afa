# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented words of the fields of instances, and the choice of instances by them. Pure."""

from __future__ import annotations

import typing as t

from .._errors import SettingsError
from .._text import format_list, one_line
from .resource import Resource, normalize

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
HEALTH_STATUSES = ("healthy", "unhealthy", "unknown")
TIERS = ("budget", "balanced", "pro")

_FILTERS = {
    "status": ("statuses", STATUSES),
    "tier": ("tiers", TIERS),
    "health_status": ("health_statuses", HEALTH_STATUSES),
}
"""By field: the option that filters by it, and the field's documented values."""

FieldFilter: t.TypeAlias = "t.Mapping[str, t.Collection[str] | None]"
"""Accepted values by field; None accepts any."""


def matches_filter(instance: Resource, field_filter: FieldFilter) -> bool:
    """Returns True if each field of ``field_filter`` has one of its values."""
    for field, values in field_filter.items():
        if values is not None and normalize(instance.get(field)) not in map(normalize, values):
            return False
    return True


def require_known_values(field_filter: FieldFilter, instances: t.Collection[Resource]) -> None:
    """Raises SettingsError for a value of ``field_filter`` that is neither documented nor one of the instances'.

    It is a typing error, or a status that the service added and that no instance has now.
    """
    for field, values in field_filter.items():
        option, documented = _FILTERS[field]
        seen = {normalize(instance.get(field)) for instance in instances}
        if unknown := [value for value in values or () if normalize(value) not in {*documented, *seen}]:
            known = [*sorted(documented), *sorted(seen.difference(documented, ("",)))]
            raise SettingsError(
                f"{option}: no instance that was read has {_format(unknown)}, and the service documents no such value. "
                f"Known are {_format(known)}."
            )


def _format(values: t.Iterable[str]) -> str:
    return format_list((one_line(value, 80) for value in values), 20)
