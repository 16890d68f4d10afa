# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses instances by the values of their fields. Pure."""

from __future__ import annotations

import typing as t

from .._text import format_list, one_line
from .instance import HEALTH_STATUSES, NAME_LIMIT, STATUSES, TIERS
from .resource import Resource, normalize

_FILTERS = {
    "status": ("statuses", STATUSES),
    "tier": ("tiers", TIERS),
    "health_status": ("health_statuses", HEALTH_STATUSES),
}
"""By field: the option that filters by it, and the field's documented values."""

FieldFilter: t.TypeAlias = "t.Mapping[str, t.Collection[str] | None]"
"""Accepted values by field; None accepts any."""


def matches_filter(instance: Resource, wanted: FieldFilter) -> bool:
    """Returns True if each field of ``wanted`` has one of its values."""
    for field, values in wanted.items():
        if values is not None and normalize(instance.get(field)) not in map(normalize, values):
            return False
    return True


def collect_values(instances: list[Resource], fields: t.Iterable[str]) -> dict[str, list[str]]:
    """Returns the normalized values that the instances have in each of ``fields``, sorted."""
    return {field: sorted({normalize(instance.get(field)) for instance in instances}) for field in fields}


def build_filter_warnings(wanted: FieldFilter, seen: t.Mapping[str, t.Collection[str]]) -> list[str]:
    """Returns a warning for each field of ``wanted`` with a value that is neither documented nor ``seen``.

    Such a value may be a typing error, or a status that the service added and that no instance has now.
    """
    warnings = []
    for field, values in wanted.items():
        option, documented = _FILTERS[field]
        unknown = [value for value in values or () if normalize(value) not in {*documented, *seen[field]}]
        if unknown:
            found = format_list((one_line(value, NAME_LIMIT) for value in seen[field] if value), 10)
            warnings.append(
                f"{option}: no instance has {format_list((one_line(value, NAME_LIMIT) for value in unknown), 10)}, "
                f"which is not a documented value. Seen: {found or 'none'}."
            )
    return warnings
