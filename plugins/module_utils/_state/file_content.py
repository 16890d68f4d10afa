# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads, writes and replaces the content of open files, and permits as many as are needed."""

from __future__ import annotations

import contextlib
import os
import resource


def allow_open_files(number: int) -> None:
    """Raises the limit of this process, as far as the system permits, to ``number`` files at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if resource.RLIM_INFINITY != soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
