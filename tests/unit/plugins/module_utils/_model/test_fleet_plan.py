# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a fleet: a second one, after the first was carried out, is empty."""

from __future__ import annotations

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ApiError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import FaultyListError, FleetEntry
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_plan import build_diff, plan
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance import (
    RESPONSE_LOST,
    STATES,
    Action,
    predict,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_fields import STATUSES
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_job import (
    InstanceJob,
    Phase,
    Protection,
)

POWER = (Action.START, Action.STOP, Action.RESTART, Action.DELETE)

statuses = st.sampled_from([*STATUSES, "hibernating"])
listings = st.lists(st.tuples(statuses, st.sampled_from(["a", "b", "c", "d"])), max_size=8).map(
    lambda rows: [{"id": number, "name": name, "status": status} for number, (status, name) in enumerate(rows, 1)]
)
entries = st.lists(
    st.builds(
        FleetEntry,
        st.integers(1, 99),
        st.none() | st.integers(1, 9),
        st.none() | st.sampled_from(["a", "b", "c", "d", ""]),
        st.sampled_from(STATES),
    ),
    max_size=6,
    unique_by=lambda entry: (entry.instance_id, entry.name),
)


def valid_plan(declared, listing):
    """The plan, of entries that are about different instances."""
    try:
        return plan(declared, listing)
    except FaultyListError:
        reject()


def carried_out(listing: list[dict], planned: list) -> list[dict]:
    """The listing once every job that can be asked for is done."""
    statuses = {item["id"]: item["status"] for item in listing}
    for job in planned:
        if job.error is None and job.found is not None and job.action in POWER:
            statuses[job.found["id"]] = predict(job.found, job.wanted, job.action).get("status")
    return [{**item, "status": statuses[item["id"]]} for item in listing if statuses[item["id"]] is not None]


@given(listing=listings, declared=entries)
def test_a_second_plan_after_the_first_is_empty_but_for_restarts(listing, declared):
    planned = valid_plan(declared, listing)
    assert len(planned) == len(declared)
    again = valid_plan(declared, carried_out(listing, planned))
    for first, second in zip(planned, again, strict=True):
        if first.error is None and first.action in POWER:
            # A name that fits nobody any more is what `absent` wants.
            assert second.error is None
            assert second.change() is Action.NONE or (second.action is Action.RESTART and second.wanted == "restarted")


@pytest.mark.parametrize(
    ("entry", "found", "error"),
    [
        (FleetEntry(1, None, "a", "started"), 1, None),
        (FleetEntry(1, 3, "b", "started"), 3, None),
        (FleetEntry(1, None, "b", "started"), None, "2 instances are named b (ids 2, 3)"),
        (FleetEntry(1, 3, "a", "started"), None, "is named b, not a"),
        (FleetEntry(1, None, "", "absent"), None, "name is empty"),
        (FleetEntry(1, None, "c", "started"), None, "no such instance: instances are created in the dashboard."),
        (FleetEntry(1, None, "spare-bto", "started"), None, "no such instance; did you mean spare-bot?"),
        (FleetEntry(1, 9, None, "absent"), None, None),
        (FleetEntry(1, None, "c", "absent"), None, None),
    ],
)
def test_which_instance_an_entry_is_about(entry, found, error):
    names = {1: "a", 2: "b", 3: "b", 4: None, 5: "spare-bot"}
    listing = [{"id": number, "name": name, "status": "stopped"} for number, name in names.items()]
    (job,) = plan([entry], listing)
    assert (job.found or {}).get("id") == found
    assert (job.change() is not Action.NONE) is (found is not None)
    assert (job.error is None) if error is None else (error in job.error)


def test_each_deletion_of_a_protected_instance_is_a_fault_of_its_entry():
    listing = [{"id": number, "name": name, "status": "running"} for number, name in enumerate("abc", 1)]
    wanted = [("c", "absent"), ("b", "stopped"), ("a", "absent")]
    declared = [FleetEntry(number, None, name, state) for number, (name, state) in enumerate(wanted, 1)]
    with pytest.raises(FaultyListError) as faults:
        plan(declared, listing, Protection.parse({"protected": ["a", "b", "c"]}))
    told = [line.split(":")[0] for line in faults.value.result["report"]]
    assert told == [declared[0].label, declared[2].label]
    assert len(plan(declared, listing, Protection.parse({"protected": ["b"]}))) == 3


STOPPED = {"id": 1, "name": "a", "status": "stopped"}


def test_before_is_the_instance_as_it_was_until_the_first_request():
    job = InstanceJob("started", STOPPED)
    job.decide({**STOPPED, "status": "deploying"})
    assert job.phase is Phase.SETTLING
    job.decide(STOPPED)
    assert (job.phase, job.before) == (Phase.READY, STOPPED)
    job.requests = 1
    job.decide({**STOPPED, "status": "paused"})
    assert job.before == STOPPED


def test_the_failure_of_a_job_tells_an_earlier_rejection_and_a_lost_response():
    rejection = ApiError("POST /start", 409)
    job = InstanceJob("started", STOPPED, rejection=rejection, is_outcome_unknown=True)
    job.fail("It did not start.")
    assert job.error == f"It did not start. An earlier request was rejected: {rejection} {RESPONSE_LOST}"
    assert (job.phase, job.cause) == (Phase.DONE, rejection)


def test_a_paused_instance_that_was_to_be_stopped_is_told():
    def find_warning(status, wanted, *, changed):
        job = InstanceJob(wanted, changed=changed)
        job.see({**STOPPED, "status": status})
        return job.find_paused_warning()

    told = find_warning("paused", "stopped", changed=True)
    assert told == "a (id 1) is paused, not stopped: the account's balance ran out."
    assert find_warning("paused", "stopped", changed=False) == f"{told} Nothing was changed."
    assert find_warning("stopped", "stopped", changed=False) is find_warning("paused", "absent", changed=True) is None


@pytest.mark.parametrize(
    ("found", "wanted", "now", "is_done", "expected"),
    [
        ("stopped", "started", "running", True, "running"),
        ("stopped", "started", "deploying", False, "running"),
        ("running", "restarted", "restarting", False, "running (restarted)"),
        # A change that visibly led elsewhere.
        ("stopped", "started", "error", True, "error"),
    ],
)
def test_the_diff_shows_where_an_accepted_change_leads_or_has_led(found, wanted, now, is_done, expected):
    (job,) = plan([FleetEntry(1, 1, None, wanted)], [{**STOPPED, "status": found}])
    assert list(build_diff([job])["after"].values()) == [found]
    job.changed = True
    job.see({**STOPPED, "status": now})
    if is_done:
        job.finish(job.instance)
    assert list(build_diff([job])["after"].values()) == [expected]
