# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Splits the daily Claws of an account by what they are for, for the role ``fleet_report``. Pure."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from ...module_utils._model.ownership import find_owner, parse_owner
from ...module_utils._model.resource import as_objects, parse_id
from ...module_utils._text import one_line
from .._formatting import NAME_LIMIT
from .balance import parse_number

if t.TYPE_CHECKING:
    from ...module_utils._model.instance_index import InstanceIndex

Data = dict[str, t.Any]

TIER, ADDON_TYPE, REST = "tier", "addon_type", "rest"
_ITEMS_SHOWN = 6
_ADDONS_SHOWN = 5


def split_cost(total: int | None, usage: Data, instances: list[Data]) -> list[Data]:
    """Returns the Claws a day by what they are for, which add up to the ``total`` if that is known.

    First come the tiers of the instances, the dearest first, then the types of the add-ons, and what the service
    charges without an entry or a price.
    """
    addons = [(addon, parse_number(addon.get("daily_claws"))) for addon in as_objects(usage.get("addons"))]
    parts = [
        *_sum_up(TIER, ((one["tier"] or "unknown tier", one["daily_claws"]) for one in instances), "other tiers"),
        *_sum_up(
            ADDON_TYPE, ((_clean(addon.get("addon_type")) or "unknown", price) for addon, price in addons), "other"
        ),
    ]
    spent = sum(part["claws"] for part in parts)
    rest = total - spent if total is not None and (parts or addons) else 0
    unpriced = sum(price is None for _addon, price in addons)
    if rest > 0 and unpriced:
        parts.append({"kind": ADDON_TYPE, "item": "unpriced", "number": unpriced, "claws": rest})
    elif rest:
        parts.append({"kind": REST, "item": "not itemized", "number": None, "claws": rest})
    return parts


def find_dearest_addons(usage: Data, index: InstanceIndex) -> list[Data]:
    """Returns the add-ons that cost most, with their instances; those without a price are left out."""
    addons = [_describe(addon, index) for addon in as_objects(usage.get("addons"))]
    priced = [addon for addon in addons if addon["daily_claws"]]
    return sorted(priced, key=lambda one: (-one["daily_claws"], str(one["id"]).rjust(20, "0")))[:_ADDONS_SHOWN]


def _sum_up(kind: str, costs: t.Iterable[tuple[str, int | None]], other: str) -> list[Data]:
    """Returns a part for each item, the dearest first, and one for all further ones. What costs nothing is left out."""
    claws: dict[str, list[int]] = defaultdict(list)
    for item, price in costs:
        if price:
            claws[item].append(price)
    ranked = sorted(claws.items(), key=lambda one: (-sum(one[1]), one[0]))
    groups = [*ranked[:_ITEMS_SHOWN], (other, [price for _item, prices in ranked[_ITEMS_SHOWN:] for price in prices])]
    return [
        {"kind": kind, "item": item, "number": len(prices), "claws": sum(prices)} for item, prices in groups if prices
    ]


def _describe(addon: Data, index: InstanceIndex) -> Data:
    owner, shown = find_owner(addon, index), parse_owner(addon)
    return {
        "id": parse_id(_clean(addon.get("id"))),
        "addon_type": _clean(addon.get("addon_type")),
        "instance_id": parse_id(_clean(owner["id"] if owner else shown.id)),
        "instance_name": _clean(owner.get("name") if owner else shown.name),
        "daily_claws": parse_number(addon.get("daily_claws")),
    }


def _clean(value: object) -> str | None:
    return None if value is None else one_line(value, NAME_LIMIT) or None
