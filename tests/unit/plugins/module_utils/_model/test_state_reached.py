# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an instance counts as started, stopped or restarted, from what is seen of it."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance import (
    FailureStatusError,
    StateReached,
    state_reached,
)


def looks_until_arrival(arrival, *seen):
    """How many looks it takes, None when all of them are not enough; each is a status, or a status and a health."""
    for number, look in enumerate(seen, start=1):
        status, _slash, health = look.partition("/")
        if arrival({"id": 1, "name": "web-bot", "status": status, "health_status": health or "unknown"}):
            return number
    return None


@pytest.mark.parametrize(
    ("wanted", "before", "seen", "looks"),
    [
        ("started", "stopped", ["running"], 1),
        ("started", "stopped", ["stopped", "deploying", "running"], 3),
        ("started", "stopped", ["stopped", "stopped"], None),
        ("stopped", "running", ["running", "stopped"], 2),
        # A restart may show or not: one that does not is believed at the second look.
        ("restarted", "running", ["running", "running"], 2),
        ("restarted", "running", ["deploying", "running"], 2),
        ("restarted", "running", ["running", "deploying", "running"], 3),
        ("restarted", "running", ["running"], None),
        ("restarted", "stopped", ["running"], 1),
    ],
)
def test_how_many_looks_it_takes(wanted, before, seen, looks):
    assert looks_until_arrival(state_reached(wanted, before, wait_healthy=False), *seen) == looks


@pytest.mark.parametrize(
    ("wanted", "seen", "looks"),
    [
        ("started", ["running/unhealthy", "running", "running/Healthy"], 3),
        ("started", ["running", "running"], None),
        ("restarted", ["running/healthy", "running/healthy"], 2),
        ("stopped", ["stopped"], 1),
    ],
)
def test_health_is_waited_for_where_it_runs(wanted, seen, looks):
    assert looks_until_arrival(state_reached(wanted, "running", wait_healthy=True), *seen) == looks


@pytest.mark.parametrize("status", ["error", "deploy_failed", "paused", "deleting", "pending_configuration"])
def test_trouble_that_was_not_there_before_ends_it(status):
    with pytest.raises(FailureStatusError, match=rf"should be started, but its status is {status} now") as failure:
        looks_until_arrival(state_reached("started", "stopped", wait_healthy=False), "stopped", status)
    assert failure.value.instance["status"] == status
    assert looks_until_arrival(state_reached("started", status, wait_healthy=False), status, status, "running") == 3


@pytest.mark.parametrize(
    ("seen", "looks"),
    [
        (["running"] * 5, 4),
        # What comes between begins the count anew.
        (["running", "running", "stopped", "running", "running"], 5),
        # A transition that was seen takes the place of the time.
        (["deploying", "running", "running"], 3),
        (["running"] * 3, None),
    ],
)
def test_before_its_time_an_end_status_is_believed_only_after_a_transition(seen, looks):
    clock = iter([10.0, 11.0, 11.9, 12.0, 13.0])
    arrival = StateReached("started", "running", ["running"], False, earliest=12.0, clock=lambda: next(clock))
    assert looks_until_arrival(arrival, *seen) == looks
