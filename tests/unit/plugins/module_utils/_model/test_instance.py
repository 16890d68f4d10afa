# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state table of the module's documentation, cell by cell, the flags that overrule it, and when it is reached."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance import (
    STATES,
    Action,
    decide,
    is_busy,
    predict,
    summarize,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.instance_changes import (
    FailureStatusError,
    StateReached,
    state_reached,
)

FOUND = """
running                 none    stop    restart delete
stopped                 start   none    start   delete
provisioning            wait    wait    wait    delete
deploying               wait    wait    wait    delete
paused                  reject  none    reject  delete
pending_configuration   reject  reject  reject  delete
error                   reject  reject  reject  delete
deploy_failed           reject  reject  reject  delete
deleting                reject  reject  reject  none
hibernating             wait    wait    wait    delete
"""
CELLS = [
    (status, state, action)
    for status, *actions in (line.split() for line in FOUND.strip().splitlines())
    for state, action in zip(("started", "stopped", "restarted", "absent"), actions, strict=True)
]


def instance(status: str, **flags: object) -> dict:
    """An instance as a list shows it, or with flags as the detail does."""
    return {"id": 7, "name": "web-bot", "status": status, **flags}


@pytest.mark.parametrize(("status", "state", "action"), CELLS)
def test_each_cell_of_the_state_table(status, state, action):
    decision = decide(instance(status), state)
    assert decision.action is Action(action)
    # Only a person can help, and only there.
    assert ("the dashboard" in decision.reason) is (action == "reject" and status != "deleting")
    assert state == "absent" or is_busy(instance(status)) is (action == "wait")


@pytest.mark.parametrize(("spelling", "action"), [(" Running ", Action.NONE), ("Deploy Failed", Action.REJECT)])
def test_the_spelling_of_a_status_does_not_matter(spelling, action):
    assert decide(instance(spelling), "started").action is action


@pytest.mark.parametrize(("state", "power"), [("started", "start"), ("stopped", "stop"), ("restarted", "restart")])
@pytest.mark.parametrize("status", ["pending_configuration", "error", "deploy_failed", "deploying", "hibernating"])
def test_a_flag_that_is_true_allows_what_the_table_does_not(status, state, power):
    assert decide(instance(status, **{f"can_{power}": True}), state).action is Action(power)


def test_paused_counts_as_stopped_and_is_started_where_the_flag_allows():
    assert decide(instance("paused", can_stop=True), "stopped").action is Action.NONE
    assert decide(instance("paused", can_start=True), "started").action is Action.START


@pytest.mark.parametrize(
    ("status", "state", "flag"),
    [
        ("running", "stopped", "can_stop"),
        ("running", "restarted", "can_restart"),
        ("stopped", "restarted", "can_start"),
    ],
)
def test_a_flag_that_is_false_forbids_what_the_table_allows(status, state, flag):
    decision = decide(instance(status, **{flag: False}), state)
    assert decision.action is Action.REJECT
    assert flag in decision.reason


def test_a_diff_shows_a_restart_although_the_status_is_the_same():
    found = instance("running")
    assert predict(found, "restarted", Action.RESTART) == {**summarize(found), "restarted": True}


flags = st.dictionaries(
    st.sampled_from(["can_start", "can_stop", "can_restart"]), st.sampled_from([True, False, None, "yes", 1])
)
statuses = st.sampled_from([line.split()[0] for line in FOUND.strip().splitlines()]) | st.text(max_size=10)


@given(status=statuses, shown=flags, state=st.sampled_from(STATES))
def test_whatever_is_found_what_is_done_about_it_leaves_nothing_to_do(status, shown, state):
    found = instance(status, **shown)
    decision = decide(found, state)
    assert (decision.action is Action.REJECT) == bool(decision.reason)
    if decision.action in (Action.REJECT, Action.WAIT, Action.NONE):
        return
    after = predict(found, state, decision.action)
    if decision.action is Action.DELETE:
        assert after == {}
        return
    # The flags that were seen before say nothing of the state after.
    again = decide(instance(after["status"]), state).action
    assert again is (Action.RESTART if state == "restarted" else Action.NONE)


# When an instance counts as started, stopped or restarted, from what is seen of it


def looks_until_arrival(arrival, *seen):
    """How many looks it takes, None when all of them are not enough; each is a status, or a status and a health."""
    for number, look in enumerate(seen, start=1):
        status, _slash, health = look.partition("/")
        if arrival(instance(status, health_status=health or "unknown")):
            return number
    return None


@pytest.mark.parametrize(
    ("wanted", "before", "seen", "looks"),
    [
        ("started", "stopped", ["stopped", "deploying", "running"], 3),
        ("started", "stopped", ["stopped", "stopped"], None),
        ("stopped", "running", ["running", "stopped"], 2),
        # A restart may show or not: one that does not is believed at the second look.
        ("restarted", "running", ["running", "running"], 2),
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
