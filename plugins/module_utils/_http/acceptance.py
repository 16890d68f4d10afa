# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides if a successful response means that an action was accepted. Its shape is undocumented."""

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


def find_denial(response: Response, find_other: t.Callable[[Resource], str] = lambda _item: "") -> Resource | None:
    """Returns the part of a success by which the action may have failed, as an error; None without one.

    ``find_other`` returns the other resource that an object is about; empty if it is about the requested one.
    """
    body, _is_json = parse_json(response.text)
    data = as_object(body).get("data")
    parts = [part for part in (body, data) if isinstance(part, dict)]
    for part in [*parts, *(as_object(item) for item in (data if isinstance(data, list) else []))]:
        if part.get("error") or part.get("errors") or part.get("success", True) in (False, "false"):
            return part
        if _FAILED.intersection(normalize(part.get("status")).split("_")):
            return {"message": f"the status in the answer is {one_line(part['status'])}"}
    if parts and (other := find_other(parse_keys(parts[-1]))):
        return {"message": f"the answer is about {other}"}
    return None if response.status in _ACCEPTING else as_object(body)
