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

from .._errors import AnswerError, ApiError, GarbledError, RateLimitedError, one_line, type_of
from .._rate import headers as ratelimit
from .._redaction import Redactor, redacted, without_links
from .._secret_fields import PAYMENT_WORD, masked, secrets_in
from .pagination import Item, Pagination, pagination_of
from .transport import Answer, redacted_headers

NOT_THE_API = "Is api_url the address of the API?"
_PAYMENT = re.compile(r"checkout|payment|invoice|balance|top[ _-]?up", re.IGNORECASE)
MAX_DIGITS = 308
"""Digits. A longer number fits no float, and Python refuses to read or write one of more than 4300 digits."""
_WEB_PAGE = f"{{}} was answered with a web page instead of JSON. {NOT_THE_API}"


def body_of(request: str, answer: Answer) -> t.Any:
    """The parsed body of a success, None when there is none or it can't be read.

    Raises the ApiError that fits any other status, and AnswerError for a web page: it is a proxy's or a guest
    network's success, and whether the service has seen the request is not known.
    """
    parsed, readable = parsed_json(answer.text)
    if not answer.is_success:
        raise api_error(request, answer, parsed if readable else answer.text)
    # A success without a body may bear any type, that of a page too.
    if answer.text.strip() and not readable and is_web_page(answer):
        raise AnswerError(_WEB_PAGE.format(request))
    return parsed


def anything_of(request: str, answer: Answer) -> object:
    """What a success holds, for shapes that nobody knows: ``data`` where there is one, else the body or its text."""
    body = body_of(request, answer)
    if isinstance(body, dict) and "data" in body:
        return body["data"]
    return answer.text or None if body is None else body


def whole_body_of(request: str, answer: Answer) -> dict[str, t.Any]:
    """The parsed body of a read, an object with ``data``. Raises GarbledError, AnswerError or ApiError."""
    parsed, readable = parsed_json(answer.text)
    if not answer.is_success:
        raise api_error(request, answer, parsed if readable else answer.text)
    if not readable:
        if is_web_page(answer):
            raise AnswerError(_WEB_PAGE.format(request))
        raise GarbledError(
            f"{request} was answered with {answer.status}, but its body is no JSON: {excerpt(answer.text)}."
        )
    if not isinstance(parsed, dict) or "data" not in parsed:
        raise AnswerError(f"{request}: the answer has no `data`, but is {kind_of(parsed)}. {NOT_THE_API}")
    return parsed


def object_of(request: str, answer: Answer) -> Item:
    """The object in ``{"data": {...}}``, of which nothing is surely there (U15)."""
    data = whole_body_of(request, answer)["data"]
    if not isinstance(data, dict):
        raise AnswerError(f"{request}: expected an object in `data`, got {kind_of(data)}. {NOT_THE_API}")
    return data


def resource_of(request: str, answer: Answer) -> Item:
    """The object in ``{"data": {...}}``; only its id is surely there (U23)."""
    data = whole_body_of(request, answer)["data"]
    if not isinstance(data, dict) or data.get("id") is None:
        found = "one without" if isinstance(data, dict) else kind_of(data)
        raise AnswerError(f"{request}: expected an object with an id in `data`, got {found}. {NOT_THE_API}")
    return data


def resource_path(collection: str, resource_id: object) -> str:
    """Where a resource lives under the API's URL."""
    return f"/{collection}/{quote(str(resource_id), safe='')}"


def with_id(item: Item, asked: object, kind: str) -> Item:
    """``item``, if it is the one that was asked for. Raises AnswerError, since nothing may be done with another one."""
    if str(item["id"]) != str(asked):
        raise AnswerError(f"{kind} {asked} was asked for, and {one_line(item['id'])} came: nothing is done with it.")
    return item


def items_of(request: str, answer: Answer) -> tuple[list[Item], Pagination | None]:
    """The objects in ``{"data": [...]}`` and the pagination object, or None (contract 1, "Envelopes")."""
    data, pagination = entries_of(request, answer)
    if any(item.get("id") is None for item in data):
        raise AnswerError(f"{request}: expected a list of objects with ids in `data`, but one has none. {NOT_THE_API}")
    return data, pagination


def entries_of(request: str, answer: Answer) -> tuple[list[Item], Pagination | None]:
    """As items_of, where the objects may have no id (U16)."""
    body = whole_body_of(request, answer)
    data = body["data"]
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise AnswerError(f"{request}: expected a list of objects in `data`, got {kind_of(data)}. {NOT_THE_API}")
    return data, pagination_of(body)


def api_error(request: str, answer: Answer, body: t.Any) -> ApiError:
    """The error envelope, or as much of it as there is, as an exception."""
    envelope = body.get("error", body) if isinstance(body, dict) else body
    fields = envelope if isinstance(envelope, dict) else {"message": excerpt(envelope) if envelope else None}
    error = type_of(answer.status)(
        request,
        answer.status,
        code=_text(fields.get("code")),
        message=_text(fields.get("message")),
        details=fields.get("details"),
        request_id=answer.headers.get("X-Request-Id"),
    )
    error.wait = ratelimit.asked_wait(answer.headers, time.time(), limited=isinstance(error, RateLimitedError))
    return error


def is_web_page(answer: Answer) -> bool:
    """Whether it says of itself that it is one."""
    return "html" in answer.headers.get("Content-Type", "").lower()


def is_about_payment(answer: Answer) -> bool:
    """Returns True if it may hold a link to pay by, as the refusal of a start without balance does (contract U5)."""
    return answer.status == 402 or _PAYMENT.search(answer.text) is not None


def without_payment(answer: Answer, given: t.Iterable[str] = ()) -> Answer:
    """Returns ``answer`` without links, without what stands under names of secrets, and without the texts ``given``.

    For answers about a payment that are to be shown: whoever has the link to a checkout can open it.
    """
    parsed, readable = parsed_json(answer.text)
    secrets = Redactor({*given, *secrets_in(parsed, word=PAYMENT_WORD)})

    def redact(text: str) -> str:
        return without_links(secrets(text))

    shown = json.dumps(redacted(masked(parsed, word=PAYMENT_WORD), redact)) if readable else redact(answer.text)
    return Answer(answer.status, redacted_headers(answer.headers, redact), shown)


def parsed_json(text: str) -> tuple[t.Any, bool]:
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


def kind_of(value: object) -> str:
    """What ``value`` is, in a word for a message."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
