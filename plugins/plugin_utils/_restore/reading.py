# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the instances and the backups that the role ``restore`` needs, and no more. Nothing is read twice."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from ...module_utils._concurrency import run_parallel
from ...module_utils._errors import ClawHostersError, NotFoundError
from ...module_utils._http.client import Client
from ...module_utils._model.backup import is_before, is_usable
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.ownership import parse_owner
from ...module_utils._model.resource import Resource
from ...module_utils._service.backups import fetch_backup, list_backups
from ...module_utils._service.instances import list_instances
from ...module_utils._service.restore_history import RestoreHistory
from ...module_utils._service.restore_reading import read_backups_of, read_instances
from ...module_utils._service.restore_target import RestoreFinder
from ...module_utils._times import parse_timestamp
from .failures import translate_options
from .model import Candidate, Data
from .plan import find_instances, match_backups


@dataclass
class TargetReader:
    """Reads what the plan of ``targets`` needs. The fields are set as far as the reading came."""

    client: Client
    finder: RestoreFinder
    history: RestoreHistory
    settings: Data
    targets: list[Data]
    instances: list[Resource] = field(default_factory=list)
    is_whole: bool = False
    """True if ``instances`` are all of the account."""
    list_pages: int | None = None
    """Pages of the list of instances, if they were counted."""
    backups: list[Resource] = field(default_factory=list)

    def find_candidates(self) -> list[Candidate]:
        """Returns each target with its instance and its backup. Raises what the client raises."""
        if self.settings["restore_backup"] != "latest":
            return [self._find_given()]
        self._read_for_latest()
        if self._has_ids and any(parse_owner(backup).id is None for backup in self.backups):
            # Another instance may have the name that they show.
            self.list_all_instances()
        return match_backups(self.targets, self.instances, self.backups, self._before)

    @property
    def _has_ids(self) -> bool:
        """True if the user gave ids, False for names."""
        return self.targets[0]["id"] is not None

    @property
    def known_instances(self) -> list[Resource]:
        """The instances of the account as far as they are known: those that were read, and the owners of backups."""
        known = {str(instance["id"]): instance for instance in self.instances}
        for owner in map(parse_owner, self.backups):
            if owner.id is not None and owner.name is not None:
                known.setdefault(owner.id, {"id": owner.id, "name": owner.name})
        return list(known.values())

    def _find_given(self) -> Candidate:
        """Returns the only target with the backup whose id the user gave: this needs no list of backups."""

        def fetch() -> Resource | ClawHostersError:
            try:
                return fetch_backup(self.client, int(self.settings["restore_backup"]))
            except NotFoundError as error:
                return error

        _none, backup = run_parallel(self._read_instances, fetch)
        (candidate,) = match_backups(self.targets, self.instances, [])
        if candidate.instance is None:
            return candidate
        candidate.kind = candidate.problem = ""
        candidate.is_given = True
        try:
            candidate.backup = self._require_given(backup, candidate.instance)
        except ClawHostersError as error:
            candidate.kind, candidate.problem = "not_now", translate_options(str(error))
        return candidate

    def _require_given(self, backup: Resource | ClawHostersError, instance: Resource) -> Resource:
        """Returns the backup. One that was restored for this incident before may have expired since."""
        if isinstance(backup, ClawHostersError):
            if self._is_recorded(instance):
                return {"id": int(self.settings["restore_backup"])}
            raise backup
        # A name that was asked for is unique: otherwise the target would be ambiguous.
        self.finder.require_backup_of(backup, instance, self.list_all_instances, is_only_one=not self._has_ids)
        return backup

    # Reading

    def _read_for_latest(self) -> None:
        open_targets = [target for target in self.targets if not self._is_recorded(target)]
        if open_targets and self._has_ids:
            run_parallel(self._read_instances, lambda: self._read_backups(open_targets))
        elif open_targets and not self.client.settings.server_filters:
            run_parallel(self._read_instances, lambda: self._read_backups(None))
        else:
            self._read_instances()
            index = InstanceIndex(self.instances)
            found = [matches[0] for target in self.targets if len(matches := find_instances(target, index)) == 1]
            self._read_backups([instance for instance in found if not self._is_recorded(instance)])

    def _read_instances(self) -> None:
        ids, names = ([target[key] for target in self.targets if target[key] is not None] for key in ("id", "name"))
        self.instances, self.is_whole, self.list_pages = read_instances(self.client, ids, names)

    def _read_backups(self, instances: t.Sequence[Data] | None) -> None:
        """Reads the backups of these instances, or all. A target that names an id is enough."""
        if instances is None:
            self.backups = list_backups(self.client)
        else:
            self.backups = read_backups_of(self.client, instances, self._is_usable)

    def _is_usable(self, backup: Resource) -> bool:
        return is_usable(backup) and is_before(backup, self._before)

    @functools.cached_property
    def _before(self) -> datetime | None:
        return parse_timestamp("restore_before", self.settings["restore_before"] or None)

    def list_all_instances(self) -> list[Resource]:
        """Returns all instances of the account. Reads them at most once."""
        if not self.is_whole:
            self.instances, self.is_whole = list_instances(self.client), True
        return self.instances

    def _is_recorded(self, one: Data) -> bool:
        """Returns True if the journal holds the restore of ``one``, with ``id`` and ``name``, for this incident.

        Then it is not sent again, and needs no backup.
        """
        is_known = self.history.find_own(one["id"], one.get("name")) is not None
        return is_known and not self.settings["restore_force"]
