# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder ``state_dir``, in which runs share the rate budget and the journal (interface 1): its owner's alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import stat
import time
import typing as t
from pathlib import Path

from .errors import SettingsError

LOCK_PAUSE = 0.002
LONGEST_LOCK_PAUSE = 0.1
"""Seconds between two looks at a lock that another process holds; it is held for far less, but many may wait."""


class OthersCanWrite(OSError):
    """Somebody else could change what the folder says."""


class StateFolder:
    """Opens files for their owner alone. What can't be done raises OSError."""

    def __init__(self, state_dir: str) -> None:
        if not state_dir:
            raise SettingsError("state_dir is empty: name a folder of your own.")
        self.path = Path(os.path.expanduser(state_dir)).resolve()

    def make(self) -> None:
        """Sees to it that the folder is there, and safe. Raises OthersCanWrite."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OthersCanWrite(f"Others can write to {self.path}")

    @contextlib.contextmanager
    def opened(self, name: str, flags: int) -> t.Iterator[int]:
        """A file of the folder, which is never a link: somebody else could have planted it."""
        file = os.open(self.path / name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield file
        finally:
            os.close(file)

    @contextlib.contextmanager
    def locked(self, name: str, *, within: float | None = None) -> t.Iterator[int]:
        """The same, made if need be, and held by nobody else meanwhile; the system frees it when a process dies.

        Raises TimeoutError when it is held for more than ``within`` seconds.
        """
        with self.opened(name, os.O_RDWR | os.O_CREAT) as file:
            if within is None:
                fcntl.flock(file, fcntl.LOCK_EX)
            else:
                _lock_within(file, within)
            yield file


def _lock_within(file: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    pause = LOCK_PAUSE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError from None
            time.sleep(random.uniform(LOCK_PAUSE, pause))
            pause = min(pause * 1.5, LONGEST_LOCK_PAUSE)
