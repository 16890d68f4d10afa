# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Over real TLS: which certificate authorities verify the service (interface 1), and what a lost response means."""

from __future__ import annotations

import socket
import ssl
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError, TlsError, TransportError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.acceptance import parse_changed
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.connections import TimeLimit
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from support import KEY
from support.certificates import make_certificates
from support.proxy import TcpProxy
from support.raw_service import Raw, raw_service

HOST = "clawhosters.example"
"""Not a name of this machine, for which the environment would not count."""
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def right_ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The CA that has signed the certificate of the service."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "right").mkdir()
    return make_certificates(tmp_path / "right", HOST)[0]


@pytest.fixture
def wrong_ca(tmp_path: Path) -> Path:
    (tmp_path / "wrong").mkdir()
    return make_certificates(tmp_path / "wrong", HOST)[0]


def client_of(api_url: str, ca: Path | None = None, **options: t.Any) -> Client:
    given = {"api_key": KEY, "api_url": api_url, "ca_path": ca and str(ca), "retry_timeout": 0.0, **options}
    return Client(parse_settings(given, pytest.fail))


def answer(method: str, path: str) -> Raw:
    time.sleep({"/health": 2.0, "/instances": 0.5}.get(path, 0.0))
    if method == "POST":
        raise ConnectionAbortedError("The connection closes without a response.")
    return 200, {}, b'{"data": {"id": 1}}'


class TunnelProxy(TcpProxy):
    """Accepts each CONNECT."""

    def greet(self, client: socket.socket) -> socket.socket:
        """Reads the request for the tunnel, and opens it."""
        while not client.recv(4096).endswith(b"\r\n\r\n"):
            pass
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        return client


class TlsTunnelProxy(TunnelProxy):
    """The same, over TLS to the proxy."""

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__(port)

    def greet(self, client: socket.socket) -> socket.socket:
        """Reads the request for the tunnel, and opens it."""
        return super().greet(self._tls.wrap_socket(client, server_side=True))


@pytest.fixture
def tls(right_ca: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(right_ca.with_name("server.pem"), right_ca.with_name("server.key"))
    return context


@pytest.fixture
def api_url(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    resolve = socket.getaddrinfo

    def resolve_here(host: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        return resolve("127.0.0.1" if host == HOST else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    with raw_service(answer, tls) as options:
        yield f"https://{HOST}:{urlsplit(options['api_url']).port}"


@pytest.mark.parametrize(
    ("ca_path", "bundle", "is_verified"),
    [
        ("right_ca", None, True),
        ("right_ca", "wrong_ca", True),
        ("wrong_ca", "right_ca", False),
        (None, "right_ca", True),
        (None, "wrong_ca", False),
        (None, None, False),
    ],
)
def test_ca_path_comes_before_the_environment(
    api_url: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    ca_path: str | None,
    bundle: str | None,
    is_verified: bool,
) -> None:
    if bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(request.getfixturevalue(bundle)))
    client = client_of(api_url, request.getfixturevalue(ca_path) if ca_path else None)
    if is_verified:
        assert client.fetch_data("/account") == {"id": 1}
    else:
        with pytest.raises(TlsError):
            client.fetch_data("/account")


def test_a_certificate_for_another_name_is_not_trusted(api_url: str, right_ca: Path) -> None:
    client = client_of(api_url.replace(HOST, "127.0.0.1"), right_ca)
    with pytest.raises(TlsError, match=r"no trusted connection to 127\.0\.0\.1:\d+ \(.*(mismatch|match)"):
        client.fetch_data("/account")


@pytest.mark.parametrize("is_behind_proxy", [False, True])
@pytest.mark.parametrize("is_kept", [False, True])
def test_a_response_that_was_lost_was_perhaps_sent(
    api_url: str, right_ca: Path, monkeypatch: pytest.MonkeyPatch, is_behind_proxy: bool, is_kept: bool
) -> None:
    """Behind a proxy, urllib3 says that the proxy can't be reached."""
    if is_behind_proxy:
        proxy = TunnelProxy(urlsplit(api_url).port or 0)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    client = client_of(api_url, right_ca)
    if is_kept:
        assert client.fetch_data("/account") == {"id": 1}
    with pytest.raises(TransportError, match="broke before the response was complete") as lost:
        client.request("POST", "/backups/31/restore", parse=parse_changed)
    assert lost.value.may_have_been_sent


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("proxy", [None, "tunnel", "tunnel over TLS"])
def test_a_request_ends_after_its_timeout_through_any_proxy(
    api_url: str, right_ca: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, proxy: str | None
) -> None:
    port = urlsplit(api_url).port or 0
    if proxy == "tunnel":
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{TunnelProxy(port).port}")
    elif proxy:
        monkeypatch.setenv("https_proxy", f"https://{HOST}:{TlsTunnelProxy(port, tls).port}")
    # Two handshakes may take longer than half a second on a busy machine.
    assert client_of(api_url, right_ca, timeout=60).fetch_data("/account") == {"id": 1}
    with pytest.raises(TransportError, match=r"within 0\.5 s \(timeout\)"):
        client_of(api_url, right_ca, timeout=0.5).fetch_data("/health")


def test_without_a_proxy_in_the_environment_the_system_is_not_asked_for_one(
    api_url: str, right_ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS, the system's library for it crashes forked processes."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("getproxies", "proxy_bypass"):
        monkeypatch.setattr(requests.utils, name, lambda *_of: pytest.fail("the system is asked"))
    assert client_of(api_url, right_ca).fetch_data("/account") == {"id": 1}


def test_a_bundle_that_is_not_there_is_named(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(SettingsError, match=r"REQUESTS_CA_BUNDLE /nowhere/ca\.pem does not exist\."):
        client_of(api_url)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_that_is_no_pem_file_is_trusted_with_nothing(
    api_url: str, right_ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    bundle = tmp_path / "notes.txt"
    bundle.write_text("no certificate\n", encoding="utf-8")
    monkeypatch.setenv(variable, str(bundle))
    with pytest.raises(TlsError, match=r"no trusted connection to \S+ \(no certificate or crl found\)"):
        client_of(api_url).fetch_data("/account")
    # It does not count beside ca_path.
    assert client_of(api_url, right_ca).fetch_data("/account") == {"id": 1}


def test_a_dead_address_leaves_time_for_others(api_url: str, right_ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a dead IPv6 address and a good IPv4 one."""
    resolve = socket.getaddrinfo
    with socket.socket() as dead:
        # Not accepted: the queue of waiting connections is full.
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        fillers = [socket.socket() for _number in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(dead.getsockname())

        def resolve_both(host: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
            (good, *_others) = resolve(host, *args, **options)
            return [(*good[:4], dead.getsockname()), good]

        def watch(limit: TimeLimit, connection: socket.socket) -> None:
            timeouts.append(connection.gettimeout())
            watch_it(limit, connection)

        watch_it, timeouts = TimeLimit.watch, []
        monkeypatch.setattr(TimeLimit, "watch", watch)
        monkeypatch.setattr(socket, "getaddrinfo", resolve_both)
        assert client_of(api_url, right_ca, timeout=4).fetch_data("/instances") == {"id": 1}
        # The handshake that follows has all of it.
        assert timeouts[0] == 4
        for filler in fillers:
            filler.close()
