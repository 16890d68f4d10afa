# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens and locks files that only the current user may change.

Owner and mode are checked on open descriptors, so that the checked file is the one in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import random
import stat
import time
import typing as t
from pathlib import Path

LOCK_POLL_INTERVAL = 0.002
MAX_LOCK_POLL_INTERVAL = 0.1
"""Seconds between two attempts to take a lock. Locks are held for less, but many processes may wait."""

PROBE_TIMEOUT = 0.05
"""Seconds to wait for a lock that a reader tests for a moment."""

ROOT_UID = 0
OVERFLOW_UID = 65534
"""An ordinary user. But a user namespace shows it, too, as the owner of files of users that it does not map."""
UID_MAP = Path("/proc/self/uid_map")


class UntrustedError(OSError):
    """Another user could change or replace the file or folder. ``str(error)`` is a clause without a full stop."""


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


def lock_file(file: int, timeout: float | None = None) -> None:
    """Locks an open file against other processes until it is closed. Without ``timeout`` (seconds) it waits forever.

    Raises LockHeldError after ``timeout``.
    """
    if timeout is None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
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
