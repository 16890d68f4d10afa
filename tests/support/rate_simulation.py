# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulates workers that share a rate limiter, in virtual time, against a service with a rate limit."""

from __future__ import annotations

import heapq
import math
import random
import typing as t
from dataclasses import dataclass, field

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.headers import Window
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import MAX_SLEEP, Priority, RateLimiter
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.shared_budget import MAX_SPREAD

EPOCH = 1_800_000_000.4


@dataclass
class Service:
    """Counts requests in windows of ``length`` seconds."""

    limit: int = 30
    length: float = 3.0
    kind: str = "from the first request"
    told: str = "exactly"
    on_429: int = 0
    times: list[float] = field(default_factory=list)

    def answer(self, now: float) -> tuple[bool, Window | None]:
        """Returns if the request is accepted, and the window in the headers of its response."""
        if self.kind == "sliding":
            self.times = [at for at in self.times if at > now - self.length]
        elif self.kind == "by the clock":
            self.times = [at for at in self.times if at // self.length == now // self.length]
        elif self.times and now >= self.times[0] + self.length:
            self.times = []
        passes = len(self.times) < self.limit
        if passes:
            self.times.append(now)
        else:
            self.on_429 += 1
        begun = now // self.length * self.length if self.kind == "by the clock" else self.times[0]
        end = begun + self.length
        resets_at = {"rounded up": math.ceil(end), "cut": math.floor(end), "not at all": 0.0}.get(self.told, end)
        if resets_at <= now:
            return passes, None
        service_now = math.floor(now) if self.told == "by a cut clock" else now
        return passes, Window(self.limit - len(self.times), resets_at - service_now, self.limit, resets_at)


@dataclass(frozen=True)
class Worker:
    """Sends some requests one after another, as fast as its limiter allows."""

    name: str
    limiter: RateLimiter
    priority: Priority = Priority.NORMAL
    pause: float = 0.0
    """Seconds between a response and the next request."""


@dataclass
class Simulation:
    """Runs workers, of which several may share a limiter."""

    service: Service
    latency: float = 0.01
    now: float = EPOCH
    done: int = 0
    on_send: t.Callable[[Worker, float, float], None] = lambda _worker, _asked_at, _now: None
    """Called just after the limiter has allowed a request, with the times when the worker first asked, and now."""
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    _events: list[tuple[float, int, t.Callable[[], None]]] = field(default_factory=list)
    _numbers: int = 0
    _asked_at: dict[str, float] = field(default_factory=dict)

    def worker(self, name: str, limiter: RateLimiter, requests: int, *, start: float = 0.0, **options: t.Any) -> None:
        """Adds a worker that sends ``requests``, beginning ``start`` seconds from now."""
        self._ask_at(self.now + start, Worker(name, limiter, **options), requests)

    def run(self) -> float:
        """Runs all workers and returns the seconds that they took."""
        while self._events:
            self.now, _number, event = heapq.heappop(self._events)
            event()
        return self.now - EPOCH

    def _at(self, moment: float, event: t.Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._events, (moment, self._numbers, event))

    def _ask_at(self, moment: float, worker: Worker, left: int) -> None:
        self._at(moment, lambda: self._ask(worker, left))

    def _ask(self, worker: Worker, left: int) -> None:
        if not left:
            return
        has_waited = worker.name in self._asked_at
        self._asked_at.setdefault(worker.name, self.now)
        request = f"{worker.name}-{left}"
        delay = worker.limiter.acquire(request, self.now, worker.priority, has_waited=has_waited).delay
        assert 0 <= delay <= MAX_SLEEP
        if delay:
            self._ask_at(self.now + delay + self.chance.uniform(0, min(0.02 + delay / 20, MAX_SPREAD)), worker, left)
        else:
            self.on_send(worker, self._asked_at.pop(worker.name), self.now)
            self._at(self.now + self._half_latency(), lambda: self._reach_service(worker, left))

    def _half_latency(self) -> float:
        return self.latency * self.chance.uniform(0.1, 0.9)

    def _reach_service(self, worker: Worker, left: int) -> None:
        passes, window = self.service.answer(self.now)
        self._at(self.now + self._half_latency(), lambda: self._receive_response(worker, left, passes, window))

    def _receive_response(self, worker: Worker, left: int, passes: bool, window: Window | None) -> None:
        worker.limiter.advance(self.now)
        if passes:
            worker.limiter.on_response(f"{worker.name}-{left}", window, is_success=True)
            self.done += 1
            self._ask_at(self.now + worker.pause, worker, left - 1)
        else:
            delay = None if window is None else max(1.0, window.resets_in)
            worker.limiter.on_429(f"{worker.name}-{left}", delay)
            self._ask_at(self.now + 1, worker, left)
