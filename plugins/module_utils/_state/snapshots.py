# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced as a whole: new marks of the journal, reports, and what the event source saw last."""

from __future__ import annotations

import contextlib
import os

from .files import FolderDocuments, lock_file, read_from, write_at

SNAPSHOT_TIMEOUT = 5.0
"""Seconds to wait for another process that writes the same snapshot."""


def atomic_replace(folder: int, name: str, data: bytes, mode: int = 0o600, *, draft: str = "") -> None:
    """Replaces the content of a file in ``folder`` atomically, and syncs it. On an error the file is unchanged.

    One process at a time may write a ``draft``: the caller holds a lock, or names a draft of its own.
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


class FolderSnapshots(FolderDocuments):
    """Keeps documents and snapshots in ``state_dir``."""

    def read_snapshot(self, name: str) -> str:
        """Returns what was written last under this name; empty if nothing was."""
        with self.converted_errors(), contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(self.open())
                file = stack.enter_context(folder.open(f"{name}.json", os.O_RDONLY))
            except FileNotFoundError:
                return ""
            # A file of no bytes is damaged, and not one that was never written.
            return read_from(file, 0).decode(errors="replace") or " "

    def write_snapshot(self, name: str, text: str) -> None:
        """Replaces it, as a whole or not at all, and syncs it to the disk."""
        with self.converted_errors(), contextlib.ExitStack() as stack:
            folder = stack.enter_context(self.open(creates=True))
            lock_file(stack.enter_context(folder.open(f"{name}.lock", os.O_RDWR | os.O_CREAT)), SNAPSHOT_TIMEOUT)
            atomic_replace(folder.descriptor, f"{name}.json", text.encode())
