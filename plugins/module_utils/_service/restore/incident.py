# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An incident: what all restores of a task share, what the journal holds of them, and their plans."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import RefusedError, SettingsError
from ..._model.instance import label
from ..._model.ownership import has_owner, parse_owner
from ..._model.resource import parse_id
from ..._state.journal import JournalError
from ..._time_options import parse_duration, parse_timestamp, require_past
from ..backups import fetch_backup
from .history import RestoreHistory
from .plan import MODULE, ObstacleKind, Rules, Target, plan_restores

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._http.client import Client
    from ..._state.journal import Journal, OperationKey
    from .account_reader import AccountReader
    from .history import Witness
    from .plan import AccountView, RestorePlan, Surface


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
            {subject: self.positions.get(subject, 0) for subject in subjects},
            witness,
        )

    def find_restored_from(self, backup_id: object) -> int | str | None:
        """Returns the id of the only instance that was restored from this backup for the incident, or None."""
        service = self.client.settings.api_url
        subjects = self.journal.find_subjects("restore", service, self.name)
        states, _damaged = self.journal.read_intact_states(subjects)
        ids = [
            key.instance_id
            for key, state in RestoreHistory(service, self.name, states).restores()
            if key.name == self.name and str(state.facts.get("backup_id")) == str(backup_id)
        ]
        return parse_id(ids[0]) if len(ids) == 1 else None

    def build_error(self, plan: RestorePlan) -> RefusedError:
        """Returns the error of a plan with an obstacle. Imports the messages of what is not restored."""
        from .messages import build_error

        return build_error(plan, self.name, self.rules, self.now, self.surface)


def plan_incident(
    incident: Incident, targets: t.Sequence[Target], reader: AccountReader, *, with_holders: bool
) -> tuple[list[RestorePlan], AccountView, RestoreHistory]:
    """Reads account and journal, and returns a plan for each target, in order, and what was read.

    The journal is read last, so that it explains what the account shows. An instance that it does not know, and the
    folder of this machine beside the database does, has an obstacle. Raises JournalError, what the client raises, and
    RefusedError for a limit in the future.
    """
    # A restore that is sent from now on for another incident is not overwritten.
    incident.positions = incident.journal.read_positions()
    targets = [_find_owner(incident, target, reader) for target in targets]
    account = reader.read(targets)
    require_past(incident.surface.option("before"), incident.rules.before, incident.now, is_unsent=True)
    named = (account.index.by_name.get(str(target.name), []) for target in targets if target.instance_id is None)
    ids = {target.instance_id for target in targets} | {one["id"] for found in named for one in found}
    history = incident.read_history(ids - {None}, with_holders=with_holders)
    plans = plan_restores(targets, account, history, incident.rules, incident.now)
    for plan in plans:
        # The folder says more than the JSON: how its journal becomes the database's.
        kind = plan.obstacle.kind if plan.obstacle else None
        if (plan.sends or kind is ObstacleKind.ONLY_IN_REPORT) and plan.earlier is None and plan.instance:
            try:
                incident.journal.require_not_in_folder(history.key(plan.instance["id"]))
            except JournalError as error:
                plan.stop(ObstacleKind.OTHER_MEMORY, cause=error)
    return plans, account, history


def _find_owner(incident: Incident, target: Target, reader: AccountReader) -> Target:
    """Returns the target with an instance: the one that its backup shows, if the user gave the backup alone."""
    if target.instance_id is not None or target.name is not None:
        return target
    if not incident.rules.force and (recorded := incident.find_restored_from(target.backup_id)) is not None:
        # Its backup may have expired since.
        return Target(t.cast("int", recorded), None, target.backup_id)
    backup = fetch_backup(incident.client, target.backup_id)
    reader.backups = [backup]
    owner = parse_owner(backup)
    if not has_owner(backup):
        raise RefusedError(f"Backup {backup['id']} does not show its instance: give the instance with instance_id too.")
    return Target(t.cast("int", owner.id), None if owner.id else owner.name, target.backup_id)


def warn_of_choice(incident: Incident, plan: RestorePlan) -> None:
    """Warns of what the choice of a backup passes over, and of what can't be told of it."""
    if plan.sends and has_owner(plan.backup or {}) and not (plan.left_out or plan.ahead):
        return
    from .words import describe_choice

    for note in describe_choice(plan, incident.name, incident.rules, incident.now):
        incident.warn(f"{label(plan.instance or {})}: {note.text}")
