# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restores of instances in the journal, for one incident and for others.

The positions in the journal tell what was sent after what. Times do not: any of them may be of a clock that was wrong.
They measure durations, and one that lies ahead measures none.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..._model.instance import is_busy
from ..._model.resource import Resource
from ..._state.journal import OperationEvent, OperationKey, OperationState
from ..._state.journal_store import Holder, shorten_name
from ..._text import one_line
from ..._times import CLOCK_TOLERANCE

LONGEST_RESTORE = timedelta(minutes=15)
"""Age up to which a restore is assumed to be under way: what keeps an instance busy later may be anything."""


def find_age(at: str, now: datetime) -> timedelta | None:
    """Returns how long ago a time of the journal was, by its clock; None if it lies ahead, so that nobody knows."""
    age = now - datetime.fromisoformat(at)
    return max(age, timedelta(0)) if age >= -CLOCK_TOLERANCE else None


def is_recent(at: str, now: datetime) -> bool:
    """Returns True if a restore of that time may be under way still."""
    age = find_age(at, now)
    return age is not None and age <= LONGEST_RESTORE


class RecordedRestore(t.NamedTuple):
    """A restore in the journal, and its incident. Its instance is known from where it was found."""

    incident: str
    state: OperationState

    def uses(self, backup: Resource) -> bool:
        """Returns True if it restores from this backup."""
        return str(self.state.facts.get("backup_id")) == str(backup.get("id"))

    @property
    def is_seen(self) -> bool:
        """True if it was seen restored, so that the instance had its data then."""
        return self.state.event is OperationEvent.COMPLETED and not self.state.is_unseen

    def describe(self) -> str:
        """Returns who restores the instance now: ``alice@node2 restores it now for incident INC-9``."""
        return f"{self.state.by or 'another run'} restores it now for incident {one_line(self.incident)}"

    @property
    def facts(self) -> dict[str, t.Any]:
        """The facts by which it is told and stored."""
        state, seen = self.state, self.state.facts.get("seen")
        known = {name: state.facts.get(name) for name in ("backup_id", "taken_at", "by")}
        return {"incident": self.incident, "sent_at": state.sent_at, "event": state.event.value, "seen": seen, **known}


@dataclass(frozen=True)
class EarlierReport:
    """The JSON that the role writes of the incident, as far as it says what the journal does not.

    ``path`` is its file, ``journal`` the place of the journal.
    """

    path: str
    journal: str
    sent_at: dict[str, str] = field(default_factory=dict)
    """When a restore was sent, by the id of its instance."""
    unreadable: str = ""
    """The file, if it can't be read: ``sent_at`` lacks what it says. Else empty."""


@dataclass(frozen=True)
class RestoreHistory:
    """The restores of instances that the journal holds for ``service``. Without ``states`` nothing is known."""

    service: str
    incident: str
    states: dict[OperationKey, OperationState] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    """Who works on what now, by the digest of the subject."""
    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the journal was read, by its clock."""
    positions: dict[str, int] = field(default_factory=dict)
    """Of each subject, by its digest: the last position that it had when the task began."""
    earlier_report: EarlierReport | None = None
    """The JSON beside the page of the incident; None for the modules, which write none."""

    def key(self, instance_id: object) -> OperationKey:
        """Returns the key of the restore of an instance for this incident."""
        return OperationKey("restore", self.service, self.incident, str(instance_id))

    def find_own(self, instance_id: object) -> OperationState | None:
        """Returns the restore of an instance for this incident."""
        return self.states.get(self.key(instance_id))

    def find_holder(self, instance_id: object) -> Holder | None:
        """Returns the run that works on an instance now, for whatever incident."""
        return self.holders.get(self.key(instance_id).subject)

    def is_held(self, instance_id: object) -> bool:
        """Returns True if a run of this incident works on an instance now, or one that does not say what for."""
        holder = self.find_holder(instance_id)
        return holder is not None and holder.name in (None, shorten_name(self.incident))

    def known_position(self, instance_id: object) -> int:
        """Returns the last position of an instance that the journal had when the task began; 0 without one."""
        return self.positions.get(self.key(instance_id).subject, 0)

    def find_others(self, instance_id: object, after: int = -1) -> list[RecordedRestore]:
        """Returns the restores of an instance that other incidents have sent after a position, newest first.

        The journal leaves out those that were refused: nothing was done.
        """
        others = [
            RecordedRestore(key.name, state)
            for key, state in self.restores()
            if key.name != self.incident and key.instance_id == str(instance_id) and state.position > after
        ]
        return sorted(others, key=lambda other: other.state.position, reverse=True)

    def find_recent(self, instance_id: object, period: timedelta) -> list[RecordedRestore]:
        """Returns the restores of an instance that other incidents have sent within a period, newest first.

        Not those whose times lie ahead: such a time would count until it has come.
        """
        ages = ((other, find_age(other.state.sent_at, self.read_at)) for other in self.find_others(instance_id))
        return [other for other, age in ages if age is not None and age <= period]

    def find_unfinished(self, instance: Resource) -> RecordedRestore | None:
        """Returns the newest restore of an instance for another incident, if its end is still to come.

        It was accepted, or the instance is busy, and that is not long ago: a run that has given up sees no end.
        Any other one with an unknown outcome is passed over: it says nothing of what was accepted before it.
        """
        for other in self.find_others(instance["id"]):
            sent_at, event = other.state.sent_at, other.state.event
            if other.state.outcome != "unknown":
                # Of a time that lies ahead, nobody knows how long ago it is.
                is_open = is_recent(sent_at, self.read_at) or find_age(sent_at, self.read_at) is None
                return other if event is OperationEvent.ACCEPTED and is_open else None
            if is_recent(sent_at, self.read_at) and is_busy(instance):
                return other
        return None

    def restores(self) -> t.Iterator[tuple[OperationKey, OperationState]]:
        """Yields the restores of this service."""
        service = self.key("").service
        return ((key, state) for key, state in self.states.items() if (key.kind, key.service) == ("restore", service))
