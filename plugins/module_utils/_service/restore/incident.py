# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An incident: what all restores of a task share, what account and journal hold for them, and their plans.

Reads no more of the account than the plans need.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._concurrency import map_ordered, run_parallel
from ..._errors import ClawHostersError, NotFoundError, RefusedError, ResponseError, SettingsError
from ..._http.client import Client
from ..._http.lists import ListAbandonedError, fetch_all
from ..._model.instance_index import InstanceIndex
from ..._model.ownership import parse_owner
from ..._model.resource import Resource
from ..._state.journal import JournalError
from ..._time_options import parse_duration, parse_timestamp, require_past
from ..backups import fetch_backup, list_backups
from ..fetch_instance import fetch_existing_instance
from .history import RestoreHistory
from .options import MODULE, Rules
from .plan import AccountView, ObstacleKind, Target, plan_restores

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._state.journal import Journal, OperationKey
    from .history import Witness
    from .options import Surface
    from .plan import RestorePlan


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
    """The incident ``name``, for which each instance is restored at most once.

    ``read_report`` reads the JSON that the role has written. ``surface`` has the words of messages. ``positions``: the
    last position of each subject in the journal when the task began.
    """

    client: Client
    journal: Journal
    name: str
    rules: Rules
    warn: t.Callable[[str], None]
    read_report: t.Callable[[], Witness] | None = None
    surface: Surface = MODULE
    positions: dict[str, int] = field(default_factory=dict)

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

    def build_error(self, plan: RestorePlan) -> RefusedError:
        """Returns the error of a plan with an obstacle. Imports the messages of what is not restored."""
        from .messages import build_error

        return build_error(plan, self.name, self.rules, self.now, self.surface)


# The account


def read_by_ids(
    client: Client,
    path: str,
    ids: t.Collection[object],
    fetch_one: t.Callable[[object], Resource | None],
    *,
    is_list_known: bool = False,
) -> tuple[list[Resource], bool, int | None]:
    """Returns the resources with these ids, True if it is the whole list, and the number of its pages, if known.

    There may be others. Those that don't exist are missing. The first page of the list says what the list costs.
    It is not asked for if there is one id only, or if the caller has read the list and these ids were not in it.
    """
    wanted = {str(one): one for one in ids}
    found: dict[str, Resource] = {}
    pages: int | None = None

    def is_worth_reading(items: list[Resource], count: int) -> bool:
        nonlocal pages
        pages = count
        found.update((str(item["id"]), item) for item in items)
        return count - 1 <= len(wanted.keys() - found.keys())

    if len(wanted) > 1 and not is_list_known:
        try:
            return fetch_all(client, path, on_first_page=is_worth_reading), True, pages
        except (ListAbandonedError, ResponseError):
            pass  # a list that can't be read to its end is no obstacle here
    read = map_ordered(fetch_one, [one for key, one in wanted.items() if key not in found])
    return [*found.values(), *(item for item in read if item is not None)], False, pages


@dataclass
class AccountReader:
    """Reads what the plan of targets needs, with ``lists_backups`` all backups, and holds what it has read so far.

    ``is_whole``: ``instances`` are all of the account. ``list_pages``: the pages of their list, if they were counted.
    What ``backups`` holds before is not read again by its id.
    """

    client: Client
    instances: list[Resource] = field(default_factory=list)
    is_whole: bool = False
    list_pages: int | None = None
    lists_backups: bool = False
    backups: list[Resource] = field(default_factory=list)
    _missing: dict[str, ClawHostersError] = field(default_factory=dict, repr=False)

    def read(self, targets: t.Sequence[Target]) -> AccountView:
        """Returns what the plan of ``targets`` needs. Raises what the client raises."""
        run_parallel(lambda: self._read_instances(targets), lambda: self._read_backups(targets))
        owners = map(parse_owner, self.backups)
        if any(owner.id is None and owner.name is not None for owner in owners):
            # Several instances may bear the name that is all that a backup shows.
            self.list_all_instances()
        return AccountView(InstanceIndex(self.instances), self.backups, self._missing)

    def list_all_instances(self) -> None:
        """Reads all instances of the account, at most once."""

        def count(_items: list[Resource], pages: int) -> bool:
            self.list_pages = pages
            return True

        if not self.is_whole:
            self.instances, self.is_whole = fetch_all(self.client, "/instances", on_first_page=count), True

    def _read_instances(self, targets: t.Sequence[Target]) -> None:
        """Reads the instances of the targets, and perhaps others: by the list if one is given by name."""
        ids = [target.instance_id for target in targets if target.instance_id is not None]
        if len(ids) < len(targets):
            self.list_all_instances()
        else:
            found = self._read_by_ids("/instances", ids, fetch_existing_instance)
            self.instances, self.is_whole, self.list_pages = found

    def _read_backups(self, targets: t.Sequence[Target]) -> None:
        """Reads the backups of the targets: those that they name, or else all."""
        given = [target.backup_id for target in targets if target.backup_id is not None]
        reads_list = self.lists_backups or len(given) < len(targets)
        self.backups = list_backups(self.client) if reads_list else self.backups
        known = {str(backup["id"]) for backup in self.backups}
        if rest := [one for one in given if str(one) not in known]:
            self.backups += self._read_by_ids("/backups", rest, fetch_backup, is_list_known=reads_list)[0]

    def _read_by_ids(
        self, path: str, ids: list[int], fetch: t.Callable[[Client, object], Resource], *, is_list_known: bool = False
    ) -> tuple[list[Resource], bool, int | None]:
        """Reads resources by their ids, and remembers the answers for those that don't exist."""

        def find(one: object) -> Resource | None:
            try:
                return fetch(self.client, one)
            except NotFoundError as error:
                self._missing[f"{path}/{one}"] = error
                return None

        return read_by_ids(self.client, path, ids, find, is_list_known=is_list_known)


# Plans


def plan_incident(
    incident: Incident,
    targets: t.Sequence[Target],
    reader: AccountReader,
    *,
    with_holders: bool,
    complete: t.Callable[[Target], Target] = lambda target: target,
) -> tuple[list[RestorePlan], AccountView, RestoreHistory]:
    """Reads account and journal, and returns a plan for each target, in order, and what was read.

    ``complete`` adds the instance to a target that names a backup alone. The journal is read last, so that it explains
    what the account shows. What would be sent has an obstacle if the folder of this machine was not imported. Raises
    JournalError, what the client raises, and RefusedError for a limit in the future.
    """
    # A restore that is sent from now on for another incident is not overwritten.
    incident.positions = incident.journal.read_positions()
    targets = [*map(complete, targets)]
    account = reader.read(targets)
    require_past(incident.surface.option("before"), incident.rules.before, incident.now, is_unsent=True)
    named = (account.index.by_name.get(str(target.name), []) for target in targets if target.instance_id is None)
    ids = {target.instance_id for target in targets} | {one["id"] for found in named for one in found}
    history = incident.read_history(ids - {None}, with_holders=with_holders)
    plans = plan_restores(targets, account, history, incident.rules, incident.now)
    for plan in plans:
        # The folder says more than the JSON: how its journal becomes the database's.
        kind = plan.obstacle.kind if plan.obstacle else None
        sends = plan.sends or kind is ObstacleKind.ONLY_IN_REPORT
        if incident.journal.folder and sends and plan.instance:
            from ..._state.journal_writer import require_imported

            try:
                require_imported(incident.journal, history.key(plan.instance["id"]))
            except JournalError as error:
                plan.stop(ObstacleKind.OTHER_MEMORY, cause=error)
    return plans, account, history
