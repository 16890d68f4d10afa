# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the instances and the backups that the plan of restores needs, and no more. Nothing is read twice."""

from __future__ import annotations

import contextlib
import itertools
import typing as t
from dataclasses import dataclass, field

from ..._concurrency import map_ordered, run_parallel
from ..._errors import ClawHostersError, NotFoundError
from ..._http.client import Client
from ..._http.lists import ListAbandonedError, fetch_all, fetch_filtered
from ..._model.instance_index import InstanceIndex
from ..._model.ownership import may_belong, owner_params, parse_owner
from ..._model.resource import Resource
from ..backups import fetch_backup, list_backups
from ..instance_requests import fetch_existing_instance
from ..list_search import Search, list_instances, search_name
from .list_readings import Reading, read_by_ids
from .planner import AccountView, is_fit

if t.TYPE_CHECKING:
    from .history import RestoreHistory
    from .plan import Rules, Target


@dataclass
class AccountReader:
    """Reads what the plan of targets needs. The fields are set as far as the reading came."""

    client: Client
    rules: Rules
    instances: list[Resource] = field(default_factory=list)
    is_whole: bool = False
    """True if ``instances`` are all of the account."""
    list_pages: int | None = None
    """Pages of the list of instances, if they were counted."""
    backups: list[Resource] = field(default_factory=list)
    """Those that were read. What is set before is not read again."""
    _has_all_backups: bool = field(default=False, repr=False)
    _missing: dict[str, ClawHostersError] = field(default_factory=dict, repr=False)

    def read(self, targets: t.Sequence[Target], history: RestoreHistory) -> AccountView:
        """Returns what the plan of ``targets`` needs. Raises what the client raises.

        A target that the journal holds for the incident is not sent again, and needs no backup.
        """
        force = self.rules.force
        new = [one for one in targets if force or history.find_own(one.instance_id, one.name) is None]
        self._read_for(new, targets)
        if renamed := [one for one in targets if one not in new and self._is_renamed(one, history)]:
            self._read_backups(renamed, self._find_open(renamed))
        self._read_owners(targets)
        return AccountView(InstanceIndex(self.instances), self.backups, self._missing)

    def _read_for(self, new: t.Sequence[Target], targets: t.Sequence[Target]) -> None:
        """Reads the instances of the targets, and the backups of new ones: side by side where that is possible."""
        if any(target.instance_id is None and target.backup_id is None for target in new) and self._is_filtered:
            # With server_filters, the backups are asked for by the id of their instance.
            self._read_instances(targets)
            self._read_backups(new, self._find_open(new))
        elif new:
            instances = self._find_open(new)
            run_parallel(lambda: self._read_instances(targets), lambda: self._read_backups(new, instances))
        else:
            self._read_instances(targets)

    def _is_renamed(self, target: Target, history: RestoreHistory) -> bool:
        """Returns True if the journal has another instance by the name of the target: they were renamed since."""
        named = InstanceIndex(self.instances).unique_by_name(target.name) if target.instance_id is None else None
        return named is not None and history.find_own(named["id"]) is None

    def _find_open(self, targets: t.Sequence[Target]) -> list[Resource]:
        """Returns the instances of the targets that name no backup: with their id alone, or as they were read."""
        index, found = InstanceIndex(self.instances), []
        for target in targets:
            if target.backup_id is None and target.instance_id is not None:
                found.append({"id": target.instance_id})
            elif target.backup_id is None and (named := index.unique_by_name(target.name)):
                found.append(named)
        return found

    @property
    def _is_filtered(self) -> bool:
        return self.client.settings.server_filters

    @property
    def known_instances(self) -> list[Resource]:
        """The instances of the account as far as they are known: those that were read, and the owners of backups."""
        known = {str(instance["id"]): instance for instance in self.instances}
        for owner in map(parse_owner, self.backups):
            if owner.id is not None and owner.name is not None:
                known.setdefault(owner.id, {"id": owner.id, "name": owner.name})
        return list(known.values())

    def list_all_instances(self) -> list[Resource]:
        """Returns all instances of the account. Reads them at most once."""
        if not self.is_whole:
            self.instances, self.is_whole = list_instances(self.client), True
        return self.instances

    def _read_instances(self, targets: t.Sequence[Target]) -> None:
        """Reads the instances of the targets, and perhaps others. Those that don't exist are missing."""
        ids = [target.instance_id for target in targets if target.instance_id is not None]
        names = [str(target.name) for target in targets if target.instance_id is None]
        reading = Reading([], False, None)
        if names:
            reading = search_each(self.client, "/instances", [search_name(name) for name in names])
        if ids and not reading.is_whole_list:
            rest = self._read_by_ids("/instances", ids, fetch_existing_instance)
            items = {str(item["id"]): item for item in (*rest.items, *reading.items)}
            reading = Reading(list(items.values()), rest.is_whole_list, rest.pages or reading.pages)
        self.instances, self.is_whole, self.list_pages = reading

    def _read_backups(self, new: t.Sequence[Target], instances: t.Sequence[Resource]) -> None:
        """Reads the backups of new targets, and perhaps others: those that are named, or all of their instances."""
        given = [target.backup_id for target in new if target.backup_id is not None]
        backups: list[Resource] = []
        if len(given) < len(new) and not self._is_filtered:
            if not self._has_all_backups:
                backups, self._has_all_backups = list_backups(self.client), True
        elif len(given) < len(new) and instances:
            backups = search_each(self.client, "/backups", list(map(self._search_backups, instances))).items
        known = {str(backup["id"]): backup for backup in (*self.backups, *backups)}
        if rest := [one for one in given if str(one) not in known]:
            read = self._read_by_ids("/backups", rest, fetch_backup, is_list_known=self._has_all_backups)
            known |= {str(backup["id"]): backup for backup in read.items}
        self.backups = list(known.values())

    def _search_backups(self, instance: Resource) -> Search:
        """Returns the search for the backups of an instance, of which no more than the id need be known.

        Some may be missing in the answer to a query, if one of the others can be restored.
        """
        return Search(
            owner_params(instance["id"], None),
            lambda backups: [backup for backup in backups if may_belong(backup, instance)],
            lambda backup: is_fit(backup, self.rules.before, self.client.stats.now()),
        )

    def _read_by_ids(
        self, path: str, ids: list[int], fetch: t.Callable[[Client, object], Resource], *, is_list_known: bool = False
    ) -> Reading:
        """Reads resources by their ids, and remembers the answers for those that don't exist."""

        def find(one: object) -> Resource | None:
            try:
                return fetch(self.client, one)
            except NotFoundError as error:
                self._missing[f"{path}/{one}"] = error
                return None

        return read_by_ids(self.client, path, ids, find, is_list_known=is_list_known)

    def _read_owners(self, targets: t.Sequence[Target]) -> None:
        """Lists all instances if a backup shows by name alone that it is of a target given by id.

        Another instance may bear that name.
        """
        index = InstanceIndex(self.instances)
        by_id = [index.by_id.get(str(target.instance_id)) for target in targets if target.instance_id is not None]
        names = {str(instance.get("name")) for instance in by_id if instance}
        owners = map(parse_owner, self.backups)
        if not self.is_whole and any(owner.id is None and owner.name in names for owner in owners):
            self.list_all_instances()


def search_each(client: Client, path: str, searches: t.Sequence[Search]) -> Reading:
    """Like ``search``, for several at once: returns the items among which each search can find what it seeks.

    With ``server_filters``, each query takes one request or more. The whole list is read once if a search finds
    nothing, or if that takes fewer requests.
    """
    if not client.settings.server_filters:
        return _read_list_counted(client, path)
    pages: int | None = None

    def is_worth_reading(_items: list[Resource], count: int) -> bool:
        nonlocal pages
        pages = count
        return count - 1 <= len(searches)

    def ask(wanted: Search) -> list[Resource] | None:
        answer = fetch_filtered(client, path, wanted.params)
        return answer if answer is not None and wanted.is_answered_by(answer) else None

    if len(searches) > 1:
        with contextlib.suppress(ListAbandonedError):
            return Reading(fetch_all(client, path, on_first_page=is_worth_reading), True, pages)
    first = ask(searches[0])
    # A service that ignores queries has answered all of them.
    others = [wanted for wanted in searches[1:] if first is not None and not wanted.is_answered_by(first)]
    found: dict[str, Resource] = {}
    for answer in itertools.chain([first], map_ordered(ask, others)):
        if answer is None:
            return _read_list_counted(client, path)
        found.update((str(item["id"]), item) for item in answer)
    return Reading(list(found.values()), False, pages)


def _read_list_counted(client: Client, path: str) -> Reading:
    """Returns the whole list."""
    pages: list[int] = []

    def keep(_items: list[Resource], count: int) -> bool:
        pages.append(count)
        return True

    items = fetch_all(client, path, on_first_page=keep)
    return Reading(items, True, pages[-1] if pages else None)
