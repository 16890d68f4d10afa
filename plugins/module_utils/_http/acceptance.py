# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides if a successful response means that an action was accepted."""

from __future__ import annotations

import typing as t

from .._model.resource import Resource, as_object, normalize, parse_keys
from .._text import one_line
from .responses import build_api_error, parse_body, parse_json
from .transport import Response

_ACCEPTING = (200, 201, 202, 204)
_FAILED = {"fail", "failed", "failure", "error", "rejected", "refused", "declined"}
_FAILED |= {"denied", "canceled", "cancelled", "aborted"}
"""Words of a status by which something has failed. No status of an action is documented."""


def parse_accepted(
    request: str, response: Response, find_other: t.Callable[[Resource], str] = lambda _item: ""
) -> object:
    """Returns ``data``, or else the body or its text, of a success by which an action of unknown shape was accepted.

    Raises ApiError for any other status, and if :func:`find_denial` finds something.
    """
    body = parse_body(request, response)
    if (denial := find_denial(response, find_other)) is not None:
        raise build_api_error(request, response, denial)
    if isinstance(body, dict) and "data" in body:
        return body["data"]
    return response.text or None if body is None else body


def parse_changed(request: str, response: Response) -> Resource | None:
    """Returns the object in ``data``, or None without one, of any success by which a resource was changed.

    Raises ApiError for any other status, and if the response says that the change failed. Errors and the status in an
    object with an id are those of the resource.
    """
    body = as_object(parse_body(request, response))
    if (denial := _find_failure(body, lambda part: "id" in part)) is not None:
        raise build_api_error(request, response, denial)
    data = body.get("data")
    return parse_keys(data) if isinstance(data, dict) else None


def find_denial(response: Response, find_other: t.Callable[[Resource], str] = lambda _item: "") -> Resource | None:
    """Returns the part of a success by which the action may have failed, as an error; None without one.

    ``find_other`` returns the other resource that an object is about; empty if it is about the requested one.
    """
    body, _is_json = parse_json(response.text)
    if (denial := _find_failure(body)) is not None:
        return denial
    data = as_object(body).get("data")
    if other := find_other(parse_keys(data if isinstance(data, dict) else as_object(body))):
        return {"message": f"the answer is about {other}"}
    return None if response.status in _ACCEPTING else as_object(body)


def _find_failure(body: object, is_resource: t.Callable[[Resource], bool] = lambda _part: False) -> Resource | None:
    """Returns the part of a body that says that the action failed, as an error; None without one."""
    data = as_object(body).get("data")
    for part in map(as_object, [body, data, *(data if isinstance(data, list) else [])]):
        if part.get("success", True) in (False, "false"):
            return part
        if is_resource(part):
            continue
        if part.get("error") or part.get("errors"):
            return part
        if _FAILED.intersection(normalize(part.get("status")).split("_")):
            return {"message": f"the status in the answer is {one_line(part['status'])}"}
    return None
