# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the journal. Each line follows those that the given journal has read, or has written itself.

Whoever sends restores or purchases imports it before the first of them.
"""

from __future__ import annotations

import json
import typing as t

from .._times import format_iso
from .journal import (
    FIELDS,
    NOTE,
    POSITION,
    Journal,
    JournalEntry,
    JournalError,
    NoteKind,
    OperationEvent,
    OperationKey,
    build_line,
    converted_errors,
    identify,
)
from .journal_store import ConflictError, JournalLine
from .store import StoreError

if t.TYPE_CHECKING:
    from .folder_writer import FolderWriter
    from .postgres_store import PostgresStore

_ENDS = (OperationEvent.COMPLETED, OperationEvent.FAILED)
_SAYS_MORE = {OperationEvent.ACCEPTED: _ENDS, OperationEvent.UNCLEAR: (OperationEvent.ACCEPTED, *_ENDS)}
"""For each event those that say more: after one of them, it is not recorded."""


class JournalConflictError(JournalError):
    """Another run has written a line of the operation since this run read the journal."""

    def __init__(self) -> None:
        error = ConflictError()
        super().__init__(f"{error}. {error.advice}.")


def append_event(journal: Journal, operation: OperationKey, event: OperationEvent, /, **facts: t.Any) -> None:
    """Records the next event of ``operation`` durably. On a JournalError the journal is unchanged.

    If another run has written a line since ``journal`` was read, it fails.
    """
    with journal.thread_lock:
        journal.read_once(operation.subject)
        if event is OperationEvent.INTENDED and journal.known_state(operation) is None:
            journal.require_not_in_folder(operation)
        _append(journal, operation, {"event": event.value}, facts)
        if event is OperationEvent.INTENDED:
            journal.intended.add(operation)


def append_outcome(
    journal: Journal, operation: OperationKey, event: OperationEvent, attempt: str | None, /, **facts: t.Any
) -> None:
    """Records how an attempt went, behind what other runs have recorded of it meanwhile.

    Adds nothing if they have recorded as much, facts included. Raises JournalConflictError if they have begun
    another attempt, or recorded that this one was not executed.
    """
    with journal.thread_lock:
        journal.read_once(operation.subject)
        while True:
            state = journal.known_state(operation)
            if state is None or state.attempt != attempt:
                raise JournalConflictError
            is_known = state.event is event and facts.keys() <= state.facts.keys()
            if is_known or state.event in _SAYS_MORE.get(event, ()):
                return
            try:
                append_event(journal, operation, event, **facts)
                return
            except JournalConflictError:
                if not _reads_more(journal, operation.subject):
                    raise


def append_note(journal: Journal, operation: OperationKey, kind: NoteKind, /, **facts: t.Any) -> None:
    """Records a fact that decides nothing, behind what other runs have recorded meanwhile. Raises JournalError."""
    with journal.thread_lock:
        while True:
            try:
                append_next_note(journal, operation, kind, **facts)
                return
            except JournalConflictError:
                if not _reads_more(journal, operation.subject):
                    raise


def append_next_note(journal: Journal, operation: OperationKey, kind: NoteKind, /, **facts: t.Any) -> None:
    """Records a note that follows what ``journal`` has read. Raises JournalConflictError if that is not all."""
    with journal.thread_lock:
        _append(journal, operation, {"event": NOTE, NOTE: kind.value}, facts)


def _reads_more(journal: Journal, subject: str) -> bool:
    """Reads a subject again. Returns True if another run has written to it meanwhile."""
    before = journal.entries.get(subject, [])
    return journal.read_entries([subject]) != before


def _append(journal: Journal, operation: OperationKey, event: dict[str, str], facts: dict[str, t.Any]) -> None:
    if reserved := facts.keys() & {*FIELDS}:
        # They would replace what identifies the operation.
        raise ValueError(f"facts that are named like fields of a line: {', '.join(sorted(reserved))}")
    entries = journal.read_once(operation.subject)
    entry = {"at": format_iso(journal.now()), **operation.as_dict(), **event, **facts}
    line = build_line(entry, entries)
    lines = [build_journal_line(one) for one in (*entries, line)]
    with converted_errors():
        try:
            _store(journal.writer, lines, is_intent=line["event"] == OperationEvent.INTENDED.value)
        except ConflictError:
            raise JournalConflictError from None
    journal.entries[operation.subject] = [*entries, line]


def _store(store: FolderWriter | PostgresStore, lines: list[JournalLine], *, is_intent: bool) -> None:
    try:
        store.append(lines)
    except ConflictError:
        raise
    except StoreError:
        # A request that was not recorded is not sent. Its outcome is worth a second attempt.
        if is_intent:
            raise
        store.append(lines, again=True)


def build_journal_line(entry: JournalEntry) -> JournalLine:
    """Returns a line as a store keeps it."""
    operation = identify(entry)
    return JournalLine(operation.subject, entry[POSITION], json.dumps(entry), operation.name_digest)
