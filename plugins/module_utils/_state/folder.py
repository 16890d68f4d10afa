# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder ``state_dir``, in which runs share the rate budget and the journal (interface 1): its owner's alone.

Owner and mode are read from open descriptors, so that what was checked is what is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import stat
import time
import typing as t
from pathlib import Path

from .._errors import SettingsError

LOCK_PAUSE = 0.002
LONGEST_LOCK_PAUSE = 0.1
"""Seconds between two looks at a lock that another process holds; it is held for far less, but many may wait."""

ROOT = 0
NOBODY = 65534
"""The owner that a user namespace shows for files of users it doesn't know, such as the host's root."""


class UntrustedError(OSError):
    """Another user could change or replace the file or folder. ``str(error)`` is a clause without a full stop."""


class StateFolder:
    """Opens files that belong to this user alone. Raises OSError for what can't be done, UntrustedError included.

    In a volume (a folder that root owns and a group may write, as a container gets it mounted) the files are in a
    folder of the user's own inside it.
    """

    def __init__(self, state_dir: str) -> None:
        if not state_dir or "\0" in state_dir:
            raise SettingsError("state_dir is empty or no path: name a folder of your own.")
        self._given = Path(os.path.abspath(os.path.expanduser(state_dir)))
        path = Path(os.path.realpath(self._given))
        if os.geteuid() != ROOT and _volume_group(path) is not None:
            path /= f"clawhosters-{os.geteuid()}"
        self.path = path

    def make(self) -> None:
        """Creates the folder where it is missing. Raises UntrustedError where it is not the user's alone."""
        for place in reversed((self.path, *self.path.parents)):
            if not place.exists():
                place.mkdir(mode=0o700 if place == self.path else 0o755, exist_ok=True)
        with self._opened_folder() as folder:
            if _volume_group(self.path.parent) is not None:
                # Volumes hand down setgid, and some container platforms open all that is in them to the group.
                os.fchmod(folder, 0o700)

    @contextlib.contextmanager
    def opened(self, name: str, flags: int) -> t.Iterator[int]:
        """A descriptor of a file in the folder. Never a link, a pipe, or a file that another user could write."""
        with self._opened_folder() as folder:
            file = open_own(folder, name, flags, self.path, group=_volume_group(self.path.parent))
        try:
            yield file
        finally:
            os.close(file)

    @contextlib.contextmanager
    def locked(self, name: str, *, timeout: float | None = None) -> t.Iterator[int]:
        """The same, made if need be, and held by nobody else meanwhile; the system frees it when a process dies.

        Raises TimeoutError when it is held for more than ``timeout`` seconds.
        """
        with self.opened(name, os.O_RDWR | os.O_CREAT) as file:
            if timeout is None:
                fcntl.flock(file, fcntl.LOCK_EX)
            else:
                lock_within(file, timeout)
            yield file

    def replace(self, name: str, data: bytes) -> None:
        """Replaces the content of a file atomically, and syncs it to the disk."""
        with self._opened_folder() as folder:
            replace_file(folder, name, data)

    @contextlib.contextmanager
    def _opened_folder(self) -> t.Iterator[int]:
        require_not_replaceable(self._given)
        require_not_replaceable(self.path)
        with opened_folder(self.path) as folder:
            require_own(os.fstat(folder), self.path, group=_volume_group(self.path.parent))
            yield folder


@contextlib.contextmanager
def opened_folder(path: Path) -> t.Iterator[int]:
    """Yields a descriptor of the folder. Raises OSError for a symbolic link."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def open_own(folder: int, name: str, flags: int, path: Path, *, group: int | None = None) -> int:
    """Opens a file in ``folder``, whose ``path`` is for messages. ``group`` as for require_own."""
    # O_NONBLOCK: to open a pipe would wait for somebody at its other end.
    file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        status = os.fstat(file)
        require_own(status, path / name, group=group)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise UntrustedError(f"{path / name} is no file")
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise UntrustedError(f"{path / name} has another name elsewhere (a hard link)")
    except OSError:
        os.close(file)
        raise
    return file


def replace_file(folder: int, name: str, data: bytes) -> None:
    """Replaces the content of a file in ``folder`` atomically, and syncs it. On an error the file is unchanged.

    The caller must hold a lock, so that one process at a time does this to a file.
    """
    draft = f".{name}.draft"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)  # A crash left it behind.
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        try:
            while data:
                written = os.write(file, data)
                data = data[written:]
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
    os.fsync(folder)


def require_own(status: os.stat_result, path: Path, *, group: int | None = None) -> None:
    """Raises UntrustedError unless this user owns it and nobody else may write to it, but for a trusted ``group``."""
    if status.st_uid != os.geteuid():
        raise UntrustedError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & (stat.S_IWOTH if status.st_gid == group else stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedError(f"Others can write to {path}")


def require_not_replaceable(path: Path) -> None:
    """Raises UntrustedError if another user could put something else in the place of ``path``.

    Root is trusted, and so is a group that may write to a folder above: it is often the user's private one, or the one
    that a volume is shared with, which can't be told apart.
    """
    for above in reversed(path.parents):
        try:
            _require_own_link(above)
            status = above.stat()
        except FileNotFoundError:
            return
        is_open_to_all = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if is_open_to_all or status.st_uid not in (ROOT, NOBODY, os.geteuid()):
            raise UntrustedError(f"Others can replace {path}, since they own or may write {above}")
    with contextlib.suppress(FileNotFoundError):
        _require_own_link(path)


def _require_own_link(path: Path) -> None:
    """Raises UntrustedError for a link of another user, who could let it lead elsewhere. Raises FileNotFoundError."""
    status = path.lstat()
    if not stat.S_ISLNK(status.st_mode):
        return
    if status.st_uid not in (ROOT, NOBODY, os.geteuid()):
        raise UntrustedError(f"{path} is a link of another user (uid {status.st_uid})")
    require_not_replaceable(Path(os.path.abspath(path.parent / os.readlink(path))))


def _volume_group(path: Path) -> int | None:
    """Returns the group that may write to ``path`` if it is a volume: root owns it and a group may write. Else None."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_volume = status.st_uid == ROOT and status.st_mode & stat.S_IWGRP and not status.st_mode & stat.S_IWOTH
    return status.st_gid if is_volume else None


def lock_within(file: int, seconds: float) -> None:
    """Locks an open file against other processes. Raises TimeoutError when it is held for more than ``seconds``."""
    end = time.monotonic() + seconds
    pause = LOCK_PAUSE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError("another process holds its lock") from None
            time.sleep(random.uniform(LOCK_PAUSE, pause))
            pause = min(pause * 1.5, LONGEST_LOCK_PAUSE)
