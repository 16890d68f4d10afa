# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand: what networks, proxies and tired services do, to the requests that a tester picks.

Two layers. `on_the_wire` is the outermost: a cut or silent connection, or a proxy in front of the service, which
knows neither rate limit nor keys. `in_the_service` sits behind the rate limit, so those answers count and carry its
headers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from simulator.errors import BadControl
from simulator.exchange import Answer, Ending, Exchange, Handler, error_answer
from simulator.ratelimit import RateLimiter
from simulator.switches import nearest

Kind = Literal[
    "reset_before",
    "reset_after",
    "close_before",
    "close_after",
    "hang",
    "hang_after",
    "slow",
    "truncated",
    "truncated_json",
    "wrong_type",
    "empty",
    "html_200",
    "html_502",
    "html_503",
    "json_500",
    "json_503",
    "status",
    "rate_limited",
    "unauthorized",
    "forbidden",
    "not_found",
    "redirect",
    "vanish_between_pages",
    "insert_between_pages",
]
KINDS: tuple[str, ...] = get_args(Kind)

SECONDS = {"hang": 60.0, "hang_after": 60.0}

# Status, code and message of the answers that the service itself would give.
SERVICE_ERRORS: dict[str, tuple[int, str, str]] = {
    "json_500": (500, "internal_server_error", "Something went wrong on our side."),
    "json_503": (503, "service_unavailable", "The service is being worked on."),
    "unauthorized": (401, "unauthorized", "The key is wrong."),
    "forbidden": (403, "forbidden", "This key may not do that."),
    "not_found": (404, "not_found", "There is nothing here under that address."),
}
PAGES = {
    "html_200": (200, "Please log in to the guest network"),
    "html_502": (502, "Bad Gateway"),
    "html_503": (503, "Service Temporarily Unavailable"),
}


def _option(default: Any, description: str, **limits: Any) -> Any:
    return Field(default=default, description=description, **limits)


class Fault(BaseModel):
    """One fault: its kind, the requests it waits for, how often it strikes, and what it then does."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    method: str | None = _option(None, "only requests with this method")
    path: str | None = _option(None, "only these paths: a glob without /api/v1, in which * crosses slashes")
    skip: NonNegativeInt = _option(0, "matching requests to let through first")
    times: PositiveInt | None = _option(1, "how often it strikes; null is for ever")
    seconds: NonNegativeFloat | None = _option(None, "hang, slow: how long; rate_limited: wait announced")
    after_effect: bool = _option(False, "the request is carried out before it gets this answer")
    status: int | None = _option(None, "status, redirect: the HTTP status", ge=200, le=599)
    code: str | None = _option(None, "error.code")
    message: str | None = _option(None, "error.message")
    details: Any = _option(None, "error.details, of any form")
    body: Any = _option(None, "wrong_type: the JSON to send instead")
    headers: dict[str, str] = _option({}, "further headers of the answer")
    retry_after: str = _option("none", "rate_limited: none, seconds, http_date, or any text to send")
    reset: str = _option("unix", "rate_limited: unix, delta, milliseconds, past, none, or any text to send")
    location: str | None = _option(None, "redirect: where to")
    id: int | None = _option(None, "vanish, insert: which instance; else the first one shown, or the smallest free id")

    _number: int = PrivateAttr(0)
    _matched: int = PrivateAttr(0)
    _struck: int = PrivateAttr(0)

    @model_validator(mode="after")
    def _complete(self) -> Fault:
        if self.kind == "status" and self.status is None:
            raise ValueError("the kind status needs a status")
        if self.kind == "redirect" and self.location is None:
            raise ValueError("the kind redirect needs a location")
        return self

    @property
    def is_over(self) -> bool:
        """Whether it has struck often enough."""
        return self.times is not None and self._struck >= self.times

    def strikes(self, exchange: Exchange) -> bool:
        """Whether it is this request's turn."""
        if self.is_over or (self.method and self.method.upper() != exchange.method):
            return False
        if self.path and not fnmatchcase(exchange.path, self.path):
            return False
        self._matched += 1
        if self._matched <= self.skip:
            return False
        self._struck += 1
        return True

    def describe(self) -> dict[str, Any]:
        """For `/_sim/faults`."""
        counters = {"number": self._number, "matched": self._matched, "struck": self._struck}
        return counters | self.model_dump(exclude_defaults=True)


class Faults:
    """The faults in wait; each request meets at most one, the oldest that fits."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter = limiter
        self.waiting: list[Fault] = []
        self._added = 0

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Lay one out."""
        kind = wanted.get("kind")
        if kind not in KINDS:
            raise BadControl(f"there is no fault {kind!r}{nearest(str(kind), KINDS)}")
        try:
            fault = Fault.model_validate(wanted)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or kind
            hint = nearest(where, Fault.model_fields) if first["type"] == "extra_forbidden" else ""
            raise BadControl(f"fault {where!r}: {first['msg']}{hint}") from error
        self._added += 1
        fault._number = self._added
        self.waiting.append(fault)
        return fault

    def clear(self, number: int | None = None) -> None:
        """Take all away, or one."""
        self.waiting = [fault for fault in self.waiting if number is not None and fault._number != number]

    def _take(self, exchange: Exchange) -> Fault | None:
        struck = next((fault for fault in self.waiting if fault.strikes(exchange)), None)
        if struck is not None and struck.is_over:
            self.waiting.remove(struck)
        return struck

    async def on_the_wire(self, exchange: Exchange, inner: Handler) -> Answer:
        """The outermost layer."""
        fault = exchange.fault = self._take(exchange)
        if fault is None:
            return await inner(exchange)
        seconds = fault.seconds if fault.seconds is not None else SECONDS.get(fault.kind, 1.0)
        match fault.kind:
            case "reset_before" | "close_before":
                return _cut(fault)
            case "reset_after" | "close_after":
                await inner(exchange)
                return _cut(fault)
            case "hang":
                await exchange.pause(seconds)
                return _cut(fault)
            case "hang_after":
                await inner(exchange)
                await exchange.pause(seconds)
                return _cut(fault)
            case "slow":
                # The work is done even if the client has gone by then.
                answer = await inner(exchange) if fault.after_effect else None
                await asyncio.sleep(seconds)
                return answer or await inner(exchange)
            case "truncated":
                answer = await inner(exchange)
                answer.ending = Ending.TRUNCATED
                return answer
            case "truncated_json":
                answer = await inner(exchange)
                answer.body = answer.body[: len(answer.body) // 2]
                return answer
            case "html_200" | "html_502" | "html_503" | "redirect" | "rate_limited":
                if fault.after_effect:
                    await inner(exchange)
                answer = self._in_front(fault, seconds)
                answer.headers |= _lower(fault.headers)
                return answer
            case "vanish_between_pages" | "insert_between_pages":
                answer = await inner(exchange)
                if answer.status == 200:
                    _shift(fault, exchange, answer)
                return answer
        return await inner(exchange)

    async def in_the_service(self, exchange: Exchange, inner: Handler) -> Answer:
        """The layer behind the rate limit."""
        fault = exchange.fault
        if fault is None or fault.kind not in (*SERVICE_ERRORS, "status", "wrong_type", "empty"):
            return await inner(exchange)
        if fault.after_effect:
            await inner(exchange)
        if fault.kind == "wrong_type":
            answer = Answer.of_json([] if fault.body is None and "body" not in fault.model_fields_set else fault.body)
        elif fault.kind == "empty":
            answer = Answer(200)
        else:
            status, code, message = SERVICE_ERRORS.get(fault.kind, (fault.status or 500, "error", "Not this time."))
            details = {"details": fault.details} if "details" in fault.model_fields_set else {}
            answer = error_answer(status, _or(fault, "code", code), _or(fault, "message", message), **details)
        answer.headers |= _lower(fault.headers)
        return answer

    def _in_front(self, fault: Fault, seconds: float) -> Answer:
        """What a proxy says, or the guard of the rate limit."""
        if fault.kind == "redirect":
            return Answer(fault.status or 302, {"location": fault.location or "/"})
        if fault.kind == "rate_limited":
            resets_at = self.limiter.clock() + seconds
            code = _or(fault, "code", "rate_limit_exceeded")
            answer = self.limiter.refusal(resets_at, fault.reset, fault.retry_after, code)
            answer.headers |= {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0"}
            return answer
        status, title = PAGES[fault.kind]
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>proxy</body></html>\n"
        return Answer(status, {"content-type": "text/html; charset=utf-8"}, page.encode())


def _cut(fault: Fault) -> Answer:
    return Answer(0, ending=Ending.RESET if fault.kind.startswith("reset") else Ending.CLOSE)


def _or(fault: Fault, name: str, default: Any) -> Any:
    """What the tester said, null included, or else the default."""
    return getattr(fault, name) if name in fault.model_fields_set else default


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _shift(fault: Fault, exchange: Exchange, answer: Answer) -> None:
    """Move the list under a client that reads it page by page."""
    world = exchange.world
    if fault.kind == "vanish_between_pages":
        data = json.loads(answer.body)["data"]
        shown = [item["id"] for item in (data if isinstance(data, list) else [data]) if "id" in item]
        number = fault.id if fault.id is not None else next(map(int, shown), None)
        if number in world.instances:
            world.remove_instance(number)
    else:
        # The smallest free id, so that in the order of ids a gap that was read already fills up.
        free = next(number for number in range(1, len(world.instances) + 2) if number not in world.instances)
        number = fault.id if fault.id is not None else free
        world.add_instance({"id": number, "name": f"newcomer-{number}"})
