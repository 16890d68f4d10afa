# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remembers which hosts of an inventory the sources of this plugin have made, and of which instances.

Ansible parses each source with a new plugin object. What the sources share are the hosts: a refreshed inventory has new
ones, so it starts without origins.
"""

from __future__ import annotations

import contextlib
import typing as t
from weakref import WeakKeyDictionary

from ansible.inventory.group import Group
from ansible.inventory.host import Host

from .hosts import Claim

Variables = dict[str, t.Any]

_SET_BY_ANSIBLE = {"inventory_file", "inventory_dir"}
"""Variables of each host: the source that declared it first."""


class Origin(t.NamedTuple):
    """The instance that a host was made of, and the variables that the host got from it."""

    api_url: str
    instance_id: str
    wanted: str
    source: str
    variables: Variables
    group_count: int
    """Groups that list the host."""
    is_declared: bool
    """True if a source of another plugin had declared the host before."""


_origins: WeakKeyDictionary[Host, Origin] = WeakKeyDictionary()


def find_claims(hosts: t.Mapping[str, Host], api_url: str) -> dict[str, Claim]:
    """Returns the hosts that sources of this plugin have made. Ids are compared within the service at ``api_url``."""
    origins = {name: _origins[host] for name, host in hosts.items() if host in _origins}
    return {
        name: Claim(origin.instance_id if origin.api_url == api_url else None, origin.wanted, origin.source)
        for name, origin in origins.items()
    }


def find_declared(host: Host) -> Variables:
    """Returns the variables of a host that do not come from this plugin, but from a static inventory."""
    origin = _origins.get(host)
    own = origin.variables if origin else {}
    return {name: value for name, value in host.vars.items() if name not in own or own[name] is not value}


def is_declared(host: Host | None) -> bool:
    """Returns True if a source of another plugin has declared a host, or has added to it."""
    if host is None:
        return False
    origin = _origins.get(host)
    return (
        origin is None
        or origin.is_declared
        or count_groups(host) > origin.group_count
        or not find_declared(host).keys() <= _SET_BY_ANSIBLE
    )


def count_groups(host: Host) -> int:
    """Returns how many groups list the host itself, not only by a group in them."""
    return sum(host.name in group.host_names for group in host.groups)


def record_origin(host: Host, origin: Origin) -> None:
    """Records the origin of a host, for the sources that follow."""
    _origins[host] = origin


class Rollback(contextlib.AbstractContextManager["Rollback"]):
    """Undoes the changes of hosts if the block fails: a failed source must leave nothing to the others."""

    def __init__(self, inventory: t.Any) -> None:
        self._inventory = inventory
        self._added: list[str] = []
        self._before: list[tuple[Host, Variables, list[Group]]] = []

    def watch(self, name: str) -> None:
        """Must be called before the host ``name`` is added or changed."""
        if host := self._inventory.hosts.get(name):
            self._before.append((host, dict(host.vars), list(host.groups)))
        else:
            self._added.append(name)

    def __exit__(self, error_type: type[BaseException] | None, *_error: object) -> None:
        if error_type is None:
            return
        for name in self._added:
            if host := self._inventory.hosts.get(name):
                self._inventory.remove_host(host)
        for host, variables, groups in self._before:
            for group in [group for group in host.groups if group not in groups]:
                group.remove_host(host)
            host.vars, host.groups = variables, groups
