# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Header values of any kind never make a wait longer than the deadline, nor shorter than nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.modules import claw_account_info
from simulator.handle import Simulator
from support.sleeper import Sleeper
from support.worker import Worker

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
numbers = st.one_of(
    st.integers(-10, 200).map(str),
    st.integers(10**9, 10**10).map(str),
    st.integers(10**12, 10**13).map(str),
    st.floats().map(str),
    st.sampled_from(["9" * 400, "-0", "1e308", "0x10", "1_000", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 1 Jan 1970"]),
)
values = st.one_of(printable, numbers)
NAMES = ["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Remaining", "Date"]


@pytest.mark.parametrize("status", [429, 503])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers=st.dictionaries(st.sampled_from(NAMES), values), limit=st.sampled_from([0, 0.5, 3, 70]))
def test_whatever_the_headers_say_the_wait_keeps_to_its_limit(
    simulator: Simulator, status: int, headers: dict[str, str], limit: float
) -> None:
    simulator.clear_faults()
    simulator.clear_log()
    simulator.fault("status", status=status, headers=headers, times=None)
    sleeper = Sleeper()
    # The sleeper takes no wait of nothing or less.
    result = Worker(simulator, {"retry_timeout": limit}, sleeper=sleeper).run(claw_account_info)
    assert result["failed"] is True
    assert result["error"]["status"] == status
    assert sleeper.total <= limit + 1e-6
    assert len(simulator.calls()) <= 2 + limit * 2
