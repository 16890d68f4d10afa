# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the current state of some instances, by the list or one by one, whichever takes fewer requests."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import ClawHostersError
from .._http.client import Client
from .._http.lists import fetch_all
from .._model.instance_index import InstanceIndex
from .._model.resource import Resource
from .._waiter import TEMPORARY_ERRORS
from .instance_requests import fetch_instance


@dataclass
class InstanceReader:
    """Reads instances by their ids. ``list_requests``: the requests of the whole list; None if that is not known."""

    client: Client
    list_requests: int | None = None

    def cost(self, count: int) -> int:
        """Returns the number of requests that it takes to read ``count`` instances."""
        return count if self.list_requests is None else min(count, self.list_requests)

    def read(self, ids: t.Collection[object], time_left: float | None = None) -> dict[str, Resource | None]:
        """Returns the instances by id, None for one that does not exist. ``time_left``: see :meth:`Client.fetch`.

        With ``time_left``, instances that could not be read because of a temporary error are missing. Raises the error
        if that is all of them.
        """
        if self.cost(len(ids)) < len(ids):
            by_id = InstanceIndex(fetch_all(self.client, "/instances", time_left=time_left)).by_id
            return {str(one): by_id.get(str(one)) for one in ids}
        results = zip(ids, map_ordered(lambda one: self._read_one(one, time_left), ids), strict=True)
        seen = {str(one): result for one, result in results}
        errors = [result for result in seen.values() if isinstance(result, ClawHostersError)]
        if errors and len(errors) == len(seen):
            raise errors[0]
        return {one: result for one, result in seen.items() if not isinstance(result, ClawHostersError)}

    def _read_one(self, one: object, time_left: float | None) -> Resource | ClawHostersError | None:
        try:
            return fetch_instance(self.client, one, time_left=time_left)
        except TEMPORARY_ERRORS as error:
            if time_left is None:
                raise
            return error
