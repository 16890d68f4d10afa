# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder ``state_dir``: processes of one user share the rate budget and the journal in it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .files import ROOT_UID, UntrustedError, open_folder, open_owned, require_not_replaceable, require_owned


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

    def list_sizes(self) -> dict[str, int]:
        """Returns the sizes of all files in the folder by their names."""
        with os.scandir(self.descriptor) as entries:
            return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}

    def list_names(self) -> list[str]:
        """Returns the names of all files in the folder."""
        return os.listdir(self.descriptor)


class StateFolder:
    """Opens ``state_dir``.

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
