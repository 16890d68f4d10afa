# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal in a folder: for each subject a file of its lines, and a mark.

A line is appended in place and synced, so that it costs the same whatever lies behind it. A crash or a full disk may
leave a part of a line at the end: that append never returned, so nothing was sent for it, and the next one overwrites
it.

The mark, in a folder of its own, says how far the file was written. So a file that was cut, emptied or replaced by an
older copy does not match it. It is written and synced after the line, to two places in turn: a crash between the two or
in the middle of it leaves the file one line ahead of the last valid mark. The mark also has the names of the incidents
or orders of the subject, and of the run that works on it, which locks the mark meanwhile. The file is locked only for a
moment, to read it or to append to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import typing as t
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .._text import one_line
from .files import lock_file
from .folder import OpenFolder
from .store import ConflictError, DamageError, Holder, JournalLine

JOURNAL, MARKS = "journal", "journal-marks"
SUFFIX = ".jsonl"
REPAIR_HINT = (
    f"Restore the folders {JOURNAL} and {MARKS} from one copy, or move the file of this name away from both folders,"
)

MARK_SIZE, HOLDER_AT, NAMES_AT, NAME_SIZE = 256, 512, 2048, 17
"""Bytes in the file of a mark: each of the two places, where holder and names begin, and a name."""
END_SIZE = 128
"""Bytes at the end of the file that the mark covers. They hold the checksum of the last line, and so of all."""
LOCK_TIMEOUT = 10.0
"""Seconds to wait for the lock of a file, which is held for milliseconds."""


@dataclass(frozen=True)
class Mark:
    """How far a file was written: lines, bytes, and a digest of its end."""

    lines: int = 0
    size: int = 0
    end: str = ""

    @classmethod
    def of(cls, content: bytes) -> Mark:
        """Returns the mark of a file with this content."""
        return cls(content.count(b"\n"), len(content), _digest(content[-END_SIZE:])) if content else cls()


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

    def read(self, subject: str) -> list[JournalLine]:
        """Returns the lines of a subject. Raises DamageError, with those that are left."""
        with contextlib.ExitStack() as stack:
            # Another run may create both meanwhile, the mark before the file.
            file = _open_if_there(stack, self._journal, f"{subject}{SUFFIX}")
            mark = _open_if_there(stack, self._marks, subject)
            if file is None and mark is not None and _read_mark(mark).lines:
                file = _open_if_there(stack, self._journal, f"{subject}{SUFFIX}")
                if file is None:
                    raise self._missing_error(subject)
            if file is None:
                return []
            lock_file(file, LOCK_TIMEOUT)
            return self._subject(subject, file, mark).read()

    def append(self, line: JournalLine) -> None:
        """Adds a line durably. Raises ConflictError, DamageError."""
        journal, marks = t.cast("OpenFolder", self._journal), t.cast("OpenFolder", self._marks)
        with self.open_mark(line.subject) as mark:
            is_new = not _read_mark(mark).lines
            if is_new:
                os.fsync(marks.descriptor)
            elif not journal.has(f"{line.subject}{SUFFIX}"):
                raise self._missing_error(line.subject)
            with journal.open(f"{line.subject}{SUFFIX}", os.O_RDWR | os.O_CREAT) as file:
                lock_file(file, LOCK_TIMEOUT)
                self._subject(line.subject, file, mark).append(line)
            if is_new:
                os.fsync(journal.descriptor)

    @contextlib.contextmanager
    def open_mark(self, subject: str) -> t.Iterator[int]:
        """Yields a descriptor of the mark, which is created if missing. Raises DamageError if only its file exists."""
        journal, marks = t.cast("OpenFolder", self._journal), t.cast("OpenFolder", self._marks)
        # The mark is created first. A new one would hide that the old one is missing.
        if journal.has(f"{subject}{SUFFIX}") and not marks.has(subject):
            self.read(subject)
        with marks.open(subject, os.O_RDWR | os.O_CREAT) as mark:
            yield mark

    def find(self, name: str) -> set[str]:
        """Returns the subjects whose mark has the name, and those without a mark."""
        found = set()
        for subject in self.list_subjects():
            with contextlib.ExitStack() as stack:
                mark = _open_if_there(stack, self._marks, subject)
                if mark is None or _format_name(name) in _read(mark, NAMES_AT):
                    found.add(subject)
        return found

    def read_holders(self, subjects: t.Iterable[str]) -> dict[str, Holder]:
        """Returns who has locked the marks of which of these subjects."""
        holders = {}
        for subject in subjects:
            with contextlib.ExitStack() as stack:
                mark = _open_if_there(stack, self._marks, subject)
                if mark is not None and not _is_lock_free(mark):
                    holders[subject] = parse_holder(subject, mark)
        return holders

    def _subject(self, subject: str, file: int, mark: int | None) -> _SubjectFile:
        return _SubjectFile(subject, self._path / f"{subject}{SUFFIX}", file, mark)

    def _missing_error(self, subject: str) -> DamageError:
        path = one_line(self._path / f"{subject}{SUFFIX}")
        return DamageError(f"The journal {path} is missing, but it was written", REPAIR_HINT)


@dataclass(frozen=True)
class _SubjectFile:
    """The locked file of a subject, and its mark."""

    subject: str
    path: Path
    file: int
    mark: int | None

    def read(self) -> list[JournalLine]:
        """Returns the complete lines. Raises DamageError, with them, if they do not match the mark."""
        return self._parse(self._read_content())

    def append(self, line: JournalLine) -> None:
        """Adds a line durably. On an error the lines are unchanged. Raises ConflictError, DamageError."""
        mark = t.cast("int", self.mark)
        marked = _read_mark(mark)
        if marked.lines != line.step - 1 or not self._ends_as(marked):
            content = self._read_content()
            if len(self._parse(content)) != line.step - 1:
                raise ConflictError
            if marked.lines < line.step - 1:
                marked = Mark.of(content)
                _write_mark(mark, marked)
            os.ftruncate(self.file, marked.size)
        _add_name(mark, line.name)
        data = f"{line.text}\n".encode()
        try:
            _write(self.file, data, marked.size)
            os.fsync(self.file)
            end = _read(self.file, max(marked.size + len(data) - END_SIZE, 0))
            _write_mark(mark, Mark(line.step, marked.size + len(data), _digest(end)))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.file, marked.size)
            raise

    def _read_content(self) -> bytes:
        content = _read(self.file, 0)
        return content[: content.rfind(b"\n") + 1]

    def _ends_as(self, marked: Mark) -> bool:
        """Returns True if the file is as long as its mark says, and has that end."""
        if os.fstat(self.file).st_size != marked.size:
            return False
        return not marked.size or _digest(_read(self.file, max(marked.size - END_SIZE, 0))) == marked.end

    def _parse(self, content: bytes) -> list[JournalLine]:
        texts = content.decode(errors="replace").split("\n")[:-1]
        lines = [
            JournalLine(self.subject, number, text, place=f"Line {number} of the journal {one_line(self.path)}")
            for number, text in enumerate(texts, start=1)
        ]
        if damage := self._find_damage(content):
            raise DamageError(f"The journal {one_line(self.path)} {damage}", REPAIR_HINT, lines)
        return lines

    def _find_damage(self, content: bytes) -> str:
        """Returns how the lines contradict the mark; empty if they don't."""
        if self.mark is None:
            return f"has no mark in {MARKS}"
        count, marked = content.count(b"\n"), _read_mark(self.mark)
        if count < marked.lines:
            return f"has {count} lines, but {marked.lines} were written"
        if marked != Mark.of(content[: marked.size]) or count > marked.lines + 1:
            return f"does not match its mark in {MARKS}: it was changed, or one of them is an older copy"
        return ""


def parse_holder(subject: str, mark: int) -> Holder:
    """Returns the holder that the mark names; without a name if it is just being written."""
    try:
        holder = Holder(**json.loads(os.pread(mark, NAMES_AT - HOLDER_AT, HOLDER_AT).rstrip(b"\0")))
    except (ValueError, TypeError, RecursionError):
        return Holder(subject)
    return replace(holder, subject=subject)


def write_holder(mark: int, holder: Holder | None) -> None:
    """Names the holder, or nobody. It is only for display: on a full disk it is missing."""
    data = json.dumps(asdict(holder), ensure_ascii=False).encode(errors="replace") if holder else b""
    size = NAMES_AT - HOLDER_AT
    with contextlib.suppress(OSError):
        os.pwrite(mark, data[:size].ljust(size, b"\0"), HOLDER_AT)


def _read_mark(mark: int) -> Mark:
    """Returns the last valid mark: of nothing in a new file, or in one that holds none."""
    marks = [Mark()]
    for place in (0, MARK_SIZE):
        data, _space, digest = os.pread(mark, MARK_SIZE, place).rstrip(b"\0").rpartition(b" ")
        if digest.decode(errors="replace") == _digest(data):
            marks.append(Mark(**json.loads(data)))
    return max(marks, key=lambda one: one.lines)


def _write_mark(mark: int, marked: Mark) -> None:
    data = json.dumps(asdict(marked))
    place = MARK_SIZE * (marked.lines % 2)
    _write(mark, f"{data} {_digest(data.encode())}".encode().ljust(MARK_SIZE, b"\0"), place)
    os.fsync(mark)


def _add_name(mark: int, name: str) -> None:
    """Adds a name that the mark does not have, before the first line with it."""
    names = _read(mark, NAMES_AT)
    if _format_name(name) not in names:
        _write(mark, _format_name(name), NAMES_AT + len(names) // NAME_SIZE * NAME_SIZE)
        os.fsync(mark)


def _format_name(name: str) -> bytes:
    return f"{name[: NAME_SIZE - 1]}\n".encode()


def _open_if_there(stack: contextlib.ExitStack, folder: OpenFolder | None, name: str) -> int | None:
    try:
        return stack.enter_context(folder.open(name, os.O_RDONLY)) if folder else None
    except FileNotFoundError:
        return None


def _read(file: int, offset: int) -> bytes:
    """Returns the content from ``offset`` to the end of the file."""
    with open(file, "rb", closefd=False) as stream:
        stream.seek(offset)
        return stream.read()


def _write(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _is_lock_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
