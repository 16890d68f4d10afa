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
from .restore import Stage
from .words import MODULE

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import RefusedError
    from ..._http.client import Client
    from ..._state.journal import Journal, JournalError, OperationKey
    from .history import Witness
    from .plan import RestorePlan, Target
    from .restore import Restore
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
    """The last position of each subject when the journal was read, for targets whose id is found later."""
    damaged: dict[str, JournalError] = field(default_factory=dict)
    """The damage of subjects that were found by the incident, by their digests: each may be of any instance."""

    @property
    def now(self) -> datetime:
        """The time by which backups are judged."""
        return self.client.stats.now()

    def key(self, instance_id: object) -> OperationKey:
        """Returns the key of the restore of an instance."""
        return RestoreHistory(self.client.settings.api_url, self.name).key(instance_id)

    def read_history(self, targets: t.Iterable[Target], *, with_holders: bool = False) -> RestoreHistory:
        """Returns what the journal holds of the targets: by the instance's id, or by the incident for one without.

        Raises JournalError.
        """
        ids = {target.instance_id for target in targets}
        if None in ids:
            self.positions = self.journal.read_positions()
        subjects: set[str] = set()
        if None in ids:
            subjects = self.journal.find_subjects("restore", self.client.settings.api_url, self.name)
        # Before the states: what ends in between is then known.
        holders = self.journal.read_holders() if with_holders else {}
        witness = self.read_report() if self.read_report else None
        history = RestoreHistory(
            self.client.settings.api_url, self.name, {}, holders, self.journal.now(), witness=witness
        )
        for subject in self.read_more(history, subjects, ids - {None}):
            history.positions[subject] = self.journal.known_position(subject)
        return history

    def read_more(self, history: RestoreHistory, found: set[str], instance_ids: t.Iterable[object]) -> set[str]:
        """Reads the subjects of the instances, and those that were ``found`` by the incident, if not read before.

        Returns them, but for those that were found and are damaged. If one is of a target, it is read again, by its id.
        Raises JournalError for damage to a subject of the instances.
        """
        keys = {str(one): history.key(one) for one in instance_ids}
        subjects = {key.subject for key in keys.values()} - history.positions.keys()
        if subjects:
            history.states.update(self.journal.read_states(subjects))
        if found := found - subjects:
            states, self.damaged = self.journal.read_intact_states(found)
            history.states.update(states)
            subjects |= found - self.damaged.keys()
        if sent_at := history.witness and history.witness.sent_at:
            for one in keys.keys() & sent_at.keys():
                if sent_at[one] in self.journal.find_attempts(keys[one]):
                    # It was refused, perhaps after another run had recorded that it waits for it.
                    del sent_at[one]
        return subjects

    def build_error(self, plan: RestorePlan) -> RefusedError:
        """Returns the error of a plan with an obstacle. Imports the messages of what is not restored."""
        from .messages import build_error

        return build_error(plan, self.name, self.rules, self.now, self.surface)

    def predict(self, restore: Restore) -> None:
        """Sets the results that a restore would have, for check mode."""
        if restore.plan.obstacle:
            restore.fail(self.build_error(restore.plan), restore.outcome)
            return
        if restore.plan.sends:
            restore.is_sent, restore.current = True, {**restore.current, "status": "running"}
        restore.stage = Stage.DONE
