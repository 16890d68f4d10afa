# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An incident as the journal has recorded it: its instances, and the runs that worked on them.

Pages, JSON and ``restore_status`` show it. Nothing is decided by it: see ``history.py`` for that.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass, field

from ..._model.resource import parse_id
from ..._service_url import normalize_url
from ..._state.journal import NOTE, NoteKind, OperationEvent, OperationKey, OperationState, identify, is_note, replay
from .history import find_overwriting, list_restores
from .reason import Reason, ReasonKind, parse_reason

if t.TYPE_CHECKING:
    from ..._state.journal import Journal, JournalEntry
    from ..._state.journal_store import Holder
    from .history import OtherRestore

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

    service: str
    incident: str
    instances: dict[str, RecordedInstance] = field(default_factory=dict)
    runs: list[RecordedRun] = field(default_factory=list)
    latest_at: str = ""
    """When the last line was written; empty without any."""

    def find_reason(self, one: RecordedInstance) -> Reason | None:
        """Returns why the restore of an instance has not come to its end; None if it has."""
        restore = one.restore
        if one.failure:
            return one.failure
        if restore is None and one.refused is None:
            return Reason(ReasonKind.NOT_BEGUN)
        state = restore or one.refused
        if state is None or (state.event is OperationEvent.COMPLETED and (one.healthy_at or one.running_at)):
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
    holders = journal.read_holders()
    subjects = {*journal.find_subjects("restore", service, incident), *journal.find_subjects(RUN, service, incident)}
    return build_incident(journal.read_entries(subjects), holders, service, incident)


def build_incident(
    entries: t.Sequence[JournalEntry],
    holders: t.Mapping[str, Holder],
    service: str,
    incident: str,
    others: t.Mapping[str | None, t.Sequence[OtherRestore]] | None = None,
) -> RecordedIncident:
    """Returns what lines say of an incident. ``entries`` may hold others; those of a subject are in their order.

    ``others``: the restores of each instance, if they are known already.
    """
    own = OperationKey("restore", service, incident)
    others = list_restores(entries, service) if others is None else others
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
    others = list_restores(itertools.chain.from_iterable(lines.values()), service)
    incidents = [build_incident(found, holders, service, name, others) for name, found in lines.items()]
    return sorted(incidents, key=lambda one: one.latest_at, reverse=True)
