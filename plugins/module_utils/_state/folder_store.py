# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of one machine: files in ``state_dir``. Adds the journal to the documents."""

from __future__ import annotations

import contextlib
import time
import typing as t

from .file_content import allow_open_files
from .files import PROBE_TIMEOUT, LockHeldError, UntrustedError, lock_file
from .folder_documents import FolderDocuments
from .folder_journal import REPAIR_HINT, FolderJournal
from .journal_store import describe_process

if t.TYPE_CHECKING:
    from .journal_store import Holder, JournalLine, SubjectLines

OTHER_FILES = 200
"""Files that a process has open beside those of the subjects that it holds: connections, and what Ansible opens."""


class FolderStore(FolderDocuments):
    """Keeps documents and the journal in ``state_dir``."""

    repair_hint = REPAIR_HINT

    def __init__(self, state_dir: str, *, may_create: bool = True) -> None:
        super().__init__(state_dir, may_create=may_create)
        self._held = 0
        """Subjects that are held now, each by an open file."""

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
        """Returns the subjects that have a line with this ``name``, and those whose names can't be read."""
        with self._open_journal() as journal:
            return journal.find(name)

    def read_sizes(self) -> dict[str, int]:
        """Returns the bytes that the lines of each subject have now."""
        with self._open_journal() as journal:
            return journal.read_sizes()

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
