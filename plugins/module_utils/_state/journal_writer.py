# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks and writes the journal, and reads the state that decides whether a request may be sent.

``append_event`` and ``append_note`` write the line after those that the given journal has read or written, or fail;
``record_outcome`` and ``record_note`` write behind other runs, too. What sends imports this before it does.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import pwd
import typing as t
from datetime import UTC, datetime

from .._text import one_line
from .._times import format_iso
from .folder_journal import FolderStore
from .journal import (
    FIELDS,
    NOTE,
    Journal,
    JournalError,
    OperationEvent,
    build_journal_line,
    build_line,
    converted_errors,
)
from .journal_store import ConflictError, Holder, shorten_name
from .store import StoreError

if t.TYPE_CHECKING:
    from .folder_writer import FolderWriter
    from .journal import NoteKind, OperationKey, OperationState
    from .journal_store import JournalLine
    from .open_store import JournalStore
    from .postgres_store import PostgresStore

_ENDS = (OperationEvent.COMPLETED, OperationEvent.FAILED)
_SAYS_MORE = {OperationEvent.ACCEPTED: _ENDS, OperationEvent.UNCLEAR: (OperationEvent.ACCEPTED, *_ENDS)}
"""For each event those that say more: after one of them, it is not recorded."""


class JournalConflictError(JournalError):
    """Another run has written a line of the operation since this run read the journal."""

    def __init__(self) -> None:
        error = ConflictError()
        super().__init__(f"{error}. {error.advice}.")


@contextlib.contextmanager
def lock_operation(journal: Journal, operation: OperationKey) -> t.Iterator[bool]:
    """Holds the subject of ``operation`` and yields True, or yields False if another process holds it.

    Raises JournalError if it can't be held.
    """
    with contextlib.ExitStack() as stack:
        with journal.before_sending(operation):
            own = describe_process(operation.subject, operation.name)
            holder = stack.enter_context(_find_writer(journal.store).hold(own))
        yield holder is None


def read_state(journal: Journal, operation: OperationKey) -> OperationState | None:
    """Returns the state of ``operation``, None without an entry. Refused attempts don't count.

    Writes nothing, so check mode may call it. If the journal can't be read after this run has sent the request,
    returns what this run knows. Raises JournalError, also for a new one while the folder knows what the store does not.
    """
    try:
        state = journal.read_states([operation.subject]).get(operation)
    except JournalError:
        if operation not in journal.intended:
            raise
        return journal.known_state(operation)
    if state is None:
        require_imported(journal, operation)
    return state


def require_imported(journal: Journal, operation: OperationKey) -> None:
    """Raises JournalError if the folder of this machine has a journal of this service that the store lacks.

    Once it has found none, it looks only at what has come for the subject of ``operation``.
    """
    folder, subjects = journal.folder, [operation.subject] if journal.is_imported else None
    if not folder:
        return
    with journal.before_sending(operation), journal.thread_lock:
        try:
            with converted_errors():
                # Without a folder of this user's own, there is no other memory.
                is_own = folder.is_own()
            states, damaged = Journal(folder).read_intact_states(subjects) if is_own else ({}, {})
            if operation.subject in damaged:
                raise damaged[operation.subject]
        except JournalError as error:
            raise JournalError(
                f"This {operation.kind} is not in state_database. The journal in {one_line(folder.place)} may "
                f"contain it, but can't be read. {error}"
            ) from None
        own = {key: state for key, state in states.items() if key.service == operation.service}
        known = Journal(journal.store).read_states({key.subject for key in own}) if own else {}
        for key, state in own.items():
            if key not in known:
                place = one_line(folder.place)
                raise JournalError(
                    f"The journal in {place} contains a {key.kind} for {one_line(key.name)}, sent at {state.sent_at}, "
                    "but state_database does not. An administrator of the database must import the folder: "
                    f"claw_state_database with import_dir: {place}."
                )
        journal.is_imported = True


def append_event(journal: Journal, operation: OperationKey, event: OperationEvent, /, **facts: t.Any) -> None:
    """Records the next event of ``operation`` durably. On a JournalError the journal is unchanged.

    If another run has written a line since ``journal`` was read, it fails.
    """
    with journal.thread_lock:
        journal.read_once(operation.subject)
        if event is OperationEvent.INTENDED:
            require_imported(journal, operation)
        _append(journal, operation, {"event": event.value}, facts)
        if event is OperationEvent.INTENDED:
            journal.intended.add(operation)


def record_outcome(
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


def record_note(journal: Journal, operation: OperationKey, kind: NoteKind, /, **facts: t.Any) -> None:
    """Records a fact that decides nothing, behind what other runs have recorded meanwhile. Raises JournalError."""
    with journal.thread_lock:
        while True:
            try:
                append_note(journal, operation, kind, **facts)
                return
            except JournalConflictError:
                if not _reads_more(journal, operation.subject):
                    raise


def append_note(journal: Journal, operation: OperationKey, kind: NoteKind, /, **facts: t.Any) -> None:
    """Records a note that follows what ``journal`` has read. Raises JournalConflictError if that is not all."""
    with journal.thread_lock:
        _append(journal, operation, {"event": NOTE, NOTE: kind.value}, facts)


def _reads_more(journal: Journal, subject: str) -> bool:
    """Reads a subject again. Returns True if another run has written to it meanwhile."""
    before = [*journal.read_once(subject).entries]
    return journal.read_entries([subject]) != before


def _append(journal: Journal, operation: OperationKey, event: dict[str, str], facts: dict[str, t.Any]) -> None:
    if reserved := facts.keys() & {*FIELDS}:
        # They would replace what identifies the operation.
        raise ValueError(f"facts that are named like fields of a line: {', '.join(sorted(reserved))}")
    history = journal.read_once(operation.subject)
    entry = {"at": format_iso(journal.now()), **operation.as_dict(), **event, **facts}
    entry = build_line(entry, history.entries)
    line, is_intent = build_journal_line(entry), entry["event"] == OperationEvent.INTENDED.value
    with converted_errors():
        try:
            _store(_find_writer(journal.store), [*history.lines, line], is_intent=is_intent)
        except ConflictError:
            raise JournalConflictError from None
    history.add(line, entry)


def _store(store: FolderWriter | PostgresStore, lines: list[JournalLine], *, is_intent: bool) -> None:
    try:
        store.append(lines)
    except StoreError:
        # A request that was not recorded is not sent. Its outcome is worth a second attempt.
        if is_intent:
            raise
        store.append(lines, again=True)


def _find_writer(store: JournalStore) -> FolderWriter | PostgresStore:
    """Returns who writes to the store. What a folder needs is loaded by the first lock or line, before any request."""
    if not isinstance(store, FolderStore):
        return store
    from .folder_writer import FolderWriter

    return FolderWriter(store)


# Who writes


def describe_process(subject: str, name: str) -> Holder:
    """Returns this process as the holder of ``subject``, for the incident or order ``name``."""
    since = format_iso(datetime.now(UTC))
    return Holder(subject, **describe_sender(), process=os.getpid(), since=since, name=shorten_name(name))


def describe_sender() -> dict[str, str]:
    """Returns ``by`` of the journal: user and host of this process, whatever its environment says."""
    return {"user": _find_user_name(os.geteuid()), "host": platform.node()}


@functools.cache
def _find_user_name(user_id: int) -> str:
    """Returns the name in the password database, or the number: a container may run as a user without a name."""
    try:
        return pwd.getpwuid(user_id).pw_name or str(user_id)
    except KeyError:
        return str(user_id)
