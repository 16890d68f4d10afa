# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request and its response, as they pass through the layers of the simulator."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.errors import Refused, refused_now

if TYPE_CHECKING:
    from simulator.faults import Fault
    from simulator.switches import Switches
    from simulator.world import World


class Ending(enum.Enum):
    COMPLETE = "complete"
    RESET = "reset"  # no response; the connection is reset
    CLOSE = "close"  # no response; the connection is closed normally
    TRUNCATED = "truncated"  # half of the body, then the connection is closed


@dataclass(slots=True)
class Answer:
    """A response; header names are lower case."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ending: Ending = Ending.COMPLETE

    @classmethod
    def of_json(cls, content: Any, status: int = 200) -> Answer:
        return cls(status, {"content-type": "application/json"}, to_json(content))


@dataclass(slots=True)
class Exchange:
    """One request and its log entry."""

    number: int
    at: float
    method: str
    path: str  # without the prefix of the API
    route: str | None  # such as /instances/{id}/start
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    client: str  # address and port: requests of one connection share them
    scope: Any  # ASGI scope, until the response is sent
    world: World
    switches: Switches
    pause: Callable[[float], Awaitable[None]]  # ends early when the client disconnects
    fault: Fault | None = None
    status: int | None = None
    effect: bool = False

    @property
    def key(self) -> str | None:
        """The Bearer key, or None."""
        scheme, _space, key = self.headers.get("authorization", "").partition(" ")
        return key.strip() or None if scheme.lower() == "bearer" else None

    def json_object(self) -> dict[str, Any]:
        """Returns the JSON body of a PATCH or of buy_claws. Raises Refused."""
        if not self.body:
            raise refused_now("The body is missing.", {"body": "is missing"})
        media_type = self.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refused(415, "unsupported_media_type", "The body must be JSON.")
        try:
            content = _parse(self.body)
        except ValueError:
            raise Refused(400, "bad_request", "The body is not JSON.") from None
        if not isinstance(content, dict):
            raise refused_now("The body must be an object.", {"body": "must be an object"})
        return content

    def for_log(self) -> dict[str, Any]:
        """Returns the entry for `/_sim/log`."""
        authorization = self.headers.get("authorization")
        shown = {"authorization": fingerprint(self.key or authorization)} if authorization is not None else {}
        return {
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "route": self.route,
            "query": self.query,
            "status": self.status,
            "body": _for_reading(self.body),
            "client": self.client,
            "headers": self.headers | shown,
            "fault": self.fault.kind if self.fault else None,
            "effect": self.effect,
        }


Handler = Callable[[Exchange], Awaitable[Answer]]


def to_json(content: Any) -> bytes:
    """Returns compact JSON in UTF-8."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def error_answer(status: int, code: str | None, message: str, **details: Any) -> Answer:
    """Returns the error envelope of contract 1, with `details` if given."""
    return Answer.of_json({"error": {"code": code, "message": message, **details}}, status)


def refusal(refused: Refused, shape: str) -> Answer:
    """Returns the error response, with `details` in one of the forms of contract 11, U12."""
    details = refused.details
    if not details:
        return error_answer(refused.status, refused.code, refused.message)
    shaped: Any = {
        "object": details,
        "object_of_arrays": {name: [text] for name, text in details.items()},
        "array": [f"{name} {text}" for name, text in details.items()],
        "text": "; ".join(f"{name} {text}" for name, text in details.items()),
        "null": None,
    }[shape]
    return error_answer(refused.status, refused.code, refused.message, details=shaped)


def fingerprint(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _for_reading(body: bytes) -> Any:
    try:
        return _parse(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


def _parse(body: bytes) -> Any:
    """Parses strict JSON. Raises ValueError for NaN, unpaired surrogates, or other values that can't be encoded."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    content = json.loads(body, parse_constant=refuse)
    to_json(content)
    return content
