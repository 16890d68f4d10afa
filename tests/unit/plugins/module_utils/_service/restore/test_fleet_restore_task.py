# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results and messages of many restores."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import (
    FleetEntry,
    Outcome,
    build_result,
    format_failures,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.fleet_restore_task import (
    build_diff,
    build_outcomes,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import Reason, ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import RestoreJob, Stage
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import Target, TargetPlan

OUTCOMES = ("not_begun", "in_flight", "completed", "unknown", "failed", "refused")
BACKUP = {"id": 12, "created_at": "2026-02-01T03:00:00Z"}


def item(number: int = 1, error: str | None = None, **results: t.Any) -> RestoreJob:
    instance = {"id": number, "name": f"bot-{number}", "status": "running"}
    plan = TargetPlan(Target(number, None), instance, BACKUP)
    reason, cause = (Reason(ReasonKind.REJECTED), ClawHostersError(error)) if error else (None, None)
    return RestoreJob(plan, reason=reason, cause=cause, **results)


def entries(count: int) -> list[FleetEntry]:
    return [FleetEntry(number, number, f"bot-{number}") for number in range(1, count + 1)]


def outcomes(restores: list[RestoreJob]) -> list[Outcome]:
    return build_outcomes(entries(len(restores)), restores, [one.cause for one in restores], done=True)


@given(
    st.lists(
        st.builds(
            item,
            st.integers(1, 99),
            st.none() | st.just("It failed."),
            outcome=st.sampled_from(OUTCOMES),
            is_sent=st.booleans(),
            is_started=st.booleans(),
            stage=st.sampled_from(Stage),
        ),
        max_size=20,
    )
)
def test_every_entry_counts_once(items: list[RestoreJob]) -> None:
    result = build_result(outcomes(items), {}, has_batches=True)
    assert sum(result["summary"].values()) == len(items) == len(result["instances"])
    assert result["changed"] is any(entry["changed"] for entry in result["instances"])
    assert result["summary"]["failed"] == sum(entry["failed"] for entry in result["instances"])


def test_the_diff_shows_the_backup_of_what_was_changed() -> None:
    nobody = RestoreJob(TargetPlan(Target(None, "nobody")))
    assert build_diff([item(1, is_sent=True), item(2), item(3, is_started=True), nobody]) == {
        "before": {
            "bot-1 (id 1)": {"restored_from": None},
            "bot-2 (id 2)": {"restored_from": None},
            "bot-3 (id 3)": {"restored_from": None, "status": "running"},
        },
        "after": {
            "bot-1 (id 1)": {"restored_from": {"backup_id": 12, "taken_at": "2026-02-01T03:00:00+00:00"}},
            "bot-2 (id 2)": {"restored_from": None},
            "bot-3 (id 3)": {"restored_from": None, "status": "running (started)"},
        },
    }


def test_the_message_names_what_failed_and_what_was_not_begun() -> None:
    items = [
        item(1, is_sent=True, stage=Stage.DONE, outcome="completed"),
        *[item(number, error=f"Fault {number}.", outcome="refused") for number in range(2, 7)],
        item(7),
        item(8, is_started=True, stage=Stage.DONE, outcome="completed"),
    ]
    assert format_failures(outcomes(items), 2) == (
        "5 of 8 entries failed: entry 2, bot-2 (id 2): Fault 2. entry 3, bot-3 (id 3): Fault 3. "
        "entry 4, bot-4 (id 4): Fault 4. And 2 more. Not begun: 1, since more than max_failures (2) failed. "
        "Restored: bot-1 (id 1). Started: bot-8 (id 8)."
    )
