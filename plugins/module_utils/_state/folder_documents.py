# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of one machine: files in ``state_dir``.

All is accessed through open descriptors, whose owner and mode are checked.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import platform
import typing as t
from dataclasses import dataclass

from .._text import MESSAGE_LIMIT, one_line
from .files import LockHeldError, StateFolder, UntrustedError, lock_file
from .store import StoreError

SMALL_FILE = 1_000_000
"""Bytes that are read of a document, far more than it ever has."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP)


class FolderDocuments:
    """Keeps documents in ``state_dir``. Without ``may_create``, a missing folder is not created."""

    min_delay = 0.0
    clock_offset = 0.0

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
