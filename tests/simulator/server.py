# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process: one listening socket, the line that says where, and a prompt end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulator.app import PREFIX, Application, Transports
from simulator.service import Service

TRANSPORTS: Transports = {}


class Connection(H11Protocol):
    """One that the application can cut off: uvicorn itself gives no access to the transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            TRANSPORTS[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.client is not None:
            TRANSPORTS.pop(self.client, None)


class Server(uvicorn.Server):
    """A server that tells its URL once it answers, and leaves at once when told to, whatever hangs."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self.url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        print(self.url, flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave with exit code 0; uvicorn would raise the signal again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.leave)
        yield

    def leave(self) -> None:
        """Hang up on everybody and go."""
        self.should_exit = self.force_exit = True
        for transport in list(TRANSPORTS.values()):
            transport.abort()

    def leave_with_parent(self) -> None:
        """Go when standard input ends: whoever started this process has gone, or wants it to."""
        loop = asyncio.get_running_loop()

        def watch() -> None:
            while os.read(sys.stdin.fileno(), 1024):
                pass
            loop.call_soon_threadsafe(self.leave)

        threading.Thread(target=watch, daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; OSError if there is none to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends small packets at once; without, each answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except BaseException:
        listener.close()
        raise
    return listener


def serve(service: Service, listener: socket.socket, host: str, verbose: bool, exit_with_parent: bool) -> None:
    """Serve until told to leave."""
    logging.getLogger("uvicorn").disabled = True
    logging.getLogger("uvicorn.error").disabled = True
    config = uvicorn.Config(
        Application(service, TRANSPORTS, verbose),
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the application's, since the clock may be put wrong
        timeout_keep_alive=75,
        timeout_graceful_shutdown=0,
    )
    port = listener.getsockname()[1]
    server = Server(config, f"http://{f'[{host}]' if ':' in host else host}:{port}{PREFIX}")

    async def main() -> None:
        if exit_with_parent:
            server.leave_with_parent()
        await server.serve(sockets=[listener])

    asyncio.run(main())
