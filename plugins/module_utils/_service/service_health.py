# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures availability, latency and clock skew of the service, for ``claw_health_info`` and the role ``restore``."""

from __future__ import annotations

import time
import typing as t

from .._errors import ApiError, ResponseError, TlsError, TransportError, WrongAddressError
from .._http.client import Client
from .._http.responses import build_api_error, excerpt, is_web_page, parse_json
from .._http.transport import Response
from .._rate import headers as rate_headers
from .._text import MESSAGE_LIMIT

PATH = "/health"


def measure_health(client: Client) -> dict[str, t.Any]:
    """Sends one request, without the key and without retries. Returns a result even if the service is down.

    Its ``error`` is an exception.
    """
    start_time, start = time.time(), time.perf_counter()
    try:
        response = client.get_unauthenticated(PATH)
    except (TransportError, TlsError, ResponseError) as error:
        return {"available": False, "health": None, "latency": None, "clock_skew": None, "error": error}
    latency = time.perf_counter() - start
    return {
        "available": response.is_success,
        "health": parse_health(response),
        "latency": round(latency, 3),
        "clock_skew": clock_skew(response, start_time + latency / 2),
        "error": find_error(response),
    }


def find_error(response: Response) -> ApiError | None:
    """Returns the error because of which the service is not available; None after any 2xx."""
    if response.is_success:
        return None
    body, is_json = parse_json(response.text)
    return build_api_error(f"GET {PATH}", response, body if is_json else response.text, WrongAddressError)


def parse_health(response: Response) -> t.Any:
    """Returns the parsed body, without a ``data`` envelope; the start of a text, an excerpt of a web page."""
    body, is_json = parse_json(response.text)
    if not is_json:
        return excerpt(response.text) if is_web_page(response) else response.text.strip()[:MESSAGE_LIMIT] or None
    return body["data"] if isinstance(body, dict) and "data" in body else body


def clock_skew(response: Response, now: float) -> float | None:
    """Returns the seconds by which the service's clock is ahead of ``now`` (Unix time). ``Date`` has whole seconds."""
    service_time = rate_headers.parse_http_date(response.headers.get("Date"))
    return None if service_time is None else round(service_time - now, 1)
