# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds in the journal which backups of instances are proven, and which drills have failed. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ..._model.resource import parse_id
from ..._state.journal import OperationEvent
from ..._times import CLOCK_TOLERANCE
from .history import RecordedRestore, RestoreHistory, is_recent

if t.TYPE_CHECKING:
    from ..._state.journal import OperationKey, OperationState

DRILL_PREFIX = "drill-"
"""The incidents of the playbook ``restore_drill`` begin with this."""


def find_sent(states: t.Mapping[OperationKey, OperationState]) -> dict[OperationKey, OperationState]:
    """Returns the states without those that were refused: nothing was done."""
    return {key: state for key, state in states.items() if state.event is not OperationEvent.REFUSED}


def find_proofs(
    states: t.Mapping[OperationKey, OperationState], service: str, now: datetime
) -> dict[int | str | None, datetime]:
    """Returns when a backup of an instance was last proven, by the instance's id: restored, and healthy at the end.

    ``states`` are those of the journal. A time that lies ahead of ``now``, or of a later restore of the instance, is no
    proof.
    """
    proofs: dict[int | str | None, datetime] = {}
    limits: dict[str | None, datetime] = {}
    restores = RestoreHistory(service, "", find_sent(states)).restores()
    for key, state in sorted(restores, key=lambda one: one[1].position, reverse=True):
        limit = limits.get(key.instance_id, now)
        if state.is_proof and state.completed_at:
            instance_id, at = parse_id(key.instance_id), datetime.fromisoformat(state.completed_at)
            if at - limit <= CLOCK_TOLERANCE:
                proofs[instance_id] = max(at, proofs.get(instance_id, at))
        limits[key.instance_id] = min(limit, datetime.fromisoformat(state.sent_at))
    return proofs


def find_failed_drills(
    states: t.Mapping[OperationKey, OperationState], service: str, now: datetime, held: t.Collection[str]
) -> dict[int | str | None, list[RecordedRestore]]:
    """Returns the drills of each instance that did not end healthy and that no proof followed, newest first, by the id.

    ``states`` are those of the journal, with those that were refused, and were read after the subjects that a run has
    ``held``. A drill whose last event is recent may still end healthy, unless it failed or was refused, or no run waits
    any more for the health of what it restored.
    """
    found: dict[int | str | None, list[RecordedRestore]] = {}
    proven = set()
    restores = RestoreHistory(service, "", dict(states)).restores()
    for key, state in sorted(restores, key=lambda one: one[1].position, reverse=True):
        instance_id = parse_id(key.instance_id)
        has_ended = state.event is OperationEvent.COMPLETED and key.subject not in held
        is_lost = (
            has_ended or state.event in (OperationEvent.FAILED, OperationEvent.REFUSED) or not is_recent(state.at, now)
        )
        if state.is_proof:
            proven.add(instance_id)
        elif is_lost and key.name.startswith(DRILL_PREFIX) and instance_id not in proven:
            found.setdefault(instance_id, []).append(RecordedRestore(key.name, state))
    return found
