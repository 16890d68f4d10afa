# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the change log in a folder, one a month."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from datetime import UTC, datetime, timedelta

from .files import FolderDocuments

if t.TYPE_CHECKING:
    from .files import OpenFolder
    from .store_protocol import ChangeStore, Store

MAX_AGE = timedelta(days=90)
"""Older entries are not read, and may be removed."""

_BLOCK = 1 << 16
"""Bytes. An entry has far less."""
_FILE = re.compile(r"changes-\d{4}-\d{2}\.jsonl")


class FolderChanges(FolderDocuments):
    """Keeps the change log in ``state_dir``, beside the documents."""

    changes_repair_hint = "Move its files, changes-*.jsonl, away"

    def add_changes(self, lines: t.Sequence[str]) -> None:
        """Appends entries to the file of this month. Whoever creates it removes the files that are too old."""
        # An earlier line may be torn; it must not take this one along.
        data = "".join(f"\n{line}\n" for line in lines).encode()
        now = datetime.now(UTC)
        name, flags = _name_file(now), os.O_WRONLY | os.O_APPEND
        with self._converted_errors(), self._folder.open(creates=self.may_create) as folder:
            if not folder.has(name):
                _remove_old(folder, now)
                flags |= os.O_CREAT
            with folder.open(name, flags) as file:
                if os.write(file, data) < len(data):
                    raise OSError("the disk is full")

    def read_changes(self, since: datetime) -> t.Iterator[str]:
        """Yields the entries from the last one back: those since this time, and then earlier ones of that month."""
        with self._converted_errors(), contextlib.suppress(FileNotFoundError), self._folder.open() as folder:
            for name in sorted(_list_files(folder), reverse=True):
                if name >= _name_file(since):
                    with folder.open(name, os.O_RDONLY) as file:
                        yield from _read_back(file)


def open_changes(store: Store) -> ChangeStore:
    """Returns what keeps the change log: a database itself, and else files beside the documents of a folder."""
    if isinstance(store, FolderDocuments):
        return FolderChanges(store.state_dir, may_create=store.may_create)
    return t.cast("ChangeStore", store)


def _remove_old(folder: OpenFolder, now: datetime) -> None:
    for old in _list_files(folder):
        if old < _name_file(now - MAX_AGE):
            # Another process may remove it at the same moment.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(old, dir_fd=folder.descriptor)


def _read_back(file: int) -> t.Iterator[str]:
    """Yields the lines of an open file from the last one back. Reads a block at a time."""
    end, rest = os.fstat(file).st_size, b""
    while end > 0:
        begin = max(end - _BLOCK, 0)
        first, *lines = (os.pread(file, end - begin, begin) + rest).split(b"\n")
        yield from (line.decode(errors="replace") for line in reversed(lines))
        # The end of a line that is longer than any entry is left out: it can't be parsed anyway.
        end, rest = begin, first[:_BLOCK]
    yield rest.decode(errors="replace")


def _name_file(time_in: datetime) -> str:
    return f"changes-{time_in.astimezone(UTC):%Y-%m}.jsonl"


def _list_files(folder: OpenFolder) -> list[str]:
    return [name for name in folder.list_names() if _FILE.fullmatch(name)]
