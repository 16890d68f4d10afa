# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds host variables and addresses from instances. Pure, but for marking text as unsafe."""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t

from ...module_utils._model.resource import Resource
from .._controller.unsafe import protect_value

_INVALID_CHARACTER = re.compile(r"[^A-Za-z0-9_]")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class InvalidAddressError(Exception):
    """A field of an instance is not an address. ``reason`` is a clause without a full stop."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.value = value


def build_host_variables(instance: Resource, prefix: str) -> dict[str, t.Any]:
    """Returns a host variable for each field of the instance. Characters that names can't have become ``_``.

    Variables that begin with ``ansible_`` are left out: the service must not decide how Ansible connects.
    """
    return {name: protect_value(instance[field]) for name, field in _map_fields(tuple(instance), prefix)}


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
def _map_fields(fields: tuple[str, ...], prefix: str) -> list[tuple[str, str]]:
    """Returns pairs of variable and field, sorted by variable."""
    names = {field: _INVALID_CHARACTER.sub("_", field) for field in fields}
    # Fields with a valid name come last, so that they win over those that are renamed to it.
    by_name = {names[field]: field for field in sorted(fields, key=lambda field: names[field] == field)}
    variables = [(f"{prefix}{name}", by_name[name]) for name in sorted(by_name)]
    return [(variable, field) for variable, field in variables if not variable.startswith("ansible_")]
