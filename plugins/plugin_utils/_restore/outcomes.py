# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds what a run of the role ``restore`` hands to later jobs (interface 5, ``set_stats``). Pure."""

from __future__ import annotations

import typing as t

from ...module_utils._service.restore_history import RestoreHistory
from .model import Data, RestorePlan, Run


def list_outcomes(run: Run, history: RestoreHistory, refused: t.Collection[str]) -> list[Data]:
    """Returns what the journal holds of each instance: ids, times and outcomes only.

    ``refused`` are the ids of the instances whose restore was refused in this run.
    """
    found: list[tuple[Data, RestorePlan | None]] = [(target, None) for target in run.targets]
    if run.plans:
        found = [({"id": (plan.instance or {}).get("id"), "name": None}, plan) for plan in run.plans]
    outcomes = []
    for target, plan in found:
        state = history.find_own(target["id"], target["name"])
        unsent = "refused" if str(target["id"]) in refused else "not_begun"
        if run.check and plan and plan.sends:
            unsent = "planned"
        backup = (plan.backup if plan else None) or {}
        outcomes.append(
            {
                "id": target["id"],
                "backup_id": state.notes.get("backup_id") if state else backup.get("id"),
                "outcome": state.outcome if state else unsent,
                "sent_at": state.sent_at if state else None,
                "completed_at": state.completed_at if state else None,
            }
        )
    return outcomes
