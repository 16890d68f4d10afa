# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives every instance a host name of its own: names are not known to be unique (contract U22). Pure."""

from __future__ import annotations

import typing as t
from collections import defaultdict


class DuplicateNames(Exception):
    """Two instances come to one host name, and may not be renamed."""


def unique_names(
    named: t.Sequence[tuple[str, str]],
    *,
    reserved: t.Collection[str] = (),
    may_rename: bool,
    warn: t.Callable[[str], None],
) -> dict[str, str]:
    """Host names by id, from pairs of id and wanted name.

    All that share a name become ``NAME-ID``, and so does whoever is in the way of such a name, or has a ``reserved``
    one. Raises DuplicateNames where ``may_rename`` is False.
    """
    wanted = dict(named)
    names = dict(wanted)
    for instance_id, name in named:
        if name not in reserved:
            continue
        if not may_rename:
            raise DuplicateNames(
                f"The host name {name} has another meaning for Ansible, and the instance with id {instance_id} would "
                "have it (on_duplicate: fail)."
            )
        names[instance_id] = f"{name}-{instance_id}"
        warn(f"The host name {name} has another meaning for Ansible: {names[instance_id]} is used instead.")
    while shared := _shared(names):
        for name, ids in shared.items():
            if not may_rename:
                raise DuplicateNames(
                    f"The instances with ids {', '.join(ids)} would all have the host name {name} (on_duplicate: fail)."
                )
            to_rename = [instance_id for instance_id in ids if names[instance_id] == wanted[instance_id]]
            if not to_rename:
                raise DuplicateNames(
                    f"The instances with ids {', '.join(ids)} would have the host name {name}, even with ids added."
                )
            for instance_id in to_rename:
                names[instance_id] = f"{wanted[instance_id]}-{instance_id}"
            used = ", ".join(names[instance_id] for instance_id in ids)
            warn(f"Several instances would have the host name {name}: {used} are used instead.")
    return names


def _shared(names: dict[str, str]) -> dict[str, list[str]]:
    ids_by_name = defaultdict(list)
    for instance_id, name in names.items():
        ids_by_name[name].append(instance_id)
    return {name: ids for name, ids in ids_by_name.items() if len(ids) > 1}
