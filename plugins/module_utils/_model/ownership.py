# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Owners of backups and add-ons: the instance that they show by id, by name, by both or not at all.

Pure: where an id must become a name, or a name an id, the caller passes a function that lists the instances.
"""

from __future__ import annotations

import typing as t

from .._errors import RefusedError, ResponseError
from .._text import format_list
from .instance import describe_namesakes
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
        _first_text(parse_id(item.get("instance_id")), parse_id(inner.get("id"))),
        _first_text(item.get("instance_name"), inner.get("name")),
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


def require_owners(items: list[Resource], kind: str) -> None:
    """Raises ResponseError if an item does not show its instance."""
    if unowned := [item for item in items if not has_owner(item)]:
        ids = format_list((str(item.get("id")) for item in unowned), 5)
        raise ResponseError(
            f"The service does not show the instance of this {kind} (id {ids}; fields read: {FIELDS}), and the "
            f"collection does not guess. See the dashboard, and give the id of the {kind} without an instance."
        )


def filter_by_instance(
    items: list[Resource],
    instance_id: object,
    instance_name: str | None,
    kind: str,
    read_index: t.Callable[[], InstanceIndex],
) -> list[Resource]:
    """Returns the items of the instance, in their order; all items if neither id nor name is given.

    With both an id and a name, both must match. Calls ``read_index`` at most once, and only if items do not show what
    was given: several instances may share a name. Raises ResponseError and RefusedError rather than guess.
    """
    wanted = Owner(None if instance_id is None else str(instance_id), instance_name)
    if wanted == (None, None):
        return items
    require_owners(items, kind)
    owners = [parse_owner(item) for item in items]
    if any(_lacks(wanted, owner) for owner in owners):
        index = read_index()
        owners = [_complete(owner, index, wanted.id, kind) if _lacks(wanted, owner) else owner for owner in owners]
    return [item for item, owner in zip(items, owners, strict=True) if _matches(wanted, owner)]


def _lacks(wanted: Owner, owner: Owner) -> bool:
    return any(given is not None and shown is None for given, shown in zip(wanted, owner, strict=True))


def _matches(wanted: Owner, owner: Owner) -> bool:
    return all(given in (None, shown) for given, shown in zip(wanted, owner, strict=True))


def _complete(owner: Owner, index: InstanceIndex, wanted_id: str | None, kind: str) -> Owner:
    """Returns ``owner`` with the id and the name of the one instance that it can mean."""
    if owner.id is not None:
        return Owner(owner.id, _first_text(index.by_id.get(owner.id, {}).get("name")))
    ids = [str(instance["id"]) for instance in index.by_name.get(str(owner.name), [])]
    if len(ids) > 1 and wanted_id in ids:
        raise RefusedError(
            f"{describe_namesakes(owner.name, ids)}, and the service shows the instance of each {kind} by name only, "
            f"so it is ambiguous. See the dashboard, and give the id of the {kind}."
        )
    if not ids and wanted_id not in index.by_id:
        raise RefusedError(
            f"There is no instance with id {wanted_id}, and the service shows the instance of each {kind} by name "
            "only: use instance_name."
        )
    return Owner(ids[0] if len(ids) == 1 else None, owner.name)


def _first_text(*values: object) -> str | None:
    """Returns the first usable value as text. Only texts and numbers can be compared."""
    for value in values:
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)
    return None
