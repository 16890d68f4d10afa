# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds what a run of the role ``restore`` hands to later jobs. Pure."""

from __future__ import annotations

import typing as t

from ...module_utils._service.restore.history import RestoreHistory
from ...module_utils._service.restore.restore import NOT_BEGUN, PLANNED, REFUSED, UNKNOWN
from .model import Data, RestorePlan, Run


def list_outcomes(run: Run, history: RestoreHistory | None, refused: t.Collection[str]) -> list[Data]:
    """Returns what the journal holds of each instance: ids, times and outcomes only.

    Without a ``history``, since the journal can't be read, it is unknown whether a restore was sent.
    ``refused`` are the ids of the instances whose restore was refused in this run.
    """
    plans: list[RestorePlan | None] = [*run.plans] or [None] * len(run.targets)
    outcomes = []
    for plan, target in zip(plans, run.targets, strict=True):
        instance_id = (plan.instance or {}).get("id", target["id"]) if plan else target["id"]
        if instance_id is None and history:
            # One that was not found may have been restored by an earlier run.
            instance_id = history.find_id(target["name"])
        state = history.find_own(instance_id) if history else None
        backup_id = (plan.backup or {}).get("id") if plan else None
        unsent = REFUSED if str(instance_id) in refused else NOT_BEGUN
        if run.check and plan and plan.sends:
            unsent = PLANNED
        elif history is None:
            unsent = UNKNOWN
        outcomes.append(
            {
                "id": instance_id,
                "backup_id": state.notes.get("backup_id") if state else backup_id,
                "outcome": state.outcome if state else unsent,
                "sent_at": state.sent_at if state else None,
                "completed_at": state.completed_at if state else None,
            }
        )
    return outcomes
