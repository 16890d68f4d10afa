# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores many instances for one incident, in batches (interface 3, ``claw_fleet_restore``).

The caller has planned the items: instances, backups, and everything that can be refused. This sends and waits.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._model.batches import BatchSize, split_batches
from .._model.restore_item import RestoreItem
from .instance_reader import InstanceReader
from .restore_batch import RestoreBatch
from .restore_observer import RestoreObserver
from .restore_target import RestoreFinder

NEXT_STEP = "Run the same task again: it waits for what is under way, and goes on with the rest."


@dataclass(frozen=True)
class RestoreTimeouts:
    """Seconds for each batch.

    ``restored``: from the last request of the batch until each instance is restored. ``healthy``: from then until it
    runs and is healthy, for each instance; None to count that within ``restored``.
    """

    restored: float
    healthy: float | None = None


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
