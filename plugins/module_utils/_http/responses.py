# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses responses: JSON, objects, lists and errors."""

from __future__ import annotations

import json
import re
import sys
import time
import typing as t
from urllib.parse import quote

from .._errors import (
    ApiError,
    MalformedResponseError,
    NotFoundError,
    RateLimitedError,
    ResponseError,
    WebPageError,
    WrongAddressError,
    error_class,
)
from .._model.resource import IDS_ARE, Resource, parse_keys
from .._rate import headers as rate_headers
from .._text import one_line, replace_controls
from .transport import Response

NOT_THE_API = WrongAddressError.hint
MAX_DEPTH = 100
"""Levels of objects and lists. Recursive functions can go deeper."""
_WEB_PAGE = "{} was answered with a web page instead of JSON."


def parse_body(request: str, response: Response) -> t.Any:
    """Returns the parsed body of a success, or None if there is none or it is invalid.

    Raises ApiError for any other status. Raises ResponseError for a web page: it comes from a proxy or a guest network,
    and the service may not have received the request.
    """
    parsed, is_json = _parse_success(request, response)
    # A success without a body may have any Content-Type.
    if response.text.strip() and not is_json and is_web_page(response):
        raise ResponseError(f"{_WEB_PAGE.format(request)} {NOT_THE_API}")
    return parsed


def _parse_success(request: str, response: Response, absent: type[ApiError] = NotFoundError) -> tuple[t.Any, bool]:
    """Returns the parsed body of a success, and False if it is not JSON. Raises ApiError for any other status."""
    parsed, is_json = parse_json(response.text)
    if not response.is_success:
        raise build_api_error(request, response, parsed if is_json else response.text, absent)
    return parsed, is_json


def parse_envelope(request: str, response: Response, absent: type[ApiError] = WrongAddressError) -> dict[str, t.Any]:
    """Returns the parsed body, an object with ``data``. Raises MalformedResponseError, ResponseError or ApiError."""
    parsed, is_json = _parse_success(request, response, absent)
    if not is_json:
        text = f"{request} was answered with {response.status}, but its body is not JSON: {excerpt(response.text)}."
        raise WebPageError(_WEB_PAGE.format(request)) if is_web_page(response) else MalformedResponseError(text)
    if not isinstance(parsed, dict) or "data" not in parsed:
        raise ResponseError(
            f"{request}: the response has no `data`, it is {describe_type(parsed)}. If none has, check api_url."
        )
    return parsed


def parse_data(request: str, response: Response) -> object:
    """Returns what is in ``{"data": ...}``, of any type."""
    return parse_envelope(request, response)["data"]


def parse_resource(request: str, response: Response) -> Resource:
    """Returns the object in ``{"data": {...}}``, which has an id."""
    data = parse_envelope(request, response, NotFoundError)["data"]
    item = parse_keys(data) if isinstance(data, dict) else {}
    if item.get("id") is None:
        raise ResponseError(f"{request}: expected an object with an id in `data`; {IDS_ARE}.")
    return item


def resource_path(collection: str, resource_id: object) -> str:
    """Returns the path of a resource under the URL of the API."""
    return f"/{collection}/{quote(str(resource_id), safe='')}"


def require_id(item: Resource, resource_id: object, kind: str) -> Resource:
    """Returns ``item`` if it has this id. Raises ResponseError otherwise."""
    if str(item["id"]) != str(resource_id):
        raise ResponseError(
            f"{kind} {resource_id} was requested, but {one_line(item['id'])} was returned. It is not used."
        )
    return item


def build_api_error(request: str, response: Response, body: t.Any, absent: type[ApiError] = NotFoundError) -> ApiError:
    """Returns the error for an error envelope, or for whatever part of one the body has. ``absent``: that of a 404."""
    envelope = body.get("error", body) if isinstance(body, dict) else body
    fields = envelope if isinstance(envelope, dict) else {"message": excerpt(envelope) if envelope else None}
    kind = error_class(response.status)
    if kind is NotFoundError:
        # With a web page, a proxy has no route, or the path of api_url is wrong: this says nothing about the resource.
        kind = WrongAddressError if is_web_page(response) else absent
    error = kind(
        request,
        response.status,
        code=_str_or_none(fields.get("code")),
        message=_str_or_none(fields.get("message")),
        # An error of another spelling is shown as a whole.
        details=fields.get("details", None if fields.keys() & {"code", "message"} else fields or None),
        asked=rate_headers.parse_retry_after(response.headers, time.time()),
    )
    is_429, error.request_id = isinstance(error, RateLimitedError), response.request_id
    error.retry_after = rate_headers.parse_delay(response.headers, time.time(), is_429=is_429)
    return error


def is_web_page(response: Response) -> bool:
    """Returns True if the response is HTML according to its Content-Type."""
    return "html" in response.headers.get("Content-Type", "").lower()


def parse_json(text: str) -> tuple[t.Any, bool]:
    """Returns the value, and False if ``text`` is not valid JSON."""
    try:
        return _clean(json.loads(text)), True
    except (ValueError, RecursionError):
        return None, False


def _clean(value: t.Any, depth: int = MAX_DEPTH) -> t.Any:
    """Returns parsed JSON without control characters and lone surrogates, also those that were escaped.

    Numbers that fit no float become null, so that no computation can overflow. Raises RecursionError for a nesting that
    is too deep for recursive functions.
    """
    if isinstance(value, str):
        return replace_controls(value)
    if isinstance(value, (int, float)):
        return value if abs(value) <= sys.float_info.max else None
    if not isinstance(value, (dict, list)):
        return value
    if not depth:
        raise RecursionError
    if isinstance(value, list):
        return [_clean(item, depth - 1) for item in value]
    return {replace_controls(name): _clean(item, depth - 1) for name, item in value.items()}


def excerpt(text: object) -> str:
    """Returns the start of a body that is not JSON, without HTML tags."""
    return one_line(re.sub(r"<[^<>]*>", " ", str(text)[:4000])) or "nothing"


def describe_type(value: object) -> str:
    """Returns the JSON type of ``value``, for messages."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _str_or_none(value: object) -> str | None:
    return None if value is None else str(value)
