# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides if a successful response means that a change was accepted."""

from __future__ import annotations

import re
import typing as t
from types import MappingProxyType

from .._model.resource import Resource, as_object, normalize, parse_id, parse_keys
from .._text import is_number, one_line
from .responses import build_api_error, excerpt, parse_body, parse_json
from .transport import Response

_ACCEPTING = (200, 201, 202, 204)
# Words of a status by which something has failed. No status of an action is documented.
_FAILED = "fail|error|reject|refus|declin|denied|cancel|abort|invalid|forbid|unauthori|unprocess|insufficien|unsuccess"
_SAYS_FAILED = re.compile(rf"(?<!no[ _-])(?:{_FAILED}|disallow|expired|false)", re.IGNORECASE)
_ERROR_CODES = ("unauthorized", "forbidden", "not_found", "unprocessable_entity")
# Documented statuses of an instance that has failed. They say nothing of the request.
_FAILED_INSTANCE = ("error", "deploy_failed")

# What a request is about, by kind: instance, backup, addon or package. The object in `data` may be the first.
Asked: t.TypeAlias = t.Mapping[str, Resource]
_ANYTHING: Asked = MappingProxyType({})


def parse_accepted(
    request: str,
    response: Response,
    asked: Asked = _ANYTHING,
    redact: t.Callable[[Response], Response] = lambda response: response,
) -> object:
    """Returns ``data``, or else the body or its text, of a success by which a change was accepted.

    Raises ApiError for any other status and for a denial, with what ``redact`` leaves of the response.
    """
    if not response.is_success or find_denial(response, asked):
        response = redact(response)
        parse_body(request, response)
        # What denies it may be redacted.
        denial = find_denial(response, asked) or {"message": "its body denies it, or is cut off"}
        raise build_api_error(request, response, denial)
    body = parse_body(request, response)
    if isinstance(body, dict) and "data" in body:
        return body["data"]
    return response.text or None if body is None else body


def parse_changed(request: str, response: Response, asked: Asked = _ANYTHING) -> Resource | None:
    """Returns the object in ``data``, or None without one, as :func:`parse_accepted` does."""
    parse_accepted(request, response, asked)
    data = as_object(parse_json(response.text)[0]).get("data")
    return parse_keys(data) if isinstance(data, dict) else None


def find_denial(response: Response, asked: Asked = _ANYTHING) -> Resource | None:
    """Returns what of a success says that the change may not have been made, as an error; None without it."""
    body, is_json = parse_json(response.text)
    if not is_json and response.text.lstrip("\ufeff \t\r\n").startswith(("{", "[", '"', "<")):
        return {"message": f"its body is cut off, or is not JSON: {excerpt(response.text)}"}
    whole = body if isinstance(body, (dict, list)) else {"result": body if is_json else response.text}
    for part in _find_objects(whole):
        if denial := _find_failure(part, asked) or _find_other(part, asked):
            return denial
    data, kind = as_object(as_object(body).get("data", body)), next(iter(asked), "package")
    # A purchase has an id of its own, and so has what names its resource.
    has_own_id = kind == "package" or data.keys() & {kind, f"{kind}_id"}
    if not has_own_id and all(_is_other(data.get("id"), resource["id"]) for resource in asked.values()):
        return {"message": f"the answer is about {kind} {one_line(data['id'])}"}
    return None if response.status in _ACCEPTING else as_object(body) or {"message": "what was done is not told"}


def _find_objects(value: object, levels: int = 3) -> t.Iterator[Resource]:
    """Yields the objects in the first levels of objects and lists."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner if levels > 1 else ():
        yield from _find_objects(item, levels - 1)


def _find_failure(part: Resource, asked: Asked) -> Resource | None:
    """Returns the field of an object that denies the change, or the object that is an error; None without one."""
    is_instance = parse_id(part.get("id")) == asked.get("instance", {}).get("id", "")
    for name, denies in _DENIES.items():
        value = part.get(name)
        if not denies(value) or (name == "status" and is_instance and normalize(value) in _FAILED_INSTANCE):
            continue
        if name in ("error", "errors", "success", "ok"):
            return part
        told = f": {one_line(part['message'])}" if part.get("message") else ""
        return {"message": f"the {name} in the answer is {one_line(value)}{told}"}
    return None


def _find_other(part: Resource, asked: Asked) -> Resource | None:
    """Returns an error that names the other resource that an object belongs to; None without one."""
    for kind, resource in asked.items():
        shown = {name: part.get(f"{kind}_{name}", as_object(part.get(kind)).get(name)) for name in ("id", "name")}
        # The name may have changed since.
        name = "name" if shown["id"] is None and resource.get("name") else "id"
        if _is_other(shown[name], resource[name]):
            return {"message": f"the answer is about {kind} {one_line(shown[name])}"}
    return None


def _is_other(shown: object, asked: object) -> bool:
    """Returns True for an id or name that is not the asked one, in any spelling of it."""
    is_known = isinstance(shown, (str, int, float)) and not isinstance(shown, bool) and shown != ""
    return is_known and (parse_id(shown) or str(shown)) != (parse_id(asked) or str(asked))


def _says_failed(value: object) -> bool:
    return isinstance(value, (str, bool)) and _SAYS_FAILED.search(str(value)) is not None


def _is_error(value: object) -> bool:
    number = int(value) if is_number(value) else value
    return isinstance(number, (int, float)) and number >= 400


# The fields that deny a change, and for which values.
_DENIES: dict[str, t.Callable[[object], bool]] = {
    **dict.fromkeys(("error", "errors"), bool),
    **dict.fromkeys(("success", "ok"), lambda value: str(value).strip().lower() in ("false", "0", "no")),
    **dict.fromkeys(("state", "result", "payment_status"), _says_failed),
    "status": lambda value: _is_error(value) or _says_failed(value),
    "code": lambda value: _is_error(value) or normalize(value) in _ERROR_CODES,
}
