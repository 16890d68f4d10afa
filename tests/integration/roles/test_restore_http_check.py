# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of the role restore to the address of an instance, against a server that may do anything."""

from __future__ import annotations

import socket
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore import address
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.address import (
    AddressError,
    check_address,
    parse_address,
)

Answer = t.Callable[[socket.socket], None]


def say(text: str) -> Answer:
    return lambda connection: connection.sendall(text.encode())


def drip(connection: socket.socket) -> None:
    """Sends a header without end, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while True:
        connection.sendall(b"x")
        if threading.Event().wait(0.05):
            return


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[..., tuple[str, list[str]]]]:
    """Starts a server with one answer per connection. Returns its URL and the requests."""
    monkeypatch.setattr(address, "DELAY", 0)
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
        return f"http://127.0.0.1:{listener.getsockname()[1]}", requests

    yield start
    listener.close()


def test_it_tries_again_and_returns_a_status_that_is_accepted(serve: t.Any) -> None:
    url, requests = serve(say("HTTP/1.1 503 Busy\r\n\r\n"), say("HTTP/1.1 401 No\r\nContent-Length: 5\r\n\r\n"))
    assert check_address(f"{url}/status", [200, 401]) == 401
    assert [request.split()[:2] for request in requests] == [["GET", "/status"]] * 2


def test_it_follows_no_redirect_and_reads_no_netrc(
    serve: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    url, requests = serve(*[say("HTTP/1.1 302 Away\r\nLocation: /elsewhere\r\n\r\n")] * 3)
    with pytest.raises(AddressError, match=r"It responded with status 302, not 200 or 401\."):
        check_address(f"{url}/", [200, 401])
    assert len(requests) == 3
    assert not any("elsewhere" in request or "Authorization" in request for request in requests)


def test_a_response_that_comes_byte_by_byte_is_ended(serve: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "TOTAL_TIMEOUT", 0.5)
    monkeypatch.setattr(address, "ATTEMPTS", 1)
    url, _requests = serve(drip)
    with pytest.raises(AddressError, match=r"No response within 0\.5 s\."):
        check_address(url, [200])


def test_no_connection_is_one_line(serve: t.Any) -> None:
    url, _requests = serve()
    port = url.rpartition(":")[2]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(AddressError) as error:
            check_address(url.replace(port, str(unused.getsockname()[1])), [200])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("shown", "url"),
    [
        ("web-bot.clawhosters.com", "https://web-bot.clawhosters.com"),
        (" http://web-bot.clawhosters.com/ ", "http://web-bot.clawhosters.com"),
        ("HTTPS://web-bot", None),
        ("https://web-bot:8443", None),
        ("https://user@web-bot", None),
        ("web-bot/path", None),
        ("web-bot\n", "https://web-bot"),
        ("a\nb", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_plain_host_is_an_address(shown: object, url: str | None) -> None:
    if url:
        assert parse_address(shown) == url
    else:
        with pytest.raises(AddressError, match="no request was sent"):
            parse_address(shown)
