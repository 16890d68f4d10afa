# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends planned restores in batches, and starts the instances that come back stopped."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..._errors import ClawHostersError
from ..._model.batches import announce_batch, begin_batches, split_batches
from ..._model.instance import short_name
from ..._model.state_reached import explain_lapse, keeps_state
from ..instance_reader import InstanceReader
from .plan import RestoreAction
from .restore import COMPLETED, InstanceGoneError, Restore, RestoreObserver, Stage
from .restore_batch import RestoreBatch
from .restore_runner import RunContext

if t.TYPE_CHECKING:
    from .incident import Incident
    from .plan import RestoreOptions


@dataclass
class RestoreBatches:
    """Restores in batches. ``list_requests``: see :class:`InstanceReader`."""

    incident: Incident
    list_requests: int | None
    options: RestoreOptions
    observer: RestoreObserver = field(default_factory=RestoreObserver)

    def run(self, restores: t.Sequence[Restore]) -> None:
        """Sends the restores, and sets their results. Started again for the same incident, it goes on.

        One that has an ``error`` already counts as failed in its batch, and is not sent. A failed restore stops neither
        the others of its batch nor, up to ``max_failures``, the next batches. Not for check mode.
        """
        options, reader = self.options, InstanceReader(self.incident.client, self.list_requests)
        batches = split_batches(restores, options.sizes)
        progress = self.incident.client.progress
        with progress.if_interrupted("") as note:
            context = RunContext(self.incident, options, self.observer, restores, note)
            for number, batch in begin_batches(batches, options.max_failures, Restore.has_failed):
                progress.require_controller()
                names = (short_name(restore.instance) for restore in batch)
                prefix = announce_batch(progress, number, len(batches), names)
                self.observer.on_batch(number, len(batches), batch)
                RestoreBatch(context, reader, batch, prefix).run()
                self._look_back(context, reader)

    def _look_back(self, context: RunContext, reader: InstanceReader) -> None:
        """Looks again at the instances that were restored and ran, and fails those that do so no more."""
        done = [one for one in context.restores if one.stage is Stage.DONE and one.healthy_at]
        has_just_read = len(context.restores) == 1 or all(
            one.plan.action is RestoreAction.NONE for one in context.restores
        )
        if not done or has_just_read:
            return
        try:
            seen, at, context.unseen = reader.read([one.instance["id"] for one in done]), datetime.now(UTC), None
        except ClawHostersError as error:
            context.unseen = error
            return
        for restore in done:
            now = seen[str(restore.instance["id"])]
            if keeps_state(now, "started", wait_healthy=self.options.wait_healthy):
                restore.healthy_at = at
                continue
            lapse = explain_lapse(restore.current, restore.healthy_at, now, at)
            gone = None if now else InstanceGoneError(restore.instance)
            restore.current, restore.healthy_at = now or restore.current, None
            restore.fail(restore.explain_unrecovered(lapse, gone), COMPLETED)
            context.observe(restore)
