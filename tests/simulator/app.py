# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ASGI application: converts requests to exchanges, passes them through the layers, and sends the responses.

Layers, from the outside in: network faults, redirects, rate limit, service faults, keys, rules for requests, the API.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import struct
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from simulator.api import build_api
from simulator.control import build_control
from simulator.errors import Refused, not_found
from simulator.exchange import Answer, Ending, Exchange, error_answer, refusal, to_json
from simulator.service import Service

PREFIX = "/api/v1"
MOVED = f"/moved{PREFIX}"  # target of redirects: the same API

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Transports = dict[tuple[str, int], asyncio.Transport]


class Application:
    def __init__(self, service: Service, transports: Transports, verbose: bool = False) -> None:
        self.service = service
        self.transports = transports
        self.verbose = verbose
        self.api = build_api()
        self.api.add_exception_handler(HTTPException, self._no_route)
        self.api.add_exception_handler(Refused, self._refused)
        self.routes = [route for route in self.api.routes if isinstance(route, Route)]
        self.control = build_control(service)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith("/_sim/"):
            await self.control(scope, receive, send)
            return
        prefix = next((prefix for prefix in (PREFIX, MOVED) if path.startswith(f"{prefix}/")), None)
        if prefix is None:
            await self._deliver(refusal(not_found(), "object"), scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return  # the client disconnected while sending
        exchange = self._exchange(scope, path.removeprefix(prefix), body, receive)
        self.service.log.append(exchange)
        try:
            answer = await self.service.faults.on_the_wire(exchange, self._redirect)
        except Exception:  # a bug of the simulator: report it and continue
            traceback.print_exc()
            answer = error_answer(500, "internal_server_error", "The simulator has a bug; see its standard error.")
        if exchange.switches.compression == "gzip" and "gzip" in exchange.headers.get("accept-encoding", ""):
            _compress(answer)
        exchange.status = answer.status or None
        exchange.scope = None  # not needed by the log, which may grow long
        if self.verbose:
            self._tell(exchange)
        await self._deliver(answer, scope, receive, send)

    def _exchange(self, scope: Any, path: str, body: bytes, receive: Receive) -> Exchange:
        service = self.service
        service.requests += 1

        async def pause(seconds: float) -> None:
            hung_up = asyncio.ensure_future(_hung_up(receive))
            await asyncio.wait({hung_up}, timeout=seconds)
            hung_up.cancel()

        return Exchange(
            number=service.requests,
            at=service.clock(),
            method=scope["method"],
            path=path,
            route=self._route(_numbered(path, service.switches.id_prefix)),
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
            client=":".join(map(str, scope["client"] or ())),
            scope=scope,
            world=service.world,  # the current one: a late request must not change the world after a reset
            switches=service.switches,
            pause=pause,
        )

    def _route(self, path: str) -> str | None:
        return next((route.path_format for route in self.routes if route.path_regex.match(path)), None)

    # --- Layers -----------------------------------------------------------------------------------------------------

    async def _redirect(self, exchange: Exchange) -> Answer:
        """Redirects every request to this host or to its other name (contract 11, U14)."""
        switches = exchange.switches
        if switches.redirect == "none" or exchange.scope["path"].startswith(MOVED):
            return await self._limit(exchange)
        host = exchange.headers.get("host", "")
        if switches.redirect == "other_host":
            name, _colon, port = host.rpartition(":")
            host = f"{'127.0.0.1' if name == 'localhost' else 'localhost'}:{port}"
        query = exchange.scope["query_string"].decode("latin-1")
        location = f"http://{host}{MOVED}{exchange.path}{'?' if query else ''}{query}"
        return Answer(switches.redirect_status, {"location": location})

    async def _limit(self, exchange: Exchange) -> Answer:
        answer = await self.service.limiter.limit(exchange, self._serve)
        if exchange.switches.request_id:
            answer.headers["x-request-id"] = f"req_{exchange.number:06d}"
        return answer

    async def _serve(self, exchange: Exchange) -> Answer:
        return await self.service.faults.in_the_service(exchange, self._let_in)

    async def _let_in(self, exchange: Exchange) -> Answer:
        """Checks the key and the rules for requests, then calls the API."""
        switches = exchange.switches
        try:
            if exchange.path != "/health" and self.service.keys.judge(exchange.key, switches) == "foreign":
                exchange.world = self.service.foreign_world
            self._check(exchange)
        except Refused as refused:
            return refusal(refused, switches.details_shape)
        exchange.world.progress.tick()
        return await self._call_api(exchange)

    def _check(self, exchange: Exchange) -> None:
        """Applies rules that are not specific to one endpoint."""
        switches = exchange.switches
        call = f"{exchange.method} {exchange.path}"
        if any(fnmatchcase(call, rule) or fnmatchcase(exchange.path, rule) for rule in switches.forbidden):
            raise Refused(403, "forbidden", "This key lacks permission for this.")
        if call == "POST /instances" and switches.create_instance == 404:
            raise not_found()
        media_type = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        required = switches.content_type_required
        if required and exchange.method in ("POST", "PATCH", "DELETE") and media_type != "application/json":
            code = {400: "bad_request", 415: "unsupported_media_type"}[required]
            raise Refused(required, code, "The Content-Type must be application/json.")

    async def _call_api(self, exchange: Exchange) -> Answer:
        switches = exchange.switches
        path = _numbered(exchange.path, switches.id_prefix)
        if path.endswith("/") and switches.trailing_slash != "not_found":
            path = path.rstrip("/")
            if switches.trailing_slash == "redirect":
                return Answer(301, {"location": PREFIX + path})
        scope = {
            **exchange.scope,
            "method": exchange.method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "exchange": exchange,
        }
        answer = Answer(0)

        async def receive() -> Message:
            return {"type": "http.request", "body": exchange.body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
                answer.headers.pop("content-length", None)
            else:
                answer.body += message.get("body", b"")

        await self.api(scope, receive, send)
        if switches.change_answer == "message" and exchange.method != "GET" and answer.status < 300 and answer.body:
            answer.body = to_json({"data": {"message": "Accepted."}})
        return answer

    # --- Errors -----------------------------------------------------------------------------------------------------

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        answer = refusal(error, request.scope["exchange"].switches.details_shape)
        return Response(answer.body, answer.status, answer.headers)

    async def _no_route(self, request: Request, error: Exception) -> Response:
        """Returns 404, or 405 with all methods of the path."""
        allowed = sorted(
            method
            for route in self.routes
            if route.matches({**request.scope, "type": "http"})[0] is not Match.NONE
            for method in route.methods or ()
        )
        if not allowed:
            answer = refusal(not_found(), "object")
        else:
            answer = error_answer(405, "method_not_allowed", "This method is not allowed for this path.")
            answer.headers["allow"] = ", ".join(allowed)
        return Response(answer.body, answer.status, answer.headers)

    # --- The wire ---------------------------------------------------------------------------------------------------

    async def _deliver(self, answer: Answer, scope: Any, receive: Receive, send: Send) -> None:
        transport = self.transports.get(scope["client"])
        if answer.ending in (Ending.RESET, Ending.CLOSE):
            if transport is not None:
                _cut(transport, reset=answer.ending is Ending.RESET)
            await _hung_up(receive)
            return
        headers = {"date": formatdate(self.service.clock() + self.service.skew, usegmt=True)} | answer.headers
        truncated = answer.ending is Ending.TRUNCATED
        if answer.status != 204:
            headers["content-length"] = str(len(answer.body) + (1 if truncated and not answer.body else 0))
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [
                    (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()
                ],
            }
        )
        if truncated:
            half = answer.body[: len(answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            if transport is not None:
                transport.close()
            await _hung_up(receive)
            return
        await send({"type": "http.response.body", "body": answer.body})

    def _tell(self, exchange: Exchange) -> None:
        at = time.strftime("%H:%M:%S", time.localtime(exchange.at))
        query = "&".join(f"{name}={value}" for name, value in exchange.query.items())
        marks = [f"fault: {exchange.fault.kind}"] if exchange.fault else []
        marks += ["the world changed"] if exchange.effect else []
        print(
            f"{at} #{exchange.number} {exchange.method} {exchange.path}{'?' if query else ''}{query}"
            f" -> {exchange.status or 'cut'}{'  (' + ', '.join(marks) + ')' if marks else ''}",
            file=sys.stderr,
            flush=True,
        )


def _numbered(path: str, prefix: str | None) -> str:
    """Returns the path with the numbers of its ids. With a prefix, an id without it is unknown."""
    if prefix is None:
        return path
    parts = [re.sub(r"^\d", "-", part) for part in path.split("/")]
    return "/".join(re.sub(rf"^{re.escape(prefix)}(?=\d+$)", "", part) for part in parts)


async def _body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _compress(answer: Answer) -> None:
    if answer.body:
        answer.body = gzip.compress(answer.body)
        answer.headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}


def _cut(transport: asyncio.Transport, reset: bool) -> None:
    if reset:
        # Without lingering, the kernel sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()
