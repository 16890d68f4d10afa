# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service with raw responses, for what the simulator never sends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import KEY

Raw = tuple[int, dict[str, str], bytes]
"""Status, headers and body of a response."""


@contextlib.contextmanager
def raw_service(answer: t.Callable[[str, str], Raw], tls: ssl.SSLContext | None = None) -> t.Iterator[dict[str, t.Any]]:
    """Serves ``answer(method, path)``, over TLS if there is a context. Yields the options that connect to it."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answer(self.command, self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError, ssl.SSLError):  # The client may close early.
                self.wfile.write(body)

        do_GET = do_POST = do_CONNECT = answer

        def log_message(self, *_message: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield options_for(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def raw_connection(answer: t.Callable[[socket.socket], None]) -> t.Iterator[int]:
    """Passes the first connection to ``answer`` after its request. Yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _address = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def options_for(port: int) -> dict[str, t.Any]:
    """Returns options for a port of this machine, without retries."""
    return {"api_key": KEY, "api_url": f"http://127.0.0.1:{port}", "timeout": 20, "retry_timeout": 0}
