# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading answers: the JSON in them, the object or list that is meant, the error that is told (contract 1)."""

from __future__ import annotations

import json
import math
import re
import time
import typing as t
from urllib.parse import quote

from .._errors import ApiError, MalformedResponseError, RateLimitedError, ResponseError, one_line, type_name
from .._model.resource import Resource
from .._rate import headers as rate_headers
from .._redaction import Redactor, redact_text, without_links
from .._secret_fields import PAYMENT_WORD, find_secrets, redact
from .pagination import Pagination, parse_pagination
from .transport import Response, redacted_headers

NOT_THE_API = "Is api_url the address of the API?"
_PAYMENT = re.compile(r"checkout|payment|invoice|balance|top[ _-]?up", re.IGNORECASE)
MAX_DIGITS = 308
"""Digits. A longer number fits no float, and Python refuses to read or write one of more than 4300 digits."""
_WEB_PAGE = f"{{}} was answered with a web page instead of JSON. {NOT_THE_API}"


def parse_body(request: str, response: Response) -> t.Any:
    """The parsed body of a success, None when there is none or it can't be read.

    Raises the ApiError that fits any other status, and ResponseError for a web page: it is a proxy's or a guest
    network's success, and whether the service has seen the request is not known.
    """
    parsed, readable = parse_json(response.text)
    if not response.is_success:
        raise build_api_error(request, response, parsed if readable else response.text)
    # A success without a body may bear any type, that of a page too.
    if response.text.strip() and not readable and is_web_page(response):
        raise ResponseError(_WEB_PAGE.format(request))
    return parsed


def parse_any(request: str, response: Response) -> object:
    """What a success holds, for shapes that nobody knows: ``data`` where there is one, else the body or its text."""
    body = parse_body(request, response)
    if isinstance(body, dict) and "data" in body:
        return body["data"]
    return response.text or None if body is None else body


def parse_whole_body(request: str, response: Response) -> dict[str, t.Any]:
    """The parsed body of a read, an object with ``data``. Raises MalformedResponseError, ResponseError or ApiError."""
    parsed, readable = parse_json(response.text)
    if not response.is_success:
        raise build_api_error(request, response, parsed if readable else response.text)
    if not readable:
        if is_web_page(response):
            raise ResponseError(_WEB_PAGE.format(request))
        raise MalformedResponseError(
            f"{request} was answered with {response.status}, but its body is no JSON: {excerpt(response.text)}."
        )
    if not isinstance(parsed, dict) or "data" not in parsed:
        raise ResponseError(f"{request}: the answer has no `data`, but is {describe_content(parsed)}. {NOT_THE_API}")
    return parsed


def parse_object(request: str, response: Response) -> Resource:
    """The object in ``{"data": {...}}``, of which nothing is surely there (U15)."""
    data = parse_whole_body(request, response)["data"]
    if not isinstance(data, dict):
        raise ResponseError(f"{request}: expected an object in `data`, got {describe_content(data)}. {NOT_THE_API}")
    return data


def parse_resource(request: str, response: Response) -> Resource:
    """The object in ``{"data": {...}}``; only its id is surely there (U23)."""
    data = parse_whole_body(request, response)["data"]
    if not isinstance(data, dict) or data.get("id") is None:
        found = "one without" if isinstance(data, dict) else describe_content(data)
        raise ResponseError(f"{request}: expected an object with an id in `data`, got {found}. {NOT_THE_API}")
    return data


def resource_path(collection: str, resource_id: object) -> str:
    """Where a resource lives under the API's URL."""
    return f"/{collection}/{quote(str(resource_id), safe='')}"


def require_id(item: Resource, asked: object, kind: str) -> Resource:
    """Returns ``item`` if it has the id ``asked``. Raises ResponseError otherwise: nothing may be done with another one."""
    if str(item["id"]) != str(asked):
        raise ResponseError(f"{kind} {asked} was asked for, and {one_line(item['id'])} came: nothing is done with it.")
    return item


def parse_items(request: str, response: Response) -> tuple[list[Resource], Pagination | None]:
    """The objects in ``{"data": [...]}`` and the pagination object, or None (contract 1, "Envelopes")."""
    data, pagination = parse_entries(request, response)
    if any(item.get("id") is None for item in data):
        raise ResponseError(
            f"{request}: expected a list of objects with ids in `data`, but one has none. {NOT_THE_API}"
        )
    return data, pagination


def parse_entries(request: str, response: Response) -> tuple[list[Resource], Pagination | None]:
    """As items_of, where the objects may have no id (U16)."""
    body = parse_whole_body(request, response)
    data = body["data"]
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise ResponseError(
            f"{request}: expected a list of objects in `data`, got {describe_content(data)}. {NOT_THE_API}"
        )
    return data, parse_pagination(body)


def build_api_error(request: str, response: Response, body: t.Any) -> ApiError:
    """The error envelope, or as much of it as there is, as an exception."""
    envelope = body.get("error", body) if isinstance(body, dict) else body
    fields = envelope if isinstance(envelope, dict) else {"message": excerpt(envelope) if envelope else None}
    error = type_name(response.status)(
        request,
        response.status,
        code=_text(fields.get("code")),
        message=_text(fields.get("message")),
        details=fields.get("details"),
        request_id=response.headers.get("X-Request-Id"),
    )
    error.wait = rate_headers.requested_delay(
        response.headers, time.time(), limited=isinstance(error, RateLimitedError)
    )
    return error


def is_web_page(response: Response) -> bool:
    """Whether it says of itself that it is one."""
    return "html" in response.headers.get("Content-Type", "").lower()


def is_about_payment(response: Response) -> bool:
    """Returns True if it may hold a link to pay by, as the refusal of a start without balance does (contract U5)."""
    return response.status == 402 or _PAYMENT.search(response.text) is not None


def redact_payment(response: Response, given: t.Iterable[str] = ()) -> Response:
    """Returns ``response`` without links, without what stands under names of secrets, and without the texts ``given``.

    For answers about a payment that are to be shown: whoever has the link to a checkout can open it.
    """
    parsed, readable = parse_json(response.text)
    secrets = Redactor({*given, *find_secrets(parsed, word=PAYMENT_WORD)})

    def hide(text: str) -> str:
        return without_links(secrets(text))

    shown = json.dumps(redact_text(redact(parsed, word=PAYMENT_WORD), hide)) if readable else hide(response.text)
    return Response(response.status, redacted_headers(response.headers, hide), shown)


def parse_json(text: str) -> tuple[t.Any, bool]:
    """The JSON in ``text`` and whether there was any.

    Half surrogates, which no screen or file takes, become ``?``; numbers that fit no float become null, so that nothing
    that computes with numbers of the service can overflow.
    """
    try:
        parsed = json.loads(text, parse_constant=lambda _constant: None, parse_float=_finite, parse_int=_whole_number)
        if "\\ud" in text.lower():
            parsed = json.loads(json.dumps(parsed, ensure_ascii=False).encode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return None, False
    return (parsed, True) if _is_shallow(parsed) else (None, False)


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole_number(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None


def _is_shallow(value: object, depth: int = 100) -> bool:
    """Whether what reads it later can walk through it."""
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_shallow(item, depth - 1) for item in inner)
    return True


def excerpt(text: object) -> str:
    """The start of a body that is no JSON, without its tags (U11)."""
    return one_line(re.sub(r"<[^<>]*>", " ", str(text)[:4000])) or "nothing"


def describe_content(value: object) -> str:
    """What ``value`` is, in a word for a message."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
