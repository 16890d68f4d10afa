# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what the journal has of incidents, as runs of the role ``restore`` and of modules leave it."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import (
    RecordedIncident,
    read_incident,
    run_key,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    NoteKind,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import append_event, record_note

from .stores import StorePlace

URL = "https://clawhosters.com/api/v1"
BEGAN = datetime(2026, 2, 1, 10, tzinfo=UTC)


class Story:
    """Writes the lines of incidents, one a minute.

    Events are those of the journal, ``healthy`` for a completed restore that was seen healthy, and ``note NAME``.
    """

    def __init__(self, place: StorePlace) -> None:
        minutes = iter(range(1000))
        self.journal = Journal(place.open(), lambda: BEGAN + timedelta(minutes=next(minutes)))

    def restore(self, instance_id: int, *events: str, incident: str = "INC-1", **facts: t.Any) -> Story:
        key = OperationKey("restore", URL, incident, str(instance_id))
        for event in events:
            if event == "healthy":
                append_event(self.journal, key, OperationEvent.COMPLETED, healthy=True)
            elif event.startswith("note "):
                record_note(self.journal, key, NoteKind(event[5:]), **facts)
            else:
                first = {"instance_name": f"bot-{instance_id}", "backup_id": instance_id * 10}
                append_event(
                    self.journal, key, OperationEvent(event), **(first if event == "intended" else {}), **facts
                )
        return self

    def run(self, name: str, *notes: str, incident: str = "INC-1", **facts: t.Any) -> Story:
        for note in notes:
            record_note(self.journal, run_key(URL, incident, name), NoteKind(note), **facts)
        return self

    def state(self, incident: str = "INC-1") -> RecordedIncident:
        return read_incident(self.journal, f"{URL}/", incident)
