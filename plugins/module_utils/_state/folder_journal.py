# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal in a folder: for each subject a file of its lines, and a mark.

The mark, in a folder of its own, has a record of each line: its name, and a checksum over both. So a file that was cut,
emptied, changed or replaced by an older copy does not match it. The first record is of no line, but of the subject: a
mark without it is damaged, as is a file without a mark, and neither ever looks like a subject that is new.

A line is written and synced, and then its record. A crash in between leaves the file one line ahead, perhaps with a
part of the record; and a crash or a full disk may leave a part of a line. That append never returned, so nothing was
sent for it. A whole line stays, and the next append writes and syncs it again.

Before its records the mark describes the run that works on the subject, which locks the mark meanwhile. The file is
locked only for a moment, to read it or to append to it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import itertools
import json
import os
import re
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._text import MESSAGE_LIMIT, one_line
from .files import OpenFolder, UntrustedError, lock_file, read_from
from .journal_store import DamageError, Holder, JournalLine, SubjectLines
from .snapshots import FolderSnapshots

JOURNAL, MARKS = "journal", "journal-marks"
SUFFIX = ".jsonl"
REPAIR_HINT = (
    f"Restore the folders {JOURNAL} and {MARKS} from one copy, or move the file of this name away from both folders,"
)

LOCK_TIMEOUT = 10.0
"""Seconds to wait for the lock of a file, which is held for milliseconds."""
RECORDS_AT, SUM_SIZE, RECORD_SIZE = 2048, 32, 98
"""Where the records of a mark begin, after its holder; bytes of a checksum, and of a record."""
DAMAGED_MARK = f"has a damaged mark in {MARKS}"
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.ELOOP)
"""Errors that opening a file gives if another user owns it, or if it is a link."""


class VerifiedLines(t.NamedTuple):
    """Lines of a subject that match their records, and the bytes of both: these are not verified again."""

    content: bytes
    records: bytes
    lines: list[JournalLine]


@dataclass(frozen=True)
class OpenSubject:
    """The open file and mark of a subject, None if missing. ``verified`` has what this process knows of subjects."""

    subject: str
    path: Path
    file: int | None
    mark: int | None
    verified: dict[str, VerifiedLines]

    def read(self, lock: int = fcntl.LOCK_SH) -> SubjectLines:
        """Locks the file. Returns the complete lines, and how they contradict the mark.

        A line has its name if it has a record.
        """
        if self.file is not None:
            lock_file(self.file, LOCK_TIMEOUT, lock)
        content = b"" if self.file is None else read_from(self.file, 0)
        records = b"" if self.mark is None else read_from(self.mark, RECORDS_AT)
        known = self.verified.get(self.subject)
        if not (known and content.startswith(known.content) and records.startswith(known.records)):
            known = VerifiedLines(b"", build_first_record(self.subject), [])
        texts = content.removeprefix(known.content).decode(errors="replace").split("\n")[:-1]
        is_marked = records.startswith(known.records)
        names = _find_names(texts, records.removeprefix(known.records)) if is_marked else []
        place, count = one_line(self.path), len(known.lines) + len(names)
        lines = known.lines + [
            JournalLine(self.subject, number, text, name, f"Line {number} of the journal {place}")
            for number, (text, name) in enumerate(itertools.zip_longest(texts, names), len(known.lines) + 1)
        ]
        damage = self._find_damage(records, len(lines), count) if is_marked or self.mark is None else DAMAGED_MARK
        if names and not damage:
            size = len(known.content) + sum(len(text.encode()) + 1 for text in texts[: len(names)])
            records = records[: RECORD_SIZE * (count + 1)]
            self.verified[self.subject] = VerifiedLines(content[:size], records, lines[:count])
        return SubjectLines(self.subject, lines, damage and f"The journal {place} {damage}")

    def _find_damage(self, records: bytes, lines: int, named: int) -> str:
        """Returns how these records contradict the number of lines, of which ``named`` match theirs."""
        if self.mark is None:
            return "" if self.file is None else f"has no mark in {MARKS}"
        written = -(-len(records) // RECORD_SIZE) - 1
        if written <= lines <= named + 1:
            return ""
        if lines < written:
            has = "is missing" if self.file is None else f"has {lines} lines"
            return f"{has}, but {written} were written"
        return f"does not match its mark in {MARKS}: it was changed, or one of them is an older copy"


def _find_names(texts: t.Sequence[str], records: bytes) -> list[str]:
    """Returns the names of the first of these lines, as far as their records match."""
    names: list[str] = []
    for text in texts:
        start, end = RECORD_SIZE * len(names), RECORD_SIZE * (len(names) + 1)
        record = records[start:end]
        name = record.decode(errors="replace").rpartition(" ")[2].removesuffix("\n")
        if record != build_record(name, text):
            break
        names.append(name)
    return names


@dataclass(frozen=True)
class JournalFolders:
    """The folders of the journal in ``state_dir``, whose path is ``path``. None if missing. Methods raise OSError."""

    path: Path
    journal: OpenFolder | None = None
    marks: OpenFolder | None = None
    verified: dict[str, VerifiedLines] = field(default_factory=dict)

    def list_subjects(self) -> list[str]:
        """Returns the subjects that have a file or a mark."""
        files = os.listdir(self.journal.descriptor) if self.journal else []
        marks = os.listdir(self.marks.descriptor) if self.marks else []
        names = {*(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)), *marks}
        return sorted(name for name in names if re.fullmatch("[0-9a-f]{64}", name))

    def read(self, subject: str) -> SubjectLines:
        """Returns the lines of a subject, and its damage."""
        try:
            with contextlib.ExitStack() as stack:
                file, mark = self.open_file(stack, subject), self.open_mark(stack, subject)
                found = self.open_subject(subject, file, mark).read()
                if file is None and found.damage:
                    # Another run may have created the file meanwhile, before the mark had a record.
                    file = self.open_file(stack, subject)
                    found = self.open_subject(subject, file, mark).read()
                return found
        except DamageError as error:
            return SubjectLines(subject, [], error.damage)

    def open_file(self, stack: contextlib.ExitStack, subject: str, flags: int = os.O_RDONLY) -> int | None:
        """Opens the file of a subject; None if there is none. Raises DamageError for one that is not this user's."""
        return _open(stack, self.journal, f"{subject}{SUFFIX}", flags)

    def open_mark(self, stack: contextlib.ExitStack, subject: str, flags: int = os.O_RDONLY) -> int | None:
        """Opens the mark of a subject; None if there is none. Raises DamageError for one that is not this user's."""
        return _open(stack, self.marks, subject, flags)

    def open_subject(self, subject: str, file: int | None, mark: int | None) -> OpenSubject:
        """Returns a subject whose file and mark are open."""
        return OpenSubject(subject, self.path / JOURNAL / f"{subject}{SUFFIX}", file, mark, self.verified)


def _open(stack: contextlib.ExitStack, folder: OpenFolder | None, name: str, flags: int) -> int | None:
    """Opens a file or mark. Raises DamageError for one that is not this user's own: it stops no other subject."""
    try:
        return stack.enter_context(folder.open(name, flags)) if folder else None
    except FileNotFoundError:
        return None
    except UntrustedError as error:
        raise DamageError(one_line(error, MESSAGE_LIMIT), REPAIR_HINT) from None
    except OSError as error:
        if error.errno not in _NOT_OURS or not folder:
            raise
        raise DamageError(f"{one_line(folder.path / name)} can't be opened ({error.strerror})", REPAIR_HINT) from None


def _open_folder(stack: contextlib.ExitStack, state: OpenFolder, name: str, *, creates: bool) -> OpenFolder | None:
    """Opens a folder in ``state_dir``, which is created if that is asked for. None if it is missing."""
    if creates:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=state.descriptor)
            os.fsync(state.descriptor)
    try:
        descriptor = stack.enter_context(state.open(name, os.O_RDONLY | os.O_DIRECTORY))
    except FileNotFoundError:
        return None
    return OpenFolder(descriptor, state.path / name, state.group)


def build_record(name: str, text: str) -> bytes:
    """Returns the record of a line, whose name is a digest."""
    return f"{hash_content(f'{name} {text}'.encode())} {name}\n".encode()


def build_first_record(subject: str) -> bytes:
    """Returns the record of no line, with which each mark begins."""
    return build_record(subject, "")


def hash_content(content: bytes) -> str:
    """Returns the checksum of a record or a holder."""
    return hashlib.sha256(content).hexdigest()[:SUM_SIZE]


def read_holder(mark: int, subject: str) -> Holder:
    """Returns the holder that the mark names; without a name if it is just being written, or garbled."""
    text, _space, digest = os.pread(mark, RECORDS_AT, 0).rstrip(b"\0").rpartition(b" ")
    content = json.loads(text) if digest == hash_content(text).encode() else {}
    return Holder(**{**content, "subject": subject})


def _is_lock_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class FolderStore(FolderSnapshots):
    """Keeps documents, snapshots and the journal in ``state_dir``. A FolderWriter writes the journal."""

    repair_hint = REPAIR_HINT

    @functools.cached_property
    def _verified(self) -> dict[str, VerifiedLines]:
        return {}

    @property
    def place(self) -> str:
        """The path of the folder. Raises UntrustedError if the option is not a path."""
        return str(self.path)

    def is_own(self) -> bool:
        """Returns True if the folder exists, and only this user can have written to it. Raises StoreError."""
        with self.converted_errors():
            try:
                with self.open():
                    return True
            except (UntrustedError, FileNotFoundError, NotADirectoryError, PermissionError):
                return False

    def read_subjects(self, subjects: t.Collection[str] | None = None) -> list[SubjectLines]:
        """Returns what it holds of these subjects, or of all."""
        with self.open_folders() as journal:
            found = map(journal.read, journal.list_subjects() if subjects is None else sorted(subjects))
            return [one for one in found if one.lines or one.damage]

    def find_subjects(self, name: str) -> set[str]:
        """Returns the subjects that have a line with this name, or one whose name is not known, or are damaged."""
        return {
            one.subject
            for one in self.read_subjects()
            if one.damage or not {name, None}.isdisjoint(line.name for line in one.lines)
        }

    def read_positions(self) -> dict[str, int]:
        """Returns the last position that each subject has now."""
        return {one.subject: len(one.lines) for one in self.read_subjects()}

    def holders(self, subject: str | None = None) -> dict[str, Holder]:
        """Returns who has locked the mark of which subject, or of this one, as far as they can be opened."""
        holders = {}
        with self.open_folders() as journal:
            for one in journal.list_subjects() if subject is None else [subject]:
                with contextlib.ExitStack() as stack, contextlib.suppress(DamageError):
                    mark = journal.open_mark(stack, one)
                    if mark is not None and not _is_lock_free(mark):
                        holders[one] = read_holder(mark, one)
        return holders

    def now(self) -> float:
        """Returns Unix time."""
        return time.time()

    @contextlib.contextmanager
    def open_folders(self, *, creates: bool = False) -> t.Iterator[JournalFolders]:
        """Yields the journal, whose folders are created if that is asked for. It is an empty one without them."""
        with self.converted_errors(), contextlib.ExitStack() as stack:
            try:
                state = stack.enter_context(self.open(creates=creates))
            except FileNotFoundError:
                yield JournalFolders(self.path)
                return
            # Whoever creates them makes the journal first: if only the marks were found, both were made in between.
            journal, marks = (_open_folder(stack, state, name, creates=creates) for name in (JOURNAL, MARKS))
            if journal is None and marks:
                journal = _open_folder(stack, state, JOURNAL, creates=False)
            yield JournalFolders(state.path, journal, marks, self._verified)
