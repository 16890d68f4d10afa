# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the instance and the backup of a restore (interface 3, ``claw_backup_restore``)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._concurrency import run_parallel
from .._errors import NotFoundError, RefusedError
from .._http.client import Client
from .._model.backup import format_left_out
from .._model.instance import label, short_name
from .._model.ownership import filter_by_instance, has_owner, parse_owner
from .._model.resource import Resource, parse_id
from .._model.restore import RestoreQuery
from .._progress import InterruptNote
from .._state.journal import Journal, OperationKey, OperationState
from .at_most_once import OperationGuard
from .backups import fetch_backup, fetch_backups, find_backup, list_backups, select_backups
from .instances import Found, fetch_instance, find_instance, find_instance_or_similar, list_owners
from .restore_job import NEXT_STEP, RestoreJob


@dataclass
class RestoreFinder:
    """Finds what is to be restored for one incident."""

    client: Client
    journal: Journal
    incident: str
    force: bool
    warn: t.Callable[[str], None]
    _backups: list[Resource] | None = field(default=None, repr=False)
    """All backups, if they were listed together with the instances."""

    def guard(self, instance: Resource, note: InterruptNote) -> OperationGuard:
        """Returns the guard of the restore of this instance for the incident."""
        what = f"the restore of {short_name(instance)}"
        return OperationGuard(self.journal, self._key(instance["id"]), self.warn, what, note)

    def job(
        self,
        instance: Resource,
        backup: Resource | None,
        guard: OperationGuard | None = None,
        expected_sent_at: str | None = None,
        next_step: str = NEXT_STEP,
    ) -> RestoreJob:
        """Returns the restore of ``instance`` from ``backup``. Without ``guard``, Ctrl-C shows no note of its own."""
        guard = guard or self.guard(instance, InterruptNote(""))
        return RestoreJob(
            self.client, self.incident, guard, instance, backup, self.warn, self.force, expected_sent_at, next_step
        )

    def _key(self, instance_id: object) -> OperationKey:
        return OperationKey("restore", self.client.settings.api_url, self.incident, str(instance_id))

    def read_own_states(self) -> dict[str, OperationState]:
        """Returns what the journal holds of this incident, by the id of the instance. Raises JournalError."""
        states = self.journal.read_states().items()
        return {str(key.instance_id): state for key, state in states if key == self._key(key.instance_id)}

    def require_not_in_folder(self, instance: Resource) -> None:
        """Raises JournalError if only the folder of this machine knows the restore of ``instance``."""
        self.journal.require_not_in_folder(self._key(instance["id"]))

    def find_target(self, query: RestoreQuery) -> tuple[Resource, Resource | None]:
        """Returns the instance, and the backup if it was given by id."""
        try:
            backup = None if query.backup_id is None else fetch_backup(self.client, query.backup_id)
        except NotFoundError:
            if instance := self._find_restored_before(query):
                return instance, None
            raise
        if backup is not None and not query.names_instance:
            return self._find_owner(backup), backup
        instance, _similar, missing = self._find_named(query)
        if instance is None:
            sought = query.instance_name if query.instance_id is None else f"with id {query.instance_id}"
            raise RefusedError(f"There is no instance {sought}: nothing was sent.", missing)
        if backup is not None:
            self.require_backup_of(
                backup,
                instance,
                lambda: list_owners(self.client, instance["id"], None),
                is_only_one=query.instance_id is None,
            )
        return instance, backup

    def _find_named(self, query: RestoreQuery) -> Found:
        """Finds the instance. If all instances and all backups are needed, lists them side by side."""

        def find() -> Found:
            return find_instance_or_similar(self.client, query.instance_id, query.instance_name)

        self._backups = None
        # With server_filters, the backups are asked for by the id of the instance.
        needs_id = query.instance_id is not None or self.client.settings.server_filters
        if query.backup_id is not None or needs_id or self._is_recorded(query.instance_name):
            return find()
        found, self._backups = run_parallel(find, lambda: list_backups(self.client))
        return found

    def _is_recorded(self, instance_name: str | None) -> bool:
        """Returns True if the journal has a restore of an instance of this name for the incident."""
        return not self.force and any(
            state.notes.get("instance_name") == instance_name for state in self.read_own_states().values()
        )

    def find_newest(self, query: RestoreQuery, instance: Resource) -> Resource:
        """Returns the newest usable backup of the instance. Warns of newer ones that are not usable."""
        listed, self._backups = self._backups, None
        if listed is None:
            own = fetch_backups(self.client, None, instance["id"], None, query.accepts)
        else:
            own = select_backups(self.client, listed, instance["id"])
        return self.choose_newest(query, own, instance)

    def choose_newest(self, query: RestoreQuery, backups: list[Resource], instance: Resource) -> Resource:
        """Returns the newest usable one of the instance's backups. Warns of newer ones that are not."""
        backup, newer = query.choose_newest(backups, instance)
        if newer:
            self.warn(f"{label(instance)}: {format_left_out(newer)} Backup {backup['id']} is the newest usable one.")
        return backup

    def find_recorded(self, state: OperationState, backup: Resource | None) -> Resource:
        """Returns the backup that the journal names; only its id if it does not exist any more."""
        backup_id = state.notes.get("backup_id")
        if backup is not None and str(backup["id"]) == str(backup_id):
            return backup
        return find_backup(self.client, backup_id) or {"id": backup_id}

    def _find_restored_before(self, query: RestoreQuery) -> Resource | None:
        """Returns the instance if it was restored for this incident before: its backup may have expired since."""
        if self.force:
            return None
        if query.names_instance:
            instance = find_instance(self.client, query.instance_id, query.instance_name)
            is_new = instance is None or self.journal.read_state(self._key(instance["id"])) is None
            return None if is_new else instance
        recorded = self.find_in_journal(query)
        return fetch_instance(self.client, recorded[0]["id"]) if recorded else None

    def find_in_journal(self, query: RestoreQuery) -> tuple[Resource, OperationState] | None:
        """Returns id and name of the instance, and the state of its restore for this incident, without the service.

        Returns None if the journal holds none, or several. Raises JournalError.
        """
        wanted = {"instance_id": query.instance_id, "instance_name": query.instance_name, "backup_id": query.backup_id}
        # By id if it is given, else by name: the earlier run may have restored another backup.
        field, value = next((name, value) for name, value in wanted.items() if value is not None)
        found = [
            ({"id": parse_id(instance_id), "name": state.notes.get("instance_name")}, state)
            for instance_id, state in self.read_own_states().items()
            if str({**state.notes, "instance_id": instance_id}.get(field)) == str(value)
        ]
        return found[0] if len(found) == 1 else None

    def _find_owner(self, backup: Resource) -> Resource:
        """Returns the instance that the backup shows."""
        if not has_owner(backup):
            raise RefusedError(
                f"Backup {backup['id']} does not show its instance: give the instance with instance_id too."
            )
        owner = parse_owner(backup)
        instance = fetch_instance(self.client, owner.id) if owner.id else find_instance(self.client, None, owner.name)
        if instance is None:
            raise RefusedError(
                f"Backup {backup['id']} is of {owner}, which does not exist any more: a backup can only be restored to "
                "the instance that it was taken from. Nothing was sent."
            )
        return instance

    def require_backup_of(
        self,
        backup: Resource,
        instance: Resource,
        list_instances: t.Callable[[], list[Resource]],
        *,
        is_only_one: bool = False,
    ) -> None:
        """Raises RefusedError if the backup shows another instance. ``is_only_one``: no other one has its name.

        ``list_instances`` is called only if the backup shows too little.
        """
        if not has_owner(backup):
            self.warn(
                f"Backup {backup['id']} does not show its instance, so it may not be a backup of {label(instance)}."
            )
        elif is_only_one and parse_owner(backup) == (None, instance.get("name")):
            return
        elif not filter_by_instance([backup], instance["id"], None, "backup", list_instances):
            raise RefusedError(
                f"Backup {backup['id']} is of {parse_owner(backup)}, not of {label(instance)}: nothing was sent."
            )
