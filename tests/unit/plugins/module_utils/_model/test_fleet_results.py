# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits and reports of a fleet."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import (
    ChangeLimits,
    FleetEntry,
    format_failures,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_plan import (
    build_diff,
    build_outcomes,
    find_excess,
    format_report,
    plan,
)

LISTING = [
    {"id": number, "name": f"bot-{number}", "status": status}
    for number, status in enumerate(("running", "stopped", "stopped", "deploying", "running"), 1)
]
ENTRIES = [
    FleetEntry(1, 1, None, "absent"),
    FleetEntry(2, None, "bot-2", "started"),
    FleetEntry(3, 3, None, "started"),
    FleetEntry(4, 4, None, "stopped"),
    FleetEntry(5, 5, None, "started"),
    FleetEntry(6, None, "nobody", "started"),
]


def test_a_plan_ends_with_failures_and_the_sum():
    report = format_report(ENTRIES, plan(ENTRIES, LISTING), done=False)
    assert report == [
        "bot-1 (id 1): to delete (now running), perhaps with its backups",
        "bot-2 (id 2): to start (now stopped)",
        "bot-3 (id 3): to start (now stopped)",
        "bot-4 (id 4): to stop (now deploying)",
        "entry 6, nobody: no such instance: instances are created in the dashboard.",
        "2 to start, 1 to stop, 1 to delete; 1 as declared; 1 failed.",
    ]


def test_what_was_done_is_named_beside_what_failed():
    jobs = plan(ENTRIES[1:2] + ENTRIES[5:], LISTING)
    jobs[0].changed = True
    jobs[0].finish(jobs[0].predict())
    entries = [ENTRIES[1], ENTRIES[5]]
    report = format_report(entries, jobs, done=True)
    assert (report[0], report[-1]) == ("bot-2 (id 2): started (was stopped)", "1 started; 1 failed.")
    assert build_diff(jobs) == {"before": {"bot-2 (id 2)": "stopped"}, "after": {"bot-2 (id 2)": "running"}}
    assert format_failures(build_outcomes(entries, jobs)) == (
        "1 of 2 entries failed: entry 6, nobody: no such instance: instances are created in the dashboard. "
        "Changed: bot-2 (id 2)."
    )


@pytest.mark.parametrize(
    ("limits", "excess"),
    [
        (ChangeLimits(), ""),
        (ChangeLimits(4, 1), ""),
        (
            ChangeLimits(3, 1),
            "4 instances would change, more than max_changes (3) allows: 2 to start, 1 to stop, 1 to delete.",
        ),
        (
            ChangeLimits(None, 0),
            (
                "1 instance would be deleted, more than max_deletions (0) allows: bot-1 (id 1). "
                "Its backups may be deleted too."
            ),
        ),
    ],
)
def test_limits_count_what_would_change(limits, excess):
    found = find_excess(plan(ENTRIES, LISTING), limits)
    assert " ".join(one.explain("instance") for one in found) == excess


def test_a_negative_limit_is_refused():
    with pytest.raises(SettingsError, match=r"max_deletions is -1, but must be 0 or more\. Nothing was sent\."):
        ChangeLimits(None, -1)
