# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans the restores of many instances, and finds everything that can be refused before anything is sent (interface 3).

Instances and backups are read by one list each, or one by one where that takes fewer requests.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._concurrency import run_parallel
from .._errors import ClawHostersError, PartialError, RefusedError
from .._http.client import Client
from .._model.backup import owner_key
from .._model.batches import split_batches
from .._model.fleet_entries import RestoreEntry, find_duplicates
from .._model.fleet_plan import Job, Phase
from .._model.fleet_restore_results import build_result, format_failures, format_refusals
from .._model.instance import NAME_LIMIT
from .._model.instance_index import InstanceIndex
from .._model.ownership import Owner, filter_by_instance, require_owners
from .._model.resource import Resource
from .._model.restore import RestoreQuery, require_restorable
from .._model.restore_item import COMPLETED, IN_FLIGHT, NOT_BEGUN, RestoreItem
from .._model.results import Result
from .._state.journal import JournalError, OperationState
from .._text import one_line
from .backups import find_backup, list_backups
from .fleet_restore import FleetRestore
from .instance_reader import InstanceReader
from .instances import list_instances
from .list_or_one import Reading
from .restore_reading import read_backups, read_backups_of, read_instances
from .restore_target import RestoreFinder


@dataclass
class FleetRestorePlanner:
    """Plans the restores of one incident. ``query`` has the conditions ``before`` and ``max_age``."""

    finder: RestoreFinder
    query: RestoreQuery
    reader: InstanceReader
    """Learns what the list of instances costs."""
    _states: dict[str, OperationState] = field(default_factory=dict, repr=False)
    """What the journal holds of this incident, by the id of the instance; nothing with ``force``."""
    _instances: Reading = field(default=Reading([], False, None), repr=False)
    _read_for: set[int] = field(default_factory=set, repr=False)
    """Numbers of the entries whose backups were read together with the instances."""

    @property
    def _client(self) -> Client:
        return self.finder.client

    def plan(self, entries: list[RestoreEntry]) -> list[RestoreItem]:
        """Returns an item for each entry, in order. One that can't be restored has an error.

        Raises JournalError, and what the client raises.
        """
        own_states = self.finder.read_own_states()
        self._states = {} if self.finder.force else own_states
        backups = self._read(entries)
        index = InstanceIndex(self._instances.items)
        items = [_resolve(entry, index) for entry in entries]
        duplicates = find_duplicates(entries, (None if item.error else item.instance for item in items))
        for position, fault in list(duplicates):
            items[position].refuse(RefusedError(f"{fault}: nothing was sent."))
        new = []
        for entry, item in zip(entries, items, strict=True):
            if item.error is None and str(item.instance["id"]) not in own_states:
                self._refuse_if_in_folder(item)
            if item.error is None and (state := self._find_state(item)):
                item.outcome = state.outcome
                item.backup = {"id": entry.backup_id or state.notes.get("backup_id")}
            elif item.error is None:
                new.append((entry, item))
        if not {entry.number for entry, _item in new} <= self._read_for:
            # The journal has another instance by the name of an entry: they were renamed since.
            backups = None
        self._choose_backups(new, backups)
        return items

    def _refuse_if_in_folder(self, item: RestoreItem) -> None:
        try:
            self.finder.require_not_in_folder(item.instance)
        except JournalError as error:
            item.refuse(error)

    def fill_results(self, items: t.Iterable[RestoreItem], *, check_mode: bool) -> None:
        """Sets the results of items that this run has not begun, from what the journal holds of them.

        In check mode, predicts what would be done.
        """
        for item in items:
            if item.error is None and not item.is_done:
                try:
                    self._fill_result(item, check_mode=check_mode)
                except ClawHostersError as error:
                    item.fail(error)

    def _fill_result(self, item: RestoreItem, *, check_mode: bool) -> None:
        state = self._find_state(item)
        if state is not None:
            item.backup = {"id": state.notes.get("backup_id")}
        if item.outcome not in (NOT_BEGUN, COMPLETED):
            self.finder.job(item.instance, item.backup).decide(
                state, item.current, lambda _state: t.cast("Resource", item.backup)
            )
            item.outcome = IN_FLIGHT
        if not check_mode:
            return
        item.is_done = True
        if item.outcome == NOT_BEGUN:
            item.changed, item.is_restored, item.current = True, True, {**item.current, "status": "running"}
        elif item.outcome == COMPLETED:
            self._predict_start(item)

    def _predict_start(self, item: RestoreItem) -> None:
        """Predicts whether a restored instance would be started."""
        start = Job("started", found=item.current)
        start.decide(item.current)
        if start.error is not None:
            raise PartialError(f"It was restored. {start.error}", {}, start.cause)
        if start.phase is Phase.READY:
            item.changed, item.current = True, start.predict() or item.current

    def _find_state(self, item: RestoreItem) -> OperationState | None:
        return self._states.get(str(item.instance["id"]))

    # Reading

    def _read(self, entries: list[RestoreEntry]) -> list[Resource] | None:
        """Reads the instances. Returns the backups if they could be read at the same time, else None.

        With ``server_filters``, the newest backup of an instance is asked for by the id of the instance.
        """
        new = [entry for entry in entries if not self._is_recorded(entry)]
        can_read = not any(entry.backup_id is None for entry in new) or not self._client.settings.server_filters
        if not new or not can_read:
            self._instances = self._read_instances(entries)
            return None
        self._read_for = {entry.number for entry in new}
        self._instances, backups = run_parallel(
            lambda: self._read_instances(entries), lambda: self._read_backups(new, [])
        )
        return backups

    def _is_recorded(self, entry: RestoreEntry) -> bool:
        """Returns True if the journal has a restore of this instance for the incident, as far as the entry shows."""
        if entry.instance_id is not None:
            return str(entry.instance_id) in self._states
        return any(state.notes.get("instance_name") == entry.name for state in self._states.values())

    def _read_instances(self, entries: list[RestoreEntry]) -> Reading:
        ids = [entry.instance_id for entry in entries if entry.instance_id is not None]
        names = [entry.name for entry in entries if entry.instance_id is None and entry.name]
        reading = read_instances(self._client, ids, names)
        self.reader.list_requests = reading.pages
        return reading

    def _read_backups(self, new: t.Sequence[RestoreEntry], instances: list[Resource]) -> list[Resource]:
        """Returns the backups of new entries, and perhaps others. ``instances``: of those that name no backup."""
        ids = [entry.backup_id for entry in new if entry.backup_id is not None]
        if len(ids) == len(new):
            return read_backups(self._client, ids)
        if self._client.settings.server_filters:
            return read_backups_of(self._client, instances, self.query.accepts)
        return list_backups(self._client)

    # Choosing

    def _choose_backups(self, new: list[tuple[RestoreEntry, RestoreItem]], backups: list[Resource] | None) -> None:
        """Chooses the backup of each new item, or fails the item."""
        if not new:
            return
        if backups is None:
            instances = [item.instance for entry, item in new if entry.backup_id is None]
            backups = self._read_backups([entry for entry, _item in new], instances)
        groups = _BackupGroups(backups)
        by_id = {str(backup["id"]): backup for backup in backups}
        given: set[object] = set()
        for entry, item in new:
            try:
                if not self.finder.force:
                    require_restorable(item.instance)
                if entry.backup_id is None:
                    item.backup = self._choose_newest(item.instance, groups)
                else:
                    item.backup = self._find_given(entry, item.instance, by_id)
                    if item.backup["id"] in given:
                        raise RefusedError(
                            f"Backup {item.backup['id']} is listed for another entry already, and a backup is of one "
                            "instance: nothing was sent."
                        )
                    given.add(item.backup["id"])
                self.query.require_max_age(item.backup, item.instance)
            except ClawHostersError as error:
                item.refuse(error)

    def _choose_newest(self, instance: Resource, groups: _BackupGroups) -> Resource:
        own = filter_by_instance(groups.find(instance), instance["id"], None, "backup", self._list_all_instances)
        return self.finder.choose_newest(self.query, own, instance)

    def _find_given(self, entry: RestoreEntry, instance: Resource, by_id: dict[str, Resource]) -> Resource:
        backup = by_id.get(str(entry.backup_id)) or find_backup(self._client, entry.backup_id)
        if backup is None:
            raise RefusedError(f"There is no backup with id {entry.backup_id}: nothing was sent.")
        self.finder.require_backup_of(backup, instance, self._list_all_instances, is_only_one=entry.instance_id is None)
        return backup

    def _list_all_instances(self) -> list[Resource]:
        """Returns all instances of the account. Reads them at most once."""
        if not self._instances.is_whole_list:
            self._instances = Reading(list_instances(self._client), True, self._instances.pages)
        return self._instances.items


def _resolve(entry: RestoreEntry, index: InstanceIndex) -> RestoreItem:
    """Returns the item of an entry, with an error if no instance, or not one alone, is meant."""
    item = RestoreItem({"id": entry.instance_id, "name": entry.name}, None)
    if entry.backup_id is not None:
        item.backup = {"id": entry.backup_id}
    try:
        found = index.resolve(entry.instance_id, entry.name)
        if found is None:
            similar = index.find_similar_name(entry.name) if entry.instance_id is None else None
            hint = f"; did you mean {one_line(similar, NAME_LIMIT)}?" if similar else ": nothing was sent."
            raise RefusedError(f"There is no such instance{hint}")
    except ClawHostersError as error:
        item.refuse(error)
        return item
    return RestoreItem(found, item.backup)


class _BackupGroups:
    """Backups by the id of their instance, or by its name for those that show no id."""

    def __init__(self, backups: list[Resource]) -> None:
        self._groups: dict[Owner, list[Resource]] = {}
        for backup in backups:
            self._groups.setdefault(owner_key(backup), []).append(backup)

    def find(self, instance: Resource) -> list[Resource]:
        """Returns the backups that may be of the instance. Raises ResponseError if one does not show its instance."""
        require_owners(self._groups.get(Owner(None, None), []), "backup")
        keys = Owner(str(instance["id"]), None), Owner(None, str(instance.get("name")))
        return [backup for key in keys for backup in self._groups.get(key, [])]


def restore_entries(restore: FleetRestore, entries: list[RestoreEntry], query: RestoreQuery) -> Result:
    """Plans the restores of the entries, sends them unless one is refused, and returns the result of the task.

    In check mode, only plans them. Raises PartialError with the result if an entry failed, and before anything is sent
    what :meth:`FleetRestorePlanner.plan` raises.
    """
    client = restore.finder.client
    with client.progress.if_interrupted(f"Nothing was sent for incident {restore.finder.incident}."):
        planner = FleetRestorePlanner(restore.finder, query, restore.reader)
        items = planner.plan(entries)
    is_refused = any(item.error for item in items)
    if not is_refused and not client.check_mode:
        restore.run(items)
    refusals = format_refusals(entries, items) if is_refused else ""
    planner.fill_results(items, check_mode=client.check_mode and not is_refused)
    if client.check_mode and not is_refused:
        _stop_after_failures(restore, items)
    failures = refusals or format_failures(entries, items, restore.max_failures)
    result = build_result(items)
    if failures:
        raise PartialError(failures, result, next((item.error for item in items if item.error), None))
    return result


def _stop_after_failures(restore: FleetRestore, items: list[RestoreItem]) -> None:
    """In check mode, takes back the predictions for the batches that would not begin."""
    failures = 0
    for batch in split_batches(items, restore.serial):
        if failures > restore.max_failures:
            for item in batch:
                item.changed = item.is_restored = item.is_done = False
                item.current = item.instance
        failures += sum(item.error is not None for item in batch)
