# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of one machine: files in ``state_dir``.

The journal is a file of JSON lines. Its first line, the header, has the number of the others. Each append writes a new
file, under a lock, and renames it over the old one. So a crash or a full disk never leaves half a line, and a file that
was cut, emptied, overwritten or extended does not match its header.

All is accessed through open descriptors, whose owner and mode are checked.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import platform
import time
import typing as t
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .._text import MESSAGE_LIMIT, one_line
from .files import LockHeldError, UntrustedError, allow_open_files, lock_file
from .folder import StateFolder
from .journal import START, LineParser, add_checksums
from .store import ConflictError, DamageError, Holder, StoredLine, StoreError, describe_process

JOURNAL = "journal-2.jsonl"
JOURNAL_LOCK = "journal.lock"
LOCK_SUFFIX = ".lock"
OLD_JOURNAL = "journal.jsonl"
"""The journal of earlier versions, without header, steps and checksums. It is taken over by the first append."""
FORMAT = 2
SMALL_FILE = 1_000_000
"""Bytes that are read of documents and locks, far more than they ever have."""
PROBE_TIMEOUT = 0.05
"""Seconds to wait for a lock that a reader tests for a moment."""

OTHER_FILES = 200
"""Files that a process has open beside those of the operations that it holds: connections, and what Ansible opens."""

ADVICE = "Set state_dir to a folder of your own"


class FolderStore:
    """Keeps documents and the journal in ``state_dir``. Without ``may_create``, a missing folder is not created."""

    repair_hint = "Restore the file from a copy, or move it away"
    min_delay = 0.0

    def __init__(self, state_dir: str, *, may_create: bool = True) -> None:
        self._state_dir = state_dir
        self._may_create = may_create
        self._held = 0
        """Operations that are held now, each by an open file."""
        self._is_created = False
        self._parser = LineParser()

    @functools.cached_property
    def _folder(self) -> StateFolder:
        return StateFolder(self._state_dir)

    @property
    def path(self) -> Path:
        """The folder. Raises UntrustedError if the option is not a path."""
        return self._folder.path

    def is_own(self) -> bool:
        """Returns True if the folder exists, and only this user can have written to it. Raises StoreError."""
        with self._converted_errors():
            try:
                self._folder.list_names()
            except (UntrustedError, FileNotFoundError, NotADirectoryError, PermissionError):
                return False
        return True

    def has_document(self, name: str) -> bool:
        """Returns True if somebody has locked this document before. Creates nothing."""
        return self._read(f"{name}.json") is not None

    @contextlib.contextmanager
    def locked_document(self, name: str, *, within: float) -> t.Iterator[FileDocument]:
        """Locks a document, after waiting for ``within`` seconds at most."""
        with self._converted_errors(), contextlib.ExitStack() as stack:
            if not self._is_created and not self._create():
                yield FileDocument(None)
                return
            try:
                file = stack.enter_context(self._folder.locked(f"{name}.json", timeout=within))
            except FileNotFoundError:
                # Somebody has deleted the folder since.
                if not self._create():
                    yield FileDocument(None)
                    return
                file = stack.enter_context(self._folder.locked(f"{name}.json", timeout=within))
            yield FileDocument(file)

    def lines(self) -> list[StoredLine]:
        """Returns all lines of the journal, oldest first. Raises DamageError."""
        content = self._read(JOURNAL)
        if content is not None:
            return self._parse(content)
        old = self._read(OLD_JOURNAL)
        return [] if old is None else self._take_over(old)

    def append(self, operation: str, step: int, text: str, *, earlier: t.Sequence[str] | None = None) -> None:
        """Adds a line, and syncs it to the disk."""
        with self._converted_errors():
            self._folder.create()
            with self._folder.locked(JOURNAL_LOCK):
                lines = self.lines()
                if step <= self._parser.parse(lines, self.repair_hint)[1].get(operation, START).step:
                    raise ConflictError
                texts = [line.text for line in lines]
                header = json.dumps({"format": FORMAT, "lines": len(texts) + 1})
                self._folder.replace(JOURNAL, "".join(f"{line}\n" for line in (header, *texts, text)).encode())

    @contextlib.contextmanager
    def hold(self, operation: str) -> t.Iterator[Holder | None]:
        """Locks the file of the operation. The lock ends with the process."""
        with contextlib.ExitStack() as stack:
            self._held += 1
            stack.callback(self._release)
            allow_open_files(self._held + OTHER_FILES)
            with self._converted_errors():
                self._folder.create()
                file = stack.enter_context(self._folder.open(_lock_name(operation), os.O_RDWR | os.O_CREAT))
                try:
                    lock_file(file, PROBE_TIMEOUT)
                except LockHeldError:
                    holder: Holder | None = _parse_holder(operation, file)
                else:
                    holder = None
                    stack.callback(_write_holder, file, b"")
                    _write_holder(file, json.dumps(asdict(describe_process(operation))).encode())
            yield holder

    def _release(self) -> None:
        self._held -= 1

    def holders(self, operation: str | None = None) -> dict[str, Holder]:
        """Returns who holds which operation now, or this one."""
        holders: dict[str, Holder] = {}
        with self._converted_errors(), contextlib.suppress(FileNotFoundError):
            names = [_lock_name(operation)] if operation else self._folder.list_names()
            for name in names:
                if name.endswith(LOCK_SUFFIX) and name != JOURNAL_LOCK:
                    with self._folder.open(name, os.O_RDONLY) as file:
                        if not _is_lock_free(file):
                            holder = _parse_holder(operation or "", file)
                            holders[holder.operation] = holder
        return holders

    def put_run(self, _incident: str, _run: str, _content: str) -> list[str]:
        """Returns nothing: on one machine the record is a file."""
        return []

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

    def _create(self) -> bool:
        """Creates the folder if that is allowed. Returns False if there is none."""
        if self._may_create:
            self._folder.create()
        self._is_created = self._folder.path.exists()
        return self._is_created

    def _read(self, name: str) -> bytes | None:
        """Returns the content of a file; None if it is missing."""
        with self._converted_errors():
            try:
                with self._folder.open(name, os.O_RDONLY) as file, open(file, "rb", closefd=False) as stream:
                    return stream.read()
            except FileNotFoundError:
                return None

    def _parse(self, content: bytes) -> list[StoredLine]:
        """Returns the lines after the header. Raises DamageError if the file does not match it."""
        path = one_line(self._folder.path / JOURNAL)
        if not content:
            raise self._empty_error(path)
        header, *texts = content.removesuffix(b"\n").decode(errors="replace").split("\n")
        lines = [StoredLine(f"Line {number} of the journal {path}", text) for number, text in enumerate(texts, start=2)]
        try:
            count = _parse_header(header)
        except (ValueError, KeyError, TypeError, RecursionError):
            left = [StoredLine(f"Line 1 of the journal {path}", header), *lines]
            raise DamageError(f"The journal {path} does not begin with its header", self.repair_hint, left) from None
        if len(lines) != count:
            raise self._length_error(path, lines, count)
        return lines

    def _take_over(self, content: bytes) -> list[StoredLine]:
        """Returns the lines of a journal of an earlier version, with steps and checksums."""
        path = one_line(self._folder.path / OLD_JOURNAL)
        if not content:
            raise self._empty_error(path)
        texts = content.removesuffix(b"\n").decode(errors="replace").split("\n")
        old = [StoredLine(f"Line {number} of the journal {path}", text) for number, text in enumerate(texts, start=1)]
        count = _parse_count(self._read(JOURNAL_LOCK) or b"")
        if len(old) < count:
            raise self._length_error(path, old, count)
        return add_checksums(old, self.repair_hint)

    def _empty_error(self, path: str) -> DamageError:
        # A journal is created with its first line.
        return DamageError(f"The journal {path} is empty", self.repair_hint)

    def _length_error(self, path: str, lines: list[StoredLine], count: int) -> DamageError:
        reason = f"The journal {path} has {len(lines)} entries, but {count} were written"
        return DamageError(reason, self.repair_hint, lines)

    @contextlib.contextmanager
    def _converted_errors(self) -> t.Iterator[None]:
        """Raises a StoreError for an OSError."""
        try:
            yield
        except UntrustedError as error:
            raise StoreError(one_line(error, MESSAGE_LIMIT), ADVICE) from None
        except OSError as error:
            reason = f"{one_line(self._folder.path)} can't be used ({error.strerror or error})"
            raise StoreError(reason, ADVICE) from None


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


def _lock_name(operation: str) -> str:
    return f"{operation[:24]}{LOCK_SUFFIX}"


def _is_lock_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _parse_holder(operation: str, file: int) -> Holder:
    """Returns the holder that the lock file names; without a name if it is just being written."""
    try:
        holder = Holder(**json.loads(os.pread(file, SMALL_FILE, 0)))
    except (ValueError, TypeError, RecursionError):
        return Holder(operation)
    return replace(holder, operation=operation or holder.operation)


def _write_holder(file: int, data: bytes) -> None:
    """Names the holder, or clears the name. It is only for display: on a full disk it is missing."""
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, data, 0)


def _parse_header(text: str) -> int:
    """Returns the number of lines that the header promises. Raises ValueError, KeyError or TypeError."""
    header = json.loads(text)
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']}")
    return int(header["lines"])


def _parse_count(data: bytes) -> int:
    """Returns the number of lines of an old journal, which its lock file holds; 0 if it holds none."""
    try:
        return int(data.partition(b"\n")[0])
    except ValueError:
        return 0


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
