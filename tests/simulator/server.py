# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server process: listens on one socket, prints its URL, and exits promptly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import typing as t
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulator.app import PREFIX, Application, Transports
from simulator.service import Service

TRANSPORTS: Transports = {}


class Connection(H11Protocol):
    """A connection that the application can close: uvicorn itself gives no access to the transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connected = t.cast("asyncio.Transport", transport)
        super().connection_made(connected)
        if self.client is not None:
            TRANSPORTS[self.client] = connected

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.client is not None:
            TRANSPORTS.pop(self.client, None)


class Server(uvicorn.Server):
    """A server that prints its URL when ready, and exits at once even if requests are pending."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self.url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self.url, flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Exits with code 0; uvicorn would raise the signal again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.leave)
        yield

    def leave(self) -> None:
        self.should_exit = self.force_exit = True
        for transport in list(TRANSPORTS.values()):
            transport.abort()

    def leave_with_parent(self) -> None:
        """Exits when standard input is closed, which means that the parent process ended."""
        loop = asyncio.get_running_loop()

        def watch() -> None:
            while os.read(sys.stdin.fileno(), 1024):
                pass
            loop.call_soon_threadsafe(self.leave)

        threading.Thread(target=watch, daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol, asyncio sets TCP_NODELAY; otherwise each response waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except BaseException:
        listener.close()
        raise
    return listener


def configure(service: Service, *, verbose: bool = False) -> uvicorn.Config:
    logging.getLogger("uvicorn").disabled = True
    logging.getLogger("uvicorn.error").disabled = True
    return uvicorn.Config(
        Application(service, TRANSPORTS, verbose),
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # set by the application, since the clock may be skewed
        timeout_keep_alive=75,
        timeout_graceful_shutdown=0,
    )


def serve(service: Service, listener: socket.socket, host: str, verbose: bool, exit_with_parent: bool) -> None:
    config = configure(service, verbose=verbose)
    port = listener.getsockname()[1]
    server = Server(config, f"http://{f'[{host}]' if ':' in host else host}:{port}{PREFIX}")

    async def main() -> None:
        if exit_with_parent:
            server.leave_with_parent()
        await server.serve(sockets=[listener])

    asyncio.run(main())
