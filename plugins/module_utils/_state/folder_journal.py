# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal in a folder: for each subject a file of its lines, and a mark.

A line is appended in place and synced, so that it costs the same whatever lies behind it. A crash or a full disk may
leave a part of a line at the end: that append never returned, so nothing was sent for it, and the next one overwrites
it.

The mark, in a folder of its own, says how far the file was written, so that a file that was cut, emptied or replaced by
an older copy does not match it. A new mark is written and synced under another name, and renamed before anything relies
on it. So a damaged mark is damage, as is a file without a mark: neither ever looks like a subject that is new. After
each line, the mark is written to one of its places and synced: a crash in between leaves the file one line ahead,
perhaps with that place torn.

The mark is locked by the run that works on the subject. The file is locked only for a moment, to read it or to append
to it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import resource
import time
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from .._text import MESSAGE_LIMIT, one_line
from .files import (
    FolderDocuments,
    LockHeldError,
    OpenFolder,
    UntrustedError,
    atomic_replace,
    lock_file,
    read_from,
)
from .folder_mark import END_SIZE, Mark, MarkFile, build_new, checksum, write_at
from .journal_store import ConflictError, DamageError, Holder, JournalLine, SubjectLines, describe_process

JOURNAL, MARKS = "journal", "journal-marks"
SUFFIX = ".jsonl"
CREATION_LOCK = ".lock"
"""A file beside the marks, which is locked to create one."""
REPAIR_HINT = (
    f"Restore the folders {JOURNAL} and {MARKS} from one copy, or move the file of this name away from both folders,"
)

LOCK_TIMEOUT = 10.0
"""Seconds to wait for the lock of a file, which is held for milliseconds."""
PROBE_TIMEOUT = 0.05
"""Seconds to wait for the lock of a mark, which a reader tests for a moment."""
DAMAGED_MARK = f"has a damaged mark in {MARKS}"
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.ELOOP)
"""Errors that opening a file gives if another user owns it, or if it is a link."""


class FolderJournal:
    """The journal in ``path``: in the folders ``journal`` and ``marks``, None if missing. Methods raise OSError."""

    def __init__(self, path: Path, journal: OpenFolder | None = None, marks: OpenFolder | None = None) -> None:
        self._path = path / JOURNAL
        self._journal = journal
        self._marks = marks

    @classmethod
    @contextlib.contextmanager
    def open(cls, state: OpenFolder, *, creates: bool = False) -> t.Iterator[FolderJournal]:
        """Yields the journal in ``state_dir``, whose folders are created if that is asked for."""
        with contextlib.ExitStack() as stack:
            journal, marks = (
                stack.enter_context(state.open_folder(name, creates=creates)) if creates or state.has(name) else None
                for name in (JOURNAL, MARKS)
            )
            yield cls(state.path, journal, marks)

    def list_subjects(self) -> list[str]:
        """Returns the subjects that have a file or a mark."""
        files = self._journal.list_names() if self._journal else []
        marks = self._marks.list_names() if self._marks else []
        names = {*(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)), *marks}
        return sorted(name for name in names if re.fullmatch("[0-9a-f]{64}", name))

    def read(self, subject: str) -> SubjectLines:
        """Returns the lines of a subject, and its damage."""
        try:
            return self._read(subject)
        except DamageError as error:
            return SubjectLines(subject, [], error.damage)

    def _read(self, subject: str) -> SubjectLines:
        with contextlib.ExitStack() as stack:
            # Another run may create both meanwhile, the mark before the file.
            file, mark = self.open_file(stack, subject), self.find_mark(stack, subject)
            if file is None:
                if mark is None or mark.says_nothing:
                    return SubjectLines(subject, [])
                file = self.open_file(stack, subject)
                if file is None:
                    return SubjectLines(subject, [], self._describe_missing(subject, mark))
            lock_file(file, LOCK_TIMEOUT)
            return self._subject(subject, file, mark).read()

    def append(self, line: JournalLine) -> None:
        """Adds a line durably. Raises ConflictError, DamageError."""
        journal, marks = t.cast("OpenFolder", self._journal), t.cast("OpenFolder", self._marks)
        name = f"{line.subject}{SUFFIX}"
        with self.open_mark(line.subject) as mark:
            is_new = mark.says_nothing
            if not is_new and not journal.has(name):
                raise self._missing_error(line.subject, mark)
            with contextlib.ExitStack() as stack:
                file = _open(stack, journal, name, os.O_RDWR | (os.O_CREAT if is_new else 0))
                if is_new:
                    # Whoever created the mark may have been killed before that was synced. And the file must be there
                    # before its mark says that it has a line.
                    os.fsync(marks.descriptor)
                    os.fsync(journal.descriptor)
                lock_file(file, LOCK_TIMEOUT)
                self._subject(line.subject, file, mark).append(line)

    @contextlib.contextmanager
    def open_mark(self, subject: str) -> t.Iterator[MarkFile]:
        """Yields the mark, which is created if missing. Raises DamageError for a damaged one, or a file without one."""
        journal, marks = t.cast("OpenFolder", self._journal), t.cast("OpenFolder", self._marks)
        if not marks.has(subject):
            # A new mark would hide that the old one is missing.
            if journal.has(f"{subject}{SUFFIX}") and (damage := self.read(subject).damage):
                raise DamageError(damage, REPAIR_HINT)
            with marks.open(CREATION_LOCK, os.O_RDWR | os.O_CREAT) as lock:
                lock_file(lock, LOCK_TIMEOUT)
                if not marks.has(subject):
                    atomic_replace(marks.descriptor, subject, build_new(subject))
        with contextlib.ExitStack() as stack:
            mark = MarkFile(subject, _open(stack, marks, subject, os.O_RDWR))
            if mark.read() is None:
                raise self._missing_error(subject, mark)
            yield mark

    def open_file(self, stack: contextlib.ExitStack, subject: str) -> int | None:
        """Opens the file of a subject; None if there is none. Raises DamageError for one that is not this user's."""
        return _open_if_there(stack, self._journal, f"{subject}{SUFFIX}")

    def find_mark(self, stack: contextlib.ExitStack, subject: str) -> MarkFile | None:
        """Opens the mark of a subject; None if there is none. Raises DamageError for one that is not this user's."""
        mark = _open_if_there(stack, self._marks, subject)
        return None if mark is None else MarkFile(subject, mark)

    def _subject(self, subject: str, file: int, mark: MarkFile | None) -> _SubjectFile:
        return _SubjectFile(subject, self._path / f"{subject}{SUFFIX}", file, mark)

    def _describe_missing(self, subject: str, mark: MarkFile) -> str:
        marked = mark.read()
        damage = "is missing, but it was written" if marked and marked.lines else DAMAGED_MARK
        return f"The journal {one_line(self._path / f'{subject}{SUFFIX}')} {damage}"

    def _missing_error(self, subject: str, mark: MarkFile) -> DamageError:
        return DamageError(self._describe_missing(subject, mark), REPAIR_HINT)


@dataclass(frozen=True)
class _SubjectFile:
    """The locked file of a subject, and its mark."""

    subject: str
    path: Path
    file: int
    mark: MarkFile | None

    def read(self) -> SubjectLines:
        """Returns the complete lines, and how they contradict the mark."""
        content = self._read_content()
        texts = content.decode(errors="replace").split("\n")[:-1]
        lines = [
            JournalLine(self.subject, number, text, place=f"Line {number} of the journal {one_line(self.path)}")
            for number, text in enumerate(texts, start=1)
        ]
        damage = self._find_damage(content)
        return SubjectLines(self.subject, lines, damage and f"The journal {one_line(self.path)} {damage}")

    def append(self, line: JournalLine) -> None:
        """Adds a line durably. Raises ConflictError, DamageError.

        On an error the lines are unchanged; on one of a disk that stays broken, the line may be there, as after a kill.
        """
        mark = t.cast("MarkFile", self.mark)
        marked = mark.read()
        is_whole = marked is not None and marked.covers(mark.read_names()) and not mark.is_torn
        if marked is None or not is_whole or marked.lines != line.position - 1 or not self._ends_as(marked):
            marked = self._mend(line.position - 1)
        marked = mark.add_name(marked, line.name or "")
        data = f"{line.text}\n".encode()
        # A line that stayed would look like one whose request may have been sent.
        with self._cut_on_error(marked.size):
            write_at(self.file, data, marked.size)
            os.fsync(self.file)
            end = read_from(self.file, max(marked.size + len(data) - END_SIZE, 0))
        with self._cut_on_error(marked.size, lambda: mark.write(marked, at=line.position)):
            mark.write(replace(marked, lines=line.position, size=marked.size + len(data), end=checksum(end)))

    @contextlib.contextmanager
    def _cut_on_error(self, size: int, prepare: t.Callable[[], None] = lambda: None) -> t.Iterator[None]:
        """Cuts the file back to its size on an OSError, if ``prepare`` succeeds: no mark may say more than the file."""
        try:
            yield
        except OSError:
            with contextlib.suppress(OSError):
                prepare()
                os.ftruncate(self.file, size)
            raise

    def _mend(self, lines: int) -> Mark:
        """Cuts off what a crash has left of a line, and marks a whole one. Raises ConflictError, DamageError."""
        content = self._read_content()
        if damage := self._find_damage(content):
            raise DamageError(f"The journal {one_line(self.path)} {damage}", REPAIR_HINT)
        mark = t.cast("MarkFile", self.mark)
        marked = t.cast("Mark", mark.read())
        if content.count(b"\n") != lines:
            raise ConflictError
        if marked.lines < lines:
            # What was not synced before the crash may be missing on the disk.
            size = marked.size
            write_at(self.file, content[size:], size)
            os.fsync(self.file)
            marked = marked.describe(content)
            mark.write(marked)
        os.ftruncate(self.file, marked.size)
        return marked

    def _read_content(self) -> bytes:
        content = read_from(self.file, 0)
        return content[: content.rfind(b"\n") + 1]

    def _ends_as(self, marked: Mark) -> bool:
        """Returns True if the file is as long as its mark says, and has that end."""
        if os.fstat(self.file).st_size != marked.size:
            return False
        return not marked.size or checksum(read_from(self.file, max(marked.size - END_SIZE, 0))) == marked.end

    def _find_damage(self, content: bytes) -> str:
        """Returns how the lines contradict the mark; empty if they don't."""
        if self.mark is None:
            return f"has no mark in {MARKS}"
        count, marked = content.count(b"\n"), self.mark.read()
        if marked is None or not marked.covers(self.mark.read_names()):
            return DAMAGED_MARK
        if count < marked.lines:
            return f"has {count} lines, but {marked.lines} were written"
        if marked != marked.describe(content[: marked.size]) or count > marked.lines + 1:
            return f"does not match its mark in {MARKS}: it was changed, or one of them is an older copy"
        # A place is torn only while the line that it is for is in the file.
        return DAMAGED_MARK if self.mark.is_torn and count == marked.lines else ""


def _open_if_there(stack: contextlib.ExitStack, folder: OpenFolder | None, name: str) -> int | None:
    try:
        return _open(stack, folder, name, os.O_RDONLY) if folder else None
    except FileNotFoundError:
        return None


def _open(stack: contextlib.ExitStack, folder: OpenFolder, name: str, flags: int) -> int:
    """Opens a file or mark. Raises DamageError for one that is not this user's own: it stops no other subject."""
    try:
        return stack.enter_context(folder.open(name, flags))
    except UntrustedError as error:
        raise DamageError(one_line(error, MESSAGE_LIMIT), REPAIR_HINT) from None
    except OSError as error:
        if error.errno not in _NOT_OURS or not folder.has(name):
            raise
        raise DamageError(f"{one_line(folder.path / name)} can't be opened ({error.strerror})", REPAIR_HINT) from None


def _is_lock_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


MANY_FILES = 4096
"""Files that a process may have open: each subject that it holds needs one, beside connections and Ansible's own."""


def _allow_many_files() -> None:
    """Raises the limit of this process, as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if resource.RLIM_INFINITY != soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class FolderStore(FolderDocuments):
    """Keeps documents and the journal in ``state_dir``."""

    repair_hint = REPAIR_HINT

    @property
    def place(self) -> str:
        """The path of the folder. Raises UntrustedError if the option is not a path."""
        return str(self._folder.path)

    def is_own(self) -> bool:
        """Returns True if the folder exists, and only this user can have written to it. Raises StoreError."""
        with self._converted_errors():
            try:
                with self._folder.open():
                    return True
            except (UntrustedError, FileNotFoundError, NotADirectoryError, PermissionError):
                return False

    def has_document(self, name: str) -> bool:
        """Returns True if somebody has locked this document before. Creates nothing."""
        with self._converted_errors(), contextlib.suppress(FileNotFoundError), self._folder.open() as folder:
            return folder.has(f"{name}.json")
        return False

    def read_subjects(self, subjects: t.Collection[str] | None = None) -> list[SubjectLines]:
        """Returns what it holds of these subjects, or of all."""
        with self._open_journal() as journal:
            found = map(journal.read, journal.list_subjects() if subjects is None else sorted(subjects))
            return [one for one in found if one.lines or one.damage]

    def find_subjects(self, name: str) -> set[str]:
        """Returns the subjects whose mark has the name, is damaged or missing."""
        found = set()
        with self._open_journal() as journal:
            for subject in journal.list_subjects():
                with contextlib.ExitStack() as stack:
                    mark = None
                    with contextlib.suppress(DamageError):
                        mark = journal.find_mark(stack, subject)
                    if mark is None or mark.may_have(name):
                        found.add(subject)
        return found

    def read_positions(self) -> dict[str, int]:
        """Returns the last position that each subject has now, as far as its file can be opened."""
        positions = {}
        with self._open_journal() as journal:
            for subject in journal.list_subjects():
                with contextlib.ExitStack() as stack, contextlib.suppress(DamageError):
                    file = journal.open_file(stack, subject)
                    positions[subject] = 0 if file is None else read_from(file, 0).count(b"\n")
        return positions

    def append(self, line: JournalLine, *, earlier: t.Sequence[JournalLine] | None = None) -> None:
        """Adds a line, and syncs it to the disk."""
        with self._open_journal(creates=True) as journal:
            journal.append(line)

    @contextlib.contextmanager
    def hold(self, subject: str, name: str) -> t.Iterator[Holder | None]:
        """Locks the mark of the subject. The lock ends with the process."""
        with contextlib.ExitStack() as stack:
            yield self._lock_mark(subject, name, stack)

    def _lock_mark(self, subject: str, name: str, stack: contextlib.ExitStack) -> Holder | None:
        """Locks the mark until the stack is closed. Returns who holds it, if another process does."""
        _allow_many_files()
        with self._open_journal(creates=True) as journal:
            mark = stack.enter_context(journal.open_mark(subject))
            try:
                lock_file(mark.descriptor, PROBE_TIMEOUT)
            except LockHeldError:
                return mark.read_holder()
            stack.callback(mark.write_holder, None)
            mark.write_holder(describe_process(subject, name))
        return None

    def holders(self, subject: str | None = None) -> dict[str, Holder]:
        """Returns who has locked the mark of which subject, or of this one, as far as they can be opened."""
        holders = {}
        with self._open_journal() as journal:
            for one in journal.list_subjects() if subject is None else [subject]:
                with contextlib.ExitStack() as stack, contextlib.suppress(DamageError):
                    mark = journal.find_mark(stack, one)
                    if mark is not None and not _is_lock_free(mark.descriptor):
                        holders[one] = mark.read_holder()
        return holders

    def now(self) -> float:
        """Returns Unix time."""
        return time.time()

    @contextlib.contextmanager
    def _open_journal(self, *, creates: bool = False) -> t.Iterator[FolderJournal]:
        """Yields the journal, an empty one without a folder."""
        with self._converted_errors(), contextlib.ExitStack() as stack:
            try:
                state = stack.enter_context(self._folder.open(creates=creates))
            except FileNotFoundError:
                yield FolderJournal(self._folder.path)
                return
            yield stack.enter_context(FolderJournal.open(state, creates=creates))
