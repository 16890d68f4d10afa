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
import random
import stat
import time
import typing as t
from pathlib import Path

from .._text import MESSAGE_LIMIT, lacks_home, one_line
from .store import Document, StoreError

LOCK_POLL_INTERVAL = 0.002
MAX_LOCK_POLL_INTERVAL = 0.1
"""Seconds between two attempts to take a lock. Locks are held for less, but many processes may wait."""

ROOT_UID = 0
OVERFLOW_UID = 65534
"""An ordinary user. But a user namespace without it shows it as the owner of files of users that it does not map, such
as the host's root."""
UID_MAP = Path("/proc/self/uid_map")


class UntrustedError(OSError):
    """Another user could change or replace the file or folder. ``str(error)`` is a clause without a full stop."""


class NoFolderError(UntrustedError):
    """The path does not say which folder is meant: each current folder would have one of its own."""


def lock_file(file: int, timeout: float, kind: int = fcntl.LOCK_EX) -> None:
    """Locks an open file against other processes until it is closed. Raises TimeoutError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    interval = LOCK_POLL_INTERVAL
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds its lock") from None
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
    try:
        require_not_replaceable(Path(os.path.dirname(path), os.readlink(path)))
    except RecursionError:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    return os.stat(path)


def _is_trusted_owner(status: os.stat_result) -> bool:
    if status.st_uid != OVERFLOW_UID:
        return status.st_uid in (ROOT_UID, os.geteuid())
    try:
        ranges = [[int(number) for number in line.split()] for line in UID_MAP.read_text(encoding="ascii").splitlines()]
    except OSError:
        ranges = [[OVERFLOW_UID, 0, 1]]
    is_user = any(first <= OVERFLOW_UID < first + count for first, _outside, count in ranges)
    return os.geteuid() == OVERFLOW_UID if is_user else True


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


class OpenFolder(t.NamedTuple):
    """An open folder. ``group`` as for ``require_owned``."""

    descriptor: int
    path: Path
    group: int | None = None

    @contextlib.contextmanager
    def open(self, name: str, flags: int) -> t.Iterator[int]:
        """Yields a descriptor of a file or folder in it. Raises OSError.

        Raises UntrustedError for one of another user, a hard link, or anything but a file or folder.
        """
        # Without O_NONBLOCK, opening a pipe waits for its other end.
        file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=self.descriptor)
        try:
            status = os.fstat(file)
            require_owned(status, self.path / name, group=self.group)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise UntrustedError(f"{self.path / name} is not a regular file")
            if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
                raise UntrustedError(f"{self.path / name} has another hard link")
            yield file
        finally:
            os.close(file)


class FolderDocuments:
    """Keeps documents in ``state_dir``. Without ``may_create``, a missing folder is not created.

    In a volume (a folder that root owns and a group may write, as mounted into a container) the files are in a
    subfolder of the user's own.
    """

    def __init__(self, state_dir: str, *, may_create: bool = True) -> None:
        self.state_dir = state_dir
        self.may_create = may_create

    @functools.cached_property
    def path(self) -> Path:
        """The path of the folder. Raises NoFolderError."""
        expanded = os.path.expanduser(self.state_dir)
        if lacks_home(expanded):
            raise NoFolderError(f"state_dir is {one_line(self.state_dir)}, and no home folder can be found for ~")
        if "\0" in expanded or not os.path.isabs(expanded):
            raise NoFolderError(f"state_dir '{one_line(self.state_dir)}' is not an absolute path")
        path = Path(os.path.realpath(expanded))
        is_volume = os.geteuid() != ROOT_UID and _find_volume_group(path) is not None
        return path / f"clawhosters-{os.geteuid()}" if is_volume else path

    @contextlib.contextmanager
    def open(self, *, creates: bool = False) -> t.Iterator[OpenFolder]:
        """Yields the folder, which is created if that is asked for.

        Raises OSError, and UntrustedError if others own it, or may write to it or replace it.
        """
        path = self.path
        if creates and not path.exists():
            self._create()
        # As it is given, for the links on its way, and as it is opened: a missing folder before a `..` ends the former.
        require_not_replaceable(Path(os.path.expanduser(self.state_dir)))
        require_not_replaceable(path)
        group = _find_volume_group(path.parent)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            require_owned(os.fstat(folder), path, group=group)
            if creates and group is not None:
                # Volumes pass setgid on, and some container platforms make their content writable for the group.
                os.fchmod(folder, 0o700)
            yield OpenFolder(folder, path, group)
        finally:
            os.close(folder)

    def _create(self) -> None:
        for path in reversed((self.path, *self.path.parents)):
            if not path.exists():
                try:
                    path.mkdir(mode=0o700 if path == self.path else 0o755, exist_ok=True)
                except FileNotFoundError:
                    # Some file systems, such as /proc, report so. A folder that is only missing is an empty one.
                    raise PermissionError(errno.EPERM, "no folder can be created there") from None

    @contextlib.contextmanager
    def locked_document(self, name: str, *, within: float) -> t.Iterator[Document]:
        """Locks a document, after waiting for ``within`` seconds at most."""
        with self.converted_errors(), contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(self.open(creates=self.may_create))
            except FileNotFoundError:
                yield Document("")
                return
            file = stack.enter_context(folder.open(f"{name}.json", os.O_RDWR | os.O_CREAT))
            lock_file(file, within)
            document = Document(read_from(file, 0).decode(errors="replace"))
            yield document
            if document.new_content is not None:
                data = document.new_content.encode()
                write_at(file, data, 0)
                os.ftruncate(file, len(data))

    @contextlib.contextmanager
    def converted_errors(self) -> t.Iterator[None]:
        """Raises a StoreError for an OSError."""
        try:
            yield
        except OSError as error:
            is_untrusted = isinstance(error, UntrustedError)
            reason = error if is_untrusted else f"{self.path} can't be used ({error.strerror or error})"
            raise StoreError(one_line(reason, MESSAGE_LIMIT), _advise(error)) from None


def _find_volume_group(path: Path) -> int | None:
    """Returns the group that may write to ``path`` if it is a volume: root owns it and a group may write. Else None."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_volume = status.st_uid == ROOT_UID and status.st_mode & stat.S_IWGRP and not status.st_mode & stat.S_IWOTH
    return status.st_gid if is_volume else None


def _advise(error: OSError) -> str:
    """Returns what to do. Another folder is none for a fault of the disk: it forgets what was sent."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free space on its disk, or raise the quota"
    if isinstance(error, TimeoutError):
        return "Run this again"
    if isinstance(error, NoFolderError):
        return "Set state_dir, or CLAWHOSTERS_STATE_DIR, to the absolute path of one folder"
    if isinstance(error, UntrustedError) or error.errno in (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP):
        return "Correct owner and mode, or set state_dir to a folder of your own, which forgets what was sent"
    return "Check that folder and its disk"
