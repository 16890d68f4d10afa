# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the service is up, how fast it answers, and whether its clock is ours (contract 2)."""

from __future__ import annotations

import time
import typing as t

from .._errors import AnswerError, ApiError, TlsError, TransportError
from .._http.client import Client
from .._http.responses import body_of, excerpt, parsed_json
from .._http.transport import Answer
from .._rate import headers as ratelimit

PATH = "/health"


def measure(client: Client) -> dict[str, t.Any]:
    """One look at the service as it is now: not repeated, and without the key. A service that is down is a finding."""
    began, started = time.time(), time.perf_counter()
    try:
        answer = client.probe(PATH)
    except (TransportError, TlsError, AnswerError) as fault:
        return {"available": False, "health": None, "latency": None, "clock_skew": None, "error": str(fault)}
    latency = time.perf_counter() - started
    return {
        "available": answer.is_success,
        "health": said_in(answer),
        "latency": round(latency, 3),
        "clock_skew": clock_skew(answer, began + latency / 2),
        "error": fault_in(answer),
    }


def fault_in(answer: Answer) -> str | None:
    """Why this is not the answer of a service that is up; None when it is: any success is."""
    if answer.is_success:
        return None
    try:
        body_of(f"GET {PATH}", answer)
    except ApiError as error:
        return str(error)
    return None


def said_in(answer: Answer) -> t.Any:
    """What the service said, in ``data`` or without: parsed where it is JSON, the start of it where it is not."""
    said, is_json = parsed_json(answer.text)
    if not is_json:
        return excerpt(answer.text) if answer.text.strip() else None
    return said["data"] if isinstance(said, dict) and "data" in said else said


def clock_skew(answer: Answer, now: float) -> float | None:
    """Seconds by which the service's clock is ahead of ``now`` (Unix time); it tells whole seconds only."""
    there = ratelimit.http_date(answer.headers.get("Date"))
    return None if there is None else round(there - now, 1)
