# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Property tests: whatever the clock of the controller, the backup is chosen that a right clock would choose."""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import format_datetime
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError, SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http import client as stats_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import RequestStats
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import RequestOutcome
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import RestoreHistory
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import Rules
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import (
    AccountView,
    Target,
    TargetPlan,
    plan_restores,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._time_options import parse_timestamp, require_past
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import format_time
from support.accounts import NOW, World, cases

SKEWS = st.integers(-2 * 86_400, 2 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
NIGHT = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When summer time ends in Europe: where it is observed, the hour before is shown twice."""
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
CET = "CET-1CEST,M3.5.0,M10.5.0/3"
ZONES = {"UTC0": (0, 0), "GMT0BST,M3.5.0/1,M10.5.0": (0, 1), CET: (1, 2), "IST-5:30": (5.5, 5.5)}
"""Zones as the variable TZ has them: hours ahead of UTC in winter and in summer."""
MINUTES = st.integers(-600, 600).map(lambda minutes: timedelta(minutes=minutes))


@pytest.fixture(autouse=True)
def zone() -> t.Iterator[None]:
    """Resets the time zone of this process."""
    yield
    time.tzset()


def offset_at(moment: datetime, zone: str) -> timedelta:
    winter, summer = ZONES[zone]
    return timedelta(hours=summer if SPRING <= moment < NIGHT else winter)


def read_locally(shown: datetime, zone: str) -> set[datetime]:
    """Returns the moments at which the clocks of a zone show a time."""
    moments = {shown.replace(tzinfo=UTC) - timedelta(hours=hours) for hours in ZONES[zone]}
    return {moment for moment in moments if moment + offset_at(moment, zone) == shown.replace(tzinfo=UTC)}


def build_clock(skew: timedelta) -> type[datetime]:
    """Returns a class ``datetime`` by which the machine's clock is ahead by ``skew``."""

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return cls.fromtimestamp((NOW + skew).timestamp(), tz)

    return WrongClock


def answered(now: datetime = NOW, *, date: bool = True) -> RequestStats:
    """Returns the statistics after one response, with or without the time of the service."""
    stats = RequestStats()
    headers = {"Date": format_datetime(now, usegmt=True)} if date else {}
    stats.record(RequestOutcome(sent=True, status=200, headers=headers), time.monotonic())
    return stats


def choose(world: World, target: Target, now: datetime) -> TargetPlan:
    account = AccountView(InstanceIndex(world.instances), world.backups)
    (plan,) = plan_restores([target], account, world.history, world.rules, now)
    return plan


@given(cases(), SKEWS)
def test_the_choice_is_that_of_a_right_clock(case: tuple[World, Target], skew: timedelta) -> None:
    world, target = case
    # No time passes: a backup may be just as old as is allowed.
    with mock.patch.object(time, "monotonic", return_value=1000.0):
        right = choose(world, target, answered().now())
        with mock.patch.object(stats_module, "datetime", build_clock(skew)):
            plan = choose(world, target, answered().now())
    assert (plan.backup, plan.action) == (right.backup, right.action)
    assert (plan.reason and plan.reason.kind) == (right.reason and right.reason.kind)


@given(SKEWS, st.floats(0, 20), st.floats(0, 1))
def test_the_service_tells_its_time_to_half_a_second_and_half_a_response(
    skew: timedelta, duration: float, told_after: float
) -> None:
    """``Date`` is cut to whole seconds, and it is not known when it was told: at ``told_after`` of the duration."""
    date = format_datetime(NOW + skew + timedelta(seconds=told_after * duration), usegmt=True)
    stats = RequestStats()
    with mock.patch.object(time, "monotonic", return_value=duration):
        stats.record(RequestOutcome(sent=True, status=200, headers={"Date": date}), 0.0)
        shown = stats.service_time()
    assert shown
    assert abs((shown - NOW - skew).total_seconds() - duration) <= (1 + duration) / 2 + 0.001


# Times of users


@given(st.sampled_from(sorted(ZONES)), st.sampled_from([NIGHT, SPRING, NOW]), MINUTES)
def test_a_time_without_an_offset_is_read_in_one_way_or_refused(zone: str, near: datetime, minutes: timedelta) -> None:
    shown = (near + minutes).replace(tzinfo=None)
    readings = {*read_locally(shown, zone), shown.replace(tzinfo=UTC)}
    with mock.patch.dict(os.environ, TZ=zone):
        if read_locally(shown, zone) == {shown.replace(tzinfo=UTC)}:
            assert parse_timestamp("before", shown.isoformat()) == shown.replace(tzinfo=UTC)
            return
        with pytest.raises(SettingsError, match="has no UTC offset") as raised:
            parse_timestamp("before", shown.isoformat())
        # Each reading can be pasted.
        words = [word.strip(".,;") for word in str(raised.value).split()]
        printed = [word for word in words if word[:2] == "20" and word != shown.isoformat()]
        assert {parse_timestamp("before", word) for word in printed} == readings


@given(st.sampled_from(sorted(ZONES)), st.sampled_from([NIGHT, SPRING, NOW]), MINUTES)
def test_a_time_as_it_is_shown_is_refused_with_its_offset(zone: str, near: datetime, minutes: timedelta) -> None:
    moment = near + minutes
    with mock.patch.dict(os.environ, TZ=zone):
        local, _in, _utc = format_time(moment, seconds=True).partition(" (")
        if local.endswith(" UTC"):
            assert parse_timestamp("before", local) == moment
            return
        with pytest.raises(SettingsError, match="has no UTC offset") as raised:
            parse_timestamp("before", local)
        reading = str(raised.value).split()[-1].rstrip(".")
        assert parse_timestamp("before", reading) == moment


@example(CET, timedelta(hours=1), timedelta(minutes=-30), "wall", [timedelta(hours=-1)])
@given(
    st.sampled_from(sorted(ZONES)),
    MINUTES,
    MINUTES,
    st.sampled_from(["wall", "wall", "offset", "UTC"]),
    st.lists(MINUTES, max_size=6, unique=True),
)
def test_a_limit_chooses_the_backup_that_is_meant_or_is_refused(
    zone: str, passed: timedelta, meant_after: timedelta, form: str, taken: list[timedelta]
) -> None:
    """In the night of the change a user means a moment, and types what the clock on the wall shows then."""
    now, meant = NIGHT + passed, NIGHT + meant_after
    offset = timedelta(0) if form == "UTC" else offset_at(meant, zone)
    text = meant.astimezone(timezone(offset)).isoformat()
    instance = {"id": 1, "name": "web-bot", "status": "running"}
    times = [(NIGHT + at).isoformat() for at in taken]
    backups = [{"id": 10 + number, "instance_id": 1, "created_at": at} for number, at in enumerate(times)]
    world = World([instance], backups, RestoreHistory("", ""), Rules())
    with mock.patch.dict(os.environ, TZ=zone):
        try:
            before = parse_timestamp("before", text[:19] if form == "wall" else text)
            require_past("before", before, answered(now).now())
        except SettingsError:
            assert form == "wall"
            return
        except RefusedError:
            assert meant > now
            return
    plan, right = (choose(replace(world, rules=Rules(before=limit)), Target(1, None), now) for limit in (before, meant))
    assert plan.backup == right.backup
    assert meant - now <= timedelta(minutes=1)
