# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change log: starts, stops, restarts, deletions and updates of add-ons, each recorded after it was sent.

It is for people only: nothing is decided by it, so an entry that can't be written is a warning, and one that is lost is
merely missing. In a folder it is a file a month, to which each entry is appended without a lock and without a sync; in
a database it is a table.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
import typing as t
from collections import deque
from datetime import UTC, datetime, timedelta

from .._service_url import normalize_url
from .._text import MESSAGE_LIMIT, one_line
from .._times import format_iso
from .folder import OpenFolder
from .store import KnownOutageError, Store, StoreError, describe_sender

MAX_AGE = timedelta(days=90)
"""Older entries are not read, and may be removed."""

_BLOCK = 1 << 16
"""Bytes. An entry has far less."""
_FILE = re.compile(r"changes-\d{4}-\d{2}\.jsonl")


class ChangeLog:
    """The change log in ``store``, of one task. Threads share it. ``warn`` is called once if it can't be written."""

    def __init__(self, store: Store, api_url: str, warn: t.Callable[[str], None]) -> None:
        self._store = store
        self._service = normalize_url(api_url)
        self._warn = warn
        self._queue: deque[str] = deque()
        self._lock = threading.Lock()
        self._has_failed = False

    def add(self, **fields: object) -> None:
        """Adds an entry. The thread that gets the lock writes those of all that wait for it. Raises nothing."""
        at = datetime.fromtimestamp(time.time() + self._store.clock_offset, UTC)
        entry = {"at": format_iso(at), "service": self._service, **fields, "by": describe_sender()}
        self._queue.append(json.dumps(entry))
        with self._lock:
            lines = [self._queue.popleft() for _number in range(len(self._queue))]
            if not lines or self._has_failed:
                return
            try:
                self._store.add_changes(lines)
            except StoreError as error:
                self._has_failed = True
                if not isinstance(error, KnownOutageError):
                    reason = one_line(error, MESSAGE_LIMIT)
                    self._warn(f"{reason}, so the change log lacks changes that were sent. {error.advice}.")


def append_to_folder(folder: OpenFolder, lines: t.Sequence[str]) -> None:
    """Appends entries to the file of this month. Whoever creates it removes the files that are too old."""
    now = datetime.now(UTC)
    name, flags = _name_file(now), os.O_WRONLY | os.O_APPEND
    if not folder.has(name):
        for old in _list_files(folder):
            if old < _name_file(now - MAX_AGE):
                # Another process may remove it at the same moment.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(old, dir_fd=folder.descriptor)
        flags |= os.O_CREAT
    # An earlier line may be torn; it must not take this one along.
    data = "".join(f"\n{line}\n" for line in lines).encode()
    with folder.open(name, flags) as file:
        if os.write(file, data) < len(data):
            raise OSError("the disk is full")


def read_from_folder(folder: OpenFolder, since: datetime) -> t.Iterator[str]:
    """Yields the entries from the last one back: those since this time, and then earlier ones of that month."""
    for name in sorted(_list_files(folder), reverse=True):
        if name >= _name_file(since):
            with folder.open(name, os.O_RDONLY) as file:
                yield from _read_back(file)


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
