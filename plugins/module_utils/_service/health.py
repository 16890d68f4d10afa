# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the service is up, how fast it answers, and whether its clock is ours (contract 2)."""

from __future__ import annotations

import time
import typing as t

from .._errors import ApiError, ResponseError, TlsError, TransportError
from .._http.client import Client
from .._http.responses import excerpt, parse_body, parse_json
from .._http.transport import Response
from .._rate import headers as rate_headers

PATH = "/health"


def measure_health(client: Client) -> dict[str, t.Any]:
    """One look at the service as it is now: not repeated, and without the key. A service that is down is a finding."""
    began, started = time.time(), time.perf_counter()
    try:
        response = client.probe(PATH)
    except (TransportError, TlsError, ResponseError) as fault:
        return {"available": False, "health": None, "latency": None, "clock_skew": None, "error": str(fault)}
    latency = time.perf_counter() - started
    return {
        "available": response.is_success,
        "health": said_in(response),
        "latency": round(latency, 3),
        "clock_skew": clock_skew(response, began + latency / 2),
        "error": describe_fault(response),
    }


def describe_fault(response: Response) -> str | None:
    """Why this is not the answer of a service that is up; None when it is: any success is."""
    if response.is_success:
        return None
    try:
        parse_body(f"GET {PATH}", response)
    except ApiError as error:
        return str(error)
    return None


def said_in(response: Response) -> t.Any:
    """What the service said, in ``data`` or without: parsed where it is JSON, the start of it where it is not."""
    said, is_json = parse_json(response.text)
    if not is_json:
        return excerpt(response.text) if response.text.strip() else None
    return said["data"] if isinstance(said, dict) and "data" in said else said


def clock_skew(response: Response, now: float) -> float | None:
    """Seconds by which the service's clock is ahead of ``now`` (Unix time); it tells whole seconds only."""
    there = rate_headers.parse_http_date(response.headers.get("Date"))
    return None if there is None else round(there - now, 1)
