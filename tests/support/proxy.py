# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies: one for HTTP that answers requests itself and records their addresses, so tests need no DNS and no fixed
port; one for any connection that holds bytes back.
"""

from __future__ import annotations

import socket
import threading
import typing as t
from contextlib import contextmanager, suppress

from .raw_service import Raw, raw_service


@contextmanager
def recording_proxy() -> t.Iterator[tuple[dict[str, str], list[str]]]:
    """Yields the environment that selects the proxy, except for this machine, and the requested addresses."""
    requested: list[str] = []

    def answer(method: str, path: str) -> Raw:
        requested.append(path)
        # Names that are also keys of module results.
        headers = dict.fromkeys(("Api", "Error", "Instance", "Restore"), "any text")
        return 403 if method == "CONNECT" else 404 if path.endswith("/nowhere") else 200, headers, b""

    with raw_service(answer) as options:
        address = options["api_url"]
        yield {"http_proxy": address, "https_proxy": address, "no_proxy": "127.0.0.1"}, requested


class TcpProxy:
    def __init__(self, port: int) -> None:
        self._target = port
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_after = b""
        """Ends a connection with the first bytes that hold these."""
        self.connections = 0
        """Number of connections so far."""
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Holds back all bytes until ``release``. Connections are still accepted."""
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    def greet(self, client: socket.socket) -> socket.socket | None:
        """Returns the connection to forward, None to drop it."""
        return client

    def _accept(self) -> None:
        while True:
            client = self.greet(self._listener.accept()[0])
            self.connections += 1
            if client:
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._flows.wait()
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            requests = threading.Thread(target=self._forward, args=(client, server), daemon=True)
            requests.start()
            self._forward(server, client)
            requests.join()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
                if self.cut_after and self.cut_after in data:
                    break
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return
