# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose is it? Backups and add-ons show their instance by id, by name, by both or not at all (contract 6, 7).

Everything is pure but ``belonging``, which asks for the instances where an id must become a name, or a name an id.
"""

from __future__ import annotations

import typing as t

from .._errors import RefusedError, ResponseError, SettingsError, format_list
from .._http.client import Client
from .._http.pagination import Resource

FIELDS = "instance_id, instance.id, instance_name, instance.name"


Owner: t.TypeAlias = "tuple[str | None, str | None]"
"""The id, as text, and the name of an instance; None for what is not known."""


def instance_of(item: Resource) -> Owner:
    """What ``item`` shows of its instance. Ids are compared as text (U24)."""
    nested = item.get("instance")
    inner: t.Mapping[str, t.Any] = nested if isinstance(nested, dict) else {}
    return (
        _first_text(item.get("instance_id"), inner.get("id")),
        _first_text(item.get("instance_name"), inner.get("name")),
    )


def shows_instance(item: Resource) -> bool:
    """Whether the item says in any way whose it is."""
    return instance_of(item) != (None, None)


def require_instances(items: list[Resource], kind: str) -> None:
    """Raises ResponseError when an item does not say whose it is."""
    if silent := [item for item in items if not shows_instance(item)]:
        raise ResponseError(_not_shown(kind, silent))


def require_names(**options: str | None) -> None:
    """Raises SettingsError for an option that is empty: it would name nothing, or anything."""
    for option, name in options.items():
        if name == "":
            raise SettingsError(f"{option} is empty, so it names nothing; leave it out, or give a name.")


def belonging(
    client: Client, items: list[Resource], instance_id: int | None, instance_name: str | None, kind: str
) -> list[Resource]:
    """Those of ``items`` that are of the instance asked for, in their order; all of them when none is asked for.

    With both an id and a name, both must fit. No request where the items show what was given; else one listing of
    the instances, since a name may be several's. Raises ResponseError and RefusedError rather than guess.
    """
    wanted = (None if instance_id is None else str(instance_id), instance_name)
    if wanted == (None, None):
        return items
    require_instances(items, kind)
    owners = [instance_of(item) for item in items]
    if any(_lacks(wanted, owner) for owner in owners):
        instances = client.fetch_all("/instances")
        owners = [_completed(owner, instances, wanted[0], kind) if _lacks(wanted, owner) else owner for owner in owners]
    return [item for item, owner in zip(items, owners, strict=True) if _fits(wanted, owner)]


def owner_label(item: Resource) -> str:
    """How messages name the instance of an item."""
    shown_id, shown_name = instance_of(item)
    if shown_name is None:
        return "an unknown instance" if shown_id is None else f"instance {shown_id}"
    return shown_name if shown_id is None else f"{shown_name} (id {shown_id})"


def _lacks(wanted: Owner, owner: Owner) -> bool:
    return any(given is not None and shown is None for given, shown in zip(wanted, owner, strict=True))


def _fits(wanted: Owner, owner: Owner) -> bool:
    return all(given in (None, shown) for given, shown in zip(wanted, owner, strict=True))


def _completed(owner: Owner, instances: list[Resource], wanted_id: str | None, kind: str) -> Owner:
    """``owner`` with the id and the name of the one instance that it can mean."""
    shown_id, shown_name = owner
    if shown_id is not None:
        names = [instance.get("name") for instance in instances if str(instance["id"]) == shown_id]
        return shown_id, str(names[0]) if names else None
    ids = [str(instance["id"]) for instance in instances if instance.get("name") == shown_name]
    if len(ids) > 1 and wanted_id in ids:
        raise RefusedError(
            f"{len(ids)} instances are named {shown_name} (ids {', '.join(ids)}), and the service shows whose a {kind} "
            f"is by name only: which is meant can't be told. See the dashboard, and name the {kind} by its own id."
        )
    if not ids and wanted_id not in [str(instance["id"]) for instance in instances]:
        raise RefusedError(
            f"There is no instance with id {wanted_id}, and the service shows whose a {kind} is by name only: "
            "ask with instance_name."
        )
    return (ids[0] if len(ids) == 1 else None), shown_name


def _not_shown(kind: str, items: list[Resource]) -> str:
    ids = format_list((str(item.get("id")) for item in items), 5)
    return (
        f"The service does not say whose {kind} this is (id {ids}; looked at: {FIELDS}), and nothing is guessed. "
        f"See the dashboard, and name the {kind} by its own id, without an instance."
    )


def _first_text(*values: object) -> str | None:
    """The first that is there, as text; what is neither text nor number is nothing that could be compared."""
    for value in values:
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)
    return None
