# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An incident as the journal has recorded it: its instances, and the runs that worked on them.

Pages, JSON and ``restore_status`` show it. Nothing is decided by it: see ``history.py`` for that.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._model.resource import parse_id
from ..._service_url import normalize_url
from ..._state.journal import (
    NOTE,
    NoteKind,
    OperationEvent,
    OperationKey,
    OperationState,
    identify,
    is_note,
    replay,
)

if t.TYPE_CHECKING:
    from ..._state.journal import Journal, JournalEntry
    from ..._state.journal_store import Holder

RUN = "run"
"""The kind of the notes of runs, in the place where operations have theirs. The run stands for the instance."""
ENDED, INTERRUPTED, IN_PROGRESS = "ended", "interrupted", "in progress"

_TITLES = {
    OperationEvent.INTENDED.value: "sent",
    OperationEvent.ACCEPTED.value: "accepted",
    OperationEvent.UNCLEAR.value: "outcome unknown",
    OperationEvent.REFUSED.value: "refused",
    OperationEvent.COMPLETED.value: "seen restored",
    OperationEvent.FAILED.value: "failed",
}
_FAULTS = {OperationEvent.UNCLEAR.value, OperationEvent.REFUSED.value, OperationEvent.FAILED.value}


def run_key(service: str, incident: str, run: str) -> OperationKey:
    """Returns the key of the notes of a run, which the run holds while it lives."""
    return OperationKey(RUN, service, incident, run)


@dataclass(frozen=True)
class TimelineEvent:
    """Something that happened to an instance. ``at`` is by the journal's clock."""

    title: str
    at: str
    ok: bool = True


@dataclass
class RecordedInstance:
    """An instance of the incident. ``restore`` is None if every attempt was refused, or none was made."""

    id: int | str | None
    name: object = None
    restore: OperationState | None = None
    refused: OperationState | None = None
    """The last attempt, if every one was refused."""
    failure_note: t.Mapping[str, t.Any] | None = None
    """Why a run has not restored it, by the last one that says so, unless a later one has seen it healthy."""
    healthy_at: str | None = None
    holder: Holder | None = None
    """Who works on it now, for whatever incident."""
    events: list[TimelineEvent] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """The id as text, or for a target that was not found its name."""
        return f"name {self.name}" if self.id is None else str(self.id)


@dataclass
class RecordedRun:
    """A run that has confirmed what it was to do. ``how`` it was confirmed: the terminal, a variable or a playbook.

    ``backups``: the backup that was to be sent, by the id of the instance; None for one that was sent by an earlier
    run. ``names``: those of the instances, by their ids. ``obstacles``: ``id``, ``name`` and failure of each target
    that could not be restored when it was confirmed.
    """

    id: str
    confirmed_at: str
    ended_at: str | None
    interrupted_at: str | None
    is_held: bool
    by: t.Mapping[str, t.Any] = field(default_factory=dict)
    account: str = ""
    how: str = ""
    backups: t.Mapping[str, t.Any] = field(default_factory=dict)
    names: t.Mapping[str, t.Any] = field(default_factory=dict)
    obstacles: t.Sequence[t.Mapping[str, t.Any]] = ()

    @property
    def state(self) -> str:
        """``ended``, ``interrupted`` or ``in progress``. Nobody writes the end of a run that was killed."""
        if self.ended_at:
            return ENDED
        return IN_PROGRESS if self.is_held and not self.interrupted_at else INTERRUPTED


@dataclass
class RecordedIncident:
    """The instances of an incident by their ids, in the order in which they were first named, and its runs."""

    service: str
    incident: str
    instances: dict[str, RecordedInstance] = field(default_factory=dict)
    runs: list[RecordedRun] = field(default_factory=list)
    latest_at: str = ""
    """When the last line was written; empty without any."""


def read_incident(journal: Journal, service: str, incident: str) -> RecordedIncident:
    """Returns what the journal holds of an incident. Raises JournalError."""
    # Before the entries: what ends in between is then known.
    holders = journal.read_holders()
    subjects = {*journal.find_subjects("restore", service, incident), *journal.find_subjects(RUN, service, incident)}
    return build_incident(journal.read_entries(subjects), holders, service, incident)


def build_incident(
    entries: t.Sequence[JournalEntry], holders: t.Mapping[str, Holder], service: str, incident: str
) -> RecordedIncident:
    """Returns what lines say of an incident. ``entries`` may hold others; those of a subject are in their order."""
    own = OperationKey("restore", service, incident)
    recorded = RecordedIncident(own.service, own.name)
    lines: dict[OperationKey, list[JournalEntry]] = {}
    for entry in entries:
        key = identify(entry)
        if (key.service, key.name) == (recorded.service, recorded.incident):
            lines.setdefault(key, []).append(entry)
            recorded.latest_at = max(recorded.latest_at, entry["at"])
    for key, found in lines.items():
        if key.kind == RUN and (run := _build_run(key, found, is_held=key.subject in holders)):
            recorded.runs.append(run)
    recorded.runs.sort(key=lambda run: run.confirmed_at)
    for run in recorded.runs:
        for instance_id in run.backups:
            recorded.instances[instance_id] = RecordedInstance(parse_id(instance_id), run.names.get(instance_id))
        for one in run.obstacles:
            target = RecordedInstance(parse_id(one.get("id")), one.get("name"), failure_note=one)
            recorded.instances[target.identity] = target
    for key, found in lines.items():
        if key.kind == "restore":
            instance = _build_instance(key, found)
            instance.holder = holders.get(key.subject)
            recorded.instances[str(key.instance_id)] = instance
    return recorded


def _build_run(key: OperationKey, notes: t.Sequence[JournalEntry], *, is_held: bool) -> RecordedRun | None:
    """Returns the run of these notes; None without a confirmation."""
    at = {NoteKind(note[NOTE]): note["at"] for note in notes}
    confirmed = next((note for note in notes if note[NOTE] == NoteKind.CONFIRMED.value), None)
    if confirmed is None:
        return None
    names = ("by", "account", "how", "backups", "names", "obstacles")
    facts = {name: confirmed[name] for name in names if confirmed.get(name)}
    ended_at, interrupted_at = at.get(NoteKind.ENDED), at.get(NoteKind.INTERRUPTED)
    return RecordedRun(str(key.instance_id), confirmed["at"], ended_at, interrupted_at, is_held, **facts)


def _build_instance(key: OperationKey, lines: t.Sequence[JournalEntry]) -> RecordedInstance:
    """Returns what the lines of an instance say of it."""
    instance = RecordedInstance(parse_id(key.instance_id))
    known = replay(lines, with_refused=True).get(key)
    if known and known.event is OperationEvent.REFUSED:
        instance.refused = known
    else:
        instance.restore = known
    for line in lines:
        instance.name = line.get("instance_name", instance.name)
        if is_note(line):
            _add_note(instance, line)
            continue
        if line["event"] == OperationEvent.INTENDED.value:
            instance.failure_note = instance.healthy_at = None
            instance.events.clear()
        _add_event(instance, line)
    return instance


def _add_note(instance: RecordedInstance, note: JournalEntry) -> None:
    if note[NOTE] == NoteKind.RESPONDED.value:
        instance.failure_note = None
        instance.events.append(TimelineEvent("address checked", note["at"]))
    elif note[NOTE] == NoteKind.FAILED.value:
        instance.failure_note = note
        # What the journal has of the restore itself says more, such as that its outcome is unknown.
        if not instance.events or instance.events[-1].ok:
            instance.events.append(TimelineEvent("failed", note["at"], ok=False))


def _add_event(instance: RecordedInstance, line: JournalEntry) -> None:
    """Adds what a line says for the first time."""
    event, at, events = line["event"], line["at"], instance.events
    title = "no sign seen" if line.get("seen") is False else _TITLES[event]
    title = "seen begun" if line.get("seen") and event == OperationEvent.ACCEPTED.value else title
    if restored_at := line.get("restored_at"):
        events.append(TimelineEvent("restored", str(restored_at)))
    elif not any(one.title in (title, "restored") for one in events):
        events.append(TimelineEvent(title, at, ok=event not in _FAULTS))
    if line.get("healthy") and not instance.healthy_at:
        instance.healthy_at, instance.failure_note = at, None
        events.append(TimelineEvent("healthy", at))


def list_incidents(
    entries: t.Iterable[JournalEntry], holders: t.Mapping[str, Holder], service: str
) -> list[RecordedIncident]:
    """Returns the incidents of a service, the one of which something was written last first."""
    service = normalize_url(service)
    lines: dict[str, list[JournalEntry]] = {}
    for entry in entries:
        key = identify(entry)
        if key.kind in ("restore", RUN) and key.service == service:
            lines.setdefault(key.name, []).append(entry)
    incidents = [build_incident(found, holders, service, name) for name, found in lines.items()]
    return sorted(incidents, key=lambda one: one.latest_at, reverse=True)
