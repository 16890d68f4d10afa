# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An incident: what all restores of a task share, and what the journal holds of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import SettingsError
from ..._time_options import parse_duration, parse_timestamp
from .history import RestoreHistory
from .plan import Rules
from .words import MODULE

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import RefusedError
    from ..._http.client import Client
    from ..._state.journal import Journal, OperationKey
    from .history import Witness
    from .plan import RestorePlan
    from .words import Surface


def parse_rules(params: t.Mapping[str, t.Any]) -> Rules:
    """Returns the rules of a task from its options. Raises SettingsError for an invalid one."""
    try:
        return Rules(
            parse_timestamp("before", params["before"]),
            parse_duration("max_age", params["max_age"]),
            parse_duration("min_interval", params["min_interval"]),
            params["force"],
        )
    except SettingsError as error:
        error.is_unsent = True
        raise


@dataclass
class Incident:
    """The incident ``name``, for which each instance is restored at most once."""

    client: Client
    journal: Journal
    name: str
    rules: Rules
    warn: t.Callable[[str], None]
    read_report: t.Callable[[], Witness] | None = None
    """Reads the JSON that the role has written."""
    surface: Surface = MODULE
    """The words of messages."""
    positions: dict[str, int] = field(default_factory=dict)
    """The last position of each subject in the journal when the task began."""

    @property
    def now(self) -> datetime:
        """The time by which backups are judged."""
        return self.client.stats.now()

    def key(self, instance_id: object) -> OperationKey:
        """Returns the key of the restore of an instance."""
        return RestoreHistory(self.client.settings.api_url, self.name).key(instance_id)

    def begin(self) -> None:
        """Begins the task: a restore that is sent from now on for another incident is not overwritten."""
        self.positions = self.journal.read_positions()

    def read_history(self, instance_ids: t.Iterable[object], *, with_holders: bool = False) -> RestoreHistory:
        """Returns what the journal holds of these instances. Raises JournalError."""
        keys = {str(one): self.key(one) for one in instance_ids}
        subjects = {key.subject for key in keys.values()}
        # Before the states: what ends in between is then known.
        holders = self.journal.read_holders() if with_holders else {}
        witness = self.read_report() if self.read_report else None
        states = self.journal.read_states(subjects)
        for one in keys.keys() & (witness.sent_at if witness else {}).keys():
            if witness and witness.sent_at[one] in self.journal.find_attempts(keys[one]):
                # It was refused, perhaps after another run had recorded that it waits for it.
                del witness.sent_at[one]
        return RestoreHistory(
            self.client.settings.api_url,
            self.name,
            states,
            holders,
            self.journal.now(),
            self.client.stats.service_time(),
            {subject: self.positions.get(subject, 0) for subject in subjects},
            witness,
        )

    def find_restored_from(self, backup_id: object) -> int | str | None:
        """Returns the id of the only instance that was restored from this backup for the incident, or None."""
        service = self.client.settings.api_url
        subjects = self.journal.find_subjects("restore", service, self.name)
        states, _damaged = self.journal.read_intact_states(subjects)
        return RestoreHistory(service, self.name, states).find_by_backup(backup_id)

    def build_error(self, plan: RestorePlan) -> RefusedError:
        """Returns the error of a plan with an obstacle. Imports the messages of what is not restored."""
        from .messages import build_error

        return build_error(plan, self.name, self.rules, self.now, self.surface)
