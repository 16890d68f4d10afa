# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand: errors of networks, proxies and the service, for the requests that a tester selects.

Two layers. `on_the_wire` is the outermost: a closed or silent connection, or a proxy in front of the service, which
knows neither rate limit nor keys. `in_the_service` is behind the rate limit, so its responses count and have its
headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError, model_validator

from simulator.errors import BadControl
from simulator.exchange import Answer, Ending, Exchange, Handler, error_answer
from simulator.ratelimit import RateLimiter
from simulator.switches import nearest

# Status, code and message of the error responses of the service.
SERVICE_ERRORS: dict[str, tuple[int, str, str]] = {
    "json_500": (500, "internal_server_error", "Something went wrong on our side."),
    "json_503": (503, "service_unavailable", "The service is under maintenance."),
    "unauthorized": (401, "unauthorized", "The key is wrong."),
    "forbidden": (403, "forbidden", "This key lacks permission for this."),
    "not_found": (404, "not_found", "Nothing found at this path."),
}
PAGES = {
    "html_200": (200, "Please log in to the guest network"),
    "html_502": (502, "Bad Gateway"),
    "html_503": (503, "Service Temporarily Unavailable"),
}
CUTS = ("reset_before", "reset_after", "close_before", "close_after", "hang", "hang_after")
BODIES = ("truncated", "truncated_json", "wrong_type", "empty")
BETWEEN_PAGES = ("vanish_between_pages", "insert_between_pages")
KINDS = (*CUTS, "slow", *BODIES, *PAGES, *SERVICE_ERRORS, "status", "rate_limited", "redirect", *BETWEEN_PAGES)


class Fault(BaseModel, extra="forbid"):
    """One fault: its kind, the requests it applies to, how often it applies, and its effect. See README.md."""

    kind: str
    method: str | None = None
    path: str | None = None
    skip: NonNegativeInt = 0
    times: PositiveInt | None = 1  # null is unlimited
    seconds: NonNegativeFloat | None = None
    after_effect: bool = False
    status: int | None = Field(default=None, ge=200, le=599)
    code: str | None = None
    message: str | None = None
    details: Any = None
    body: Any = None
    headers: dict[str, str] = {}
    retry_after: str = "none"  # or seconds, http_date, any text to send
    reset: str = "unix"  # or delta, milliseconds, past, none, any text to send
    location: str | None = None
    id: int | None = None

    _number: int = 0
    _matched: int = 0
    _struck: int = 0

    @model_validator(mode="after")
    def _complete(self) -> Fault:
        if self.kind == "status" and self.status is None:
            raise ValueError("the kind status needs a status")
        if self.kind == "redirect" and self.location is None:
            raise ValueError("the kind redirect needs a location")
        return self

    @property
    def is_over(self) -> bool:
        return self.times is not None and self._struck >= self.times

    def strikes(self, exchange: Exchange) -> bool:
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
        """Returns the entry for `/_sim/faults`."""
        counters = {"number": self._number, "matched": self._matched, "struck": self._struck}
        return counters | self.model_dump(exclude_defaults=True)


class Faults:
    """The pending faults; at most one applies to each request, the oldest that matches."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter = limiter
        self.waiting: list[Fault] = []
        self._added = 0
        self._cleared = asyncio.Event()

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Adds a fault. Raises BadControl."""
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

    def clear(self) -> None:
        """Removes all faults. Without faults, no response is slow any more."""
        self._cleared.set()
        self._cleared = asyncio.Event()
        self.waiting = []

    def _take(self, exchange: Exchange) -> Fault | None:
        struck = next((fault for fault in self.waiting if fault.strikes(exchange)), None)
        if struck is not None and struck.is_over:
            self.waiting.remove(struck)
        return struck

    async def on_the_wire(self, exchange: Exchange, inner: Handler) -> Answer:
        """Applies network faults; the outermost layer."""
        fault = exchange.fault = self._take(exchange)
        if fault is None:
            return await inner(exchange)
        is_hanging = fault.kind.startswith("hang")
        seconds = fault.seconds if fault.seconds is not None else 60.0 if is_hanging else 1.0
        if fault.kind in CUTS:
            if fault.kind.endswith("_after"):
                await inner(exchange)
            if is_hanging:
                await exchange.pause(seconds)
            return Answer(0, ending=Ending.RESET if fault.kind.startswith("reset") else Ending.CLOSE)
        match fault.kind:
            case "slow":
                # The request is executed even if the client has disconnected.
                answer = await inner(exchange) if fault.after_effect else None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._cleared.wait(), seconds)
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
        """Applies service faults; the layer behind the rate limit."""
        fault = exchange.fault
        if fault is None or fault.kind not in (*SERVICE_ERRORS, "status", "wrong_type", "empty"):
            return await inner(exchange)
        if fault.after_effect:
            await inner(exchange)
        if fault.kind == "wrong_type":
            answer = Answer.of_json(_or(fault, "body", []))
        elif fault.kind == "empty":
            answer = Answer(200)
        else:
            status, code, message = SERVICE_ERRORS.get(fault.kind, (fault.status or 500, "error", "Injected error."))
            details = {"details": fault.details} if "details" in fault.model_fields_set else {}
            answer = error_answer(status, _or(fault, "code", code), _or(fault, "message", message), **details)
        answer.headers |= _lower(fault.headers)
        return answer

    def _in_front(self, fault: Fault, seconds: float) -> Answer:
        """Returns the response of a proxy or of the rate limit."""
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


def _or(fault: Fault, name: str, default: Any) -> Any:
    return getattr(fault, name) if name in fault.model_fields_set else default


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _shift(fault: Fault, exchange: Exchange, answer: Answer) -> None:
    """Changes the list while a client reads its pages."""
    world = exchange.world
    if fault.kind == "vanish_between_pages":
        data = json.loads(answer.body)["data"]
        shown = [item["id"] for item in (data if isinstance(data, list) else [data]) if "id" in item]
        number = fault.id if fault.id is not None else next(map(int, shown), None)
        if number in world.instances:
            world.remove_instance(number)
    else:
        # The smallest free id, so that the new instance belongs to a page that was read already.
        free = next(number for number in range(1, len(world.instances) + 2) if number not in world.instances)
        number = fault.id if fault.id is not None else free
        world.add_instance({"id": number, "name": f"newcomer-{number}"})
