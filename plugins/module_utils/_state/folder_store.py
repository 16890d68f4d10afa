# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of one machine: files in ``state_dir``.

All is accessed through open descriptors, whose owner and mode are checked.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import platform
import time
import typing as t
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .._text import MESSAGE_LIMIT, one_line
from .change_log import append_to_folder, read_from_folder
from .files import LockHeldError, UntrustedError, allow_open_files, lock_file
from .folder import StateFolder
from .folder_journal import REPAIR_HINT, FolderJournal
from .store import Holder, JournalLine, StoreError, SubjectLines, describe_process

EARLIER_JOURNALS = ("journal.jsonl", "journal-2.jsonl")
"""The journals of versions that were never published."""
SMALL_FILE = 1_000_000
"""Bytes that are read of a document, far more than it ever has."""
PROBE_TIMEOUT = 0.05
"""Seconds to wait for a lock that a reader tests for a moment."""

OTHER_FILES = 200
"""Files that a process has open beside those of the subjects that it holds: connections, and what Ansible opens."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP)


class FolderStore:
    """Keeps documents and the journal in ``state_dir``. Without ``may_create``, a missing folder is not created."""

    repair_hint = REPAIR_HINT
    min_delay = 0.0
    clock_offset = 0.0

    def __init__(self, state_dir: str, *, may_create: bool = True) -> None:
        self._state_dir = state_dir
        self._may_create = may_create
        self._held = 0
        """Subjects that are held now, each by an open file."""

    @functools.cached_property
    def _folder(self) -> StateFolder:
        return StateFolder(self._state_dir)

    @property
    def path(self) -> Path:
        """The folder. Raises UntrustedError if the option is not a path."""
        return self._folder.path

    @property
    def place(self) -> str:
        """The path of the folder. Raises UntrustedError if the option is not a path."""
        return str(self.path)

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

    @contextlib.contextmanager
    def locked_document(self, name: str, *, within: float) -> t.Iterator[FileDocument]:
        """Locks a document, after waiting for ``within`` seconds at most."""
        with self._converted_errors(), contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(self._folder.open(creates=self._may_create))
            except FileNotFoundError:
                yield FileDocument(None)
                return
            file = stack.enter_context(folder.open(f"{name}.json", os.O_RDWR | os.O_CREAT))
            lock_file(file, within)
            yield FileDocument(file)

    def read_subjects(self, subjects: t.Collection[str] | None = None) -> list[SubjectLines]:
        """Returns what it holds of these subjects, or of all."""
        with self._open_journal() as journal:
            found = map(journal.read, journal.list_subjects() if subjects is None else sorted(subjects))
            return [one for one in found if one.lines or one.damage]

    def find_subjects(self, name: str) -> set[str]:
        """Returns the subjects that have a line with this ``name``, and those whose names can't be read."""
        with self._open_journal() as journal:
            return journal.find(name)

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
        self._held += 1
        stack.callback(self._release)
        allow_open_files(self._held + OTHER_FILES)
        with self._open_journal(creates=True) as journal:
            mark = stack.enter_context(journal.open_mark(subject))
            try:
                lock_file(mark.descriptor, PROBE_TIMEOUT)
            except LockHeldError:
                return mark.read_holder()
            stack.callback(mark.write_holder, None)
            mark.write_holder(describe_process(subject, name))
        return None

    def _release(self) -> None:
        self._held -= 1

    def holders(self, subject: str | None = None) -> dict[str, Holder]:
        """Returns who holds which subject now, or this one."""
        with self._open_journal() as journal:
            return journal.read_holders(journal.list_subjects() if subject is None else [subject])

    def add_changes(self, lines: t.Sequence[str]) -> None:
        """Appends entries to the change log."""
        with self._converted_errors(), self._folder.open(creates=self._may_create) as folder:
            append_to_folder(folder, lines)

    def read_changes(self, since: datetime) -> t.Iterator[str]:
        """Yields the entries of the change log since this time, then earlier ones of that month, newest first."""
        with self._converted_errors(), contextlib.suppress(FileNotFoundError), self._folder.open() as folder:
            yield from read_from_folder(folder, since)

    def now(self) -> float:
        """Returns Unix time."""
        return time.time()

    def process_id(self) -> str:
        """Returns the host and the number of this process."""
        return f"{platform.node()}:{os.getpid()}"

    def has_ended(self, process_id: str) -> bool:
        """Returns True for a process of this machine that has ended."""
        node, _colon, number = process_id.rpartition(":")
        return node == platform.node() and number.isdecimal() and len(number) < 10 and not _is_alive(int(number))

    def close(self) -> None:
        """Does nothing: no file stays open."""

    @contextlib.contextmanager
    def _open_journal(self, *, creates: bool = False) -> t.Iterator[FolderJournal]:
        """Yields the journal, an empty one without a folder. Raises StoreError beside one of an earlier version."""
        with self._converted_errors(), contextlib.ExitStack() as stack:
            try:
                state = stack.enter_context(self._folder.open(creates=creates))
            except FileNotFoundError:
                yield FolderJournal(self._folder.path)
                return
            for name in filter(state.has, EARLIER_JOURNALS):
                raise StoreError(
                    f"{one_line(state.path / name)} is a journal of a version that was never published, and may know "
                    "of restores and purchases",
                    "Finish them and look up what was sent with that version, then move the file away",
                )
            yield stack.enter_context(FolderJournal.open(state, creates=creates))

    @contextlib.contextmanager
    def _converted_errors(self) -> t.Iterator[None]:
        """Raises a StoreError for an OSError."""
        try:
            yield
        except UntrustedError as error:
            raise StoreError(one_line(error, MESSAGE_LIMIT), _advise(error)) from None
        except OSError as error:
            reason = f"{one_line(self._folder.path)} can't be used ({error.strerror or error})"
            raise StoreError(reason, _advise(error)) from None


@dataclass(frozen=True)
class FileDocument:
    """A locked file; None for a document that is not kept."""

    _file: int | None
    clock_offset = 0.0

    def read(self) -> str:
        """Returns the content, empty at first."""
        return "" if self._file is None else os.pread(self._file, SMALL_FILE, 0).decode(errors="replace")

    def write(self, text: str) -> None:
        """Replaces the content."""
        if self._file is not None:
            data = text.encode()
            os.pwrite(self._file, data, 0)
            os.ftruncate(self._file, len(data))


def _advise(error: OSError) -> str:
    """Returns what to do. Another folder is none for a fault of the disk: it would forget what was sent."""
    if error.errno in _FULL:
        return "Free space on its disk, or raise the quota"
    if isinstance(error, LockHeldError):
        return "Run this again"
    if isinstance(error, UntrustedError) or error.errno in _NOT_OURS:
        return "Set state_dir to a folder of your own"
    return "Check that folder and its disk"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
