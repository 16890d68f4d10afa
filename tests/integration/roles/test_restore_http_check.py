# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of the role restore to the address of an instance, against a server that may do anything."""

from __future__ import annotations

import contextlib
import errno
import itertools
import re
import socket
import ssl
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils._waiter import Waiter
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role import address_check
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.address_check import (
    AddressError,
    parse_address,
)
from support.certificates import make_certificates
from support.proxy import recording_proxy
from support.sleeper import Sleeper

HOST = "web-bot.example"
PUBLIC = "203.0.113.7"
LOCAL = r"leads to \S+, a loopback, link-local or unspecified address, so no request was sent\.$"
Answer = t.Callable[[socket.socket], None]
Serve = t.Callable[..., tuple[str, list[str]]]


def check_address(
    url: str, statuses: list[int], ca: str | None = None, *, timeout: float = 5, lines: list[str] | None = None
) -> int:
    """Checks an address for so many seconds of a simulated clock. ``lines`` gets the progress."""
    sleeper = Sleeper()
    show = lines.append if lines is not None else None
    waiter = Waiter(timeout, Progress(show, clock=lambda: sleeper.now, sleep=sleeper.sleep))
    return address_check.check_address(url, statuses, waiter, "web-bot", ca)


def say(text: str) -> Answer:
    return lambda connection: connection.sendall(text.encode())


def drip(connection: socket.socket) -> None:
    """Sends a header without end, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while True:
        connection.sendall(b"x")
        if threading.Event().wait(0.05):
            return


class Network:
    """Resolves names, and leads each connection to this machine, whatever its address."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, t.Iterator[list[str]]] = {HOST: itertools.repeat([PUBLIC])}
        """For each name its addresses, each time that it is resolved."""
        self.dead: set[str] = set()
        """Addresses that refuse connections."""
        self.connected: list[str] = []
        """Addresses to which a connection was attempted."""
        self._getaddrinfo, self._connect = socket.getaddrinfo, socket.socket.connect

        def lead(connection: socket.socket, target: tuple[str, int]) -> None:
            self._lead(connection, target)

        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)
        monkeypatch.setattr(socket.socket, "connect", lead)
        monkeypatch.setattr(socket.socket, "getpeername", lambda _this: (self.connected[-1], 0))

    def _resolve(self, host: t.Any, port: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if host in self.names:
            found = [self._getaddrinfo(address, port, *args, **kwargs) for address in next(self.names[host])]
            return list(itertools.chain.from_iterable(found))
        return self._getaddrinfo(host, port, *args, **kwargs)

    def _lead(self, connection: socket.socket, target: tuple[str, int]) -> None:
        self.connected.append(target[0])
        if target[0] in self.dead:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        here = "127.0.0.1" if connection.family is socket.AF_INET else "::ffff:127.0.0.1"
        self._connect(connection, (here, target[1]))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


@pytest.fixture
def serve(network: Network) -> t.Iterator[Serve]:
    """Starts a server with one answer per connection. Returns its URL and the requests."""
    listener = socket.create_server(("127.0.0.1", 0))

    def start(*answers: Answer) -> tuple[str, list[str]]:
        requests: list[str] = []

        def run() -> None:
            for answer in answers:
                try:
                    connection, _peer = listener.accept()
                    with connection:
                        requests.append(connection.recv(10_000).decode())
                        answer(connection)
                except OSError:
                    continue

        threading.Thread(target=run, daemon=True).start()
        return f"http://{HOST}:{listener.getsockname()[1]}", requests

    yield start
    listener.close()


@contextlib.contextmanager
def serve_tls(folder: Path) -> t.Iterator[tuple[str, Path, ssl.SSLContext]]:
    """Answers one request over TLS. Yields the URL, the CA of the certificate, and the settings of the server."""
    ca, certificate, key = make_certificates(folder, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(listener: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(listener.accept()[0], server_side=True) as connection,
        ):
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        yield f"https://{HOST}:{listener.getsockname()[1]}", ca, context
        thread.join()


def test_it_tries_again_and_returns_a_status_that_is_accepted(serve: Serve) -> None:
    url, requests = serve(say("HTTP/1.1 503 Busy\r\n\r\n"), say("HTTP/1.1 401 No\r\nContent-Length: 5\r\n\r\n"))
    assert check_address(f"{url}/status", [200, 401]) == 401
    assert [request.split()[:2] for request in requests] == [["GET", "/status"]] * 2


def test_it_follows_no_redirect_and_no_netrc(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    url, requests = serve(*[say("HTTP/1.1 302 Away\r\nLocation: /elsewhere\r\n\r\n")] * 3)
    with pytest.raises(AddressError, match=r"status 302, not 200 or 401, after 5 s \(restore_healthy_timeout\)\."):
        check_address(f"{url}/", [200, 401])
    assert len(requests) == 3
    assert not any("elsewhere" in request or "Authorization" in request for request in requests)


def test_a_response_that_comes_byte_by_byte_is_ended(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_check, "TOTAL_TIMEOUT", 0.5)
    url, _requests = serve(drip)
    with pytest.raises(AddressError, match=r": no complete response within 0\.5 s, after 0 s"):
        check_address(url, [200], timeout=0)


def test_a_failure_names_address_and_reason_in_words(serve: Serve, network: Network, tmp_path: Path) -> None:
    url, _requests = serve()
    network.dead = {PUBLIC}
    limit = "after 5 s (restore_healthy_timeout)."
    for wrong, problem in ((url, "connection refused"), (f"{url}/".replace(HOST, "no.invalid"), "unknown host")):
        with pytest.raises(AddressError) as error:
            check_address(wrong, [200])
        assert str(error.value) == f"{wrong}: {problem}, {limit}"
    network.dead = set()
    untrusted = pytest.raises(AddressError, match=r"no trusted connection to \S+ \((self|unable)")
    with serve_tls(tmp_path) as (url, _ca, _context), untrusted:
        check_address(url, [200], timeout=0)


def test_a_name_that_is_new_is_waited_for_as_the_health_is(serve: Serve, network: Network) -> None:
    url, requests = serve(say("HTTP/1.1 502 Bad\r\n\r\n"), say("HTTP/1.1 200 OK\r\n\r\n"))
    known = network.names.pop(HOST)
    asked = itertools.count()

    def look_up(host: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if next(asked) == 12:
            network.names[HOST] = known
        if host == HOST and host not in network.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    resolve, lines = socket.getaddrinfo, list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        assert check_address(url, [200], timeout=120, lines=lines) == 200
    assert len(requests) == 2
    assert lines == ["web-bot: its address: unknown host, 10 s of at most 120 s"]


@pytest.mark.parametrize(
    ("shown", "url"),
    [
        ("web-bot.clawhosters.com", "https://web-bot.clawhosters.com"),
        (" http://web-bot.clawhosters.com/ ", "http://web-bot.clawhosters.com"),
        ("HTTPS://web-bot", None),
        ("https://web-bot:8443", None),
        ("https://user@web-bot", None),
        ("http://web-bot.clawhosters.com@evil.example", None),
        ("ftp://evil.example", None),
        ("http://evil.example\\x", None),
        ("web-bot/path", None),
        ("a\nb", None),
        (None, None),
    ],
)
def test_only_a_plain_host_is_an_address(shown: object, url: str | None) -> None:
    if url:
        assert parse_address(shown) == url
    else:
        with pytest.raises(AddressError, match="no request was sent"):
            parse_address(shown)


LOCAL_ADDRESSES = ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "::ffff:127.0.0.1", "::127.0.0.1"]
LOCAL_ADDRESSES += ["2002:7f00:1::1", "2001:0:cb00:7107::80ff:fffe", "64:ff9b::a9fe:a9fe", f"{PUBLIC} 127.0.0.1"]


@pytest.mark.parametrize("addresses", LOCAL_ADDRESSES)
def test_a_name_that_leads_to_this_machine_is_not_asked(serve: Serve, network: Network, addresses: str) -> None:
    url, requests = serve(say("HTTP/1.1 200 OK\r\n\r\n"))
    network.names[HOST] = itertools.repeat(addresses.split())
    with pytest.raises(AddressError, match=LOCAL):
        check_address(url, [200])
    assert network.connected == requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "017700000001", "0", "0.0.0.0", "localhost"]
)
def test_no_spelling_of_this_machine_is_asked(serve: Serve, network: Network, host: str) -> None:
    url, requests = serve(say("HTTP/1.1 200 OK\r\n\r\n"))
    with pytest.raises(AddressError, match=LOCAL):
        check_address(url.replace(HOST, host), [200])
    assert network.connected == requests == []


@pytest.mark.parametrize("honest", range(6))
def test_a_name_that_leads_elsewhere_if_asked_again_gains_nothing(serve: Serve, network: Network, honest: int) -> None:
    """The first addresses are public, as many as ``honest`` says."""
    url, requests = serve(say("HTTP/1.1 200 OK\r\n\r\n"))
    network.names[HOST] = itertools.chain([[PUBLIC]] * honest, itertools.repeat(["127.0.0.1"]))
    with contextlib.suppress(AddressError):
        check_address(url, [200])
    assert not any(requests) or network.connected == [PUBLIC]


def test_private_addresses_are_asked_one_after_another(serve: Serve, network: Network) -> None:
    url, requests = serve(say("HTTP/1.1 200 OK\r\n\r\n"))
    addresses = ["10.0.0.1", "fd00::1", "2001:db8::7f00:1", "192.0.2.1"]
    network.names[HOST] = itertools.repeat(addresses)
    network.dead = set(addresses[:2])
    assert check_address(url, [200]) == 200
    assert network.connected == addresses[:3]
    assert re.search(rf"^Host: {HOST}:\d+\r$", requests[0], re.MULTILINE)


def test_the_certificate_is_verified_for_the_name(tmp_path: Path, serve: Serve) -> None:
    names: list[str | None] = []
    with serve_tls(tmp_path) as (url, ca, context):
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        assert check_address(url, [200], str(ca)) == 200
    assert names == [HOST]


def test_a_proxy_may_be_on_this_machine_but_no_target(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    network.names["inside.example"] = itertools.repeat(["127.0.0.1"])
    with recording_proxy() as (environment, asked):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        for host in ("inside.example", "127.1", "localhost"):
            with pytest.raises(AddressError, match=LOCAL):
                check_address(f"http://{host}/", [200])
        # This machine does not know the second name.
        for host in (HOST, "unknown.invalid"):
            assert check_address(f"http://{host}/", [200]) == 200
    assert asked == [f"http://{HOST}/", "http://unknown.invalid/"]
