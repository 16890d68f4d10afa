# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the detail fields of instances, and keeps them between runs, until they expire or the list shows a change."""

from __future__ import annotations

import json
import time
import typing as t

from ...module_utils._service.list_search import stream_details

if t.TYPE_CHECKING:
    from ...module_utils._http.client import Client
    from ...module_utils._model.resource import Resource


class CachedDetail(t.NamedTuple):
    """An instance as the list showed it, the fields that only its detail has, and the Unix time of reading them."""

    listed: Resource
    extra: Resource
    read_at: float


class DetailCache:
    """The details of the instances in a list, those of earlier runs first.

    ``text`` is the result of :meth:`as_text`, or anything else. Of its entries remain those that are younger than
    ``max_age`` at ``now`` (Unix time), and whose instance is unchanged in ``every``, the list before any selection.
    """

    def __init__(self, text: object, every: t.Iterable[Resource], max_age: float, now: float) -> None:
        entries = _parse_entries(text)
        ids = {str(listed["id"]): listed for listed in every}
        self._entries = {
            instance_id: entry
            for instance_id, entry in entries.items()
            if entry.listed == ids.get(instance_id) and 0 <= now - entry.read_at < max_age
        }

    def find(self, listed: Resource) -> Resource | None:
        """Returns the instance with its detail fields, or None if they must be read."""
        entry = self._entries.get(str(listed["id"]))
        return None if entry is None else {**listed, **entry.extra}

    def add(self, listed: Resource, detail: Resource, now: float) -> None:
        """Adds a detail that was read at ``now``, after the list.

        One that contradicts the list is not added: the instance changed in between.
        """
        if all(detail.get(field, value) == value for field, value in listed.items()):
            extra = {field: value for field, value in detail.items() if field not in listed}
            self._entries[str(listed["id"])] = CachedDetail(listed, extra, now)

    def as_text(self) -> str:
        """Returns all entries as text."""
        return json.dumps(self._entries)


def add_details(client: Client, instances: list[Resource], cache: DetailCache) -> list[Resource]:
    """Returns the instances with their detail fields, without those deleted since they were listed."""
    known = {str(instance["id"]): cache.find(instance) for instance in instances}
    missing = [instance for instance in instances if known[str(instance["id"])] is None]
    for listed, detail in stream_details(client, missing):
        if detail is not None:
            cache.add(listed, detail, time.time())
            known[str(listed["id"])] = {**listed, **detail}
    return [instance for instance in known.values() if instance is not None]


def _parse_entries(text: object) -> dict[str, CachedDetail]:
    """Parses text from Ansible's cache. Returns no entries if it is not valid."""
    try:
        entries = {instance_id: CachedDetail(*entry) for instance_id, entry in json.loads(str(text)).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    is_valid = all(
        isinstance(entry.listed, dict) and isinstance(entry.extra, dict) and isinstance(entry.read_at, (int, float))
        for entry in entries.values()
    )
    return entries if is_valid else {}
