# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the variables of the fleet page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import EMPTY
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_facts import ReportSource, build_facts
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_findings import find_findings
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_formats import build_page
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.report_folder import render
from support.controller import REPOSITORY

TEMPLATE = REPOSITORY / "roles/fleet_report/templates/fleet.html.j2"

NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)
ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=2)
)


def gather(instances, billing=None, backups=(), now=NOW, **read):
    read["backups"] = backups if backups is None else list(backups)
    return build_facts(ReportSource(instances, billing or {}, **read), timedelta(hours=36), "", now)


def build(*read, **named):
    return build_page(gather(*read, **named))


def show(page):
    return render(str(TEMPLATE), {"page": page, "css": "", "script": "", "finding_keys": ""})


INSTANCES = [
    {"id": 1, "name": "a", "status": "running", "health_status": "healthy"},
    {"id": 2, "name": "b", "status": "running", "health_status": "unhealthy"},
    {"id": 3, "name": "c", "status": "error", "health_status": "unhealthy"},
]
FRESH = {"id": 1, "instance_id": 1, "created_at": "2026-02-03T08:00:00Z"}
LATE = {"id": 3, "instance_name": "b", "created_at": "2026-02-01T08:00:00Z"}
FUTURE = {"id": 4, "instance_id": 1, "created_at": "2026-02-03T11:00:00Z"}


def test_a_row_shows_the_health_of_an_instance_only_while_it_runs():
    page = build(INSTANCES, backups=[FRESH])
    assert [row["health"] for row in page["rows"]] == [EMPTY, "unhealthy", "healthy"]
    assert page["headline"] == "2 of 3 instances need attention."


@pytest.mark.parametrize(
    ("instances", "backups", "shown"),
    [
        (
            INSTANCES,
            [FRESH, {**FRESH, "id": 2, "created_at": "2026-02-02T08:00:00Z"}, LATE],
            [("none", "missing"), ("2 d 2 h", "overdue"), ("2 h 0 min", "")],
        ),
        (INSTANCES[:1], [FUTURE, FRESH], [("2 h 0 min", "")]),
        (INSTANCES[:1], [FUTURE], [("in the future", "overdue")]),
        (INSTANCES, None, [("unknown", "")] * 3),
    ],
)
def test_a_row_shows_the_age_and_state_of_the_newest_backup(instances, backups, shown):
    page = build(instances, backups=backups)
    assert [(row["backup"]["age"], row["backup"]["word"]) for row in page["rows"]] == shown
    assert (page["facts"]["backups"] is None) is (backups is None)


@pytest.mark.parametrize(("instance", "owner"), [({"id": 4, "name": "a"}, {"instance_name": "a"}), ({"id": 4}, {})])
def test_a_backup_without_an_owner_leaves_open_who_has_none(instance, owner):
    of_nobody = {"id": 9, "created_at": "2026-02-03T08:00:00Z", **owner}
    page = build([INSTANCES[0], instance, INSTANCES[1]], backups=[of_nobody, LATE])
    assert [(row["backup"]["age"], row["backup"]["word"]) for row in page["rows"]] == [
        ("2 d 2 h", "overdue"),
        ("unknown", ""),
        ("unknown", ""),
    ]
    assert "does not show which instance some backups belong to" in page["facts"]["notices"][0]


@pytest.mark.parametrize(
    ("balance", "taken", "headline"),
    [
        (1000, "2026-02-03T08:00:00Z", "No instance needs attention."),
        (-5, "", "No instance needs attention, but the balance is low and 1 of 1 has no fresh backup."),
    ],
)
def test_the_headline_names_a_low_balance_and_missing_backups(balance, taken, headline):
    instances = [{"id": 1, "name": "a", "status": "running", "health_status": "healthy"}]
    billing = {"summary": {"claws_balance": balance, "daily_claw_cost": 100}}
    backups = [{"id": 1, "instance_id": 1, "created_at": taken}] if taken else []
    assert build(instances, billing, backups)["headline"] == headline


def test_what_is_not_shown_is_neither_good_nor_bad():
    instances = [{"id": 1, "name": "a", "status": "running"}, {"id": 2, "name": "b", "status": "stopped"}]
    page = build(instances, backups=None)
    assert page["headline"] == "No instance needs attention, but the health of 1 is not shown."
    assert page["facts"]["counts"]["healthy"] is None
    assert [row["health"] for row in page["rows"]] == ["not shown", EMPTY]
    assert "not shown</small>" in show(page)
    healthy = {"id": 3, "status": "running", "health_status": "healthy"}
    assert "1 <small>of 1 whose health is shown</small>" in show(build([*instances, healthy]))
    page = build([{"id": 1, "name": "a"}, {"id": 2, "name": "b", "status": "failed"}, healthy])
    assert page["headline"].startswith("2 of 3 instances need attention.")
    assert [(row["status"], row["status_tone"]) for row in page["rows"][:2]] == [
        ("not shown", "warn"),
        ("failed", "warn"),
    ]
    found = find_findings(page["facts"], 7, timedelta(days=30), None)
    assert [one.text for one in found if one.check == "attention"] == [
        "a (id 1) needs attention: status not shown.",
        "b (id 2) needs attention: failed, not documented.",
    ]


def test_the_bar_has_a_part_for_each_status_beside_the_one_before():
    words = ("stopped", "running", "Running", "hibernating")
    parts = build([{"id": number, "status": word} for number, word in enumerate(words)])["statuses"]
    assert [(part["status"], part["count"], part["x"], part["width"]) for part in parts] == [
        ("running", 2, 0, 50),
        ("stopped", 1, 50, 25),
        ("other", 1, 75, 25),
    ]


def test_the_fingerprint_ignores_ages_and_depends_on_the_content():
    instances = [{"id": 1, "name": "a", "status": "running"}]
    backups = [{"id": 1, "instance_id": 1, "created_at": "2026-02-03T08:00:00Z"}]
    before = build(instances, backups=backups)["fingerprint"]
    assert build(instances, backups=backups, now=NOW + timedelta(minutes=5))["fingerprint"] == before
    assert build(instances, backups=backups, now=NOW + timedelta(days=5))["fingerprint"] != before
    assert build([{**instances[0], "status": "stopped"}], backups=backups)["fingerprint"] != before


@given(ANYTHING, ANYTHING, ANYTHING)
def test_billing_of_any_shape(balance, cost, days):
    summary = {"claws_balance": balance, "daily_claw_cost": cost, "days_remaining": days}
    made = build([{"id": 1}], {"summary": summary, "usage": {"instances": [{"id": 1, "daily_claws": cost}]}})
    assert " Claws, " in show(made)


@given(st.dictionaries(st.sampled_from(["name", "status", "health_status", "tier", "created_at"]), ANYTHING))
def test_instances_of_any_shape(fields):
    (row,) = build([{"id": 1, **fields}])["rows"]
    assert all(str(value).isprintable() for value in row.values())


def test_restores_are_shown_newest_first_without_those_that_were_refused():
    def operation(kind, name, event, sent_at, **facts):
        at = sent_at.replace(":00Z", ":05Z")
        return OperationKey(kind, "https://x.example/api", name, "7"), OperationState(event, sent_at, at, facts)

    operations = dict(
        [
            operation("restore", "INC-1", OperationEvent.COMPLETED, "2026-02-01T10:00:00Z", backup_id=12),
            operation("restore", "INC-2", OperationEvent.REFUSED, "2026-02-02T10:00:00Z"),
            operation("restore", "INC-3", OperationEvent.ACCEPTED, "2026-02-03T10:00:00Z", instance_name="web-bot"),
            operation("purchase", "top-up", OperationEvent.COMPLETED, "2026-02-02T10:00:00Z"),
        ]
    )
    shown = re.sub("<[^>]+>", " ", show(build([], operations=operations)).partition('id="restores"')[2])
    newest, entry = shown.index("INC-3"), shown.index("INC-1")
    assert newest < entry
    assert re.findall(r"web-bot \(id 7\)|under way|completed|5 s\b", shown) == [
        "web-bot (id 7)",
        "under way",
        "completed",
        "5 s",
    ]
    assert "INC-2" not in shown
    assert "top-up" not in shown
