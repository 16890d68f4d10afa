# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests the address of an instance, to see whether its web server responds."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import re
import socket
import typing as t
from urllib.parse import urlsplit

from ...module_utils._errors import TlsError, TransportError, WaitTimeoutError
from ...module_utils._http.client import MIN_POLL_TIMEOUT
from ...module_utils._http.connections import TimedAdapter, TimeLimit, explained, find_proxies
from ...module_utils._waiter import Waiter
from .failures import AddressError

try:
    from requests import Request
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import HTTPError, NewConnectionError
except ImportError:
    if not t.TYPE_CHECKING:
        HTTPAdapter = object
        HTTPError = NewConnectionError = OSError

READ_TIMEOUT = 30.0
TOTAL_TIMEOUT = 60.0
"""Seconds of one attempt. The timeout of each read does not limit a response that comes byte by byte."""

_PLAIN_HOST = re.compile(r"https?://[A-Za-z0-9.-]+")
_IPV4_AT_THE_END = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96")))
"""IPv6 networks whose addresses end in an IPv4 address: compatible, mapped, and translated by NAT64."""


def parse_address(subdomain: object) -> str:
    """Returns the URL of the instance. The service may show it without a scheme.

    Raises AddressError for anything but a plain host: the service could name any other URL.
    """
    text = str(subdomain or "").strip().rstrip("/")
    url = text if re.match("https?://", text) else f"https://{text}"
    if not _PLAIN_HOST.fullmatch(url):
        raise AddressError("The address is not a plain host name, so no request was sent.")
    return url


class _Answer(t.NamedTuple):
    """The response to an attempt: ``status``, or the ``problem`` with it; empty if it is as expected."""

    status: int
    problem: str


def check_address(
    url: str,
    statuses: t.Collection[int],
    waiter: Waiter,
    describe: t.Callable[[str], tuple[str, str]],
    ca_path: str | None,
) -> int:
    """Requests ``url`` until the response has one of ``statuses``, and returns that status.

    A new server needs a while until its name is known and its certificate is there. ``describe`` returns the two parts
    of a progress line from the last problem. Raises AddressError.
    """

    def request(seconds: float) -> _Answer:
        try:
            status = _fetch_status(url, ca_path, min(max(seconds, MIN_POLL_TIMEOUT), TOTAL_TIMEOUT))
        except (TransportError, TlsError) as error:
            return _Answer(0, error.reason)
        expected = "" if status in statuses else f"status {status}, not {' or '.join(map(str, statuses))}"
        return _Answer(status, expected)

    answer = _Answer(0, "no response yet")
    try:
        return waiter.until(answer, request, lambda one: not one.problem, lambda one: describe(one.problem)).status
    except WaitTimeoutError as error:
        problem = error.last_seen.resource.problem if error.last_seen else answer.problem
        raise AddressError(f"{url}: {problem}, after {waiter.timeout:g} s (restore_healthy_timeout).") from None


def _fetch_status(url: str, ca_path: str | None, timeout: float) -> int:
    """Sends one GET and returns the status. Follows no redirect, reads no body and no ``~/.netrc``.

    Raises AddressError if the host is on this machine or its link, and TransportError or TlsError.
    """
    host = urlsplit(url).netloc
    with contextlib.suppress(OSError):
        # For a proxy, which resolves the name itself, and may know names that are unknown here.
        _resolve(urlsplit(url).hostname)
    with (
        explained("GET", host, TimeLimit(timeout)),
        contextlib.closing(_Adapter()) as connections,
        connections.send(
            Request("GET", url).prepare(),
            timeout=min(READ_TIMEOUT, timeout),
            verify=ca_path or True,
            proxies=find_proxies(url),
            stream=True,
        ) as response,
    ):
        status: int = response.status_code
    return status


def _resolve(host: str | None) -> list[str]:
    """Returns the addresses of a host. Raises AddressError if one of them is on this machine or its link."""
    addresses = [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    for address in filter(_is_local, addresses):
        raise AddressError(
            f"The host name leads to {address}, a loopback, link-local or unspecified address, so no request was sent."
        )
    return addresses


def _is_local(text: str) -> bool:
    """Returns True for a loopback, link-local or unspecified address, and for one that such an IPv4 address is in."""
    address = ipaddress.ip_address(text)
    found = [address]
    if isinstance(address, ipaddress.IPv6Address):
        # Not all versions of Python look into an IPv6 address for an IPv4 address.
        found += [embedded for embedded in (address.sixtofour, *(address.teredo or ())) if embedded]
        if any(address in network for network in _IPV4_AT_THE_END):
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return any(one.is_loopback or one.is_link_local or one.is_unspecified for one in found)


class _ResolvingAdapter(HTTPAdapter):
    """Connects to the addresses that were checked: the name could lead elsewhere when it is resolved again.

    Not to a proxy, which may be on this machine.
    """

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Replaces the pools of the base class."""
        super().init_poolmanager(*args, **kwargs)
        pools = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {scheme: _resolving_pool(pool) for scheme, pool in pools.items()}


class _Adapter(TimedAdapter, _ResolvingAdapter):
    """In this order, a timed connection gives each address of the host a share of the time."""


@functools.cache
def _resolving_pool(pool: t.Any) -> t.Any:
    class ResolvingConnection(pool.ConnectionCls):
        host: str

        def _new_conn(self) -> t.Any:
            host = self.host
            try:
                *others, last = _resolve(host)
            except OSError as error:
                raise NewConnectionError(self, str(error)) from error
            try:
                for self.host in others:
                    with contextlib.suppress(HTTPError):
                        return super()._new_conn()
                self.host = last
                return super()._new_conn()
            finally:
                # The certificate is verified for the name.
                self.host = host

    class ResolvingPool(pool):
        ConnectionCls = ResolvingConnection

    return ResolvingPool
