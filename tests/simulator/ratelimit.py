# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate limit: requests per key and window, and its headers (contract 1, 11 U10)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from simulator.exchange import Answer, Exchange, Handler, error_answer
from simulator.switches import Switches


@dataclass(slots=True)
class Window:
    """The requests of one key that count for the limit."""

    times: deque[float] = field(default_factory=deque)

    def forget(self, now: float, switches: Switches) -> None:
        """Drops requests that are no longer in the window.

        A fixed window begins with its first request and ends as a whole. A window by the clock does too, but begins at
        a multiple of its length.
        """
        if switches.rate_window == "sliding":
            while self.times and now >= self.times[0] + switches.rate_window_seconds:
                self.times.popleft()
        elif self.times and now >= self.resets_at(self.times[0], switches):
            self.times.clear()

    def resets_at(self, now: float, switches: Switches) -> float:
        """Returns the time when the window has room again."""
        if switches.rate_window == "clock":
            return (now // switches.rate_window_seconds + 1) * switches.rate_window_seconds
        return (self.times[0] if self.times else now) + switches.rate_window_seconds


class RateLimiter:
    """One window per key; calls without a key share one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.skew = 0.0  # skew of the server's clock
        self._windows: dict[str, Window] = {}

    def clear(self) -> None:
        self._windows.clear()

    async def limit(self, exchange: Exchange, inner: Handler) -> Answer:
        """Responds with 429 above the limit. Counts other requests and adds the headers."""
        switches = exchange.switches
        if switches.rate_limit == 0:
            return await inner(exchange)
        now = self.clock()
        window = self._windows.setdefault(exchange.key or "", Window())
        window.forget(now, switches)
        if len(window.times) >= switches.rate_limit:
            resets_at = window.resets_at(now, switches)
            answer = self.refusal(resets_at, switches.rate_reset, switches.retry_after, switches.rate_limit_code)
        else:
            window.times.append(now)
            answer = await inner(exchange)
        answer.headers |= self._headers(window, now, switches)
        return answer

    def refusal(self, resets_at: float, reset: str, retry_after: str, code: str | None) -> Answer:
        answer = error_answer(429, code, "Too many requests were made with this key.")
        answer.headers |= self._reset_header(resets_at, reset)
        seconds = max(1, math.ceil(resets_at - self.clock()))
        texts = {
            "none": None,
            "seconds": str(seconds),
            "http_date": formatdate(math.ceil(resets_at + self.skew), usegmt=True),
            "garbage": "in a moment",
        }
        text = texts.get(retry_after, retry_after)
        if text is not None:
            answer.headers["retry-after"] = text
        return answer

    def _headers(self, window: Window, now: float, switches: Switches) -> dict[str, str]:
        if switches.rate_headers == "none":
            return {}
        return {
            "x-ratelimit-limit": str(switches.rate_limit),
            "x-ratelimit-remaining": str(max(0, switches.rate_limit - len(window.times))),
            **self._reset_header(window.resets_at(now, switches), switches.rate_reset),
        }

    def _reset_header(self, resets_at: float, form: str) -> dict[str, str]:
        now = self.clock()
        texts = {
            "unix": str(math.ceil(resets_at + self.skew)),
            "delta": str(math.ceil(resets_at - now)),
            "milliseconds": str(math.ceil((resets_at + self.skew) * 1000)),
            "past": str(int(now + self.skew) - 30),
            "garbage": "soon",
            "missing": None,
            "none": None,
        }
        text = texts.get(form, form)
        return {} if text is None else {"x-ratelimit-reset": text}
