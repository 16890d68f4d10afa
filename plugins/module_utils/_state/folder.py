# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder ``state_dir``: processes of one user share the rate budget and the journal in it (interface 1b)."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t
from pathlib import Path

from .files import (
    ROOT_UID,
    UntrustedError,
    atomic_replace,
    lock_file,
    open_folder,
    open_owned,
    require_not_replaceable,
    require_owned,
)


class StateFolder:
    """Opens files in ``state_dir`` that only this user can change. All methods raise OSError, or UntrustedError.

    In a volume (a folder that root owns and a group may write, as mounted into a container) the files are in a
    subfolder of the user's own.
    """

    def __init__(self, state_dir: str) -> None:
        if not state_dir or "\0" in state_dir:
            raise UntrustedError("state_dir is empty or not a path")
        self._unresolved = Path(os.path.abspath(os.path.expanduser(state_dir)))
        path = Path(os.path.realpath(self._unresolved))
        if os.geteuid() != ROOT_UID and _find_volume_group(path) is not None:
            path /= f"clawhosters-{os.geteuid()}"
        self.path = path

    def create(self) -> None:
        """Creates the folder if it is missing. Raises UntrustedError if others own it or may write to it."""
        for path in reversed((self.path, *self.path.parents)):
            if not path.exists():
                path.mkdir(mode=0o700 if path == self.path else 0o755, exist_ok=True)
        with self._open_folder() as folder:
            if self._group is not None:
                # Volumes pass setgid on, and some container platforms make their content writable for the group.
                os.fchmod(folder, 0o700)

    @contextlib.contextmanager
    def open(self, name: str, flags: int) -> t.Iterator[int]:
        """Yields a descriptor of a file in the folder. Refuses links, pipes, and files that others can write."""
        with self._open_folder() as folder:
            file = open_owned(folder, name, flags, self.path, group=self._group)
        try:
            yield file
        finally:
            os.close(file)

    @contextlib.contextmanager
    def locked(self, name: str, *, timeout: float | None = None) -> t.Iterator[int]:
        """Yields a descriptor of a locked file, which is created if missing. A lock ends with its process.

        Raises LockHeldError after ``timeout`` seconds.
        """
        with self.open(name, os.O_RDWR | os.O_CREAT) as file:
            lock_file(file, timeout)
            yield file

    def replace(self, name: str, data: bytes) -> None:
        """Replaces the content of a file atomically, and syncs it to the disk."""
        with self._open_folder() as folder:
            atomic_replace(folder, name, data)

    def list_names(self) -> list[str]:
        """Returns the names of all files in the folder."""
        with self._open_folder() as folder:
            return os.listdir(folder)

    @property
    def _group(self) -> int | None:
        return _find_volume_group(self.path.parent)

    @contextlib.contextmanager
    def _open_folder(self) -> t.Iterator[int]:
        for path in dict.fromkeys((self._unresolved, self.path)):
            require_not_replaceable(path)
        with open_folder(self.path) as folder:
            require_owned(os.fstat(folder), self.path, group=self._group)
            yield folder


def _find_volume_group(path: Path) -> int | None:
    """Returns the group that may write to ``path`` if it is a volume: root owns it and a group may write. Else None."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_volume = status.st_uid == ROOT_UID and status.st_mode & stat.S_IWGRP and not status.st_mode & stat.S_IWOTH
    return status.st_gid if is_volume else None
