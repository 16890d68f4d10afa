# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests the address of an instance, to see whether its web server responds."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import typing as t
from urllib.parse import urlsplit

from ...module_utils._errors import ClawHostersError, TlsError, TransportError, WaitTimeoutError
from ...module_utils._http.client import MIN_POLL_TIMEOUT
from ...module_utils._http.connections import TimedAdapter, TimeLimit, explained, find_proxies
from ...module_utils._waiter import Waiter

with contextlib.suppress(ImportError):
    from requests import Request
    from requests.utils import select_proxy

READ_TIMEOUT = 30.0
TOTAL_TIMEOUT = 60.0
"""Seconds of one attempt. The timeout of each read does not limit a response that comes byte by byte."""

_PLAIN_HOST = re.compile(r"https?://[A-Za-z0-9.-]+")
_IPV4_AT_THE_END = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96")))
"""IPv6 networks whose addresses end in an IPv4 address: compatible, mapped, and translated by NAT64."""


class AddressError(ClawHostersError):
    """The address can't be requested, or does not respond as expected."""


def parse_address(subdomain: object) -> str:
    """Returns the URL of the instance. The service may show it without a scheme.

    Raises AddressError for anything but a plain host: the service could name any other URL.
    """
    text = str(subdomain or "").strip().rstrip("/")
    url = text if re.match("https?://", text) else f"https://{text}"
    if not _PLAIN_HOST.fullmatch(url):
        raise AddressError("The address is not a plain host name, so no request was sent.")
    return url


def check_address(url: str, statuses: t.Collection[int], waiter: Waiter, name: str, ca_path: str | None) -> int:
    """Requests ``url`` until the response has one of ``statuses``, and returns that status.

    A new server needs a while until its name is known and its certificate is there. Progress lines show the ``name``.
    Raises AddressError.
    """

    def request(seconds: float) -> tuple[int, str]:
        try:
            status = _fetch_status(url, ca_path, min(max(seconds, MIN_POLL_TIMEOUT), TOTAL_TIMEOUT))
        except (TransportError, TlsError) as error:
            return 0, error.reason
        return status, "" if status in statuses else f"status {status}, not {' or '.join(map(str, statuses))}"

    first = (0, "no response yet")
    try:
        return waiter.until(first, request, lambda seen: not seen[1], lambda seen: (name, f"its address: {seen[1]}"))[0]
    except WaitTimeoutError as error:
        _status, problem = error.last_seen.resource if error.last_seen else first
        raise AddressError(f"{url}: {problem}, after {waiter.timeout:g} s (restore_healthy_timeout).") from None


def _fetch_status(url: str, ca_path: str | None, timeout: float) -> int:
    """Sends one GET and returns the status. Follows no redirect, reads no body and no ``~/.netrc``.

    A proxy may be on this machine. It resolves the name of the host itself, and may know names that are unknown here.

    Raises AddressError if the host is on this machine or its link, and TransportError or TlsError.
    """
    parts, proxies = urlsplit(url), find_proxies(url)
    limit = TimeLimit(timeout) if select_proxy(url, proxies) else _RemoteLimit(timeout)
    with explained("GET", parts.netloc, limit), contextlib.closing(TimedAdapter()) as connections:
        with contextlib.suppress(OSError):
            for found in socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM):
                _require_remote(str(found[4][0]))
        request = Request("GET", url).prepare()
        seconds = (timeout, min(READ_TIMEOUT, timeout))
        with connections.send(
            request, timeout=seconds, verify=ca_path or True, proxies=proxies, stream=True
        ) as response:
            return int(response.status_code)


class _RemoteLimit(TimeLimit):
    """Ends a connection to this machine or its link before anything is sent: a name may lead elsewhere later."""

    def watch(self, connection: t.Any) -> None:
        """Raises AddressError."""
        with contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            _require_remote(connection.getpeername()[0])
            stack.pop_all()
        super().watch(connection)


def _require_remote(text: str) -> None:
    """Raises AddressError for a loopback, link-local or unspecified address, or one that holds such an IPv4 address."""
    address = ipaddress.ip_address(text)
    found = [address]
    if isinstance(address, ipaddress.IPv6Address):
        # Not all versions of Python look into an IPv6 address for an IPv4 address.
        found += [embedded for embedded in (address.sixtofour, *(address.teredo or ())) if embedded]
        if any(address in network for network in _IPV4_AT_THE_END):
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if any(one.is_loopback or one.is_link_local or one.is_unspecified for one in found):
        raise AddressError(
            f"The host name leads to {address}, a loopback, link-local or unspecified address, so no request was sent."
        )
