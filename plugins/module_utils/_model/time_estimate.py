# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Estimates the requests and the time of a listing, of a fleet change, and of restores in batches. Pure.

The estimates assume that nothing else uses the key, that nothing fails, and that a window of the rate limit begins with
the first request. They leave out the time of Ansible itself.
"""

from __future__ import annotations

import enum
import math
import typing as t
from dataclasses import dataclass, replace

from .._concurrency import MAX_WORKERS
from .._waiter import INITIAL_INTERVAL, INTERVAL_MULTIPLIER, MAX_INTERVAL, quick_interval
from .batches import POLL_SHARE

CHANGE_SECONDS = 10.0
"""Assumed duration of a start, stop or restart. The documentation says a few seconds."""
RESTORE_SECONDS = 120.0
"""Assumed duration of a restore until the instance is healthy. Nothing public states it."""
PREFLIGHT_REQUESTS = 2
"""Requests of the role ``restore`` before it reads the lists: health and account."""


class Bound(enum.StrEnum):
    """The bottleneck: it takes most of the time."""

    RATE_LIMIT = "rate limit"
    DURATION = "duration"
    """The service's own work: the restores or changes, until a poll shows their end."""
    LATENCY = "latency"
    FORKS = "forks"
    """A key waits until other keys are done."""


@dataclass(frozen=True)
class Account:
    """The instances of one key, and how its lists can be read."""

    instances: int
    backups_each: int = 14
    """Backups of each instance. Assumed: one a day, kept for 14 days."""
    page_size: int = 25
    """Entries of a page: 25 unless the service honours ``page_size``."""
    filters_honoured: bool = False
    """True with ``server_filters``, if the service honours them."""

    @property
    def pages(self) -> int:
        """Pages of the list of instances. An empty list is one page."""
        return _count_pages(self.instances, self.page_size)

    @property
    def backup_pages(self) -> int:
        """Pages of the list of all backups."""
        return _count_pages(self.instances * self.backups_each, self.page_size)

    def count_reads(self, instances: int) -> int:
        """Returns the requests that read so many instances, given by id: one by one, or the list."""
        return min(instances, self.pages)

    def count_backup_reads(self, instances: int) -> int:
        """Returns the requests that read the backups of so many instances."""
        if not self.filters_honoured:
            return self.backup_pages
        return min(instances * _count_pages(self.backups_each, self.page_size), self.backup_pages)


@dataclass(frozen=True)
class Service:
    """How fast the service is. ``rate_limit``: requests of one key in a window; times in seconds."""

    rate_limit: int = 100
    window: float = 60.0
    latency: float = 0.2


DOCUMENTED = Service()
"""100 requests a minute are documented. The latency is assumed."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of one operation. ``seconds`` is the sum of what it spends on each bound."""

    requests: int
    seconds: float
    bound: Bound

    def __str__(self) -> str:
        return format_duration(self.seconds)


def estimate_listing(account: Account, service: Service = DOCUMENTED) -> Estimate:
    """Estimates the list of all instances, as for an inventory."""
    clock = _Clock(service)
    clock.send(account.pages)
    return clock.estimate()


def estimate_fleet_change(
    changes: int,
    account: Account,
    service: Service = DOCUMENTED,
    *,
    change_seconds: float = CHANGE_SECONDS,
) -> Estimate:
    """Estimates one task of ``claw_fleet`` that changes so many instances, and waits until each takes effect."""
    clock = _Clock(service)
    clock.send(account.pages)
    if changes:
        clock.send(changes)
        clock.wait(change_seconds, account.pages, share=1.0)
    return clock.estimate()


def estimate_restore(
    batches: t.Sequence[int],
    account: Account,
    service: Service = DOCUMENTED,
    *,
    restore_seconds: float = RESTORE_SECONDS,
    is_planned: bool = False,
) -> Estimate:
    """Estimates restores in batches of these sizes, of instances given by id, until all are healthy.

    A restore counts as completed when two polls in a row show it (:class:`StateReached`).
    ``is_planned``: the instances and their backups have been read, so only what follows counts.
    """
    clock = _Clock(service)
    if not is_planned:
        count = sum(batches)
        clock.send(PREFLIGHT_REQUESTS + account.count_reads(count) + account.count_backup_reads(count))
    for size in batches:
        reads = account.count_reads(size)
        clock.send(reads)
        clock.send(size)
        clock.wait(restore_seconds, reads, share=POLL_SHARE, confirmations=1)
    return clock.estimate()


def estimate_for_keys(one: Estimate, keys: int, forks: int) -> Estimate:
    """Estimates the same operation with each of so many keys, ``forks`` at a time. Each key has its own rate limit."""
    rounds = math.ceil(keys / forks)
    bound = one.bound if rounds == 1 else Bound.FORKS
    return replace(one, requests=one.requests * keys, seconds=one.seconds * rounds, bound=bound)


def format_duration(seconds: float) -> str:
    """Formats an estimate with the precision that it has: ``12 minutes``, ``5 hours``; ``a few seconds`` below ten."""
    if seconds < 10:
        return "a few seconds"
    for unit, length in (("second", 1), ("minute", 60), ("hour", 3600)):
        count = round(seconds / length)
        if count < 100 or unit == "hour":
            break
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


class _Clock:
    """The time of one key. All windows of the rate limit have the same length, the first one begins at 0."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._now = 0.0
        self._opened_at = 0.0
        self._used = 0.0
        self._requests = 0.0
        self._spent = dict.fromkeys(Bound, 0.0)

    def estimate(self) -> Estimate:
        """Returns the estimate of what was done so far."""
        bound = max(self._spent, key=lambda bound: self._spent[bound])
        return Estimate(math.ceil(self._requests), self._now, bound)

    def send(self, requests: int) -> None:
        """Sends requests in parallel, as early as the rate limit allows, and waits for the last response."""
        self._requests += requests
        limit, window = self._service.rate_limit, self._service.window
        # Windows until the one in which the last request goes out.
        windows = max(math.ceil((self._used + requests) / limit) - 1, 0)
        self._used += requests - windows * limit
        self._opened_at += windows * window
        responding = self._response_time(requests)
        if windows:
            answered_at = self._opened_at + self._response_time(min(self._used, requests))
            self._advance(max(answered_at - self._now - responding, 0.0), Bound.RATE_LIMIT)
        self._advance(responding, Bound.LATENCY)

    def _response_time(self, requests: float) -> float:
        return math.ceil(requests / MAX_WORKERS) * self._service.latency

    def wait(self, duration: float, requests_per_poll: int, *, share: float, confirmations: int = 0) -> None:
        """Waits for a change that takes ``duration``, until polls show its end and ``confirmations`` more agree.

        Polls use at most ``share`` of each window.
        """
        # As in Waiter: intervals grow from the initial one, so that one that begins at a time t is t / 2 longer.
        interval = min(INITIAL_INTERVAL + duration * (INTERVAL_MULTIPLIER - 1), MAX_INTERVAL)
        polls = math.log(interval / INITIAL_INTERVAL, INTERVAL_MULTIPLIER) + duration / interval
        rate = share * self._service.rate_limit / self._service.window
        requests = requests_per_poll * (1 + confirmations) + min(polls * requests_per_poll, rate * duration)
        # The change ends between two polls, and those that confirm it follow soon.
        affordable = requests_per_poll / rate
        confirming = max(quick_interval(requests_per_poll), affordable)
        seconds = duration + 0.5 * max(interval, affordable) + confirmations * confirming
        self._requests += requests
        self._used += requests
        self._advance(seconds, Bound.DURATION)

    def _advance(self, seconds: float, bound: Bound) -> None:
        self._spent[bound] += seconds
        self._now += seconds
        windows = max(int((self._now - self._opened_at) / self._service.window), 0)
        self._opened_at += windows * self._service.window
        self._used = max(self._used - windows * self._service.rate_limit, 0.0)


def _count_pages(entries: int, page_size: int) -> int:
    return max(math.ceil(entries / page_size), 1)
