# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores many instances for one incident, in batches (interface 3, ``claw_fleet_restore``).

The caller has planned the items: instances, backups, and everything that can be refused. This sends and waits.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._model.batches import BatchSize, split_batches
from .._model.instance import short_name
from .._model.restore_item import COMPLETED, REFUSED, RestoreItem
from .._progress import InterruptNote
from .._text import format_count, format_list
from .instance_reader import InstanceReader
from .restore_batch import RestoreBatch
from .restore_member import RestoreTimeouts
from .restore_observer import RestoreObserver, RestoreStep
from .restore_target import RestoreFinder

NAMED = 3
"""Instances that a progress line names."""
NEXT_STEP = "Run the same task again: it waits for what is under way, and goes on with the rest."


@dataclass
class FleetRestore:
    """Restores items in batches. ``finder`` has the client, the journal, the incident and ``force``.

    ``max_failures``: when more than this have failed, no further batch begins. ``next_step``: the sentence that Ctrl-C
    shows after what was sent.
    """

    finder: RestoreFinder
    reader: InstanceReader
    serial: t.Sequence[BatchSize]
    max_failures: int
    timeouts: RestoreTimeouts
    wait_healthy: bool = True
    observer: RestoreObserver = field(default_factory=RestoreObserver)
    next_step: str = NEXT_STEP

    def run(self, items: t.Sequence[RestoreItem]) -> None:
        """Restores the items, and sets their results. Started again for the same incident, it goes on.

        An item that has an ``error`` already counts as failed in its batch, and is not sent. A failed item stops
        neither the others of its batch nor, up to ``max_failures``, the next batches. Not for check mode.
        """
        batches = split_batches(items, self.serial)
        progress = self.finder.client.progress
        with progress.if_interrupted("") as note:
            observer = _InterruptObserver(self, items, note)
            failures = 0
            for number, batch in enumerate(batches, start=1):
                if len(batches) > 1:
                    progress.report(f"Batch {number} of {len(batches)}: {_format_names(batch)}")
                observer.on_batch(number, len(batches), batch)
                RestoreBatch(self.finder, self.reader, self.timeouts, observer, wait_healthy=self.wait_healthy).run(
                    batch
                )
                failures += sum(item.error is not None for item in batch)
                if failures > self.max_failures:
                    return


class _InterruptObserver(RestoreObserver):
    """Keeps up to date what Ctrl-C shows, and passes all calls on."""

    def __init__(self, restore: FleetRestore, items: t.Sequence[RestoreItem], note: InterruptNote) -> None:
        self._restore = restore
        self._items = items
        self._note = note
        self._sent: set[int] = set()
        self._update_note()

    def on_batch(self, number: int, total: int, items: t.Sequence[RestoreItem]) -> None:
        """Passes the call on."""
        self._restore.observer.on_batch(number, total, items)

    def on_step(self, item: RestoreItem, step: RestoreStep, at: datetime) -> None:
        """Updates the note, before a request is sent."""
        if step is RestoreStep.SENDING:
            self._sent.add(id(item))
        elif item.outcome == REFUSED:
            self._sent.discard(id(item))
        self._update_note()
        self._restore.observer.on_step(item, step, at)

    def verify(self, item: RestoreItem) -> None:
        """Passes the call on."""
        self._restore.observer.verify(item)

    def _update_note(self) -> None:
        incident = self._restore.finder.incident
        if not self._sent:
            self._note.text = f"This run has sent nothing for incident {incident}. {self._restore.next_step}"
            return
        sent = [item for item in self._items if id(item) in self._sent]
        completed = sum(item.outcome == COMPLETED for item in sent)
        self._note.text = (
            f"Incident {incident}: this run has sent {len(sent)} of {format_count(len(self._items), 'restore')}, and "
            f"{completed} completed; what the service has accepted goes on. {self._restore.next_step}"
        )


def _format_names(items: t.Sequence[RestoreItem]) -> str:
    return format_list((short_name(item.instance) for item in items), NAMED)
