# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Parsing and formatting of times and durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._time_options import parse_duration, parse_timestamp
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import format_duration, format_time, parse_time

TEN = datetime(2026, 2, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-01T10:00:00Z",
        " 2026-02-01T10:00:00.000Z ",
        "2026-02-01T11:00:00.0+0100",
        "2026-02-01 10:00:00",
        1769940000,
        1769940000000,
    ],
)
def test_a_time_in_any_form(text):
    assert parse_time(text) == TEN


@pytest.mark.parametrize(
    "value",
    [None, "", "once", True, [], {}, "2026-02-30", "2026-02-01T23:59:60Z", "9999-12-31T23:59:59-01:00", 1e300,
     "0001-01-01T00:00:00+01:00", float("inf"), float("nan"), -1e20],
)  # fmt: skip
def test_what_is_no_time_is_none_and_no_error(value):
    assert parse_time(value) is None


@given(st.one_of(st.text(), st.integers(), st.floats(), st.datetimes().map(str), st.none(), st.lists(st.integers())))
def test_no_value_raises_and_every_time_can_be_compared(value):
    moment = parse_time(value)
    assert moment is None or moment < TEN or moment >= TEN


@pytest.mark.parametrize("text", ["2026-02-01T10:00Z", "2026-02-01 10:00:00+00:00", "2026-02-01T12:00:00.5+02"])
def test_a_moment_of_a_user(text):
    assert abs(parse_timestamp("before", text) - TEN) < timedelta(seconds=1)


@pytest.mark.usefixtures("zone")
def test_an_abbreviation_is_refused_with_its_offset():
    for hours, zones in enumerate(["GMT WET", "WEST BST CET", "CEST EET", "EEST"]):
        for name in zones.split():
            with pytest.raises(SettingsError, match=rf"In {name} it is 2026-02-01T10:00:00\+0{hours}:00\."):
                parse_timestamp("before", f"2026-02-01 10:00 {name}")


@pytest.mark.usefixtures("zone")
def test_no_moment_is_none_and_a_day_begins_at_midnight():
    assert parse_timestamp("before", None) is None
    assert parse_timestamp("before", "2026-02-01") == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "once", "20260201", "2026-W05", "2026-02-30", "2026-02-01T10", "1769940000"])
def test_what_a_user_gives_is_read_strictly(text):
    with pytest.raises(SettingsError, match=r"before is .*must be a time in ISO 8601"):
        parse_timestamp("before", text)


@pytest.mark.parametrize("text", ["9999-12-31 23:59 America/New_York", "0001-01-01 00:00 Asia/Tokyo"])
def test_a_time_that_no_clock_can_show_does_not_exist(text):
    with pytest.raises(SettingsError, match="it does not exist"):
        parse_timestamp("before", text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (40, "40 s"), (720, "12 min"), (19200, "5 h 20 min"), (273600, "3 d 4 h")]
)
def test_spans(seconds, text):
    assert format_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("zone", "hours", "text", "of_today"),
    [
        ("UTC0", 0, "2026-02-01 10:00 UTC", "10:00 UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 0, "2026-02-01 11:00 CET (10:00 UTC)", "11:00 CET (10:00 UTC)"),
        ("EST5", -9, "2026-01-31 20:00 EST (2026-02-01 01:00 UTC)", "2026-01-31 20:00 EST (2026-02-01 01:00 UTC)"),
        ("<+14>-14", 2, "2026-02-02 02:00 +14 (2026-02-01 12:00 UTC)", "02:00 +14 (2026-02-01 12:00 UTC)"),
    ],
    indirect=["zone"],
)
def test_a_time_is_shown_by_the_clocks_of_the_machine_and_in_utc(zone, hours, text, of_today):
    moment = TEN + timedelta(hours=hours)
    assert format_time(moment) == text
    assert format_time(moment, TEN) == of_today
    assert format_time(datetime.max.replace(tzinfo=UTC)).rstrip(")").endswith("23:59 UTC")


@pytest.mark.parametrize(
    ("text", "duration"),
    [("90s", timedelta(seconds=90)), (" 36 h ", timedelta(hours=36)), ("2w", timedelta(days=14)), ("0s", timedelta())],
)
def test_a_duration_of_a_user(text, duration):
    assert parse_duration("max_age", text) == duration
    assert parse_duration("max_age", None) is None


@pytest.mark.parametrize("text", ["", "36", "h", "-1h", "1.5h", "1y", "1h30m", "1234567s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(SettingsError, match=r"max_age is .*must be a number and a unit"):
        parse_duration("max_age", text)
