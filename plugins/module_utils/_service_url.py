# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives each service one spelling of its URL: journal, rate budget, caches and snapshots are kept by it. Pure."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from urllib.parse import urlsplit

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""The last part of a host that the resolver takes for an IPv4 address, such as ``127.1`` or ``0x7f.1``."""
_DEFAULT_PORTS = {"https": 443, "http": 80}


@functools.lru_cache
def normalize_url(url: str) -> str:
    """Returns the one spelling of a service's URL. Raises ValueError.

    The host is in lower case; a port is a plain number, and left out if it is the default; the path has no slash at its
    end. Two host names of one machine stay two services.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{_normalize_ipv6(host)}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _normalize_ipv6(text: str) -> str:
    """Returns the address as C libraries write it: Python's form differs between its versions. Raises ValueError."""
    return socket.inet_ntop(socket.AF_INET6, ipaddress.IPv6Address(text).packed)


def find_url_problem(url: str) -> str:
    """Returns why ``url`` can't be the address of a service, as the end of a sentence; empty if it can.

    URL parsers read some characters differently, so that a request could go to another host than the one that was
    checked. Other spellings are refused where it is not certain that they name the same service.
    """
    if not url.strip():
        return "it is blank; perhaps a variable was not resolved"
    if "@" in url:
        return "it contains user information"
    if "%" in url:
        return "it contains a percent sign"
    if not url.isascii() or not url.isprintable() or any(character in url for character in ' \\?#"<>'):
        return "it contains a query, a fragment, a space or another character that is not allowed here"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its host or its port is not valid"
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "it does not begin with https://HOST"
    if port == 0 or parts.netloc.endswith(":"):
        return "its port is empty or 0"
    if {"", ".", ".."}.intersection(parts.path.rstrip("/").split("/")[1:]):
        return "its path has an empty segment, . or .."
    return _find_host_problem(parts.hostname)


def _find_host_problem(host: str) -> str:
    if host.endswith("."):
        return "its host ends in a dot"
    try:
        if ":" in host:
            _normalize_ipv6(host)
        elif _NUMBER.fullmatch(host.rpartition(".")[2]):
            ipaddress.IPv4Address(host)
    except ValueError:
        return "its host is neither a name nor a plain IP address"
    return ""


def is_loopback(host: str) -> bool:
    """Returns True for a host that is certainly this machine."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address in ipaddress.ip_network("127.0.0.0/8") or address == ipaddress.IPv6Address("::1")
