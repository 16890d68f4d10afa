# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Property tests: whatever the clock of the controller, the backup is chosen that a right clock would choose."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from email.utils import format_datetime
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http import stats as stats_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.stats import RequestStats
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import RequestOutcome
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.messages import describe_clock
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan import (
    Account,
    Plan,
    Target,
    plan_restores,
)
from support.accounts import NOW, World, cases

SKEWS = st.integers(-2 * 86_400, 2 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


def build_clock(skew: timedelta) -> type[datetime]:
    """Returns a class ``datetime`` by which the machine's clock is ahead by ``skew``."""

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> WrongClock:
            return cls.fromtimestamp((NOW + skew).timestamp(), tz)

    return WrongClock


def answered(*, date: bool = True) -> RequestStats:
    """Returns the statistics after one response, with or without the time of the service."""
    stats = RequestStats()
    headers = {"Date": format_datetime(NOW, usegmt=True)} if date else {}
    stats.record(RequestOutcome(sent=True, status=200, headers=headers))
    return stats


def choose(world: World, target: Target, now: datetime) -> Plan:
    account = Account(InstanceIndex(world.instances), world.backups)
    (plan,) = plan_restores([target], account, world.history, world.rules, now)
    return plan


@given(cases(), SKEWS)
def test_the_choice_is_that_of_a_right_clock(case: tuple[World, Target], skew: timedelta) -> None:
    world, target = case
    with mock.patch.object(stats_module, "datetime", build_clock(skew)):
        plan = choose(world, target, answered().now())
    right = choose(world, target, NOW)
    assert (plan.backup, plan.step) == (right.backup, right.step)
    assert (plan.obstacle and plan.obstacle.kind) == (right.obstacle and right.obstacle.kind)


@given(SKEWS)
def test_the_difference_of_the_clocks_is_told_beyond_a_minute(skew: timedelta) -> None:
    with mock.patch.object(stats_module, "datetime", build_clock(skew)):
        lead, unknown = answered().find_clock_lead(), answered(date=False)
        assert unknown.find_clock_lead() == timedelta(0)
        assert unknown.now() == NOW + skew
    assert abs(lead - skew) < timedelta(seconds=2)
    if abs(abs(skew) - timedelta(minutes=1)) > timedelta(seconds=2):
        assert bool(describe_clock(lead)) is (abs(skew) > timedelta(minutes=1))
    assert len(describe_clock(lead)) <= 80
