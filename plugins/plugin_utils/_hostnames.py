# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives every instance a host name of its own, which is neither a path nor an option. Pure.

The service does not promise that names are unique, or which characters they have (contract U22).
"""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict

from ..module_utils._errors import format_list, one_line

NAME_LIMIT = 200
"""Bytes of a name. It becomes a file name, which may have 255; an id and an extension may be added."""
ID_LIMIT = 40
"""Bytes of an id where it is added to a name."""

_SHOWN = 10
"""Names that a warning lists."""
_VARIABLE = re.compile(r"\$(?=\$*[\w{])")
"""The dollar of an environment variable. Ansible expands those in paths that it makes of names, so one whose value is
``/`` would do what a slash does."""


class DuplicateNames(Exception):
    """Two instances come to one host name, and may not be renamed."""


def safe_name(text: str, limit: int = NAME_LIMIT) -> str:
    """``text`` as a host or group name that is neither a path nor an option, of at most ``limit`` bytes.

    Ansible makes paths of names (host_vars, group_vars, fact caches), and ssh gets them as arguments.
    """
    name = "".join("_" if one == "/" or not one.isprintable() else one for one in text)
    if name.startswith(("-", ".")):
        name = f"_{name[1:]}"
    return _VARIABLE.sub("_", name).encode()[:limit].decode(errors="ignore")


def make_unique(
    named: t.Sequence[tuple[str, str]],
    *,
    reserved: t.Collection[str] = (),
    may_rename: bool,
    warn: t.Callable[[str], None],
) -> dict[str, str]:
    """Returns host names by id, from pairs of id and wanted name. One warning tells of all changes of a kind.

    Names become safe first. Then all that share a name become ``NAME-ID``, and so does any instance whose name is in
    the way of such a name, or ``reserved``. Raises DuplicateNames where ``may_rename`` is False.
    """
    wanted = {instance_id: safe_name(name) for instance_id, name in named}
    names = dict(wanted)
    meant_otherwise = [instance_id for instance_id, name in wanted.items() if name in reserved]
    if meant_otherwise and not may_rename:
        raise DuplicateNames(
            f"The host name {wanted[meant_otherwise[0]]} means something else to Ansible, and the instance with id "
            f"{meant_otherwise[0]} would have it (on_duplicate: fail)."
        )
    for instance_id in meant_otherwise:
        names[instance_id] = _with_id(wanted[instance_id], instance_id)
    shared = _rename_shared(names, wanted, may_rename)

    unsafe = [
        f"{one_line(name, 80)} (id {one_line(instance_id, 20)}) to {one_line(names[instance_id], 80)}"
        for instance_id, name in named
        if wanted[instance_id] != name
    ]
    if unsafe:
        warn(
            "Host names that Ansible would take for a path or an option, or that are too long, are changed: "
            f"{format_list(unsafe, _SHOWN)}."
        )
    _warn_of_ids("mean something else to Ansible", [names[instance_id] for instance_id in meant_otherwise], warn)
    _warn_of_ids("several instances would have", [names[instance_id] for instance_id in shared], warn)
    return names


def _rename_shared(names: dict[str, str], wanted: dict[str, str], may_rename: bool) -> list[str]:
    """Adds the id to all ``names`` that are shared, until none is. Returns the ids of the renamed instances."""
    renamed: list[str] = []
    while shared := _shared(names):
        for name, ids in shared.items():
            shown = format_list(map(one_line, ids), _SHOWN)
            if not may_rename:
                raise DuplicateNames(
                    f"The instances with ids {shown} would all have the host name {name} (on_duplicate: fail)."
                )
            to_rename = [instance_id for instance_id in ids if names[instance_id] == wanted[instance_id]]
            if not to_rename:
                raise DuplicateNames(
                    f"The instances with ids {shown} would have the host name {name}, even with ids added."
                )
            for instance_id in to_rename:
                names[instance_id] = _with_id(wanted[instance_id], instance_id)
            renamed += to_rename
    return renamed


def _with_id(name: str, instance_id: str) -> str:
    # Ids may be any text, too (contract U24).
    return f"{name}-{safe_name(instance_id, ID_LIMIT)}"


def _warn_of_ids(which: str, names: list[str], warn: t.Callable[[str], None]) -> None:
    if names:
        warn(f"Host names that {which} get the id of their instance added: {format_list(names, _SHOWN)}.")


def _shared(names: dict[str, str]) -> dict[str, list[str]]:
    ids_by_name = defaultdict(list)
    for instance_id, name in names.items():
        ids_by_name[name].append(instance_id)
    return {name: ids for name, ids in ids_by_name.items() if len(ids) > 1}
