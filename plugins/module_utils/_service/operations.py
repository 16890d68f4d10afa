# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists the restores and purchases of the journal."""

from __future__ import annotations

import typing as t

from .._model.resource import parse_id
from .._state.journal import Journal, OperationEvent, OperationKey, OperationState
from .._state.store import Holder, format_name
from .._text import normalize_name


def list_operations(
    journal: Journal, incident: str | None, order: str | None, instance_id: int | None
) -> list[dict[str, t.Any]]:
    """Returns the operations, newest first; with a name or an instance only those. Raises JournalError."""
    given = {"restore": incident, "purchase": order}
    names = {kind: normalize_name(name) for kind, name in given.items() if name is not None}

    def is_wanted(key: OperationKey) -> bool:
        if names and key.name != names.get(key.kind):
            return False
        return instance_id in (None, parse_id(key.instance_id))

    operations = [(key, state) for key, state in journal.read_states().items() if is_wanted(key)]
    holders = journal.read_holders() if operations else {}
    operations.sort(key=lambda operation: operation[1].sent_at, reverse=True)
    return [_describe(key, state, holders.get(key.subject)) for key, state in operations]


def _describe(key: OperationKey, state: OperationState, holder: Holder | None) -> dict[str, t.Any]:
    outcome = state.outcome
    if holder and holder.name and holder.name != format_name(key.name):
        holder = None  # it works on the same instance for another incident
    if holder and state.event is OperationEvent.INTENDED:
        outcome = "in_flight"  # its run is about to send it, or waits for the response
    return {
        **key.as_dict(),
        "instance_id": parse_id(key.instance_id),
        "outcome": outcome,
        "sent_at": state.sent_at,
        "completed_at": state.completed_at,
        "holder": holder and {name: getattr(holder, name) for name in ("user", "host", "process", "since")},
        "backup_id": state.notes.get("backup_id"),
        "package_id": state.notes.get("package_id"),
    }
