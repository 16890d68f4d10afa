# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The at-most-once journal: restores and purchases are recorded before they are sent. ``journal_writer.py`` writes it.

A subject is what runs exclude each other by: an instance, whatever the incident, or an order. All that is done to it is
a sequence of lines of JSON, whose positions are counted from 1. A store accepts each position once: of two
runs that read the same journal, one alone writes the next line. Each has a checksum over itself and the line
before it, so that a line that was changed, or is missing between others, is noticed.

A run also holds the subject that it works on. The lock is released when its process ends, so an unfinished operation
whose subject nobody holds has an unknown outcome.

Notes are lines that decide nothing. A run of the runbook has a subject of its own, which it holds while it lives: its
notes say who confirmed what, and how it ended. A run without an end that nobody holds was interrupted.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import itertools
import json
import threading
import typing as t
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from .._errors import ClawHostersError
from .._names import normalize_name
from .._service_url import normalize_url
from .._text import one_line
from .journal_store import DamageError, JournalLine
from .store import StoreError

if t.TYPE_CHECKING:
    from .folder_journal import FolderStore
    from .journal_store import Holder, SubjectLines
    from .open_store import JournalStore

JournalEntry = t.Mapping[str, t.Any]
"""One parsed line."""


class JournalError(ClawHostersError):
    """The journal can't be read or written."""


class NoteKind(enum.Enum):
    """A fact that decides nothing, for whoever reads what happened: the state of an operation skips it."""

    CONFIRMED = "confirmed"  # of a run: what it was to do, and who has confirmed it
    ENDED = "ended"  # of a run
    INTERRUPTED = "interrupted"  # of a run that could still write; else nobody holds it, and it has no end
    FAILED = "failed"  # of an instance: why a run has not brought its restore to the end
    RESPONDED = "responded"  # of an instance: its address was checked
    ALLOWED = "allowed"  # of the playbook restore_unhealthy: a restore
    DECLINED = "declined"  # of the same: too many instances were unhealthy


class OperationEvent(enum.Enum):
    """An event of an operation. The last event is its state."""

    INTENDED = "intended"  # about to be sent; the outcome is unknown if nothing follows
    ACCEPTED = "accepted"  # the service answered with success
    UNCLEAR = "unclear"  # sent, but the response was lost
    REFUSED = "refused"  # rejected, or the service was not reached: nothing was done
    COMPLETED = "completed"  # confirmed by a later read
    FAILED = "failed"  # accepted, but a later read showed a failure


UNSEEN = "was accepted, and no sign of it was seen"
"""Says of an operation that :attr:`OperationState.is_unseen`. It must not be called a restore that was done."""


@dataclass(frozen=True)
class OperationKey:
    """Identifies what is done at most once: a restore of an instance for an incident, or a purchase for an order.

    ``service`` is its URL. The account is not part of the key: a replaced API key must not permit a second request.
    All spellings of a URL or a name make the same key.
    """

    kind: str
    service: str
    name: str
    instance_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "service", normalize_url(str(self.service)))
        object.__setattr__(self, "name", normalize_name(str(self.name)))

    def as_dict(self) -> dict[str, str | None]:
        """Returns the fields that identify the operation in a line of the journal."""
        return vars(self)

    @property
    def subject(self) -> str:
        """Identifies the instance, whatever the incident, or else the order. A hash, since a name may be any text."""
        return _digest(self.kind, self.service, self.name if self.instance_id is None else "", self.instance_id)

    @property
    def name_digest(self) -> str:
        """Identifies the incident, whatever the instance, or the order."""
        return _digest(self.kind, self.service, self.name, None)


_KEY_FIELDS = tuple(field.name for field in fields(OperationKey))
POSITION = "step"
"""The name that the position has in a stored line, and in the database."""
NOTE = "note"
"""The event of a line that is a note. Its kind is the fact of this name."""
FIELDS = (*_KEY_FIELDS, "event", NOTE, "at", POSITION, "checksum")
"""The fields of a line that are not facts."""


@dataclass(frozen=True)
class OperationState:
    """The last event of an operation, and the facts of all events since it was last intended."""

    event: OperationEvent
    sent_at: str
    at: str
    """Time of the last event, by its first line."""
    facts: dict[str, t.Any]
    attempt: str = ""
    """The checksum of the line by which it was last intended. It tells one attempt from the next."""
    accepted_at: str | None = None
    position: int = 0
    """The position of that line. Of two operations of a subject, the one with the greater position was sent later,
    whatever their times say: a clock may be wrong."""

    @property
    def outcome(self) -> str:
        """The ``outcome`` of results: ``unknown``, ``in_flight``, ``completed``, ``failed`` or ``refused``."""
        if self.event is OperationEvent.ACCEPTED:
            return "in_flight"
        return "unknown" if self.event in (OperationEvent.INTENDED, OperationEvent.UNCLEAR) else self.event.value

    @property
    def by(self) -> str:
        """Who sent it: ``alice@node2``; empty if that is not known."""
        return format_sender(self.facts.get("by"))

    @property
    def completed_at(self) -> str | None:
        return self.at if self.event is OperationEvent.COMPLETED else None

    @property
    def is_unseen(self) -> bool:
        """True if it has completed, and its instance has never shown a sign of it."""
        return self.facts.get("seen") is False

    @property
    def is_proof(self) -> bool:
        """True if its instance was seen restored, and healthy at the end, or running where no health is shown."""
        return bool(self.facts.get("healthy") or self.facts.get("running")) and not self.is_unseen


def format_sender(by: object) -> str:
    """Returns who has sent something: ``alice@node2``; empty if that is not known."""
    return one_line(f"{by.get('user')}@{by.get('host')}") if isinstance(by, dict) else ""


class Journal:
    """The journal in ``store``. Threads may share it.

    ``folder`` is the other memory of this machine, if the store is a database: a machine that gets one keeps its
    folder, with restores and purchases that the database does not know. Until they are imported, nothing is sent.

    Until it has recorded an intent, errors of its reading methods end with "Nothing was sent."
    """

    def __init__(
        self, store: JournalStore, now: t.Callable[[], datetime] | None = None, folder: FolderStore | None = None
    ) -> None:
        self.store = store
        self.folder = folder
        self.is_imported = False
        """True once the store was found to know all that the folder does."""
        self._now = now
        self.thread_lock = threading.RLock()
        self.histories: dict[str, History] = {}
        """Of each subject, what was read last, and the lines of this run."""
        self._has_read_all = False
        self.intended: set[OperationKey] = set()
        """The operations whose intent this run has recorded."""

    def now(self) -> datetime:
        """Returns the time that a line written now has."""
        return self._now() if self._now else datetime.fromtimestamp(self.store.now(), UTC)

    def known_state(self, operation: OperationKey) -> OperationState | None:
        """Returns the state of ``operation`` as this journal has read or written it last."""
        with self.thread_lock:
            return self.histories.get(operation.subject, History()).find_states().get(operation)

    def find_attempts(self, operation: OperationKey) -> set[str]:
        """Returns when ``operation`` was intended, whatever came of it, as this journal has read it last."""
        entries = self.histories.get(operation.subject, History()).entries
        intents = (entry for entry in entries if entry["event"] == OperationEvent.INTENDED.value)
        return {entry["at"] for entry in intents if identify(entry) == operation}

    @property
    def place(self) -> str:
        """The folder, or the option of the database."""
        return self.store.place

    def read_positions(self) -> dict[str, int]:
        """Returns the last position that each subject has now. Raises JournalError."""
        with self.before_sending():
            return self.store.read_positions()

    def read_states(
        self, subjects: t.Collection[str] | None = None, *, with_refused: bool = False
    ) -> dict[OperationKey, OperationState]:
        """Returns the state of each operation of these subjects, or of all; see :func:`replay`. Raises JournalError."""
        with self.before_sending(), self.thread_lock:
            return _merge_states(self._read(subjects), with_refused)

    def read_entries(self, subjects: t.Collection[str] | None = None) -> list[JournalEntry]:
        """Returns the entries of these subjects, or all. Those of a subject are in their order.

        Raises JournalError if they can't be read, or are damaged.
        """
        return [entry for history in self._read(subjects) for entry in history.entries]

    def _read(self, subjects: t.Collection[str] | None) -> list[History]:
        """Returns what is known of these subjects, or all, after what the store has of them was read."""
        with self.thread_lock, converted_errors():
            found = {one.subject: self._parse(one) for one in self.store.read_subjects(subjects)}
            if subjects is None:
                self.histories, self._has_read_all = found, True
            else:
                self.histories |= {subject: found.get(subject) or History() for subject in subjects}
            return [*found.values()]

    def _parse(self, found: SubjectLines) -> History:
        return parse_subject(found, self.store.repair_hint, self.histories.get(found.subject))

    def read_intact_states(
        self, subjects: t.Collection[str] | None = None, *, with_refused: bool = False
    ) -> tuple[dict[OperationKey, OperationState], dict[str, JournalError]]:
        """Returns the states of these subjects, or of all, that are not damaged, and why the others can't be read.

        For what concerns many instances, and must not end because of one. Raises JournalError.
        """
        with self.before_sending(), self.thread_lock:
            intact: dict[str, History] = {}
            damaged = {}
            for one in self.store.read_subjects(subjects):
                try:
                    intact[one.subject] = self._parse(one)
                except DamageError as error:
                    damaged[one.subject] = _build_error(error)
            self.histories |= intact
            return _merge_states(intact.values(), with_refused), damaged

    def find_subjects(self, kind: str, service: str, name: str) -> set[str]:
        """Returns the subjects of an incident, of its runs, or of an order, and perhaps others. Raises JournalError."""
        with self.before_sending():
            return self.store.find_subjects(OperationKey(kind, service, name).name_digest)

    def read_once(self, subject: str) -> History:
        """Returns a subject as it was read last."""
        if subject not in self.histories and not self._has_read_all:
            self._read([subject])
        return self.histories.setdefault(subject, History())

    def find_holder(self, operation: OperationKey) -> Holder | None:
        """Returns who works on the subject of ``operation`` now, None if nobody does. Raises JournalError."""
        return self.read_holders(operation.subject).get(operation.subject)

    def read_holders(self, subject: str | None = None) -> dict[str, Holder]:
        """Returns who works on what now, or on this alone, by subject. Raises JournalError."""
        with self.before_sending():
            return self.store.holders(subject)

    @contextlib.contextmanager
    def before_sending(self, operation: OperationKey | None = None) -> t.Iterator[None]:
        """Raises JournalError for an error of the store. It says that nothing was sent, if this run has sent nothing
        (for ``operation``, if one is given)."""
        try:
            with converted_errors():
                yield
        except JournalError as error:
            if not (self.intended & {operation} if operation else self.intended):
                error.is_unsent = True
            raise


@contextlib.contextmanager
def converted_errors() -> t.Iterator[None]:
    """Raises JournalError for an error of the store."""
    try:
        yield
    except (StoreError, DamageError) as error:
        raise _build_error(error) from None


def _build_error(error: StoreError | DamageError) -> JournalError:
    if isinstance(error, DamageError):
        return JournalError(error)
    return JournalError(
        f"{error}, so the journal is not used. {error.advice}: restores and purchases are never sent without a journal."
    )


def parse_entry(text: str | bytes) -> JournalEntry:
    """Parses a line of a journal. Raises ValueError, KeyError or TypeError if it is not a valid entry."""
    try:
        entry = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_note(entry):
        NoteKind(entry[NOTE])
    else:
        OperationEvent(entry["event"])
    normalize_url(str(entry["service"]))
    if datetime.fromisoformat(entry["at"]).tzinfo is None:
        raise ValueError("no UTC offset")
    if not all(isinstance(entry[name], (str, type(None))) for name in _KEY_FIELDS):
        raise TypeError("not an operation key")
    if not (isinstance(entry[POSITION], int) and isinstance(entry["checksum"], str)):
        raise TypeError("no position or checksum")
    return entry


def build_line(entry: JournalEntry, earlier: t.Sequence[JournalEntry]) -> dict[str, t.Any]:
    """Returns ``entry``, which may be a line elsewhere, as the line of its subject after ``earlier``."""
    content = {name: value for name, value in entry.items() if name not in (POSITION, "checksum")}
    line = {**content, POSITION: len(earlier) + 1}
    return {**line, "checksum": _hash([earlier[-1]["checksum"] if earlier else "", line])}


def build_journal_line(entry: JournalEntry) -> JournalLine:
    """Returns a line as a store keeps it."""
    operation = identify(entry)
    return JournalLine(operation.subject, entry[POSITION], json.dumps(entry), operation.name_digest)


def parse_subjects(subjects: t.Iterable[SubjectLines], repair_hint: str) -> dict[str, list[JournalEntry]]:
    """Returns the entries of each subject. Raises DamageError for the first that is damaged."""
    return {one.subject: parse_subject(one, repair_hint).entries for one in subjects}


def parse_subject(found: SubjectLines, repair_hint: str, known: History | None = None) -> History:
    """Returns a subject: ``known`` if its lines begin with those, else a new one. Only the others are parsed.

    Raises DamageError if a line is damaged or missing.
    """
    if found.damage:
        raise DamageError(found.damage, repair_hint)
    history = known if known and known.lines == found.lines[: len(known.lines)] else History()
    for line in itertools.islice(found.lines, len(history.lines), None):
        try:
            entry = parse_entry(line.text)
            operation = identify(entry)
            is_misplaced = (line.subject, line.position) != (operation.subject, entry[POSITION])
            is_other = line.name not in (None, operation.name_digest)
            if is_misplaced or is_other or entry != build_line(entry, history.entries):
                raise ValueError("wrong position, name or checksum")
        except (ValueError, KeyError, TypeError):
            # Skipping it could send a request a second time.
            raise DamageError(f"{line.place} can't be read or was changed", repair_hint) from None
        # A line that a crash has left without a record gets one with the next line.
        history.add(line if line.name else replace(line, name=operation.name_digest), entry)
    return history


def identify(entry: JournalEntry) -> OperationKey:
    """Returns the operation of an entry."""
    return _build_key(*(entry[name] for name in _KEY_FIELDS))


@functools.lru_cache(maxsize=4096)
def _build_key(kind: str, service: str, name: str, instance_id: str | None) -> OperationKey:
    return OperationKey(kind, service, name, instance_id)


def is_note(entry: JournalEntry) -> bool:
    """Returns True if the line decides nothing."""
    return bool(entry["event"] == NOTE)


class History:
    """Lines of a subject, their entries, and the operations after them. Lines are only added: each is replayed once."""

    def __init__(self) -> None:
        self.lines: list[JournalLine] = []
        self.entries: list[JournalEntry] = []
        self._states: dict[OperationKey, OperationState] = {}
        self._before_intent: dict[OperationKey, OperationState | None] = {}
        self._replayed = 0

    def add(self, line: JournalLine, entry: JournalEntry) -> None:
        """Adds the next line."""
        self.lines.append(line)
        self.entries.append(entry)

    def find_states(self, *, with_refused: bool = False) -> dict[OperationKey, OperationState]:
        """Returns the state of each operation; see :func:`replay`."""
        for entry in itertools.filterfalse(is_note, itertools.islice(self.entries, self._replayed, None)):
            self._replay(entry)
        self._replayed = len(self.entries)
        hidden = None if with_refused else OperationEvent.REFUSED
        return {key: state for key, state in self._states.items() if state.event is not hidden}

    def _replay(self, entry: JournalEntry) -> None:
        operation = identify(entry)
        event, at = OperationEvent(entry["event"]), entry["at"]
        facts = {name: value for name, value in entry.items() if name not in FIELDS}
        state = self._states.get(operation)
        if state and state.event is OperationEvent.REFUSED:
            state = None
        if event is OperationEvent.INTENDED:
            self._before_intent[operation] = state
            self._states[operation] = OperationState(event, at, at, facts, entry["checksum"], position=entry[POSITION])
        elif state is not None:
            if event is OperationEvent.REFUSED and (earlier := self._before_intent.get(operation)):
                # It undoes the attempt; an earlier one still counts.
                self._states[operation] = earlier
                return
            # A later line of the same event only adds what has become known since.
            at = state.at if event is state.event else at
            accepted_at = at if event is OperationEvent.ACCEPTED else state.accepted_at
            self._states[operation] = replace(
                state, event=event, at=at, facts={**state.facts, **facts}, accepted_at=accepted_at
            )


def replay(entries: t.Iterable[JournalEntry], *, with_refused: bool = False) -> dict[OperationKey, OperationState]:
    """Returns the state of each operation after ``entries``, oldest first. Notes are skipped.

    ``with_refused``: also of those whose every attempt was refused, for display. No decision may see them.
    """
    history = History()
    history.entries.extend(entries)
    return history.find_states(with_refused=with_refused)


def _merge_states(histories: t.Iterable[History], with_refused: bool) -> dict[OperationKey, OperationState]:
    """Returns the states of several subjects, each of which has operations of its own."""
    return {key: state for one in histories for key, state in one.find_states(with_refused=with_refused).items()}


@functools.lru_cache(maxsize=4096)
def _digest(kind: str, service: str, name: str, instance_id: str | None) -> str:
    return _hash({"kind": kind, "service": service, "name": name, "instance_id": instance_id})


def _hash(content: t.Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
