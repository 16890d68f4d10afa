# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restores of instances in the journal, for one incident and for others. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..._model.instance import is_busy
from ..._model.resource import Resource, parse_id
from ..._service_url import normalize_url
from ..._state.journal import OperationEvent, OperationKey, OperationState
from ..._state.store import Holder

LONGEST_RESTORE = timedelta(minutes=15)
"""Age up to which a restore is assumed to be under way: what keeps an instance busy later may be anything."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far in the future a time may be: the clocks of the service, of the journal and of this machine differ."""


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

    @property
    def sent_at(self) -> datetime:
        return datetime.fromisoformat(self.state.sent_at)


@dataclass(frozen=True)
class RestoreRecord:
    """The record that the role keeps of the incident beside the journal, as far as it says what the journal does not.

    ``path`` is its file, ``journal`` the place of the journal.
    """

    path: str
    journal: str
    sent_at: dict[str, str] = field(default_factory=dict)
    """When a restore was sent, by the id of its instance."""
    unreadable: str = ""
    """The record, or an earlier one beside it, that can't be read: ``sent_at`` lacks what it says. Else empty."""


@dataclass(frozen=True)
class RestoreHistory:
    """The restores of instances that the journal holds for ``service``. Without ``states`` nothing is known."""

    service: str
    incident: str
    states: dict[OperationKey, OperationState] = field(default_factory=dict)
    holders: t.Mapping[str, Holder] = field(default_factory=dict)
    """Who works on what now, by the digest of the subject."""
    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the journal was first read, by its clock."""
    subjects: set[str] = field(default_factory=set)
    """Digests of the subjects that were read."""
    record: RestoreRecord | None = None
    """The record beside the journal; None for the modules, which have none."""

    def key(self, instance_id: object) -> OperationKey:
        """Returns the key of the restore of an instance for this incident."""
        return OperationKey("restore", self.service, self.incident, str(instance_id))

    def find_own(self, instance_id: object = None, name: object = None) -> OperationState | None:
        """Returns the restore of an instance for this incident.

        Without an id it is the newest restore of an instance that had this name.
        """
        if instance_id is None:
            instance_id = self.find_id(name)
        return None if instance_id is None else self.states.get(self.key(instance_id))

    def find_id(self, name: object) -> int | str | None:
        """Returns the id of the instance that had this name at the newest restore for this incident, or None."""
        named = {
            state.sent_at: key.instance_id
            for key, state in self.restores()
            if key.name == self.incident and state.notes.get("instance_name") == name
        }
        return parse_id(named[max(named)]) if named and name is not None else None

    def find_by_backup(self, backup_id: object) -> int | str | None:
        """Returns the id of the only instance that was restored from this backup for this incident, or None."""
        ids = [
            key.instance_id
            for key, state in self.restores()
            if key.name == self.incident and str(state.notes.get("backup_id")) == str(backup_id)
        ]
        return parse_id(ids[0]) if len(ids) == 1 else None

    def find_holder(self, instance_id: object) -> Holder | None:
        """Returns the run that works on the restore of an instance now."""
        return self.holders.get(self.key(instance_id).subject)

    def find_others(self, instance_id: object, sent_since: datetime) -> list[EarlierRestore]:
        """Returns the restores of an instance that other incidents have sent since a time, newest first.

        The journal leaves out those that were refused: nothing was done.
        """
        others = [
            EarlierRestore(key.name, state)
            for key, state in self.restores()
            if key.name != self.incident and key.instance_id == str(instance_id)
        ]
        recent = [other for other in others if other.sent_at >= sent_since]
        return sorted(recent, key=lambda other: other.sent_at, reverse=True)

    def find_under_way(self, instance: Resource) -> EarlierRestore | None:
        """Returns the restore for another incident that is the likely reason why the instance is busy, or None."""
        others = self.find_others(instance["id"], self.read_at - LONGEST_RESTORE) if is_busy(instance) else []
        return next((other for other in others if is_under_way(other.state, self.read_at, was_busy=True)), None)

    def restores(self) -> t.Iterator[tuple[OperationKey, OperationState]]:
        """Yields the restores of this service."""
        service = normalize_url(self.service)
        return ((key, state) for key, state in self.states.items() if (key.kind, key.service) == ("restore", service))


def find_proofs(states: t.Mapping[OperationKey, OperationState], service: str) -> dict[int | str | None, datetime]:
    """Returns when a backup of an instance was last proven, by the instance's id: restored, and healthy at the end.

    ``states`` are those of the journal. Restores that an earlier version of the collection recorded are no proof: it
    kept no health.
    """
    proofs: dict[int | str | None, datetime] = {}
    for key, state in RestoreHistory(service, "", dict(states)).restores():
        if state.notes.get("healthy") and state.completed_at:
            instance_id, at = parse_id(key.instance_id), datetime.fromisoformat(state.completed_at)
            proofs[instance_id] = max(at, proofs.get(instance_id, at))
    return proofs
