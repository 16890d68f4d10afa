# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the table of instances that need attention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import text_width
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_facts import ReportSource, build_facts
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_findings import (
    MAX_ROWS,
    WIDTH,
    format_attention,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_page import build_page

NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)


def table(instances, backups=()):
    facts = build_facts(ReportSource(instances, backups=list(backups)), timedelta(hours=36), "", NOW)
    return format_attention(build_page(facts))


def backup(instance_id, created_at):
    return {"id": instance_id, "instance_id": instance_id, "created_at": created_at}


def test_the_worst_come_first_and_the_well_do_not_come():
    instances = [
        {"id": 1, "name": "late", "status": "stopped"},
        {"id": 2, "name": "later", "status": "running", "health_status": "healthy"},
        {"id": 3, "name": "bare", "status": "running", "health_status": "healthy"},
        {"id": 4, "name": "well", "status": "running", "health_status": "healthy"},
        {"id": 5, "name": "waits", "status": "pending_configuration"},
        {"id": 6, "name": "sick", "status": "running", "health_status": "unhealthy"},
        {"id": 7, "name": "dead", "status": "deploy_failed"},
    ]
    ages = {1: "2026-02-01T10:00:00Z", 2: "2026-01-01T10:00:00Z", 4: "2026-02-03T09:00:00Z", 6: "2026-02-03T08:00:00Z"}
    assert table(instances, [backup(*item) for item in ages.items()]) == [
        "NAME   ID  STATUS                 HEALTH     NEWEST BACKUP",
        "dead   7   deploy failed          -          none",
        "sick   6   running                unhealthy  2 h 0 min",
        "waits  5   pending configuration  -          none",
        "bare   3   running                healthy    none",
        "later  2   running                healthy    33 d 0 h, overdue",
        "late   1   stopped                -          2 d 0 h, overdue",
    ]
    assert table(instances[3:4], [backup(4, ages[4])]) == []


def test_a_long_table_is_cut_and_says_so():
    lines = table([{"id": number, "name": f"bot-{number}", "status": "error"} for number in range(MAX_ROWS + 5)])
    assert len(lines) == MAX_ROWS + 2
    assert lines[-1] == "And 5 more; the page lists all."


@given(
    st.lists(st.fixed_dictionaries({"name": st.text(), "status": st.text(), "health_status": st.text()}), max_size=5)
)
def test_any_text_fits(fields):
    lines = table([{"id": number, **one} for number, one in enumerate(fields)])
    assert all(text_width(line) <= WIDTH and line.isprintable() for line in lines)
