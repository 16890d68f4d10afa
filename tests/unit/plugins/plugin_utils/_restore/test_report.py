# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the report and the record of the role restore. test_role_restore.py has more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan import parse_targets
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.record import (
    format_record,
    parse_record,
    put_run,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.report import build_report, build_step
from support.restores import NOW, SETTINGS, plan

SENT = {"outcome": "completed", "sent_at": "2026-02-03T08:00:00Z", "completed_at": "2026-02-03T08:05:00Z"}


def build_restored_report(restores, changed):
    """Returns the report of a run with one instance per entry of ``changed``: True if this run restored it."""
    plans = [replace(plan({"restore": restores}), label=f"bot-{number}") for number in range(len(changed))]
    steps = []
    for one, new in zip(plans, changed, strict=True):
        steps.append(
            build_step({"changed": new, "restore": restores}, steps, NOW, step="restore", instance_label=one.label)
        )
        steps.append(build_step({}, steps, NOW, step="healthy", instance_label=one.label))
    run = {
        "id": "run-1",
        "began": "2026-02-03T10:00:00+00:00",
        "targets": parse_targets("web-bot", None),
        "is_finished": True,
    }
    return build_report(steps, plans, SETTINGS, run, NOW)


def test_check_mode_counts_the_restores_that_would_be_sent():
    run = {
        "id": "run-1",
        "began": "2026-02-03T10:00:00+00:00",
        "targets": parse_targets("web-bot", None),
        "is_finished": True,
        "check": True,
    }
    assert build_report([], [plan()], SETTINGS, run, NOW)["headline"] == "1 of 1 instance would be restored"
    assert (
        build_report([], [plan({"restore": SENT})], SETTINGS, run, NOW)["headline"]
        == "0 of 1 instance would be restored"
    )


def test_a_step_begins_when_the_previous_step_ended():
    first = build_step({}, [], NOW, step="service", began="2026-02-03T09:59:58.000+00:00")
    second = build_step(
        {"failed": True, "msg": "No\nway", "error": {"status": 401, "request_id": "r-1"}}, [first], NOW, step="key"
    )
    assert first.seconds == 2
    assert second.began_at == first.ended_at
    assert (second.ok, second.message, second.request_id) == (False, "No way", "r-1")


def test_a_run_without_the_check_of_the_address_is_interrupted():
    settings = {**SETTINGS, "restore_http_check": True}
    run = {"id": "run-1", "began": "2026-02-03T10:00:00+00:00", "targets": [], "is_finished": True}
    steps = []
    for name, ok in (("restore", True), ("healthy", True), (None, False)):
        label = plan().label if ok else None
        steps.append(
            build_step({"changed": ok, "failed": not ok, "msg": "A fault"}, steps, NOW, step=name, instance_label=label)
        )
    result = build_report(steps, [plan()], settings, run, NOW)
    assert result["outcome"] == "failed"
    assert [one["kind"] for one in result["instances"]] == ["interrupted"]


def test_the_report_shows_restores_of_earlier_runs():
    result = build_restored_report(SENT, [False])
    assert result["headline"] == "1 instance already restored; no restore was sent"
    assert result["screen"] == [
        (
            "bot-0: Already restored, sent at 2026-02-03 08:00 UTC, completed at 2026-02-03 08:05 UTC. "
            "This run sent no restore. The instance is running and healthy."
        )
    ]
    assert result["instances"][0]["tag"] == "restored already"
    assert build_restored_report(SENT, [True])["headline"] == "1 instance restored and healthy"
    mixed = build_restored_report(SENT, [True, False])
    assert mixed["headline"] == "2 instances restored and healthy, 1 of them by an earlier run"
    assert [one["tag"] for one in mixed["instances"]] == ["restored", "restored already"]
    assert "already restored for this incident, sent at 2026-02-03 08:00 UTC" in plan({"restore": SENT}).lines[0]


RUN = {"id": "a", "began_at": "2026-02-03T10:00:00+00:00", "outcome": "restored", "steps": [{"step": "plan"}]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"runs": 7}',
        '{"incident": "INC-1", "runs": [7]}',
        '{"incident": "INC-1", "runs": [{"began_at": "x"}]}',
        format_record("INC-1", [{**RUN, "steps": 7}]),
        format_record("INC-2", [RUN]),
    ],
)
def test_an_invalid_record_is_none(text):
    assert parse_record(text.encode(), "INC-1") is None


def test_a_run_replaces_only_its_own_earlier_version():
    # Two runs may begin at the same time. Records of earlier versions have no ids.
    before = [{**RUN, "id": "b"}, RUN, {key: value for key, value in RUN.items() if key != "id"}]
    runs = put_run(before, {**RUN, "outcome": "failed"})
    assert runs == [before[0], {**RUN, "outcome": "failed"}, before[2]]
    assert parse_record(format_record("I", put_run(runs, {**RUN, "id": "c"})).encode(), "I") == [
        *runs,
        {**RUN, "id": "c"},
    ]


@pytest.mark.parametrize(
    ("restores", "known"),
    [
        ({"outcome": "planned"}, "This run did not record whether the restore of backup 12 was sent."),
        (
            {"outcome": "in_flight", "sent_at": "2026-02-03T08:00:00Z"},
            "A restore of backup 12, sent at 2026-02-03T08:00:00Z, was in progress; its end was not observed.",
        ),
        (
            {"outcome": "completed", "sent_at": "2026-02-03T08:00:00Z"},
            (
                "Backup 12 was restored by an earlier run, sent at 2026-02-03 08:00 UTC; "
                "this run did not yet check the instance."
            ),
        ),
    ],
)
def test_an_unfinished_run_claims_only_what_it_observed(restores, known):
    run = {"id": "run-1", "began": "2026-02-03T10:00:00+00:00", "targets": parse_targets("web-bot", None)}
    so_far = build_report([], [plan({"restore": restores})], SETTINGS, run, NOW)
    assert so_far["outcome"] == "unfinished"
    assert so_far["headline"].startswith("0 of 1 instance restored so far")
    (verdict,) = so_far["instances"]
    assert (verdict["outcome"], verdict["tag"]) == ("unfinished", "not finished")
    assert f" {known} " in verdict["state"]
    assert verdict["command"].endswith("-e restore_instances=web-bot -e restore_incident=INC-1")
