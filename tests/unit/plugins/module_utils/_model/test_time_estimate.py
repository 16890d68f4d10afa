# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.time_estimate import (
    Account,
    Bound,
    Service,
    estimate_fleet_change,
    estimate_for_keys,
    estimate_listing,
    estimate_restore,
    format_duration,
)

accounts = st.builds(
    Account,
    instances=st.integers(0, 20_000),
    backups_each=st.integers(0, 30),
    page_size=st.sampled_from([25, 100]),
    filters_honoured=st.booleans(),
)
services = st.builds(
    Service, rate_limit=st.integers(1, 500), window=st.floats(0.5, 120), latency=st.floats(0, 5, allow_subnormal=False)
)
batches = st.lists(st.integers(1, 300), min_size=1, max_size=12)
durations = st.floats(0, 1200)
COUNTED = 1e-6
"""Seconds that sums of floating point numbers may differ by."""


def window_floor(requests: int, service: Service) -> float:
    """Returns the seconds until the last of so many requests may be sent."""
    return (math.ceil(requests / service.rate_limit) - 1) * service.window


@given(account=accounts, service=services)
def test_a_listing_costs_its_pages_and_waits_for_the_windows(account: Account, service: Service) -> None:
    estimate = estimate_listing(account, service)
    assert estimate.requests == account.pages
    floor = window_floor(account.pages, service)
    assert floor + service.latency - COUNTED <= estimate.seconds


@given(account=accounts, service=services, more=st.integers(1, 5000))
def test_a_larger_account_takes_no_less(account: Account, service: Service, more: int) -> None:
    larger = replace(account, instances=account.instances + more)
    assert estimate_listing(larger, service).seconds >= estimate_listing(account, service).seconds - COUNTED
    assert estimate_listing(larger, service).requests >= estimate_listing(account, service).requests


@given(account=accounts, service=services, changes=st.integers(0, 2000), duration=durations)
def test_a_fleet_change_is_never_below_its_floors(
    account: Account, service: Service, changes: int, duration: float
) -> None:
    estimate = estimate_fleet_change(changes, account, service, change_seconds=duration)
    assert estimate.requests >= account.pages + changes
    floor = window_floor(account.pages + changes, service) + (duration if changes else 0)
    assert estimate.seconds >= floor - COUNTED


@given(account=accounts, service=services, sizes=batches, duration=durations, is_planned=st.booleans())
def test_restores_are_never_below_their_floors(
    account: Account, service: Service, sizes: list[int], duration: float, is_planned: bool
) -> None:
    estimate = estimate_restore(sizes, account, service, restore_seconds=duration, is_planned=is_planned)
    count = sum(sizes)
    sent = count + sum(account.count_reads(size) for size in sizes)
    if not is_planned:
        sent += account.count_reads(count) + account.count_backup_reads(count)
    assert estimate.requests >= sent
    assert estimate.seconds >= len(sizes) * duration - COUNTED
    first = sent - sum(account.count_reads(size) + size for size in sizes[1:])
    assert estimate.seconds >= window_floor(first, service) + duration - COUNTED


@given(account=accounts, service=services, sizes=batches, duration=durations, longer=st.floats(0, 600))
def test_slower_restores_take_no_less(
    account: Account, service: Service, sizes: list[int], duration: float, longer: float
) -> None:
    fast = estimate_restore(sizes, account, service, restore_seconds=duration)
    slow = estimate_restore(sizes, account, service, restore_seconds=duration + longer)
    assert slow.seconds >= fast.seconds - COUNTED
    assert slow.requests >= fast.requests


@given(account=accounts, service=services, sizes=batches, duration=durations, data=st.data())
def test_more_restores_take_no_less(
    account: Account, service: Service, sizes: list[int], duration: float, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(sizes) - 1))
    larger = [size + (number == index) for number, size in enumerate(sizes)]
    fewer, more = (estimate_restore(counts, account, service, restore_seconds=duration) for counts in (sizes, larger))
    assert more.seconds >= fewer.seconds - COUNTED
    assert more.requests >= fewer.requests


@given(account=accounts, service=services, sizes=batches)
def test_honoured_filters_and_larger_pages_save_requests(account: Account, service: Service, sizes: list[int]) -> None:
    plain = replace(account, page_size=25, filters_honoured=False)
    requests = [
        estimate_restore(sizes, better, service, restore_seconds=0).requests
        for better in (plain, replace(plain, page_size=100), replace(plain, page_size=100, filters_honoured=True))
    ]
    assert requests == sorted(requests, reverse=True)


def test_what_is_planned_is_not_read_again() -> None:
    account = Account(1000)
    whole, rest = (estimate_restore([1], account, is_planned=is_planned) for is_planned in (False, True))
    # Health and account, the instance, 14,000 backups in pages of 25.
    assert whole.requests - rest.requests == 2 + 1 + 560
    assert whole.seconds > rest.seconds + 5 * 60


@pytest.mark.parametrize(
    ("account", "bound"),
    [(Account(1000), Bound.LATENCY), (Account(10_000), Bound.RATE_LIMIT)],
)
def test_a_listing_is_bound_by_the_latency_or_by_the_rate_limit(account: Account, bound: Bound) -> None:
    assert estimate_listing(account).bound is bound


def test_forty_restores_are_bound_by_the_restore_itself() -> None:
    """The forty of one incident: a canary, five, and the rest take as long as three restores, not forty."""
    account = Account(60, filters_honoured=True)
    one = estimate_restore([1], account)
    together = estimate_restore([40], account)
    staged = estimate_restore([1, 5, 34], account)
    assert together.bound is staged.bound is Bound.DURATION
    assert together.seconds <= 1.15 * one.seconds
    assert staged.seconds <= 3.2 * one.seconds


def test_each_key_has_its_own_rate_limit() -> None:
    one = estimate_listing(Account(10_000))
    assert estimate_for_keys(one, 50, forks=50) == replace(one, requests=50 * one.requests)
    many = estimate_for_keys(one, 120, forks=50)
    assert (many.seconds, many.bound) == (3 * one.seconds, Bound.FORKS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "a few seconds"),
        (45.4, "45 seconds"),
        (99.4, "99 seconds"),
        (120, "2 minutes"),
        (725, "12 minutes"),
        (5 * 3600, "5 hours"),
        (4_000_000, "1,111 hours"),
    ],
)
def test_a_duration_is_formatted_with_the_precision_of_an_estimate(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
