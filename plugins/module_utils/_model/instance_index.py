# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds instances in a list: by id, by name, by owner, and by the values of their fields. Pure."""

from __future__ import annotations

import functools
import typing as t

from .._errors import RefusedError
from .._text import format_list, one_line
from .instance import HEALTH_STATUSES, NAME_LIMIT, STATUSES, TIERS, find_name_fault
from .ownership import describe_namesakes, parse_owner, require_names
from .resource import Resource, normalize
from .similar_names import SimilarNames

_FILTERS = {
    "status": ("statuses", STATUSES),
    "tier": ("tiers", TIERS),
    "health_status": ("health_statuses", HEALTH_STATUSES),
}
"""By field: the option that filters by it, and the field's documented values."""

FieldFilter: t.TypeAlias = "t.Mapping[str, t.Collection[str] | None]"
"""Accepted values by field; None accepts any."""


class InstanceIndex:
    """Instances by id and by name. Ids are text, since they may not be numbers; names may repeat."""

    def __init__(self, instances: t.Iterable[Resource]) -> None:
        self.by_id: dict[str, Resource] = {}
        self.by_name: dict[str, list[Resource]] = {}
        for instance in instances:
            self.by_id[str(instance["id"])] = instance
            if instance.get("name") is not None:
                self.by_name.setdefault(str(instance["name"]), []).append(instance)

    def unique_by_name(self, name: object) -> Resource | None:
        """Returns the only instance of this name; None if there is none, or more than one."""
        named = self.by_name.get(str(name), [])
        return named[0] if len(named) == 1 else None

    def find_similar_name(self, name: str | None) -> str | None:
        """Returns the name of an instance that ``name`` is probably a misspelling of; None if there is none."""
        return None if name is None else self._similar_names.find(name)

    @functools.cached_property
    def _similar_names(self) -> SimilarNames:
        return SimilarNames(self.by_name)

    def find_owner(self, item: Resource) -> Resource | None:
        """Returns the instance of ``item``, such as a backup; by name only if the name is unique."""
        owner = parse_owner(item)
        if owner.id is not None:
            return self.by_id.get(owner.id)
        return None if owner.name is None else self.unique_by_name(owner.name)

    def resolve(self, instance_id: object, name: str | None) -> Resource | None:
        """Returns the instance with this id, or else of exactly this name; None if there is none.

        Raises RefusedError if several have the name, or the id has another name, and SettingsError for an empty name.
        """
        require_names(name=name)
        if instance_id is None:
            named = self.by_name.get(str(name), [])
            if len(named) > 1:
                raise RefusedError(f"{describe_namesakes(name, [one['id'] for one in named])}: choose one with id.")
            return named[0] if named else None
        instance = self.by_id.get(str(instance_id))
        if instance is not None and (fault := find_name_fault(instance, name)):
            raise RefusedError(f"{fault}; nothing was done.")
        return instance


def matches_filter(instance: Resource, wanted: FieldFilter) -> bool:
    """Returns True if each field of ``wanted`` has one of its values."""
    for field, values in wanted.items():
        if values is not None and normalize(instance.get(field)) not in map(normalize, values):
            return False
    return True


def collect_values(instances: list[Resource], fields: t.Iterable[str]) -> dict[str, list[str]]:
    """Returns the normalized values that the instances have in each of ``fields``, sorted."""
    return {field: sorted({normalize(instance.get(field)) for instance in instances}) for field in fields}


def choose_params(name: str | None, wanted: FieldFilter) -> dict[str, str]:
    """Returns the query for instances of this name, or else of the only wanted status; empty if neither can be sent.

    It can't if a wanted value is not documented: whether to warn of it depends on all instances.
    """
    if build_filter_warnings(wanted, dict.fromkeys(wanted, ())):
        return {}
    if name is not None:
        return {"name": name}
    statuses = {normalize(status) for status in wanted.get("status") or ()}
    return {"status": statuses.pop()} if len(statuses) == 1 else {}


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
