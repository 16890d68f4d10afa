# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change log: starts, stops, restarts, deletions and updates of add-ons, each recorded after it was sent.

It is for people only: nothing is decided by it, so an entry that can't be written is a warning, and one that is lost is
merely missing. In a folder it is a file a month, to which each entry is appended without a lock and without a sync; in
a database it is a table.
"""

from __future__ import annotations

import json
import threading
import time
import typing as t
from collections import deque
from datetime import UTC, datetime

from .._service_url import normalize_url
from .._text import MESSAGE_LIMIT, one_line
from .._times import format_iso
from .folder_changes import open_changes
from .store import KnownOutageError, StoreError, describe_sender

if t.TYPE_CHECKING:
    from .store_protocol import Store


class ChangeLog:
    """The change log in ``store``, of one task. Threads share it. ``warn`` is called once if it can't be written."""

    def __init__(self, store: Store, api_url: str, warn: t.Callable[[str], None]) -> None:
        self._store = open_changes(store)
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
