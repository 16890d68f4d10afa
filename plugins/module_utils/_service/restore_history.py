# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the journal says about the restores of instances, for one incident and for others. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .._model.resource import parse_id
from .._model.restore import CLOCK_TOLERANCE
from .._service_url import normalize_url
from .._state.journal import JournalEntry, OperationEvent, OperationKey, OperationState, identify
from .._state.store import Holder

LONGEST_RESTORE = timedelta(minutes=15)
"""Age up to which a restore is assumed to be under way: what keeps an instance busy later may be anything."""


def is_under_way(state: OperationState, now: datetime, *, was_busy: bool) -> bool:
    """Returns True if a restore without an end is to be waited for: it was accepted, or seems to have begun.

    With an unknown outcome it has begun if the instance is busy and the request is recent. ``now`` is by the clock of
    the journal. A request that it dates in the future is not recent, unless the clock was only corrected.
    """
    age = now - datetime.fromisoformat(state.sent_at)
    is_recent = -CLOCK_TOLERANCE <= age <= LONGEST_RESTORE
    return state.event is OperationEvent.ACCEPTED or (was_busy and is_recent)


class EarlierRestore(t.NamedTuple):
    """A restore for another incident."""

    incident: str
    state: OperationState


@dataclass(frozen=True)
class RestoreHistory:
    """The restores that the journal holds for ``service``. Without ``states`` nothing is known."""

    service: str
    incident: str
    states: t.Mapping[OperationKey, OperationState] = field(default_factory=dict)
    holders: t.Mapping[str, Holder] = field(default_factory=dict)
    """Who works on which operation now, by digest."""
    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the journal was read, by its clock."""

    def find_own(self, instance_id: object = None, name: object = None) -> OperationState | None:
        """Returns the restore of an instance for this incident.

        Without an id it is the newest restore of an instance that had this name.
        """
        if instance_id is None:
            instance_id = self.find_id(name)
        return None if instance_id is None else dict(self._own_restores()).get(str(instance_id))

    def find_id(self, name: object) -> int | str | None:
        """Returns the id of the instance that had this name at the newest restore for this incident, or None."""
        named = {state.sent_at: key for key, state in self._own_restores() if state.notes.get("instance_name") == name}
        return parse_id(named[max(named)]) if named and name is not None else None

    def find_holder(self, instance_id: object) -> Holder | None:
        """Returns the run that works on the restore of an instance for this incident now."""
        return self.holders.get(OperationKey("restore", self.service, self.incident, str(instance_id)).digest)

    def find_others(self, instance_id: object, since: datetime) -> list[EarlierRestore]:
        """Returns the restores of an instance for other incidents since a time, newest first."""
        others = [
            EarlierRestore(key.name, state)
            for key, state in self._restores()
            if key.name != self.incident and key.instance_id == str(instance_id)
            if datetime.fromisoformat(state.at) >= since
        ]
        return sorted(others, key=lambda other: other.state.at, reverse=True)

    def _own_restores(self) -> list[tuple[str | None, OperationState]]:
        """Returns the restores for this incident, with the ids of their instances."""
        return [(key.instance_id, state) for key, state in self._restores() if key.name == self.incident]

    def _restores(self) -> t.Iterator[tuple[OperationKey, OperationState]]:
        service = normalize_url(self.service)
        return ((key, state) for key, state in self.states.items() if (key.kind, key.service) == ("restore", service))


def find_refused(entries: t.Iterable[JournalEntry], service: str, incident: str, since: str) -> set[str]:
    """Returns the ids of the instances whose restore for the incident was refused last, since a time in ISO 8601.

    A refused attempt is not part of the state of an operation: nothing was done.
    """
    last: dict[str, JournalEntry] = {}
    for entry in entries:
        if identify(entry) == OperationKey("restore", service, incident, entry["instance_id"]):
            last[str(entry["instance_id"])] = entry
    return {
        instance_id
        for instance_id, entry in last.items()
        if entry["event"] == OperationEvent.REFUSED.value
        if datetime.fromisoformat(entry["at"]) >= datetime.fromisoformat(since)
    }
