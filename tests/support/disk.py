# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that fails: calls that write or sync below a folder end with an error, and may have written a part."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

CALLS = ("write", "pwrite", "fsync", "rename", "ftruncate")


class FailingDisk:
    """Fails one call of this process below ``folder``, or from there on all. Counts the calls."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path, code: int, *, at: int, stays_broken: bool) -> None:
        self.calls = 0
        self._folder = str(folder)
        self._code = code
        self._at = at
        self._stays_broken = stays_broken
        for name in CALLS:
            # Nothing depends on the sync itself, which takes long.
            patch.setattr(os, name, self._wrap(getattr(os, name) if name != "fsync" else lambda _file: None, name))

    @property
    def has_failed(self) -> bool:
        return self.calls > self._at

    def _wrap(self, function: t.Callable[..., t.Any], name: str) -> t.Callable[..., t.Any]:
        def call(first: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
            file = options.get("src_dir_fd", first)
            if not isinstance(file, int) or not os.readlink(f"/proc/self/fd/{file}").startswith(self._folder):
                return function(first, *args, **options)
            self.calls += 1
            if self.calls == self._at + 1 or (self._stays_broken and self.has_failed):
                if name.endswith("write"):
                    # A part may be written before the disk is full. A sync may fail after all was.
                    function(first, args[0][: len(args[0]) // 2], *args[1:], **options)
                raise OSError(self._code, os.strerror(self._code))
            return function(first, *args, **options)

        return call


class Crash(BaseException):
    """Ends a process of a test."""


class LosingDisk:
    """Ends this process before its call number ``at``, as a power cut does: what was not synced may be lost.

    Knows what is synced of each file, and of the names in each folder, by their paths: the system gives the number of
    an inode again. All calls before this one count, too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._synced: dict[Path, bytes] = {}
        self._names: dict[Path, set[str]] = {}

    def install(self, patch: pytest.MonkeyPatch, at: int | None) -> None:
        """Counts the calls from now on."""
        self._left = at
        own = {"fsync": self._sync, "rename": self._rename}
        for name in CALLS:
            patch.setattr(os, name, self._wrap(own.get(name, getattr(os, name))))

    def _wrap(self, function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*args: t.Any, **options: t.Any) -> t.Any:
            if self._left is not None:
                if not self._left:
                    raise Crash
                self._left -= 1
            return function(*args, **options)

        return call

    def _sync(self, file: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{file}"))
        if path.is_dir():
            self._names[path] = set(os.listdir(path))
        else:
            self._synced[path] = path.read_bytes()

    def _rename(self, draft: str, name: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        os.replace(draft, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        folder = Path(os.readlink(f"/proc/self/fd/{dst_dir_fd}"))
        self._synced[folder / name] = self._synced.pop(folder / draft, b"")

    def lose(self, is_lost: t.Callable[[], bool]) -> None:
        """Takes back what was not synced, of each file and each name where ``is_lost`` says so."""
        for folder in sorted(path for path in self._folder.glob("*") if path.is_dir()):
            names = self._names.get(folder, set())
            for path in sorted(folder.iterdir()):
                if path.name not in names and is_lost():
                    path.unlink()
                    self._synced.pop(path, None)
                elif is_lost():
                    path.write_bytes(self._synced.get(path, b""))
                else:
                    # It was written after all.
                    self._synced[path] = path.read_bytes()
            self._names[folder] = set(os.listdir(folder))
