# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS in front of the simulator, since the collection sends a key over a network by https only.

It records the requests of each node. A test can hold one of them, before it reaches the simulator or before its
response reaches the node.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HOP_HEADERS = ("connection", "keep-alive", "transfer-encoding")


class Request(t.NamedTuple):
    """A request of the node with this address: ``POST /api/v1/backups/3/restore``."""

    node: str
    call: str
    at: float
    """Time of the monotonic clock."""


@dataclass
class Hold:
    """Holds the first request of a node that matches the glob ``call``, or its response.

    With ``after``, it must follow a request that matches that glob and was answered.
    """

    node: str
    call: str
    after: str = "*"
    is_response: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)
    _is_dropped: bool = False
    _is_used: bool = False

    def matches(self, request: Request, answered: t.Iterable[Request]) -> bool:
        """Returns True, once, for the request to hold."""
        if self._is_used or self.node != request.node or not fnmatchcase(request.call, self.call):
            return False
        if self.after != "*" and not any(
            one.node == self.node and fnmatchcase(one.call, self.after) for one in answered
        ):
            return False
        self._is_used = True
        return True

    def release(self) -> None:
        """Lets it go on."""
        self._released.set()

    def drop(self) -> None:
        """Loses it, and closes the connection."""
        self._is_dropped = True
        self._released.set()

    def wait(self) -> None:
        """Waits until it is released. Raises ConnectionError if it is dropped."""
        self.reached.set()
        self._released.wait()
        if self._is_dropped:
            raise ConnectionAbortedError


class Gateway:
    """The gateway on ``address``, for the simulator at ``upstream``."""

    def __init__(self, address: str, certificate: Path, key: Path, upstream: str) -> None:
        self.requests: list[Request] = []
        self.answered: list[Request] = []
        self._holds: list[Hold] = []
        self._lock = threading.Lock()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._upstream = urlsplit(upstream)
        self._server = Server((address, 0), self._build_handler())
        self.url = f"https://{address}:{self._server.server_port}{self._upstream.path}"

    def __enter__(self) -> Gateway:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def clear(self) -> None:
        """Forgets all requests, and drops what is held."""
        with self._lock:
            holds, self._holds = self._holds, []
            self.requests, self.answered = [], []
        for hold in holds:
            hold.drop()

    def hold(self, node: str, call: str, *, after: str = "*", is_response: bool = False) -> Hold:
        """Adds a hold, see :class:`Hold`."""
        hold = Hold(node, call, after, is_response)
        with self._lock:
            self._holds.append(hold)
        return hold

    def calls(self, node: str, wanted: str = "*") -> list[str]:
        """Returns the requests of a node that match the glob, in order."""
        return [one.call for one in self.requests if one.node == node and fnmatchcase(one.call, wanted)]

    def _build_handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            request: t.Any

            def setup(self) -> None:
                # Here, since each connection has its own thread here.
                self.request.settimeout(60)
                self.request = gateway._context.wrap_socket(self.request, server_side=True)
                self.request.settimeout(None)
                super().setup()
                self.upstream = http.client.HTTPConnection(gateway._upstream.netloc)

            def finish(self) -> None:
                super().finish()
                self.upstream.close()

            def relay(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.client_address[0], f"{self.command} {self.path}", time.monotonic())
                hold = gateway._record(request)
                if hold and not hold.is_response:
                    hold.wait()
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_HEADERS}
                self.upstream.request(self.command, self.path, body or None, headers)
                response = self.upstream.getresponse()
                content = response.read()
                if hold and hold.is_response:
                    hold.wait()
                gateway.answered.append(request)
                self.send_response_only(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in HOP_HEADERS:
                        self.send_header(name, value)
                self._headers_buffer.append(b"\r\n" + content)  # one packet
                self.flush_headers()

            do_GET = do_POST = do_PATCH = do_DELETE = relay

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def _record(self, request: Request) -> Hold | None:
        with self._lock:
            self.requests.append(request)
            return next((hold for hold in self._holds if hold.matches(request, self.answered)), None)


class Server(ThreadingHTTPServer):
    """A thread for each connection. A node that is killed or cut off is no error."""

    request_queue_size = 256
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Closes the connection quietly."""
        with contextlib.suppress(OSError):
            request.close()
