# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads of the account what restores need, and no more. A plan, and what has been confirmed, are built on it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._concurrency import map_ordered, run_parallel
from ..._errors import ClawHostersError, NotFoundError, ResponseError
from ..._http.client import Client
from ..._http.lists import ListAbandonedError, fetch_all
from ..._model.instance_fields import CONDITION, lacks
from ..._model.instance_index import InstanceIndex
from ..._model.ownership import parse_owner
from ..._model.resource import Resource
from ..backups import fetch_backup, list_backups
from ..find_instance import fetch_instance
from ..instance_list import list_instances
from .target_plan import AccountView, Target


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
        if self.is_whole:
            self._read_missing_fields(targets)
        return AccountView(InstanceIndex(self.instances), self.backups, self._missing)

    def _read_missing_fields(self, targets: t.Sequence[Target]) -> None:
        """Reads the details of the targets where the list lacks what a plan needs; polls read details then, too."""
        names, ids = {one.name for one in targets} - {None}, {str(one.instance_id) for one in targets}
        listed = self.instances

        def is_wanted(one: Resource) -> bool:
            return one.get("name") in names or str(one["id"]) in ids

        self.instances = list_instances(self.client, CONDITION, is_wanted, listed=listed)
        if any(lacks(one, field) for one in filter(is_wanted, listed) for field in CONDITION):
            self.list_pages = None

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
            self.instances, self.is_whole, self.list_pages = self._read_by_ids("/instances", ids, fetch_instance)

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
