# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the two other services, in its own process: `python -m benchmarks.standin --servers 300`.

It counts requests, and delays every response by the latency. It prints its URL as the first line, and exits when
standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import threading
from urllib.parse import parse_qsl, urlsplit

from benchmarks.answers import NOT_FOUND, Hetzner, Vultr

CONTROL = "/_control"
TEXTS = {200: "OK", NOT_FOUND: "Not Found"}


class Standin:
    """Serves both APIs. A change of the latency resets the count."""

    def __init__(self, servers: int) -> None:
        self._services = (Hetzner(servers), Vultr(servers))
        self._latency = 0.0
        self._requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until it is closed."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            kept = True
            while kept:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1].decode()
                kept = b"\r\nconnection: close" not in head.lower()
                answer = self._control(target) if target.startswith(CONTROL) else self._answer(target)
                if self._latency and not target.startswith(CONTROL):
                    await asyncio.sleep(self._latency)
                writer.write(answer)
                await writer.drain()
        writer.close()

    def _control(self, target: str) -> bytes:
        """Returns the count. A latency in the query is applied, and resets it."""
        counts = json.dumps({"requests": self._requests}).encode()
        if query := urlsplit(target).query:
            self._latency = float(dict(parse_qsl(query))["latency"])
            self._requests = 0
        return _message(200, "", counts)

    def _answer(self, target: str) -> bytes:
        service = next((service for service in self._services if target.startswith(service.prefix)), None)
        if service is None:
            return _message(NOT_FOUND, "", b"{}")
        self._requests += 1
        status, body = service.reply(target.removeprefix(service.prefix))
        return _message(status, service.headers, body)


def _message(status: int, headers: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {TEXTS[status]}\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _main(servers: int) -> None:
    standin = Standin(servers)
    # A large backlog: fifty forks connect at once.
    server = await asyncio.start_server(standin.serve, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def _leave_with_parent() -> None:
    while sys.stdin.buffer.read(1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=60)
    arguments = parser.parse_args()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    asyncio.run(_main(arguments.servers))
