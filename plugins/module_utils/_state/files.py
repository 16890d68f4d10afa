# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens, locks, writes and keeps files that only the current user may change, and the folder with them.

Owner and mode are checked on open descriptors, so that the checked file is the one in use.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import itertools
import os
import platform
import random
import stat
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._text import MESSAGE_LIMIT, lacks_home, one_line
from .store import StoreError

LOCK_POLL_INTERVAL = 0.002
MAX_LOCK_POLL_INTERVAL = 0.1
"""Seconds between two attempts to take a lock. Locks are held for less, but many processes may wait."""

ROOT_UID = 0
OVERFLOW_UID = 65534
"""An ordinary user. But a user namespace shows it, too, as the owner of files of users that it does not map."""
UID_MAP = Path("/proc/self/uid_map")


class UntrustedError(OSError):
    """Another user could change or replace the file or folder. ``str(error)`` is a clause without a full stop."""


class NoFolderError(UntrustedError):
    """The path does not say which folder is meant: each current folder would have one of its own."""


class LockHeldError(TimeoutError):
    """Another process holds the lock."""

    def __init__(self) -> None:
        super().__init__("another process holds its lock")


@contextlib.contextmanager
def open_folder(path: Path) -> t.Iterator[int]:
    """Yields a descriptor of the folder. Raises OSError for a symbolic link."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def open_owned(folder: int, name: str, flags: int, path: Path, *, group: int | None = None) -> int:
    """Opens a file in ``folder``, whose ``path`` is for messages. ``group`` as for ``require_owned``.

    Raises UntrustedError for a file of another user, a hard link, or anything but a file or folder.
    """
    # Without O_NONBLOCK, opening a pipe waits for its other end.
    file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        status = os.fstat(file)
        require_owned(status, path / name, group=group)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise UntrustedError(f"{path / name} is not a regular file")
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise UntrustedError(f"{path / name} has another hard link")
    except OSError:
        os.close(file)
        raise
    return file


def lock_file(file: int, timeout: float) -> None:
    """Locks an open file against other processes until it is closed. Raises LockHeldError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    interval = LOCK_POLL_INTERVAL
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockHeldError from None
            time.sleep(random.uniform(LOCK_POLL_INTERVAL, interval))
            interval = min(interval * 1.5, MAX_LOCK_POLL_INTERVAL)


def require_owned(status: os.stat_result, path: Path, *, group: int | None = None) -> None:
    """Raises UntrustedError unless this user owns it and nobody else may write to it, except a trusted ``group``."""
    if status.st_uid != os.geteuid():
        raise UntrustedError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & (stat.S_IWOTH if status.st_gid == group else stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedError(f"Others can write to {path}")


def require_not_replaceable(path: Path) -> None:
    """Raises UntrustedError if another user could replace ``path``, which is absolute, or a folder above it.

    Trusts root, and any group that may write to a folder above: a user's private group and the group that shares a
    volume look the same.
    """
    # Strings instead of Path objects, which take longer to create than the system calls: this runs at each access.
    *parents, last = itertools.accumulate(path.parts, os.path.join)
    for parent in parents:
        try:
            status = _stat_trusted(parent)
        except FileNotFoundError:
            return
        is_world_writable = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if is_world_writable or not _is_trusted_owner(status):
            raise UntrustedError(f"Others can replace {path}, since they own or can write to {parent}")
    with contextlib.suppress(FileNotFoundError):
        _stat_trusted(last)


def _stat_trusted(path: str) -> os.stat_result:
    """Returns the status of ``path``. Raises UntrustedError for a symbolic link that another user could change.

    Raises FileNotFoundError.
    """
    status = os.lstat(path)
    if not stat.S_ISLNK(status.st_mode):
        return status
    if not _is_trusted_owner(status):
        raise UntrustedError(f"{path} is a symbolic link of another user (uid {status.st_uid})")
    target = os.path.join(os.path.dirname(path), os.readlink(path))
    require_not_replaceable(Path(os.path.abspath(target)))
    return os.stat(path)


def _is_trusted_owner(status: os.stat_result) -> bool:
    if status.st_uid in (ROOT_UID, os.geteuid()):
        return True
    return status.st_uid == OVERFLOW_UID and _stands_for_unmapped_users()


def _stands_for_unmapped_users() -> bool:
    """Returns True in a user namespace without a user OVERFLOW_UID: there it stands for such as the host's root."""
    try:
        ranges = [[int(number) for number in line.split()] for line in UID_MAP.read_text(encoding="ascii").splitlines()]
    except OSError:
        return False
    return not any(first <= OVERFLOW_UID < first + count for first, _outside, count in ranges)


def read_from(file: int, offset: int) -> bytes:
    """Returns the content from ``offset`` to the end of the file."""
    with open(file, "rb", closefd=False) as stream:
        stream.seek(offset)
        return stream.read()


def write_at(file: int, data: bytes, offset: int) -> None:
    """Writes all of the data at ``offset``."""
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def atomic_replace(folder: int, name: str, data: bytes, mode: int = 0o600, *, draft: str = "") -> None:
    """Replaces the content of a file in ``folder`` atomically, and syncs it. On an error the file is unchanged.

    The caller holds a lock: one process at a time may write a ``draft``.
    """
    draft = draft or f".{name}.draft"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)  # left by a crash
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        try:
            os.fchmod(file, mode)
            write_at(file, data, 0)
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
    os.fsync(folder)


@dataclass(frozen=True)
class OpenFolder:
    """A folder that only this user can change, by its descriptor. All methods raise OSError, or UntrustedError."""

    descriptor: int
    path: Path
    _group: int | None

    @contextlib.contextmanager
    def open(self, name: str, flags: int) -> t.Iterator[int]:
        """Yields a descriptor of a file in the folder. Refuses links, pipes, and files that others can write."""
        file = open_owned(self.descriptor, name, flags, self.path, group=self._group)
        try:
            yield file
        finally:
            os.close(file)

    @contextlib.contextmanager
    def open_folder(self, name: str, *, creates: bool) -> t.Iterator[OpenFolder]:
        """Yields a folder in the folder, which is created if that is asked for."""
        if creates:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self.descriptor)
                os.fsync(self.descriptor)
        with self.open(name, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            yield OpenFolder(descriptor, self.path / name, self._group)

    def has(self, name: str) -> bool:
        """Returns True if the folder has an entry of this name."""
        try:
            os.lstat(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return False
        return True

    def list_names(self) -> list[str]:
        """Returns the names of all files in the folder."""
        return os.listdir(self.descriptor)


class StateFolder:
    """Opens ``state_dir``.

    In a volume (a folder that root owns and a group may write, as mounted into a container) the files are in a
    subfolder of the user's own.
    """

    def __init__(self, state_dir: str) -> None:
        expanded = os.path.expanduser(state_dir)
        if lacks_home(expanded):
            raise NoFolderError(f"state_dir is {one_line(state_dir)}, and no home folder can be found for ~")
        if "\0" in expanded or not os.path.isabs(expanded):
            raise NoFolderError(f"state_dir '{one_line(state_dir)}' is not an absolute path")
        self._unresolved = Path(os.path.abspath(expanded))
        path = Path(os.path.realpath(self._unresolved))
        if os.geteuid() != ROOT_UID and _find_volume_group(path) is not None:
            path /= f"clawhosters-{os.geteuid()}"
        self.path = path

    @contextlib.contextmanager
    def open(self, *, creates: bool = False) -> t.Iterator[OpenFolder]:
        """Yields the folder, which is created if that is asked for.

        Raises OSError, and UntrustedError if others own it, or may write to it or replace it.
        """
        if creates and not self.path.exists():
            self._create()
        for path in dict.fromkeys((self._unresolved, self.path)):
            require_not_replaceable(path)
        group = _find_volume_group(self.path.parent)
        with open_folder(self.path) as descriptor:
            require_owned(os.fstat(descriptor), self.path, group=group)
            if creates and group is not None:
                # Volumes pass setgid on, and some container platforms make their content writable for the group.
                os.fchmod(descriptor, 0o700)
            yield OpenFolder(descriptor, self.path, group)

    def _create(self) -> None:
        for path in reversed((self.path, *self.path.parents)):
            if not path.exists():
                try:
                    path.mkdir(mode=0o700 if path == self.path else 0o755, exist_ok=True)
                except FileNotFoundError:
                    # Some file systems, such as /proc, report so. A folder that is only missing is an empty one.
                    raise PermissionError(errno.EPERM, "no folder can be created there") from None


def _find_volume_group(path: Path) -> int | None:
    """Returns the group that may write to ``path`` if it is a volume: root owns it and a group may write. Else None."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_volume = status.st_uid == ROOT_UID and status.st_mode & stat.S_IWGRP and not status.st_mode & stat.S_IWOTH
    return status.st_gid if is_volume else None


SNAPSHOT_TIMEOUT = 5.0
"""Seconds to wait for another process that writes the same snapshot."""
SMALL_FILE = 1_000_000
"""Bytes that are read of a document, far more than it ever has."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP)


class FolderDocuments:
    """Keeps documents and snapshots in ``state_dir``. Without ``may_create``, a missing folder is not created."""

    min_delay = 0.0

    def __init__(self, state_dir: str, *, may_create: bool = True) -> None:
        self.state_dir = state_dir
        self.may_create = may_create

    @functools.cached_property
    def _folder(self) -> StateFolder:
        return StateFolder(self.state_dir)

    @contextlib.contextmanager
    def locked_document(self, name: str, *, within: float) -> t.Iterator[FileDocument]:
        """Locks a document, after waiting for ``within`` seconds at most."""
        with self._converted_errors(), contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(self._folder.open(creates=self.may_create))
            except FileNotFoundError:
                yield FileDocument(None)
                return
            file = stack.enter_context(folder.open(f"{name}.json", os.O_RDWR | os.O_CREAT))
            lock_file(file, within)
            yield FileDocument(file)

    def read_snapshot(self, name: str) -> str:
        """Returns what was written last under this name; empty if nothing was."""
        with self._converted_errors(), contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(self._folder.open())
                file = stack.enter_context(folder.open(f"{name}.json", os.O_RDONLY))
            except FileNotFoundError:
                return ""
            return read_from(file, 0).decode(errors="replace")

    def write_snapshot(self, name: str, text: str) -> None:
        """Replaces it, as a whole or not at all, and syncs it to the disk."""
        with self._converted_errors(), contextlib.ExitStack() as stack:
            folder = stack.enter_context(self._folder.open(creates=True))
            lock = stack.enter_context(folder.open(f"{name}.lock", os.O_RDWR | os.O_CREAT))
            lock_file(lock, SNAPSHOT_TIMEOUT)
            atomic_replace(folder.descriptor, f"{name}.json", text.encode())

    def process_id(self) -> str:
        """Returns the host and the number of this process."""
        return f"{platform.node()}:{os.getpid()}"

    def has_ended(self, process_id: str) -> bool:
        """Returns True for a process of this machine that has ended."""
        node, _colon, number = process_id.rpartition(":")
        return node == platform.node() and number.isdecimal() and len(number) < 10 and not _is_alive(int(number))

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
    """Returns what to do. Another folder is none for a fault of the disk: it forgets what was sent."""
    if error.errno in _FULL:
        return "Free space on its disk, or raise the quota"
    if isinstance(error, LockHeldError):
        return "Run this again"
    if isinstance(error, NoFolderError):
        return "Set state_dir, or CLAWHOSTERS_STATE_DIR, to the absolute path of one folder"
    if isinstance(error, UntrustedError) or error.errno in _NOT_OURS:
        return "Correct owner and mode, or set state_dir to a folder of your own, which forgets what was sent"
    return "Check that folder and its disk"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
