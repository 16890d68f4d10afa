# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host names, variables, addresses and origins of the hosts of instances.

Every instance gets a unique host name that is neither a path nor an option: the service promises neither unique names
nor a set of characters.

Ansible parses each source with a new plugin object. What the sources share are the hosts: a refreshed inventory has new
ones, so it starts without origins.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import re
import typing as t
from collections import defaultdict
from weakref import WeakKeyDictionary

from ansible.inventory.group import Group
from ansible.inventory.host import Host

from ...module_utils._model.resource import Resource
from ...module_utils._text import format_list, one_line
from .._controller.unsafe import protect_value

NAME_LIMIT = 200
"""Bytes of a name. File names, which it becomes a part of, may have 255."""
ID_LIMIT = 40
"""Bytes of an id that is appended to a name."""

_MAX_LISTED = 10
"""Names that a warning lists."""
_DOLLARS = re.compile(r"(\$+)([\w{])?")
"""Dollars before such a character are an environment variable, which Ansible expands in paths. Its value may hold
slashes."""
_INVALID_CHARACTER = re.compile(r"[^A-Za-z0-9_]")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class DuplicateNamesError(Exception):
    """Two instances have the same host name and may not be renamed."""


class Claim(t.NamedTuple):
    """A host that another inventory source has made of an instance."""

    instance_id: str | None
    """None for an instance of another service."""
    safe_name: str
    """The name before an id was appended."""
    source: str


def safe_name(text: str, limit: int = NAME_LIMIT) -> str:
    """Returns ``text`` as a host or group name of at most ``limit`` bytes that is neither a path nor an option.

    Ansible builds paths from names (host_vars, group_vars, fact caches), and passes them to ssh as arguments.
    """
    # U+FFFD is what a control character of the service has become.
    name = text[:limit].replace("/", "_").replace("\N{REPLACEMENT CHARACTER}", "_")
    if not name.isprintable():
        name = "".join(character if character.isprintable() else "_" for character in name)
    if name.startswith(("-", ".")):
        name = f"_{name[1:]}"
    name = _DOLLARS.sub(lambda match: "_" * len(match[1]) + match[2] if match[2] else match[0], name)
    return name.encode()[:limit].decode(errors="ignore")


def make_unique(
    given: t.Sequence[tuple[str, str]],
    *,
    reserved: t.Collection[str] = (),
    claims: t.Mapping[str, Claim] | None = None,
    may_rename: bool,
    warn: t.Callable[[str], None],
) -> dict[str, str]:
    """Returns host names by id, from pairs of id and given name. Warns of what is changed.

    Names are made safe first. An instance that has a host already (in ``claims``, by host name) keeps its name. Then
    duplicate, ``reserved`` and claimed names become ``NAME-ID``, and so does a name that equals one of the new ones.
    Raises DuplicateNamesError if that is needed and ``may_rename`` is False.
    """
    claims = claims or {}
    safe = {instance_id: safe_name(name) for instance_id, name in given}
    known = {
        claim.instance_id: name
        for name, claim in claims.items()
        if claim.instance_id is not None and safe.get(claim.instance_id) in (name, claim.safe_name)
    }
    names = {**safe, **known}
    renamed = []
    for instance_id, name in safe.items():
        reason = "it has another meaning in Ansible" if name in reserved else ""
        if name in claims:
            reason = f"{claims[name].source} uses it for another instance"
        if not reason or instance_id in known:
            continue
        if not may_rename:
            raise DuplicateNamesError(
                f"{name} can't be the host name of the instance with id {instance_id}, since {reason} "
                "(on_duplicate: fail)."
            )
        names[instance_id] = _append_id(name, instance_id, claims)
        renamed.append(instance_id)
    renamed += _rename_duplicates(names, safe, claims, may_rename)
    _warn_of_unsafe(
        [(name, instance_id, names[instance_id]) for instance_id, name in given if safe[instance_id] != name], warn
    )
    if renamed:
        listed = format_list([names[instance_id] for instance_id in renamed], _MAX_LISTED)
        warn(f"Host names that Ansible reserves, or several instances share, get the instance's id appended: {listed}.")
    return names


def _warn_of_unsafe(changes: list[tuple[str, str, str]], warn: t.Callable[[str], None]) -> None:
    """Warns of names that were made safe. ``changes`` holds the given name, the id and the name of each host."""
    if changes:
        changed = [f"{one_line(old, 80)} (id {one_line(id_, 20)}) to {one_line(new, 80)}" for old, id_, new in changes]
        warn(
            "Host names that Ansible would take for a path or an option, or that are too long, are changed: "
            f"{format_list(changed, _MAX_LISTED)}."
        )


def _rename_duplicates(
    names: dict[str, str], safe: dict[str, str], claims: t.Container[str], may_rename: bool
) -> list[str]:
    """Appends the id to all duplicate ``names`` until none is left. Returns the ids of the renamed instances."""
    renamed: list[str] = []
    while duplicates := _find_duplicates(names):
        for name, ids in duplicates.items():
            listed = format_list(map(one_line, ids), _MAX_LISTED)
            if not may_rename:
                raise DuplicateNamesError(
                    f"The instances with ids {listed} have the same host name {name} (on_duplicate: fail)."
                )
            to_rename = [instance_id for instance_id in ids if names[instance_id] == safe[instance_id]]
            if not to_rename:
                raise DuplicateNamesError(
                    f"The instances with ids {listed} have the same host name {name}, even with their ids appended."
                )
            for instance_id in to_rename:
                names[instance_id] = _append_id(safe[instance_id], instance_id, claims)
            renamed += to_rename
    return renamed


def _append_id(name: str, instance_id: str, claims: t.Container[str]) -> str:
    """Returns ``NAME-ID``, or ``NAME-ID-ID`` if that is claimed."""
    # Ids may be any text.
    suffix = f"-{safe_name(instance_id, ID_LIMIT)}"
    name += suffix
    while name in claims:
        name += suffix
    return name


def _find_duplicates(names: dict[str, str]) -> dict[str, list[str]]:
    ids_by_name = defaultdict(list)
    for instance_id, name in names.items():
        ids_by_name[name].append(instance_id)
    return {name: ids for name, ids in ids_by_name.items() if len(ids) > 1}


class InvalidAddressError(Exception):
    """A field of an instance is not an address. ``reason`` is a clause without a full stop."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.value = value


def build_host_variables(instance: Resource, prefix: str, documented: frozenset[str] = frozenset()) -> dict[str, t.Any]:
    """Returns a host variable for each field of the instance. Characters that names can't have become ``_``.

    A field in ``documented`` that the service leaves out is null, so that no instance makes an expression fail.
    Variables that begin with ``ansible_`` are left out: the service must not decide how Ansible connects.
    """
    return {
        name: protect_value(instance.get(field)) for name, field in _map_fields(tuple(instance), prefix, documented)
    }


def find_address(instance: Resource, source: str) -> str | None:
    """Returns the address that ``source`` (an option of ``connect_with``) names; None if there is none.

    Raises InvalidAddressError for anything but an IP address or host name: ssh would take it as an option.
    """
    if source == "ip_address" and instance.get("ip_address"):
        text = str(instance["ip_address"]).strip()
        try:
            # A zone may be any text, and is valid on the service's machine only.
            return str(ipaddress.ip_address("" if "%" in text else text))
        except ValueError:
            raise InvalidAddressError("ip_address is not an IP address", text) from None
    if source == "subdomain" and instance.get("subdomain_url"):
        host = str(instance["subdomain_url"]).rpartition("://")[2].partition("/")[0]
        if not _HOST.fullmatch(host):
            raise InvalidAddressError("subdomain_url contains no host name", instance["subdomain_url"])
        return host
    return None


# Cached: the instances of a fleet have the same fields.
@functools.lru_cache(maxsize=64)
def _map_fields(fields: tuple[str, ...], prefix: str, documented: frozenset[str]) -> list[tuple[str, str]]:
    """Returns pairs of variable and field, sorted by variable; also for ``documented`` fields that are missing."""
    names = {field: _INVALID_CHARACTER.sub("_", field) for field in fields}
    # Fields with a valid name come last, so that they win over those that are renamed to it.
    by_name = {field: field for field in documented}
    by_name |= {names[field]: field for field in sorted(fields, key=lambda field: names[field] == field)}
    variables = [(f"{prefix}{name}", by_name[name]) for name in sorted(by_name)]
    return [(variable, field) for variable, field in variables if not variable.startswith("ansible_")]


Variables = dict[str, t.Any]

_SET_BY_ANSIBLE = {"inventory_file", "inventory_dir"}
"""Variables of each host: the source that declared it first."""


class Origin(t.NamedTuple):
    """The instance that a host was made of, and the variables that the host got from it."""

    api_url: str
    instance_id: str
    safe_name: str
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
        name: Claim(origin.instance_id if origin.api_url == api_url else None, origin.safe_name, origin.source)
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
