# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a run of the role ``restore``: with the times by the service's clock, and the requests of each."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...module_utils._times import format_iso
from .recorded_runs import read_recorded

if t.TYPE_CHECKING:
    from ...module_utils._module.runner import ModuleContext
    from ...module_utils._service.restore.history import RestoreRecord
    from .run import Run

TITLES = {
    "service": "Check the service",
    "key": "Check the API key",
    "plan": "Plan the restore",
    "confirm": "Confirm the restore",
    "send": "Begin the restore",
    "accepted": "Send the restore",
    "begun": "Send the restore",
    "restore": "Restore the backup",
    "start": "Start the instance",
    "healthy": "Wait until the instance is healthy",
    "http": "Check the address",
    "run": "Run the runbook",
}
"""Title of each step."""


@dataclass
class RunSteps:
    """Adds the steps of ``run``. ``redact`` removes secrets from what is recorded or shown."""

    context: ModuleContext
    run: Run
    redact: t.Callable[[t.Any], t.Any]
    _counted: int = 0
    """Requests of the steps that were added."""

    def read_recorded(self, journal: str) -> RestoreRecord:
        """Returns what the record says was sent. ``journal`` is the place of the journal beside it."""
        settings = self.context.client.settings
        return read_recorded(self.run.report_path, self.run.incident, settings.host, journal)

    def now(self) -> datetime:
        """Returns the time of what happens in the run now, by the service's clock."""
        return datetime.now(UTC) - self.clock_lead

    @property
    def clock_lead(self) -> timedelta:
        """How far this machine's clock is ahead of the service's."""
        return timedelta(seconds=self.run.clock_lead)

    def compare_clocks(self) -> None:
        """Finds out how far this machine's clock is ahead of the service's, and corrects when the run has begun."""
        self.run.clock_lead = self.context.client.stats.find_clock_lead().total_seconds()
        self.run.began_at = format_iso(datetime.fromisoformat(self.run.began_at) - self.clock_lead)

    def add_step(self, name: str, **fields: t.Any) -> None:
        """Adds a step to the run, with the requests since the last one."""
        requests = self.context.client.stats.requests
        self.run.add_step(name, TITLES[name], self.now(), requests=requests - self._counted, **fields)
        self._counted = requests
