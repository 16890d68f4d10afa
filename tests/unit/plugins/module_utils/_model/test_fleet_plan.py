# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a fleet: a second one, after the first was carried out, is empty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_plan import Entry, plan
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance import STATES, Action, predict

STATUSES = (
    "running",
    "stopped",
    "provisioning",
    "deploying",
    "paused",
    "pending_configuration",
    "error",
    "deploy_failed",
    "deleting",
    "hibernating",
)
POWER = (Action.START, Action.STOP, Action.RESTART, Action.DELETE)

listings = st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(["a", "b", "c", "d"])), max_size=8).map(
    lambda rows: [{"id": number, "name": name, "status": status} for number, (status, name) in enumerate(rows, 1)]
)
entries = st.lists(
    st.builds(
        Entry,
        st.none() | st.integers(1, 9),
        st.none() | st.sampled_from(["a", "b", "c", "d", ""]),
        st.sampled_from(STATES),
    ),
    max_size=10,
)


def carried_out(listing: list[dict], planned: list) -> list[dict]:
    """The listing once every job that can be asked for is done."""
    statuses = {item["id"]: item["status"] for item in listing}
    for job in planned:
        if job.error is None and job.found is not None and job.action in POWER:
            statuses[job.found["id"]] = predict(job.found, job.wanted, job.action).get("status")
    return [{**item, "status": statuses[item["id"]]} for item in listing if statuses[item["id"]] is not None]


@given(listing=listings, declared=entries)
def test_a_second_plan_after_the_first_is_empty_but_for_restarts(listing, declared):
    planned = plan(declared, listing)
    assert len(planned) == len(declared)
    again = plan(declared, carried_out(listing, planned))
    for first, second in zip(planned, again, strict=True):
        if first.error is None and first.action in POWER:
            # A name that fits nobody any more is what `absent` wants.
            assert second.error is None
            assert not second.would_change() or (second.action is Action.RESTART and second.wanted == "restarted")


@given(listing=listings, declared=entries)
def test_no_instance_has_two_jobs_that_change_it(listing, declared):
    changing = {}
    for job in plan(declared, listing):
        if job.error is None and job.would_change():
            assert changing.setdefault(job.found["id"], job) is job


@pytest.mark.parametrize(
    ("entry", "found", "error"),
    [
        (Entry(None, "a", "started"), 1, None),
        (Entry(3, None, "started"), 3, None),
        (Entry(3, "b", "started"), 3, None),
        (Entry(None, "b", "started"), None, "2 instances are named b (ids 2, 3)"),
        (Entry(3, "a", "started"), None, "is named b, not a"),
        (Entry(None, "", "absent"), None, "name is empty"),
        (Entry(None, "c", "started"), None, "There is no such instance"),
        (Entry(9, "a", "started"), None, "There is no such instance"),
        (Entry(9, None, "absent"), None, None),
        (Entry(None, "c", "absent"), None, None),
    ],
)
def test_which_instance_an_entry_is_about(entry, found, error):
    names = {1: "a", 2: "b", 3: "b", 4: None}
    listing = [{"id": number, "name": name, "status": "stopped"} for number, name in names.items()]
    (job,) = plan([entry], listing)
    assert (job.found or {}).get("id") == found
    assert job.would_change() is (found is not None)
    assert (job.error is None) if error is None else (error in job.error)
