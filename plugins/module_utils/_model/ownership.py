# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Owners of backups and add-ons: the instance that they show by id, by name, by both or not at all. Pure."""

from __future__ import annotations

import typing as t

from .resource import parse_id

if t.TYPE_CHECKING:
    from .instance_index import InstanceIndex
    from .resource import Resource

FIELDS = "instance_id, instance.id, instance_name, instance.name"


class Owner(t.NamedTuple):
    """Id (as text) and name of an instance; None for what is unknown."""

    id: str | None
    name: str | None

    def __str__(self) -> str:
        if self.name is None:
            return "an unknown instance" if self.id is None else f"instance {self.id}"
        return self.name if self.id is None else f"{self.name} (id {self.id})"


def parse_owner(item: Resource) -> Owner:
    """Returns what ``item`` shows of its instance."""
    nested = item.get("instance")
    inner: t.Mapping[str, t.Any] = nested if isinstance(nested, dict) else {}
    return Owner(
        first_text(parse_id(item.get("instance_id")), parse_id(inner.get("id"))),
        first_text(item.get("instance_name"), inner.get("name")),
    )


def has_owner(item: Resource) -> bool:
    """Returns True if the item shows the id or the name of its instance."""
    return any(parse_owner(item))


def find_owner(item: Resource, index: InstanceIndex) -> Resource | None:
    """Returns the instance of ``item``; by name only if the name is unique."""
    owner = parse_owner(item)
    if owner.id is not None:
        return index.by_id.get(owner.id)
    return None if owner.name is None else index.unique_by_name(owner.name)


def may_belong(item: Resource, instance: Resource) -> bool:
    """Returns True if the item shows the id of the instance, or no id and its name. The name may be unknown."""
    owner = parse_owner(item)
    if owner.id is not None:
        return owner.id == str(instance["id"])
    return owner.name is not None and owner.name == instance.get("name")


def first_text(*values: object) -> str | None:
    """Returns the first usable value as text. Only texts and numbers can be compared."""
    for value in values:
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)
    return None
