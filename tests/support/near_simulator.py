# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulator in a thread of the tests, which costs them less than a process of its own. It is called over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import typing as t
from pathlib import Path

import uvicorn

from simulator.app import PREFIX
from simulator.control import build_control
from simulator.handle import Simulator, SimulatorError
from simulator.server import configure, listen
from simulator.service import Seed, Service


class Server(uvicorn.Server):
    """A server that leaves the signals to the tests."""

    @contextlib.contextmanager
    def capture_signals(self) -> t.Iterator[None]:
        """Does nothing."""
        yield


class NearSimulator(Simulator):
    """Like its base class. It ends with this process, and control requests are calls without HTTP.

    ``tls``: the files of a certificate and its key.
    """

    def __init__(self, host: str = "127.0.0.1", tls: tuple[Path, Path] | None = None) -> None:
        service = Service(Seed({"instances": 60}, {"rate_limit": 1_000_000, "transition_seconds": 0}))
        listener = listen(host, 0)
        self.origin = f"{'https' if tls else 'http'}://{host}:{listener.getsockname()[1]}"
        self.url = self.origin + PREFIX
        self._control = build_control(service)
        self._loop = asyncio.new_event_loop()
        config = configure(service)
        if tls:
            config.ssl_certfile, config.ssl_keyfile = tls
        serve = Server(config).serve(sockets=[listener])
        threading.Thread(target=self._loop.run_until_complete, args=(serve,), daemon=True).start()

    def control(self, method: str, path: str, body: t.Any = None) -> t.Any:
        call = self._call(method, f"/_sim{path}", b"" if body is None else json.dumps(body).encode())
        status, content = asyncio.run_coroutine_threadsafe(call, self._loop).result(60)
        if status >= 400:
            raise SimulatorError(content["error"])
        return content

    async def _call(self, method: str, path: str, body: bytes) -> tuple[int, t.Any]:
        start, sent = {}, b""

        async def receive() -> dict[str, t.Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: t.Any) -> None:
            nonlocal sent
            start.update(message)
            sent += message.get("body", b"")

        scope = {"type": "http", "method": method, "path": path, "root_path": "", "query_string": b"", "headers": []}
        await self._control(scope, receive, send)
        return start["status"], json.loads(sent)
