# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds instances in a list, by id and by name. Pure."""

from __future__ import annotations

import typing as t

from .._errors import RefusedError
from .._names import require_names
from .instance import describe_namesakes, require_name
from .resource import advise_id

if t.TYPE_CHECKING:
    from .resource import Resource


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

    def find_similar_name(self, name: str | None, listed: t.Collection[object] = ()) -> str | None:
        """Returns the name of an instance that ``name`` is probably a misspelling of; None if there is none.

        ``listed``: the names that the user gave. One of them is meant by itself.
        """
        from .similar_names import find_similar

        similar = None if name is None else find_similar(name, self.by_name)
        return None if similar in listed else similar

    def resolve(self, instance_id: object, name: str | None) -> Resource | None:
        """Returns the instance with this id, or else of exactly this name; None if there is none.

        Raises RefusedError if several have the name, or the id has another name, and SettingsError for an empty name.
        """
        require_names(name=name)
        if instance_id is None:
            named = self.by_name.get(str(name), [])
            if len(named) > 1:
                ids = [one["id"] for one in named]
                advice = advise_id(ids, "choose one with id", "give it another name in the dashboard")
                raise RefusedError(f"{describe_namesakes(name, ids)}: {advice}.")
            return named[0] if named else None
        instance = self.by_id.get(str(instance_id))
        if instance is not None:
            require_name(instance, name)
        return instance
