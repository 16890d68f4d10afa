# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the journal in a folder, as ``folder_journal.py`` describes it, and locks its subjects."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import typing as t
from dataclasses import asdict

from .files import lock_file, write_at
from .folder_journal import LOCK_TIMEOUT, RECORDS_AT, build_first_record, build_record, hash_content, read_holder
from .journal_store import ConflictError, DamageError, Holder, JournalLine
from .snapshots import atomic_replace

if t.TYPE_CHECKING:
    from .files import OpenFolder
    from .folder_journal import FolderStore, JournalFolders, OpenSubject

CREATION_LOCK = ".lock"
"""A file beside the marks, which is locked to create one."""
PROBE_TIMEOUT = 0.05
"""Seconds to wait for the lock of a mark, which a reader tests for a moment."""
MANY_FILES = 4096
"""Files that a process may have open: each subject that it holds needs one, beside connections and Ansible's own."""


class FolderWriter:
    """Writes the journal of a folder. Raises StoreError, and DamageError if the subject is damaged."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store

    def append(self, lines: t.Sequence[JournalLine], *, again: bool = False) -> None:
        """Adds the last of these lines durably, which are all of its subject. Raises ConflictError.

        On an error the lines are unchanged; on one of a disk that stays broken, the line may be there, as after a kill.
        """
        subject = lines[-1].subject
        with self._store.open_folders(creates=True) as folders, contextlib.ExitStack() as stack:
            mark = self._create_mark(stack, folders, subject)
            is_new = os.fstat(mark).st_size == RECORDS_AT + len(build_first_record(subject))
            file = folders.open_file(stack, subject, os.O_RDWR | (os.O_CREAT if is_new else 0))
            if is_new:
                # Whoever created the mark may have been killed before that was synced. And the file must be there
                # before its mark says that it has a line.
                for folder in (folders.marks, folders.journal):
                    os.fsync(t.cast("OpenFolder", folder).descriptor)
            self._append(folders.open_subject(subject, file, mark), lines)

    @contextlib.contextmanager
    def hold(self, own: Holder) -> t.Iterator[Holder | None]:
        """Locks the mark of a subject for this process, ``own``, with which the lock ends."""
        _allow_many_files()
        with contextlib.ExitStack() as stack:
            yield self._take(stack, own)

    def _take(self, stack: contextlib.ExitStack, own: Holder) -> Holder | None:
        """Locks the mark of the subject until the stack closes. Returns who has locked it, if another process has."""
        with self._store.open_folders(creates=True) as folders:
            mark = self._create_mark(stack, folders, own.subject)
            try:
                lock_file(mark, PROBE_TIMEOUT)
            except TimeoutError:
                return read_holder(mark, own.subject)
            _write_holder(mark, own)
            return None

    def _create_mark(self, stack: contextlib.ExitStack, folders: JournalFolders, subject: str) -> int:
        """Opens the mark, which is created if missing. Raises DamageError if the subject is damaged."""
        marks = t.cast("OpenFolder", folders.marks)
        if damage := folders.read(subject).damage:
            # A new mark would hide that the old one is missing.
            raise DamageError(damage, self._store.repair_hint)
        mark = folders.open_mark(stack, subject, os.O_RDWR)
        if mark is not None:
            return mark
        with marks.open(CREATION_LOCK, os.O_RDWR | os.O_CREAT) as lock:
            lock_file(lock, LOCK_TIMEOUT)
            mark = folders.open_mark(stack, subject, os.O_RDWR)
            if mark is None:
                atomic_replace(marks.descriptor, subject, bytes(RECORDS_AT) + build_first_record(subject))
                mark = folders.open_mark(stack, subject, os.O_RDWR)
        return t.cast("int", mark)

    def _append(self, subject: OpenSubject, lines: t.Sequence[JournalLine]) -> None:
        found = subject.read(fcntl.LOCK_EX)
        if found.damage:
            raise DamageError(found.damage, self._store.repair_hint)
        if [one.text for one in found.lines] != [one.text for one in lines[:-1]]:
            raise ConflictError
        for number in range(sum(one.name is not None for one in found.lines), len(found.lines)):
            # What a crash has left without a record may be missing on the disk, too.
            _write(subject, lines[: number + 1])
        try:
            _write(subject, lines)
        except OSError:
            # A line that stayed would look like one whose request may have been sent.
            with contextlib.suppress(OSError):
                size = len(build_first_record(subject.subject)) * len(lines)
                os.ftruncate(t.cast("int", subject.mark), RECORDS_AT + size)
                # No mark may say more than the file.
                os.ftruncate(t.cast("int", subject.file), _measure(lines[:-1]))
            raise


def _write(subject: OpenSubject, lines: t.Sequence[JournalLine]) -> None:
    """Writes and syncs the last of these lines, and then its record, after those of the subject and the others."""
    text, name = lines[-1].text, lines[-1].name
    record = build_record(name or "", text)
    own = (subject.file, f"{text}\n".encode(), _measure(lines[:-1]))
    for file, data, start in (own, (subject.mark, record, RECORDS_AT + len(record) * len(lines))):
        write_at(t.cast("int", file), data, start)
        os.ftruncate(t.cast("int", file), start + len(data))
        os.fsync(t.cast("int", file))


def _measure(lines: t.Iterable[JournalLine]) -> int:
    """Returns the bytes of these lines in the file."""
    return sum(len(one.text.encode()) + 1 for one in lines)


def _write_holder(mark: int, holder: Holder) -> None:
    """Names the holder. It is only for display: on a full disk it is missing."""
    text = json.dumps(asdict(holder)).encode()
    with contextlib.suppress(OSError):
        os.pwrite(mark, (text + b" " + hash_content(text).encode()).ljust(RECORDS_AT, b"\0")[:RECORDS_AT], 0)


def _allow_many_files() -> None:
    """Raises the limit of this process, as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if resource.RLIM_INFINITY != soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
