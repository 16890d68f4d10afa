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
from ..._state.journal import NOTE, NoteKind, OperationEvent, OperationKey, OperationState, identify, is_note, replay
from .history import RecordedRestore
from .reason import Reason, ReasonKind, parse_reason

if t.TYPE_CHECKING:
    from ..._state.journal import Journal, JournalEntry
    from ..._state.journal_store import Holder

RUN = "run"
"""The kind of the notes of runs, in the place where operations have theirs. The run stands for the instance."""
ENDED, INTERRUPTED, IN_PROGRESS = "ended", "interrupted", "in_progress"

_SHOWN_EVENTS = {
    OperationEvent.INTENDED.value: "sent",
    OperationEvent.ACCEPTED.value: "accepted",
    OperationEvent.UNCLEAR.value: "outcome_unknown",
    OperationEvent.REFUSED.value: "refused",
    OperationEvent.COMPLETED.value: "seen_restored",
    OperationEvent.FAILED.value: "failed",
}
_FAULTS = {OperationEvent.UNCLEAR.value, OperationEvent.REFUSED.value, OperationEvent.FAILED.value}


def run_key(service: str, incident: str, run: str) -> OperationKey:
    """Returns the key of the notes of a run, which the run holds while it lives."""
    return OperationKey(RUN, service, incident, run)


@dataclass(frozen=True)
class TimelineEvent:
    """Something that happened to an instance. ``at`` is by the journal's clock."""

    event: str
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
    failure: Reason | None = None
    """Why a run has not restored it, by the last one that says so, unless a later one has seen it healthy."""
    overwritten_by: dict[str, t.Any] | None = None
    """The restore for another incident that came after this one: see :func:`find_overwriting`."""
    healthy_at: str | None = None
    running_at: str | None = None
    """When it was seen running, if the service does not show its health."""
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
    run. ``names``: those of the instances, by their ids. ``refused``: ``id``, ``name`` and reason of each target that
    could not be restored when it was confirmed.
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
    refused: t.Sequence[t.Mapping[str, t.Any]] = ()

    @property
    def state(self) -> str:
        """``ended``, ``interrupted`` or ``in_progress``. Nobody writes the end of a run that was killed."""
        if self.ended_at:
            return ENDED
        return IN_PROGRESS if self.is_held and not self.interrupted_at else INTERRUPTED


@dataclass
class RecordedIncident:
    """The instances of an incident by their ids, in the order in which they were first named, and its runs."""

    incident: str
    instances: dict[str, RecordedInstance] = field(default_factory=dict)
    runs: list[RecordedRun] = field(default_factory=list)
    latest_at: str = ""
    """When the last line was written; empty without any."""

    def find_reason(self, one: RecordedInstance) -> Reason | None:
        """Returns why the restore of an instance has not come to its end; None if it has."""
        if one.failure:
            return one.failure
        state = one.restore or one.refused
        if state is None:
            return Reason(ReasonKind.NOT_BEGUN)
        if state.event is OperationEvent.COMPLETED and (one.healthy_at or one.running_at):
            return None
        facts: dict[str, t.Any] = {name: state.facts[name] for name in _KEPT if name in state.facts}
        return Reason(
            _KINDS.get(state.event, ReasonKind.NOT_OVER if one.holder else ReasonKind.UNKNOWN), facts, state.at
        )


_KEPT = ("status", "http_status", "code", "request_id", "backup_id", "fault")
"""The facts of an event that a reason has."""
_KINDS = {
    OperationEvent.ACCEPTED: ReasonKind.NOT_OVER,
    OperationEvent.COMPLETED: ReasonKind.HEALTH_UNSEEN,
    OperationEvent.FAILED: ReasonKind.FAILED,
    OperationEvent.REFUSED: ReasonKind.REJECTED,
}


def read_incident(journal: Journal, service: str, incident: str) -> RecordedIncident:
    """Returns what the journal holds of an incident. Raises JournalError."""
    # Before the entries: what ends in between is then known.
    holders, name = journal.read_holders(), OperationKey(RUN, service, incident).name
    subjects = {*journal.find_subjects("restore", service, incident), *journal.find_subjects(RUN, service, incident)}
    found = list_incidents(journal.read_entries(subjects), holders, service)
    return next((one for one in found if one.incident == name), RecordedIncident(name))


def list_incidents(
    entries: t.Sequence[JournalEntry], holders: t.Mapping[str, Holder], service: str
) -> list[RecordedIncident]:
    """Returns the incidents of a service, the one of which something was written last first.

    ``entries`` may hold other lines; those of a subject are in their order.
    """
    lines: dict[str, dict[OperationKey, list[JournalEntry]]] = {}
    for entry in entries:
        key = identify(entry)
        if key.kind in ("restore", RUN) and key.service == normalize_url(service):
            lines.setdefault(key.name, {}).setdefault(key, []).append(entry)
    others = list_restores(entries, service)
    incidents = [_build_incident(name, found, holders, others) for name, found in lines.items()]
    return sorted(incidents, key=lambda one: one.latest_at, reverse=True)


def _build_incident(
    name: str,
    lines: t.Mapping[OperationKey, t.Sequence[JournalEntry]],
    holders: t.Mapping[str, Holder],
    others: t.Mapping[str | None, t.Sequence[RecordedRestore]],
) -> RecordedIncident:
    """Returns an incident. ``lines``: those of each instance and run. ``others``: all restores of each instance."""
    latest_at = max(line["at"] for found in lines.values() for line in found)
    runs = [_build_run(key, found, is_held=key.subject in holders) for key, found in lines.items() if key.kind == RUN]
    confirmed = sorted(filter(None, runs), key=lambda run: run.confirmed_at)
    recorded = RecordedIncident(name, runs=confirmed, latest_at=latest_at)
    for run in recorded.runs:
        for instance_id in run.backups:
            recorded.instances[instance_id] = RecordedInstance(parse_id(instance_id), run.names.get(instance_id))
        for one in run.refused:
            reason = parse_reason(one.get("reason"), run.confirmed_at)
            target = RecordedInstance(parse_id(one.get("id")), one.get("name"), failure=reason)
            recorded.instances[target.identity] = target
    for key, found in lines.items():
        if key.kind == "restore":
            instance = _build_instance(key, found)
            instance.holder = holders.get(key.subject)
            instance.overwritten_by = find_overwriting(others.get(key.instance_id, ()), instance.restore)
            recorded.instances[str(key.instance_id)] = instance
    return recorded


def _build_run(key: OperationKey, notes: t.Sequence[JournalEntry], *, is_held: bool) -> RecordedRun | None:
    """Returns the run of these notes; None without a confirmation."""
    at = {NoteKind(note[NOTE]): note["at"] for note in notes}
    confirmed = next((note for note in notes if note[NOTE] == NoteKind.CONFIRMED.value), None)
    if confirmed is None:
        return None
    names = ("by", "account", "how", "backups", "names", "refused")
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
            instance.failure = instance.healthy_at = instance.running_at = None
            instance.events.clear()
        _add_event(instance, line)
    return instance


def _add_note(instance: RecordedInstance, note: JournalEntry) -> None:
    if note[NOTE] == NoteKind.RESPONDED.value:
        instance.failure = None
        instance.events.append(TimelineEvent("address_checked", note["at"]))
    elif note[NOTE] == NoteKind.FAILED.value:
        instance.failure = parse_reason(note.get("reason"), note["at"])
        # What the journal has of the restore itself says more, such as that its outcome is unknown.
        if not instance.events or instance.events[-1].ok:
            instance.events.append(TimelineEvent("failed", note["at"], ok=False))


def _add_event(instance: RecordedInstance, line: JournalEntry) -> None:
    """Adds what a line says for the first time."""
    event, at, events = line["event"], line["at"], instance.events
    shown = "no_sign_seen" if line.get("seen") is False else _SHOWN_EVENTS[event]
    shown = "seen_begun" if line.get("seen") and event == OperationEvent.ACCEPTED.value else shown
    if restored_at := line.get("restored_at"):
        events.append(TimelineEvent("restored", str(restored_at)))
    elif not any(one.event in (shown, "restored") for one in events):
        events.append(TimelineEvent(shown, at, ok=event not in _FAULTS))
    if line.get("healthy") and not instance.healthy_at:
        instance.healthy_at, instance.failure = at, None
        events.append(TimelineEvent("healthy", at))
    elif line.get("running") and not instance.running_at:
        instance.running_at, instance.failure = at, None
        events.append(TimelineEvent("running", at))


# The restores of an instance


def list_restores(entries: t.Iterable[JournalEntry], service: str) -> dict[str | None, list[RecordedRestore]]:
    """Returns all restores of each instance by its id, in the order of the journal, with those that were refused.

    ``entries`` may hold others; those of a subject are in their order.
    """
    attempts: dict[OperationKey, list[list[JournalEntry]]] = {}
    for entry in entries:
        key = identify(entry)
        if is_note(entry) or (key.kind, key.service) != ("restore", normalize_url(service)):
            continue
        own = attempts.setdefault(key, [])
        if entry["event"] == OperationEvent.INTENDED.value:
            own.append([])
        if own:
            own[-1].append(entry)
    found: dict[str | None, list[RecordedRestore]] = {}
    for key, own in attempts.items():
        states = (replay(lines, with_refused=True).get(key) for lines in own)
        found.setdefault(key.instance_id, []).extend(RecordedRestore(key.name, state) for state in states if state)
    for restores in found.values():
        restores.sort(key=lambda one: one.state.position)
    return found


def find_overwriting(restores: t.Sequence[RecordedRestore], own: OperationState | None) -> dict[str, t.Any] | None:
    """Returns incident, backup, time and outcome of the restore that came after ``own``; None without one.

    It is the last one that was seen restored. Without one, it is the last whose outcome can't be told.
    """
    sent = [one for one in restores if one.state.event is not OperationEvent.REFUSED]
    later = [one for one in sent if own and one.state.position > own.position]
    certain = [one for one in later if one.is_seen]
    if not later:
        return None
    last = (certain or later)[-1]
    outcome = "completed" if certain else "unseen" if last.state.is_unseen else last.state.outcome
    facts = {"incident": last.incident, "backup_id": last.state.facts.get("backup_id"), "sent_at": last.state.sent_at}
    return {**facts, "outcome": outcome}
