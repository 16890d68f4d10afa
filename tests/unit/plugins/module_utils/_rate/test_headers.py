# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing of rate limit headers (contract 1, "Rate limit", and U10)."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.headers import (
    MAX_DELAY,
    MIN_DELAY,
    Window,
    parse_delay,
    parse_http_date,
    parse_remaining,
    parse_window,
)

SERVER_NOW = 1_800_000_000.0
DATE = formatdate(SERVER_NOW, usegmt=True)


def headers(**named: str) -> dict[str, str]:
    """Returns headers of a server whose clock is at SERVER_NOW."""
    return {"Date": DATE, **{name.replace("_", "-"): value for name, value in named.items()}}


@pytest.mark.parametrize(
    ("given_headers", "expected"),
    [
        (headers(Retry_After="7"), 7),
        (headers(Retry_After=formatdate(SERVER_NOW + 9, usegmt=True)), 9),
        (headers(Retry_After="0"), MIN_DELAY),
        (headers(Retry_After="86400"), MAX_DELAY),
        (headers(X_RateLimit_Reset=str(int(SERVER_NOW + 30))), 30),
        (headers(X_RateLimit_Reset=str(int((SERVER_NOW + 30) * 1000))), 30),
        (headers(X_RateLimit_Reset="12"), 12),
        (headers(X_RateLimit_Reset=str(int(SERVER_NOW - 30))), MIN_DELAY),
        (headers(Retry_After="5", X_RateLimit_Reset=str(int(SERVER_NOW + 30))), 5),
        (headers(Retry_After="soon"), None),
        (headers(), None),
    ],
)
@pytest.mark.parametrize("local_clock_is_off_by", [0, 3600, -3600])
def test_the_wait_that_headers_ask_for_whatever_the_local_clock(given_headers, expected, local_clock_is_off_by):
    assert parse_delay(given_headers, SERVER_NOW + local_clock_is_off_by, is_429=True) == expected


def test_a_date_that_names_no_zone_is_in_gmt_wherever_this_runs():
    assert parse_http_date(DATE.removesuffix(" GMT")) == parse_http_date(DATE) == SERVER_NOW


def test_only_a_429_waits_for_the_reset():
    assert parse_delay(headers(X_RateLimit_Reset="12"), SERVER_NOW, is_429=False) is None
    assert parse_delay(headers(Retry_After="3"), SERVER_NOW, is_429=False) == 3


@pytest.mark.parametrize("limit", ["100", None, "many"])
@pytest.mark.parametrize("local_clock_is_off_by", [3600, -3600, 0.5, -0.5])
def test_the_end_of_a_window_however_wrong_the_clock_here_is(limit, local_clock_is_off_by):
    now = SERVER_NOW + local_clock_is_off_by
    told = headers(X_RateLimit_Remaining="7", X_RateLimit_Reset=str(int(SERVER_NOW + 30)))
    if limit is not None:
        told["X-RateLimit-Limit"] = limit
    assert parse_window(told, now) == Window(7, 30, 100 if limit == "100" else None, SERVER_NOW + 30)


def test_a_window_without_a_date_or_with_a_delta_begins_now():
    for reset, seconds in ((str(int(SERVER_NOW + 9)), 9), ("9", 9), ("9999", 9999)):
        told = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        window = Window(0, min(seconds, MAX_DELAY), None, SERVER_NOW + seconds)
        assert parse_window(told, SERVER_NOW) == window


@pytest.mark.parametrize(
    ("left", "reset"), [("7", "-1"), ("7", str(int(SERVER_NOW - 1))), ("7", "soon"), ("7", ""), ("-1", "9"), ("", "9")]
)
def test_an_end_that_is_over_or_unreadable_tells_of_no_window(left, reset):
    assert parse_window(headers(X_RateLimit_Remaining=left, X_RateLimit_Reset=reset), SERVER_NOW) is None


@pytest.mark.parametrize("reset", ["0", "-0.9", str(int(SERVER_NOW))])
def test_an_end_that_is_told_as_now_is_still_to_come(reset):
    """In the last second of a window, its end in whole seconds may be now."""
    window = parse_window(headers(X_RateLimit_Remaining="7", X_RateLimit_Reset=reset), SERVER_NOW)
    assert window is not None
    assert 0 <= window.resets_in < 1


any_value = st.one_of(st.text(max_size=30), st.integers().map(str), st.floats().map(str), st.just("9" * 5000))


@given(date=any_value, parse_retry_after=any_value, reset=any_value, left=any_value, now=st.floats(0, 4e9))
def test_no_header_makes_a_wait_too_long_or_too_short_or_raises(date, parse_retry_after, reset, left, now):
    odd = {"Date": date, "Retry-After": parse_retry_after, "X-RateLimit-Reset": reset, "X-RateLimit-Remaining": left}
    wait = parse_delay(odd, now, is_429=True)
    assert wait is None or MIN_DELAY <= wait <= MAX_DELAY
    assert parse_remaining(odd) is None or isinstance(parse_remaining(odd), int)
