# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message of many restores of which some failed."""

from __future__ import annotations

import typing as t

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.fleet_entries import FleetEntry, format_failures
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore import fleet_restore_task
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import Reason, ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import RestoreJob, Stage
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import Target, TargetPlan

BACKUP = {"id": 12, "created_at": "2026-02-01T03:00:00Z"}


def item(number: int, error: str | None = None, **results: t.Any) -> RestoreJob:
    plan = TargetPlan(Target(number, None), {"id": number, "name": f"bot-{number}", "status": "running"}, BACKUP)
    reason, cause = (Reason(ReasonKind.REJECTED), ClawHostersError(error)) if error else (None, None)
    return RestoreJob(plan, reason=reason, cause=cause, **results)


def test_the_message_names_what_failed_and_what_was_not_begun() -> None:
    items = [
        item(1, is_sent=True, stage=Stage.DONE, outcome="completed"),
        *[item(number, error=f"Fault {number}.", outcome="refused") for number in range(2, 7)],
        item(7),
        item(8, is_started=True, stage=Stage.DONE, outcome="completed"),
    ]
    entries = [FleetEntry(number, number, f"bot-{number}") for number in range(1, 9)]
    outcomes = fleet_restore_task.build_outcomes(entries, items, [one.cause for one in items], done=True)
    assert format_failures(outcomes, 2) == (
        "5 of 8 entries failed: entry 2, bot-2 (id 2): Fault 2. entry 3, bot-3 (id 3): Fault 3. "
        "entry 4, bot-4 (id 4): Fault 4. And 2 more. Not begun: 1, since more than max_failures (2) failed. "
        "Restored: bot-1 (id 1). Started: bot-8 (id 8)."
    )
