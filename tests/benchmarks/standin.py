# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the two other services, in its own process: `python -m benchmarks.standin 300`.

It counts requests. It prints its URL as the first line, and exits when standard input is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading

from benchmarks.answers import NOT_FOUND, Hetzner, Vultr

COUNT = "/_count"
"""The path of the count. A DELETE resets it."""
TEXTS = {200: "OK", NOT_FOUND: "Not Found"}


class Standin:
    def __init__(self, servers: int) -> None:
        self._services = (Hetzner(servers), Vultr(servers))
        self._requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            kept = True
            while kept:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target = head.decode().split(" ", 2)[:2]
                kept = b"\r\nconnection: close" not in head.lower()
                writer.write(self._count(method) if target == COUNT else self._answer(target))
                await writer.drain()
        writer.close()

    def _count(self, method: str) -> bytes:
        if method == "DELETE":
            self._requests = 0
        return _message(200, "", str(self._requests).encode())

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
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    asyncio.run(_main(int(sys.argv[1])))
